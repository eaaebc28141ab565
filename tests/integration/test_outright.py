"""Documents that cancel or answer an order as a whole: every line that is known of it gets its event."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import msgspec
import pytest

from connectors.formats.edi.writer import Envelope, Group, write_interchange
from crossdock.dock import Dock
from crossdock.ledger.selecting import Selection
from crossdock.mending.replay import Replayed, preview, replay
from crossdock.process import translated_payload
from crossdock.settings import Settings

pytestmark = pytest.mark.usefixtures("under_frames")

UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
FIELDS = 'item: "PO1[BP]", site: "N1[ST]04", unit: {const: EA}'
PARTNER = f"""\
partner: ACME
identities: {{x12: ["ZZ:ACMEINC"], edifact: ["ACME"], idoc: ["LS:ACME"], ubl: ["0088:1"], cxml: ["DUNS:1"]}}
documents:
  x12.850: {{fields: {{{FIELDS}}}}}
  x12.855: {{fields: {{{FIELDS}}}}}
  x12.860: {{fields: {{{FIELDS.replace("PO1", "POC")}}}}}
  idoc.ORDCHG: {{fields: {{partner: {{const: ACME}}}}}}
  cxml.ConfirmationRequest:
    fields: {{item: ConfirmationStatus/ItemIn/ItemID/BuyerPartID, site: {{const: N1}}, unit: {{const: EA}}}}
"""


@pytest.fixture
def dock(on_both: Settings) -> Iterator[Dock]:
    (on_both.home / "partners" / "acme.yaml").write_text(PARTNER)
    with Dock.open(on_both) as opened:
        yield opened


def x12(control: int, set_: str, group: str, *rows: tuple[str, ...]) -> bytes:
    envelope = Envelope(
        sender="ZZ:ACMEINC", receiver="ZZ:US", control_number=control, written_at=datetime(2026, 3, 1, tzinfo=UTC)
    )
    sets = [(set_, "0001", list(rows))]
    made = Group(code=group, sender="ACMEINC", receiver="US", control_number=control, release="004010", sets=sets)
    return b"".join(write_interchange(envelope, [made]))


def ordered(control: int, order: str, *lines: str, on: str = "20260301") -> bytes:
    """An 850: 10 of P-1 and so on, one line for each."""
    rows: list[tuple[str, ...]] = [("BEG", "00", "SA", order, "", on), ("N1", "ST", "", "92", "N1")]
    for number, line in enumerate(lines, 1):
        rows += [("PO1", line, "10", "EA", "2.5", "", "BP", f"P-{number}"), ("DTM", "002", "20260420")]
    return x12(control, "850", "PO", *rows)


def edifact(message: str, *rows: str) -> bytes:
    segments = ["UNB+UNOC:3+ACME+US+260302:1200+9", f"UNH+1+{message}:D:96A:UN", *rows]
    segments += [f"UNT+{len(rows) + 2}+1", "UNZ+1+9"]
    return "".join(f"{segment}'" for segment in segments).encode()


def ubl(name: str, *parts: str, party: str) -> bytes:
    order = "<cac:OrderReference><cbc:ID>PO/1</cbc:ID></cac:OrderReference>"
    other = {"BuyerCustomerParty", "SellerSupplierParty"}.difference([party]).pop()
    endpoint = "<cac:Party><cbc:EndpointID schemeID='0088'>1</cbc:EndpointID></cac:Party>"
    return (
        f"<{name} xmlns='{UBL}{name}-2' xmlns:cac='{UBL}CommonAggregateComponents-2' "
        f"xmlns:cbc='{UBL}CommonBasicComponents-2'><cbc:ID>D-1</cbc:ID><cbc:IssueDate>2026-03-02</cbc:IssueDate>"
        f"{''.join(parts)}{order}<cac:{party}>{endpoint}</cac:{party}><cac:{other}/></{name}>"
    ).encode()


def cxml(request: str) -> bytes:
    parties = "".join(
        f"<{side}><Credential domain='DUNS'><Identity>{number}</Identity></Credential></{side}>"
        for side, number in (("From", 1), ("To", 2), ("Sender", 1))
    )
    return (
        f"<cXML payloadID='1@acme' timestamp='2026-03-02T10:00:00Z'><Header>{parties}</Header>"
        f"<Request>{request}</Request></cXML>"
    ).encode()


def confirmation(type: str, items: str = "") -> bytes:
    return cxml(
        f"<ConfirmationRequest><ConfirmationHeader confirmID='D-1' type='{type}' noticeDate='2026-03-02T09:00:00Z'/>"
        "<OrderReference orderID='PO/1'><DocumentReference payloadID='x'/></OrderReference>"
        f"{items}</ConfirmationRequest>"
    )


def idoc(message: str, *segments: str) -> bytes:
    return (
        f"<ORDERS05><IDOC><EDI_DC40><DOCNUM>7</DOCNUM><IDOCTYP>ORDERS05</IDOCTYP><MESTYP>{message}</MESTYP>"
        "<SNDPRT>LS</SNDPRT><SNDPRN>ACME</SNDPRN><CREDAT>20260302</CREDAT></EDI_DC40>"
        f"{''.join(segments)}</IDOC></ORDERS05>"
    ).encode()


CANCELLED = {
    "x12.860": x12(2, "860", "PC", ("BCH", "01", "SA", "PO/1", "", "", "20260302")),
    "edifact.ORDCHG": edifact("ORDCHG", "BGM+230+D-1+1", "DTM+137:20260302:102", "RFF+ON:PO/1", "UNS+S"),
    "idoc.ORDCHG": idoc("ORDCHG", "<E1EDK01><ACTION>003</ACTION><BELNR>PO/1</BELNR></E1EDK01>"),
    "ubl.OrderCancellation": ubl(
        "OrderCancellation", "<cbc:CancellationNote>no longer wanted</cbc:CancellationNote>", party="BuyerCustomerParty"
    ),
    "cxml.OrderRequest": cxml(
        "<OrderRequest><OrderRequestHeader orderID='PO/1' type='delete' orderDate='2026-03-02'/></OrderRequest>"
    ),
}
ANSWERED = {
    "x12.855 RJ": (x12(2, "855", "PR", ("BAK", "00", "RJ", "PO/1", "20260302")), "rejected"),
    "x12.855 AK": (x12(2, "855", "PR", ("BAK", "00", "AK", "PO/1", "20260302")), "accepted"),
    "x12.865 AT": (x12(2, "865", "CA", ("BCA", "00", "AT", "PO/1", "", "", "20260302")), "accepted"),
    "edifact.ORDRSP 27": (
        edifact("ORDRSP", "BGM+231+D-1+27", "DTM+137:20260302:102", "RFF+ON:PO/1", "UNS+S"),
        "rejected",
    ),
    "edifact.ORDRSP 29": (
        edifact("ORDRSP", "BGM+231+D-1+29", "DTM+137:20260302:102", "RFF+ON:PO/1", "UNS+S"),
        "accepted",
    ),
    "idoc.ORDRSP": (
        idoc(
            "ORDRSP",
            "<E1EDK01><ACTION>003</ACTION><BELNR>D-1</BELNR></E1EDK01>"
            "<E1EDK02><QUALF>001</QUALF><BELNR>PO/1</BELNR></E1EDK02>",
        ),
        "rejected",
    ),
    "ubl.OrderResponse AP": (
        ubl("OrderResponse", "<cbc:OrderResponseCode>AP</cbc:OrderResponseCode>", party="SellerSupplierParty"),
        "accepted",
    ),
    "ubl.OrderResponseSimple": (
        ubl("OrderResponseSimple", "<cbc:AcceptedIndicator>false</cbc:AcceptedIndicator>", party="SellerSupplierParty"),
        "rejected",
    ),
    "cxml accept": (confirmation("accept"), "accepted"),
    "cxml reject": (confirmation("reject"), "rejected"),
}


def come_in(dock: Dock, name: str, content: bytes) -> None:
    (dock.settings.home / "in" / name).write_bytes(content)
    assert not dock.run().errors


def said(dock: Dock, kind: str) -> dict[str, str]:
    """Of each subject of that kind of event what it says: status, quantity and day."""
    return {
        event.subject: "/".join(
            filter(
                None, (data.get("status"), data["quantity"], data.get("due_at", "")[:10], data["references"]["order"])
            )
        )
        for event in dock.ledger.events()
        if event.kind == kind
        for data in [msgspec.json.decode(event.data)]
    }


def codes(dock: Dock) -> list[str]:
    return [row["code"] for row in dock.ledger.findings() if row["code"].startswith(("order.", "document."))]


@pytest.mark.parametrize("name", CANCELLED)
def test_an_order_that_is_taken_back_is_cancelled_line_by_line(dock: Dock, name: str) -> None:
    come_in(dock, "1.edi", ordered(1, "PO/1", "10", "20"))
    come_in(dock, "2.edi", ordered(3, "PO/10", "10"))  # another order
    come_in(dock, "3.dat", CANCELLED[name])
    expected = {f"order/ACME/PO%2F1/{line}": "10/2026-04-20/PO/1" for line in ("10", "20")}
    assert said(dock, "cancelled") == expected
    assert codes(dock) == ["order.outright", "order.lines_outright"]
    come_in(dock, "4.dat", CANCELLED[name] + b"\n")  # said once more: nothing is left to cancel
    assert len([event for event in dock.ledger.events() if event.kind == "cancelled"]) == 2


@pytest.mark.parametrize("name", ANSWERED)
def test_an_answer_without_lines_answers_every_line(dock: Dock, name: str) -> None:
    content, word = ANSWERED[name]
    come_in(dock, "1.edi", ordered(1, "PO/1", "10", "20"))
    come_in(dock, "2.dat", content)
    expected = {f"order_response/ACME/PO%2F1/{line}": f"{word}/10/2026-04-20/PO/1" for line in ("10", "20")}
    assert said(dock, "confirmed") == expected
    (latest,) = [event for event in dock.ledger.events() if event.subject.endswith("response/ACME/PO%2F1/20")]
    assert msgspec.json.decode(latest.data)["lineage"]["document"].startswith("doc-")


EXCEPT = {
    "x12.855": x12(
        2, "855", "PR", ("BAK", "00", "AE", "PO/1", "20260302"), ("N1", "ST", "", "92", "N1"),
        ("PO1", "20", "10", "EA", "2.5", "", "BP", "P-2"), ("ACK", "IR", "10", "EA"),
    ),
    "cxml": confirmation(
        "except",
        "<ConfirmationItem lineNumber='20' quantity='10'><UnitOfMeasure>EA</UnitOfMeasure>"
        "<ConfirmationStatus type='reject' quantity='10'><UnitOfMeasure>EA</UnitOfMeasure><ItemIn><ItemID>"
        "<BuyerPartID>P-2</BuyerPartID></ItemID></ItemIn></ConfirmationStatus></ConfirmationItem>",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXCEPT)
def test_what_an_answer_by_exceptions_does_not_name_is_accepted(dock: Dock, name: str) -> None:
    come_in(dock, "1.edi", ordered(1, "PO/1", "10", "20", "30"))
    come_in(dock, "2.dat", EXCEPT[name])
    answers = {subject.rpartition("/")[2]: told.partition("/")[0] for subject, told in said(dock, "confirmed").items()}
    assert answers == {"10": "accepted", "20": "rejected", "30": "accepted"}


@pytest.mark.parametrize("name", CANCELLED)
def test_an_order_that_comes_after_its_cancellation_is_cancelled_from_the_start(dock: Dock, name: str) -> None:
    come_in(dock, "1.dat", CANCELLED[name])
    (told,) = [row for row in dock.ledger.findings() if row["code"] == "order.unknown"]
    assert (told["severity"], told["value"]) == ("warning", "PO/1")
    come_in(dock, "2.edi", ordered(1, "PO/1", "10", "20"))
    come_in(dock, "3.edi", ordered(3, "PO/10", "10"))  # another order
    cancelled = {f"order/ACME/PO%2F1/{line}": "10/2026-04-20/PO/1" for line in ("10", "20")}
    assert said(dock, "cancelled") == cancelled
    assert list(said(dock, "ordered")) == ["order/ACME/PO%2F10/10"]
    assert codes(dock).count("order.late") == 1
    before = len(dock.ledger.events())
    read_again(dock)
    dock.run()
    come_in(dock, "4.edi", ordered(4, "PO/1", "10", "20"))  # the order once more
    assert len(dock.ledger.events()) == before


def test_an_order_that_is_newer_than_its_cancellation_stands(dock: Dock) -> None:
    come_in(dock, "1.dat", CANCELLED["x12.860"])
    come_in(dock, "2.edi", ordered(1, "PO/1", "10", on="20260303"))
    read_again(dock)
    assert list(said(dock, "ordered")) == ["order/ACME/PO%2F1/10"]
    assert not said(dock, "cancelled")


def test_cancellation_and_order_in_one_file(dock: Dock) -> None:
    come_in(dock, "1.edi", CANCELLED["x12.860"] + ordered(1, "PO/1", "10"))
    assert list(said(dock, "cancelled")) == ["order/ACME/PO%2F1/10"]
    assert not said(dock, "ordered")


def test_an_order_whose_lines_waited_when_it_was_cancelled(dock: Dock) -> None:
    file = dock.settings.home / "partners" / "acme.yaml"
    file.write_text(PARTNER.replace("PO1[BP]", "PO1[ZZ]"))
    come_in(dock, "1.edi", ordered(1, "PO/1", "10"))
    come_in(dock, "2.dat", CANCELLED["x12.860"])
    assert not dock.ledger.events()
    file.write_text(PARTNER)
    with Dock.open(dock.settings) as later:
        assert later.release().released == 1
        assert list(said(later, "cancelled")) == ["order/ACME/PO%2F1/10"]
        assert len(later.ledger.events()) == 1


def test_a_line_that_comes_after_its_cancellation_stays_cancelled(dock: Dock) -> None:
    change = [
        ("BCH", "04", "SA", "PO/1", "", "", "20260301", "", "", "", "", "20260302"),
        ("N1", "ST", "", "92", "N1"),
        ("POC", "10", "DI", "10", "0", "EA", "2.5", "", "BP", "P-1"),
    ]
    come_in(dock, "1.edi", x12(1, "860", "PC", *change))
    assert list(said(dock, "cancelled")) == ["order/ACME/PO%2F1/10"]
    come_in(dock, "2.edi", ordered(2, "PO/1", "10", "20"))
    assert list(said(dock, "ordered")) == ["order/ACME/PO%2F1/20"]
    assert "order.late" in codes(dock)
    before = len(dock.ledger.events())
    read_again(dock)
    assert len(dock.ledger.events()) == before
    come_in(dock, "3.edi", ordered(3, "PO/1", "10", on="20260303"))  # ordered anew
    assert set(said(dock, "ordered")) == {"order/ACME/PO%2F1/10", "order/ACME/PO%2F1/20"}


def test_an_order_read_again_after_its_cancellation_is_left_as_it_is(dock: Dock) -> None:
    come_in(dock, "1.edi", ordered(1, "PO/1", "10", "20"))
    come_in(dock, "2.dat", CANCELLED["x12.860"])
    before = len(dock.ledger.events())
    told = preview_of(dock)
    assert (told.published, told.changed, len(dock.ledger.events())) == (0, 0, before)
    read_again(dock)
    assert len(dock.ledger.events()) == before
    assert "order.late" not in codes(dock)


def test_order_and_cancellation_that_did_not_see_each_other(dock: Dock) -> None:
    """Two workers may store them at the same moment. Here the one that stores the order does not look."""
    come_in(dock, "1.dat", CANCELLED["x12.860"])
    (dock.settings.home / "in" / "2.edi").write_bytes(ordered(1, "PO/1", "10"))
    (id,) = dock.receive("inbox")
    record, context = dock.ledger.payload(id), dock.context()
    with closing(translated_payload(record, dock.archive, context)) as translated:
        dock.ledger.store(id, translated)
    assert list(said(dock, "ordered")) == ["order/ACME/PO%2F1/10"]
    for _ in range(2):
        dock.run()
        assert [event.kind for event in dock.ledger.events()] == ["ordered", "cancelled"]


def test_an_answer_to_an_order_that_is_not_there_yet_counts_once_it_is(dock: Dock) -> None:
    come_in(dock, "1.dat", ANSWERED["cxml accept"][0])
    assert "order.unknown" in codes(dock)
    come_in(dock, "2.edi", ordered(1, "PO/1", "10"))
    assert list(said(dock, "confirmed")) == ["order_response/ACME/PO%2F1/10"]
    (document,) = [one for one in dock.ledger.documents() if one["type"] == "cxml.ConfirmationRequest"]
    assert document["status"] == "accepted"
    before = len(dock.ledger.events())
    read_again(dock)
    assert len(dock.ledger.events()) == before


def preview_of(dock: Dock) -> Replayed:
    total = Replayed()
    list(preview(Selection(), archive=dock.archive, ledger=dock.ledger, context=dock.context(), total=total))
    return total


def read_again(dock: Dock) -> None:
    """``crossdock replay --all``."""
    replay(Selection(), archive=dock.archive, ledger=dock.ledger, context=dock.context(), reason="the order is there")


def test_order_and_cancellation_in_one_file(dock: Dock) -> None:
    come_in(dock, "1.edi", ordered(1, "PO/1", "10") + CANCELLED["x12.860"])
    assert list(said(dock, "cancelled")) == ["order/ACME/PO%2F1/10"]


def response(*lines: str) -> bytes:
    return ubl(
        "OrderResponse", "<cbc:OrderResponseCode>CA</cbc:OrderResponseCode>", party="SellerSupplierParty"
    ).replace(b"</OrderResponse>", "".join(lines).encode() + b"</OrderResponse>")


def line(number: str, code: str, quantity: str = "", day: str = "") -> str:
    quantity = quantity and f"<cbc:Quantity unitCode='EA'>{quantity}</cbc:Quantity>"
    days = f"<cbc:StartDate>{day}</cbc:StartDate><cbc:EndDate>{day}</cbc:EndDate>"
    period = f"<cac:PromisedDeliveryPeriod>{days}</cac:PromisedDeliveryPeriod>"
    return (
        f"<cac:OrderLine><cac:LineItem><cbc:ID>{number}</cbc:ID><cbc:LineStatusCode>{code}</cbc:LineStatusCode>{quantity}"
        f"{day and f'<cac:Delivery>{period}</cac:Delivery>'}<cac:Item><cbc:Name/></cac:Item></cac:LineItem>"
        f"<cac:OrderLineReference><cbc:LineID>{number}</cbc:LineID></cac:OrderLineReference></cac:OrderLine>"
    )


ANSWERS = response(line("10", "5"), line("20", "7"), line("30", "3", day="2026-05-02"), line("40", "3", quantity="4"))


def test_a_line_that_says_no_more_than_its_answer_is_as_ordered(dock: Dock) -> None:
    come_in(dock, "1.edi", ordered(1, "PO/1", "10", "20", "30", "40"))
    come_in(dock, "2.xml", ANSWERS)
    answers = {subject.rpartition("/")[2]: told for subject, told in said(dock, "confirmed").items()}
    assert answers == {
        "10": "accepted/10/2026-04-20/PO/1",
        "20": "rejected/10/2026-04-20/PO/1",
        "30": "changed/10/2026-05-02/PO/1",
        "40": "changed/4/2026-04-20/PO/1",
    }
    (event,) = [event for event in dock.ledger.events() if event.subject == "order_response/ACME/PO%2F1/40"]
    data = msgspec.json.decode(event.data)
    assert (data["item"], data["site"], data["base_quantity"], data["unit"]) == ("P-4", "N1", "4", "EA")
    assert data["lineage"]["location"] == "/OrderResponse/OrderLine[4]"
    (document,) = [one for one in dock.ledger.documents() if one["type"] == "ubl.OrderResponse"]
    assert (document["status"], document["parked"]) == ("accepted", 0)
    before = len(dock.ledger.events())
    read_again(dock)
    assert len(dock.ledger.events()) == before


def test_such_a_line_waits_for_an_order_that_is_not_known(dock: Dock) -> None:
    come_in(dock, "1.xml", ANSWERS)
    assert not said(dock, "confirmed")
    assert [row["code"] for row in dock.ledger.findings()].count("quantity.missing") == 3
    come_in(dock, "2.edi", ordered(1, "PO/1", "10", "20"))
    assert {subject.rpartition("/")[2] for subject in said(dock, "confirmed")} == {"10", "20"}
