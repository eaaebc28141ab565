"""Every EDIFACT file of the corpus beside the checkout: read to its end, and what is broken on purpose is said."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from connectors.formats.edi.edifact.scan import scan_edifact
from connectors.formats.edi.unread import unread_format

CORPUS = Path(__file__).resolve().parents[5] / "shared" / "corpus"
MANIFEST = list(csv.DictReader((CORPUS / "MANIFEST.csv").read_text("utf-8").splitlines()))
ROWS = [row for row in MANIFEST if row["format"] == "edifact"]
BROKEN = [row for row in ROWS if row["invalid_on_purpose"] == "yes"]
UNREAD = [row for row in MANIFEST if row["format"] in ("vda", "tradacoms")]

#: words of the manifest's expectation -> prefixes of finding codes, one of which must be among the errors
EXPECTED = {
    "malformed segment": ("segment.", "element.", "message.unknown"),
    "trailer control numbers": ("message.", "group.", "interchange."),
    "GE / UNE missing": ("group.trailer_missing",),
    "IEA / UNZ missing": ("interchange.trailer_missing",),
    "several bad messages": ("message.", "segment."),
    "one good and one bad": ("message.",),
    "header segment corrupted": ("interchange.header_missing", "segment.misplaced"),
    "group sent twice": ("group.duplicate",),
    "interchange sent twice": ("interchange.duplicate",),
    "same message twice": ("message.duplicate",),
    "required data missing": ("element.code",),
    "mandatory segment/element missing": ("segment.missing",),
    "segment out of place": ("segment.", "message.count"),
    "without any envelope": ("interchange.header_missing",),
}


def name(row: dict[str, str]) -> str:
    return row["path"]


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_read_to_the_end_in_any_pieces(row, read_edifact) -> None:
    payload = (CORPUS / row["path"]).read_bytes()
    whole = read_edifact(payload)
    assert len(whole.starts) == len(whole.ends)
    assert whole.plain == read_edifact(payload, block=501, learn=False).plain
    assert whole.items, "accepted in silence"
    counted = sum(end.segments for end in whole.ends)
    inside = sum(segment.tag not in ("UNB", "UNG", "UNE", "UNZ") for segment in scan_edifact(io.BytesIO(payload)))
    misplaced = sum(finding.code == "segment.misplaced" for finding in whole.findings)
    assert counted + misplaced == inside, "segments lost"


@pytest.mark.parametrize("row", BROKEN, ids=name)
def test_broken_on_purpose(row, read_edifact) -> None:
    found = read_edifact((CORPUS / row["path"]).read_bytes())
    wanted = next(prefixes for words, prefixes in EXPECTED.items() if words in row["expected_error"])
    said = [finding.code for finding in found.errors]
    assert any(code.startswith(wanted) for code in said), said


#: Files nobody calls broken, and what is wrong with them all the same: looked up by hand in each of them.
WRONG_ALL_THE_SAME = {
    "Effektor-EDIFACT__": {
        "segment.misplaced", "element.too_many",  # aperak: no UNB, and ERC as no directory has it
        "segment.unexpected",  # message1, message2: a GIN behind CPS
        "message.count", "interchange.trailer_missing",
    },
    "nerdocs-pydifact__": {"message.count", "interchange.trailer_missing", "interchange.control_number"},
    "EdiFabric-EDIFACT-NET__": {
        "interchange.element.missing",  # CONTRL: UNOB without a version
        "interchange.count", "message.count",
        "element.too_many", "element.too_long", "segment.missing", "segment.order",  # a partner's own elements
        "element.code",  # PurchaseOrders: there is no agency AA
    },
    "blueseerER-blueseer__": {
        "interchange.element.missing",  # CONTRL: UNOC without a version
        "segment.unknown", "message.count",  # ORDERS: PYT in D.96A
    },
    "sonst-was-desadv-valid__": {"interchange.element.too_long"},  # a reference of 17 digits
    "EdiWeave-EdiWeave__": {
        "message.duplicate", "group.duplicate", "message.count",  # copies of one message, their numbers unchanged
        "interchange.header_missing",
    },
    "superReal-edi-parser__": {"loop.max_use", "message.count"},  # 11,622 LIN, where D.96A has 9,999
    "ballerina--module-balle__": {
        "interchange.element.too_long",  # UNB08 holds what belongs into UNB07
        "message.count", "segment.missing",
    },
    "david-blac-edifact-rail__": {"message.count"},
    "hupe1980-edifact-rs__": {"interchange.header_missing", "segment.missing"},  # a bare message, without UNS
    "prendleman-sterling-edi__": {
        "element.too_long", "element.character", "element.code", "segment.missing", "message.count",
        "interchange.element.too_long", "interchange.element.missing", "interchange.control_number",  # written by hand
    },
    "SWMSConsul-EDIFACTMedia__": {"element.missing", "message.count"},
    "smooks-smooks-edi-c__": {
        "element.too_long",  # RECADV: a name of 39 characters
        "message.count", "message.duplicate", "interchange.count", "interchange.control_number",
        "group.element.missing", "group.element.too_long", "group.control_number", "group.count", "segment.misplaced",
    },
}  # fmt: skip


@pytest.mark.parametrize("row", [row for row in ROWS if row["invalid_on_purpose"] != "yes"], ids=name)
def test_what_nobody_calls_broken_is_not_refused(row, read_edifact) -> None:
    found = read_edifact((CORPUS / row["path"]).read_bytes())
    reasons = (codes for start, codes in WRONG_ALL_THE_SAME.items() if Path(row["path"]).name.startswith(start))
    assert {finding.code for finding in found.errors} - {"message.unknown"} <= set().union(*reasons)


@pytest.mark.parametrize("row", UNREAD, ids=name)
def test_what_is_not_read_is_known_by_name(row) -> None:
    named = unread_format((CORPUS / row["path"]).read_bytes()[:4096])
    assert named is not None
    assert named.upper().startswith(row["format"].upper())
