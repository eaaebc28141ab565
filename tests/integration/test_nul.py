"""A NUL wherever a sender can put one: both databases take in what came, and it is known what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from crossdock.console.pages import routes
from crossdock.console.workplace import workplace_of
from crossdock.dock import Dock
from crossdock.feed.app import feed_app
from crossdock.feed.service import service_of
from crossdock.settings import Settings
from tests.masters import in_force
from tests.unit.feed.conftest import TOKEN, Browser

from .test_outright import PARTNER, edifact, x12

ORDER = [
    ("BEG", "00", "SA", "4500017", "", "20260301"),
    ("N1", "ST", "", "92", "N1"),
    ("PO1", "10", "10", "EA", "2.5", "", "BP", "P-1"),
    ("DTM", "002", "20260420"),
]
ANSWER = [("BAK", "00", "AC", "4500017", "20260302"), ("PO1", "10", "10", "EA", "2.5", "", "BP", "P-1")]
CANCELLATION = [("BCH", "01", "SA", "4500017", "", "", "20260302")]
NOTICE = [
    ("BSN", "00", "S-1", "20260301", "1200"),
    ("HL", "1", "", "S"),
    ("N1", "ST", "", "92", "N1"),
    ("HL", "2", "1", "O"),
    ("PRF", "4500017"),
    ("HL", "3", "2", "I"),
    ("LIN", "10", "BP", "P-1"),
    ("SN1", "", "5", "EA"),
]
SCHEDULE = (
    *("BGM+241+R-1+9", "DTM+137:20260301:102", "NAD+SU+ACME::92", "GIS+37", "NAD+ST+N1::92", "LIN+1++P-1:IN"),
    *("RFF+ON:4500017", "QTY+113:10:C62", "SCC+1", "DTM+2:20260420:102"),
)
SHEET = ["Item,Site,On hand,Unit,Lot,Location,As of", "P-1,N1,1,EA,L-1,A-7,2026-03-01"]
PULLED = {
    **{"order_no": "4500017", "line_no": "20", "supplier_id": "ACME", "item_no": "P-100", "plant": "N1"},
    **{"quantity": "12", "unit": "EA", "due_on": "2026-04-01", "status": "open", "changed_at": "2026-03-01T10:00:00Z"},
}


def spoilt(text: str) -> str:
    return f"{text[:1]}\0{text[1:]}"


def each_spoilt(row: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for at, element in enumerate(row):
        if element:
            yield (*row[:at], spoilt(element), *row[at + 1 :])


def interchanges() -> Iterator[bytes]:
    control = 0
    for set_, group, rows in (
        ("850", "PO", ORDER),
        ("855", "PR", ANSWER),
        ("860", "PC", CANCELLATION),
        ("856", "SH", NOTICE),
    ):
        for at, row in enumerate(rows):
            for other in each_spoilt(row):
                control += 1
                yield x12(control, set_, group, *rows[:at], other, *rows[at + 1 :])
    for place in ("ACMEINC", "004010", "0001", "X*", "\n", "850"):
        control += 1
        whole = x12(control, "850", "PO", *ORDER).decode()
        yield whole.replace(place, spoilt(place)).encode()
    whole = edifact("DELFOR", *SCHEDULE).decode()
    for at in range(len(whole)):
        if whole[at].isalnum():
            yield (whole[:at] + "\0" + whole[at + 1 :]).replace("+9'", f"+{1000 + at}'").encode()


def sheets() -> Iterator[bytes]:
    for number, row in enumerate(SHEET):
        for other in each_spoilt(tuple(row.split(","))):
            yield "\n".join([*SHEET[:number], ",".join(other), *SHEET[number + 1 :], ""]).encode()


@pytest.fixture
def dock(on_both: Settings) -> Iterator[Dock]:
    partner = PARTNER.replace("documents:\n", "documents:\n  workbook.stock: {}\n  rows.purchase_orders: {}\n")
    (on_both.home / "partners" / "acme.yaml").write_text(partner)
    channel = "channel: inbox\npartner: ACME\nsource: {kind: folder, path: in, quiet: 0s}\n"
    (on_both.home / "channels" / "inbox.yaml").write_text(channel)
    with Dock.open(on_both) as opened:
        in_force(opened, "partners", {"partner": "ACME", "name": "Acme Pumps"})
        in_force(opened, "sites", {"site": "N1", "name": "North"})
        in_force(
            opened, "items", *({"item": item, "base_unit": "C62", "status": "active"} for item in ("P-1", "P-100"))
        )
        in_force(opened, "units")
        in_force(opened, "cross_references", {"kind": "unit", "theirs": "EA", "ours": "C62"})
        yield opened


def test_nothing_is_refused_by_a_database(dock: Dock, orders: Callable[..., str]) -> None:
    pulls = (orders({name: spoilt(text)}).encode() for name, text in PULLED.items())
    for ending, made in (("edi", interchanges()), ("csv", sheets()), ("jsonl", pulls)):
        for number, content in enumerate(made):
            (dock.settings.home / "in" / f"{number:03}.{ending}").write_bytes(content)
    run = dock.run()
    assert not run.errors
    assert {"order/ACME/4%00500017/10", "order/ACME/4500001/2%000"} <= {one.subject for one in dock.ledger.events()}
    assert all(one["status"] != "received" for one in dock.ledger.payloads())


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/events?item=%00", "/v1/state/demand?partner=a%00b", "/v1/forecast?item=%00", "/v1/supply/%00a/%00b"),
        *("/v1/documents?partner=%00", "/v1/documents/%00", "/v1/export.csv?item=%00", "/documents?q=%00x"),
        *("/documents/%00", "/files?q=%00", "/supply?q=%00", "/events?item=%00", "/parked?cause=%00"),
    ],
)
def test_nothing_that_is_asked_for_is_refused_by_a_database(dock: Dock, path: str) -> None:
    service = service_of(dock)
    browser = Browser(feed_app(service, TOKEN, routes(workplace_of(dock, service))))
    assert browser.get(path).status_code in {200, 404}
