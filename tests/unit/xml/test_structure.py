"""Reduced schemas: what is missing, said twice or misshapen is told with path and line, as documents arrive."""

from __future__ import annotations

import pytest

from connectors.formats.cxml import STRUCTURE as CXML
from connectors.formats.ubl.dialect import STRUCTURE as UBL
from connectors.formats.xml.structure import structure

NAMESPACE = "urn:oasis:names:specification:ubl:schema:xsd:"
HEAD = "<ID>PO-1</ID><IssueDate>2026-03-30</IssueDate><BuyerCustomerParty/><SellerSupplierParty/>"
LINE = "<OrderLine><LineItem><ID>{0}</ID><Quantity>{1}</Quantity><Item/></LineItem></OrderLine>"
GOOD = LINE.format(1, "8.5")


def order(*parts: str, head: str = HEAD) -> bytes:
    """An order, one part on each line from the second on."""
    return "\n".join([f"<Order xmlns='{NAMESPACE}Order-2'>{head}", *parts, "</Order>"]).encode()


def found(
    read, payload: bytes, kind: str = "ubl.Order", line: str = "OrderLine"
) -> list[tuple[str, str, str, int | None]]:
    told = read(payload, kind, line, ["/ID"] if kind.startswith("ubl") else ["/@x"], piece=200).findings
    return [(one.code, one.location, one.severity.value, one.line) for one in told if not one.code.endswith("unknown")]


def test_what_is_as_it_should_be_is_not_spoken_of(read) -> None:
    assert found(read, order(GOOD, LINE.format(2, " 7 "), "<AnythingElse><ID/></AnythingElse>")) == []


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (LINE.format(2, "1,5"), ("value_invalid", "LineItem/Quantity", "error")),
        (LINE.format("", "1"), ("value_invalid", "LineItem/ID", "error")),
        ("<OrderLine><LineItem><ID>2</ID></LineItem></OrderLine>", ("element_missing", "LineItem/Item", "warning")),
        ("<OrderLine><Note>no more</Note></OrderLine>", ("element_missing", "LineItem", "warning")),
        (
            "<OrderLine><LineItem><ID>2</ID><ID>3</ID><Item/></LineItem></OrderLine>",
            ("element_repeated", "LineItem/ID[2]", "warning"),
        ),
        (
            "<OrderLine><LineItem><ID>2</ID><Item/><Price><PriceAmount>2</PriceAmount></Price></LineItem></OrderLine>",
            ("element_missing", "LineItem/Price/PriceAmount/@currencyID", "warning"),
        ),
    ],
)
def test_what_is_wrong_with_a_line_is_said_of_that_line(read, part: str, expected: tuple[str, str, str]) -> None:
    code, place, severity = expected
    assert found(read, order(GOOD, part, GOOD)) == [
        (f"ubl.{code}", f"/Order/OrderLine[2]/{place}, line 3", severity, 2)
    ]


def test_what_is_wrong_with_the_head_is_said_before_the_lines(read) -> None:
    head = "<ID>1</ID><IssueDate>30.03.2026</IssueDate>\n<BuyerCustomerParty><Party/><Party/></BuyerCustomerParty>"
    assert found(read, order(GOOD, head=head)) == [
        ("ubl.value_invalid", "/Order/IssueDate, line 1", "error", None),
        ("ubl.element_repeated", "/Order/BuyerCustomerParty/Party[2], line 2", "warning", None),
        ("ubl.element_missing", "/Order/SellerSupplierParty, line 1", "error", None),
    ]


def test_a_document_without_its_lines(read) -> None:
    assert found(read, order()) == [("ubl.element_missing", "/Order/OrderLine, line 1", "error", None)]


def test_cxml_with_its_attributes(read) -> None:
    request = (
        "<cXML payloadID='1' timestamp='2026-03-30'>"
        "<Header><From><Credential><Identity>1</Identity></Credential></From></Header><Request>\n"
        "<ShipNoticeRequest><ShipNoticeHeader shipmentID='S' noticeDate='30/03/26' operation='no'/>\n"
        "<ShipNoticePortion><OrderReference/>\n<ShipNoticeItem quantity='many' lineNumber='1'><UnitOfMeasure>EA"
        "</UnitOfMeasure></ShipNoticeItem>\n<ShipNoticeItem quantity='1'/></ShipNoticePortion></ShipNoticeRequest>"
        "</Request></cXML>"
    )
    told = found(read, request.encode(), "cxml.ShipNoticeRequest", "ShipNoticePortion/ShipNoticeItem")
    here = "/cXML/Request/ShipNoticeRequest[1]"
    item = f"{here}/ShipNoticePortion[1]/ShipNoticeItem"
    assert told == [
        ("cxml.value_invalid", f"{here}/ShipNoticeHeader/@noticeDate, line 2", "error", None),
        ("cxml.value_invalid", f"{here}/ShipNoticeHeader/@operation, line 2", "error", None),
        ("cxml.value_invalid", f"{item}[1]/@quantity, line 4", "error", 1),
        ("cxml.element_missing", f"{item}[2]/@lineNumber, line 5", "warning", 2),
        ("cxml.element_missing", f"{item}[2]/UnitOfMeasure, line 5", "warning", 2),
    ]


@pytest.mark.parametrize("path", [UBL, CXML], ids=["ubl", "cxml"])
def test_a_schema_describes_no_form_of_what_holds_elements(path) -> None:
    shapes = structure(path).elements
    assert len(shapes) > 20
    assert not [name for name, shape in shapes.items() if shape.text and shape.holds]


def test_a_head_wrong_throughout_is_told_a_thousand_times_at_most(read) -> None:
    parties = "<BuyerCustomerParty><Party>" + "<PartyIdentification/>" * 20_000 + "</Party></BuyerCustomerParty>"
    head = f"<ID>1</ID><IssueDate>2026-03-30</IssueDate>{parties}<SellerSupplierParty/>"
    told = read(order(GOOD, head=head), "ubl.Order", "OrderLine", ["/ID"], piece=1 << 16).findings
    assert len(told) == 1_001
    assert told[-1].code == "findings.more"
