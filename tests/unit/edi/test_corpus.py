"""Every X12 file of the corpus beside the checkout: read to its end, and what is broken on purpose is said."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from connectors.formats.edi.scan import scan
from crossdock.check import check_file
from crossdock.translation import Context, standard_context
from crossdock.views.check_table import result

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


#: Files nobody calls broken, and what is wrong with them all the same: looked up by hand in each of them.
WRONG_ALL_THE_SAME = {
    "EdiFabric-X12-NET__": {
        "interchange.element.code",  # ISA07 = 1B is no qualifier of any version
        "group.count",  # GE01 = 2 above a single set
        "element.too_many", "segment.order", "element.too_long",  # Custom1, Custom2, Modified: a partner's own elements
        "set.count",  # MultiLine: a line was added, SE01 was not
        "element.too_short", "value.unreadable",  # ShipNotice: DTM02 = 200
        "group.duplicate",  # MixedTransactions: two groups of one number
        "quantity.missing", "unit.missing",  # ReceivingAdvice: RCD without a quantity
        "element.code",  # PurchaseOrderCSV: BEG02 = 02
    },
    "EdiWeave-EdiWeave__": {
        "group.duplicate", "set.duplicate", "interchange.duplicate",  # copies of one message, their numbers unchanged
        "group.element.too_short",  # TA1: TA101 has five digits
        "element.too_many",  # VersionFromSt: ST03 in a version that has none
    },
    "eskrano-php-edi-coed__": {
        "set.count", "group.count", "set.control_number", "group.control_number", "interchange.control_number",
        "segment.missing",  # trailers of another interchange were pasted
        "element.code",  # TD512 = BS, MAN01 = 2I
    },
    "ballerina--module-balle__": {
        "element.too_long", "element.condition", "element.code", "item.missing",  # PO106 holds the item, PO105 its kind
    },
    "prendleman-sterling-edi__": {
        "set.count", "element.missing", "element.too_long", "element.too_short", "element.character",
        "element.condition", "item.missing", "segment.unexpected",  # written by hand: PO106, ACK and SE01 are not X12
    },
    "kputnam-stupidedi__po-ack-minor-changes": {"element.condition"},  # ACK02 without ACK03
    "walmartlab-gozer__": {
        "set.count", "group.count", "interchange.count", "interchange.control_number", "payload.unrecognised",
    },
}  # fmt: skip
#: sets that have no table or no mapping are archived and told, and nothing else is wrong with them
UNREAD = {"set.unknown", "document.unmapped"}


@pytest.fixture(scope="module")
def lenient() -> Context:
    return standard_context(lenient=True)


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_the_table_of_results(row, lenient) -> None:
    """What ``crossdock check FOLDER --table`` says of each file agrees with the manifest."""
    path = CORPUS / row["path"]
    found = result(path.name, list(check_file(path, lenient)))
    errors = set(found.errors)
    if row["invalid_on_purpose"] == "yes":
        assert errors or found.warnings
        assert errors or path.name.startswith("kputnam-stupidedi__")
    else:
        reasons = (codes for start, codes in WRONG_ALL_THE_SAME.items() if path.name.startswith(start))
        assert errors - UNREAD <= set().union(*reasons)


@pytest.mark.parametrize("row", [row for row in ROWS if row["path"].split("/")[1] in ("824", "997", "999")], ids=name)
def test_an_answer_needs_no_mapping_whoever_sent_it(row, lenient) -> None:
    path = CORPUS / row["path"]
    told = {finding.code for item in check_file(path, lenient) for finding in item.findings}
    assert "partner.unknown" in told
    assert "document.unmapped" not in told
