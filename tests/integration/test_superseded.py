"""Releases of one schedule: what the newer one no longer names is withdrawn, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest

from connectors.formats.edi.writer import Envelope, Group, write_interchange
from crossdock.dock import Dock
from crossdock.settings import Settings

PARTNER = """\
partner: ACME
identities: {x12: ["ZZ:ACMEINC"], edifact: ["ACME"]}
documents:
  x12.830: {fields: {item: "LIN[BP]", site: "N1[ST]04", unit: {const: EA}}}
  edifact.DELFOR: {fields: {item: "LIN[BP]", site: "NAD[ST]02", unit: {const: EA}}}
"""


@pytest.fixture
def dock(on_both: Settings) -> Iterator[Dock]:
    (on_both.home / "partners" / "acme.yaml").write_text(PARTNER)
    with Dock.open(on_both) as opened:
        yield opened


def planning(
    control: int, made: str, *items: tuple[str, ...], purpose: str = "00", horizon: tuple[str, str] = ("20260302", "")
) -> bytes:
    """An 830 of day ``made``: items as ``("P-1", "PO-1", "20260302", "20260309")``, 10 in each of these weeks."""
    rows: list[tuple[str, ...]] = [("BFR", purpose, f"R{control}", "", "DL", "A", *horizon, made)]
    rows.append(("N1", "ST", "", "92", "N1"))
    for number, (item, order, *weeks) in enumerate(items, 1):
        rows.append(("LIN", str(number), "BP", item, *(("PO", order) if order else ())))
        rows += [("FST", "10", "D", "W", week) for week in weeks]
    envelope = Envelope(
        sender="ZZ:ACMEINC", receiver="ZZ:US", control_number=control, written_at=datetime(2026, 3, 1, tzinfo=UTC)
    )
    group = Group(
        code="PS", sender="ACMEINC", receiver="US", control_number=control, release="004010",
        sets=[("830", "0001", rows)],
    )  # fmt: skip
    return b"".join(write_interchange(envelope, [group]))


def come_in(dock: Dock, name: str, content: bytes) -> None:
    (dock.settings.home / "in" / name).write_bytes(content)
    assert not dock.run().errors


def standing(dock: Dock) -> dict[str, str]:
    """Of each bucket (item, order and first day) the newest quantity; withdrawn ones as ``-``."""
    latest: dict[str, str] = {}
    for event in dock.ledger.events():
        _, _, _, item, order, start, *_ = (*event.subject.split("/"), "", "")
        data = msgspec.json.decode(event.data)
        withdrawn = (event.kind, data.get("status"), data["quantity"]) == ("cancelled", "withdrawn", "0")
        latest["/".join(filter(None, (item, order, start[:10])))] = "-" if withdrawn else data["quantity"]
    return latest


FIRST = planning(1, "20260227", ("P-1", "", "20260302", "20260309", "20260316"), ("P-2", "", "20260302"))


def test_what_is_no_longer_named_within_the_horizon_is_withdrawn(dock: Dock) -> None:
    come_in(dock, "1.edi", FIRST)
    come_in(
        dock, "2.edi", planning(2, "20260306", ("P-1", "", "20260309", "20260323"), horizon=("20260309", "20260405"))
    )
    assert standing(dock) == {
        "P-1/2026-03-02": "10", "P-1/2026-03-09": "10", "P-1/2026-03-16": "-", "P-1/2026-03-23": "10",
        "P-2/2026-03-02": "10",
    }  # fmt: skip
    (told,) = [row for row in dock.ledger.findings() if row["code"] == "forecast.withdrawn"]
    assert (told["severity"], told["value"]) == ("info", "1")
    come_in(dock, "3.edi", planning(3, "20260313", ("P-1", "", "20260316"), horizon=("20260316", "20260322")))
    assert standing(dock)["P-1/2026-03-16"] == "10"  # wanted again
    assert standing(dock)["P-1/2026-03-23"] == "10"  # beyond that horizon


def test_a_horizon_without_an_end_reaches_to_the_last_bucket_named(dock: Dock) -> None:
    come_in(dock, "1.edi", planning(1, "20260227", ("P-1", "", "20260302", "20260309", "20260316", "20260323")))
    come_in(dock, "2.edi", planning(2, "20260228", ("P-1", "", "20260302", "20260316")))
    assert [day for day, quantity in standing(dock).items() if quantity == "-"] == ["P-1/2026-03-09"]


def test_another_order_another_purpose_an_older_release_and_a_resend_withdraw_nothing(dock: Dock) -> None:
    orders = ("P-1", "PO-1", "20260302", "20260309", "20260316"), ("P-1", "PO-2", "20260309")
    come_in(dock, "1.edi", planning(1, "20260227", *orders))
    come_in(dock, "2.edi", planning(2, "20260228", ("P-1", "PO-2", "20260302", "20260316")))
    gone = {"P-1/PO-2/2026-03-09": "-"}
    assert {key: value for key, value in standing(dock).items() if value == "-"} == gone
    come_in(dock, "3.edi", planning(3, "20260228", ("P-1", "PO-1", "20260302", "20260316"), purpose="04"))
    come_in(dock, "4.edi", planning(4, "20260220", ("P-1", "PO-1", "20260302", "20260316")))
    come_in(dock, "5.edi", b"\n" + planning(1, "20260227", *orders))
    assert {key: value for key, value in standing(dock).items() if value == "-"} == gone


def test_a_release_without_an_order_leaves_alone_what_an_order_wants(dock: Dock) -> None:
    come_in(dock, "1.edi", planning(1, "20260227", ("P-1", "PO-1", "20260309"), ("P-1", "", "20260302", "20260309")))
    come_in(dock, "2.edi", planning(2, "20260228", ("P-1", "", "20260302", "20260316")))
    gone = {key for key, value in standing(dock).items() if value == "-"}
    assert gone == {"P-1/2026-03-09"}


def test_the_same_of_edifact(dock: Dock) -> None:
    def delfor(reference: str, made: str, *weeks: str) -> bytes:
        rows = [f"BGM+241+{reference}+9", f"DTM+137:{made}:102", "DTM+158:20260302:102", "DTM+159:20260531:102"]
        rows += ["UNS+D", "NAD+ST+N1::92", "LIN+1++P-1:BP"]
        for week in weeks:
            rows += ["QTY+113:10:PCE", "SCC+4++W", f"DTM+2:{week}:102"]
        rows += ["UNS+S"]
        segments = ["UNB+UNOC:3+ACME+US+260301:1200+" + reference, "UNH+1+DELFOR:D:96A:UN", *rows]
        segments += [f"UNT+{len(rows) + 2}+1", f"UNZ+1+{reference}"]
        return "".join(f"{segment}'" for segment in segments).encode()

    come_in(dock, "1.edi", delfor("1", "20260227", "20260302", "20260309", "20260316"))
    come_in(dock, "2.edi", delfor("2", "20260228", "20260302"))
    assert standing(dock) == {"P-1/2026-03-02": "10", "P-1/2026-03-09": "-", "P-1/2026-03-16": "-"}
