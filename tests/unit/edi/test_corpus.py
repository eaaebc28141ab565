"""Every X12 file of the corpus beside the checkout: read to its end, and what is broken on purpose is said."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from connectors.formats.edi.scan import scan

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus"
MANIFEST = (CORPUS / "MANIFEST.csv").read_text("utf-8").splitlines()
ROWS = [row for row in csv.DictReader(MANIFEST) if row["format"] == "x12"]
BROKEN = [row for row in ROWS if row["invalid_on_purpose"] == "yes"]

#: words of the manifest's expectation -> prefixes of finding codes, one of which must be among the errors
EXPECTED = {
    "malformed segment": ("segment.", "element.", "set.unknown"),
    "trailer control numbers": ("set.", "group.", "interchange."),
    "GE / UNE missing": ("group.trailer_missing",),
    "IEA / UNZ missing": ("interchange.trailer_missing",),
    "several bad messages": ("set.", "group.", "interchange.", "segment."),
    "one good and one bad": ("set.", "group.count", "segment."),
    "strict grammar": ("element.", "segment.", "set.count", "interchange.", "hl."),
    "header segment corrupted": ("segment.misplaced",),
    "group sent twice": ("group.duplicate",),
    "interchange sent twice": ("interchange.duplicate",),
    "same message twice": ("set.duplicate",),
    "required data missing": ("element.",),
    "paired": ("element.condition",),
    "SE01 wrong": ("set.count",),
    "control numbers differ": ("set.control_number", "group.control_number"),
    "GE01 and IEA01": ("group.count",),
    "ISA too short": ("interchange.",),
    "blank lines": ("segment.empty", "set.count"),
    "multi-byte": ("set.", "segment."),
    "no ISA": ("interchange.missing",),
    "neither line breaks": ("interchange.terminator",),
    "GS wrong": ("group.", "segment.misplaced"),
    "without any envelope": ("interchange.missing",),
}
#: Real partner files that are only badly padded: read with warnings, which is what the manifest asks for.
TOLERATED = {"kputnam-stupidedi__1.edi", "kputnam-stupidedi__PO850_fail__1.edi"}


def name(row: dict[str, str]) -> str:
    return row["path"].removeprefix("x12/")


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_read_to_the_end_in_any_pieces(row, read) -> None:
    payload = (CORPUS / row["path"]).read_bytes()
    whole = read(payload)
    assert len(whole.starts) == len(whole.ends)
    assert whole.plain == read(payload, block=501, learn=False).plain
    assert whole.items, "accepted in silence"
    counted = sum(end.segments for end in whole.ends)
    inside = sum(segment.elements[0] not in ("ISA", "GS", "GE", "IEA", "TA1") for segment in scan(io.BytesIO(payload)))
    misplaced = sum(finding.code == "segment.misplaced" for finding in whole.findings)
    assert counted + misplaced == inside, "segments lost"


@pytest.mark.parametrize("row", BROKEN, ids=name)
def test_broken_on_purpose(row, read) -> None:
    found = read((CORPUS / row["path"]).read_bytes())
    wanted = next(prefixes for words, prefixes in EXPECTED.items() if words in row["expected_error"])
    said = [finding.code for finding in found.errors]
    if not said and Path(row["path"]).name in TOLERATED:
        said = [finding.code for finding in found.findings]
        wanted = ("interchange.layout", "element.")
    assert any(code.startswith(wanted) for code in said), said
