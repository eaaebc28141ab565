"""Real XML documents and flat IDocs beside the checkout: each gives lines, located findings or a report by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossdock.translation import Translation, translate

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus"
FOLDERS = ("ubl", "cxml", "idoc-flat", "opentrans", "xml-other")
FILES = [path for folder in FOLDERS for path in sorted((CORPUS / folder).rglob("*.*"))]

#: folder of the file -> status, lines and events of its documents together, where each file is to be read
READ = {
    "cxml/OrderRequest": (3, 5, 5),
    "cxml/ProductActivityMessage": (1, 1, 1),
    "cxml/ShipNoticeRequest": (1, 0, 0),  # an order as a whole, no items
    "idoc-flat/ORDERS05": (1, 4, 4),
    "ubl/DespatchAdvice": (7, 22, 22),
    "ubl/Forecast": (1, 1, 1),
    "ubl/InventoryReport": (1, 3, 3),
    "ubl/ReceiptAdvice": (1, 1, 1),
}


def test_the_corpus_lies_beside_the_checkout() -> None:
    assert len(FILES) == 89


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(path.relative_to(CORPUS).parts))
def test_lines_findings_or_a_name(path: Path) -> None:
    told = translate(path, partner="ACME")
    findings = told.findings.filter(told.findings["severity"] == "error") if told.findings.height else told.findings
    named = findings.filter(findings["code"].is_in(["format.unread", "document.unmapped"]))
    assert told.lines.height or named.height or told.findings.height
    assert all(value for value in named["value"])
    assert all(findings["location"] != "")


@pytest.mark.parametrize("folder", READ)
def test_what_is_mapped_becomes_lines_and_events(folder: str) -> None:
    read = [translate(path, partner="ACME") for path in sorted((CORPUS / folder).iterdir())]
    assert (
        sum(map(documents, read)),
        sum(one.lines.height for one in read),
        sum(one.events.height for one in read),
    ) == (READ[folder])


def documents(read: Translation) -> int:
    return read.documents.height


def test_what_is_broken_says_where() -> None:
    told = translate(CORPUS / "ubl/Order/oasis-tcs-ubl__order-test-bad-syntax.xml", partner="ACME")
    (finding,) = told.findings.rows(named=True)
    assert (finding["code"], finding["location"].partition(",")[0]) == ("xml.malformed", "line 50")


def test_other_standards_are_reported_by_name() -> None:
    told = {
        path.name: translate(path).findings["value"].to_list() for path in sorted((CORPUS / "opentrans").rglob("*.xml"))
    }
    assert {value for values in told.values() for value in values} == {
        "openTRANS 2.1 (ORDER)",
        "openTRANS 2.1 (DISPATCHNOTIFICATION)",
    }


def test_what_standards_publish_as_examples_satisfies_our_reduced_schemas() -> None:
    files = [path for folder in ("ubl", "cxml") for path in sorted((CORPUS / folder).rglob("*.xml"))]
    told = {path.name: translate(path, partner="ACME").findings for path in files}
    wrong = {
        name: codes
        for name, findings in told.items()
        if (codes := [code for code in findings["code"] if code.startswith(("ubl.", "cxml."))])
    }
    assert wrong == {"oasis-tcs-ubl__UBL-Forecast-2.1-Example.xml": ["ubl.element_missing"]}  # it has no indicator
