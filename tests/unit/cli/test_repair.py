"""Lines that wait, what a person does about it, and documents read again, as the command line has it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from connectors.formats.edi.writer import Envelope, Group, write_interchange
from crossdock.dock import Dock

pytestmark = pytest.mark.usefixtures("under_frames")

if TYPE_CHECKING:
    from conftest import Installation

Orders = Callable[..., str]


def events(known: Installation) -> list[dict[str, Any]]:
    return [json.loads(line) for line in known.run("events", "--jsonl").stdout.splitlines()]


@pytest.fixture
def waiting(known: Installation, orders: Orders) -> Installation:
    """Three lines have come, two of which name an item of ACME's that nobody knows."""
    unknown = {"item_no": "V-1002"}
    known.drop("po.jsonl", orders(("1", "10"), {"line_no": "20"} | unknown, {"line_no": "30"} | unknown))
    assert known.run("run").exit_code == 0
    return known


def test_what_lines_wait_for_is_said_in_a_sentence(waiting: Installation) -> None:
    told = waiting.run("parked")

    assert "2 lines wait for item 'V-1002' of ACME" in told.stdout
    assert "V-1002" in waiting.run("parked", "--value", "V-1002").stdout
    assert "no line waits" in waiting.run("parked", "--partner", "BRIGHTSEAL").stdout
    (one, other) = map(json.loads, waiting.run("parked", "--json").stdout.splitlines())
    assert (one["line"], other["line"]) == (2, 3)


def test_a_cross_reference_releases_what_waited_for_it(waiting: Installation) -> None:
    done = waiting.run("fix", "item", "V-1002", "P-200", "--partner", "ACME", "--reason", "mail of 2 March")

    assert done.exit_code == 0, done.output
    assert "2 lines released, 2 events published" in done.stdout
    assert "all the same" not in done.stdout
    assert "no line waits" in waiting.run("parked").stdout
    released = events(waiting)[1:]
    assert [(one["data"]["item"], one["data"]["partner_item"]) for one in released] == [("P-200", "V-1002")] * 2
    with Dock.open(waiting.settings) as dock:
        (load,) = [one for one in dock.ledger.master_loads() if one["table"] == "cross_references/by_hand"]
        (row,) = dock.ledger.added_master("cross_references").rows(named=True)
        trace = dock.ledger.trace(str(released[0]["id"]))
        (first,) = [one["data"]["lineage"]["document"] for one in events(waiting)[:1]]
    assert (load["source"], row["reason"], row["theirs"], row["valid_from"]) == (*["mail of 2 March"] * 2, "V-1002", "")
    assert row["author"].startswith("person ")
    assert trace is not None
    assert trace["payload"]["received_at"] < trace["document"]["stored_at"]
    assert trace["lineage"]["document"] == first
    assert trace["document"]["master_version"].endswith("units:1")


def test_a_row_of_other_days_says_why_it_releases_nothing(waiting: Installation) -> None:
    done = waiting.run("fix", "item", "V-1002", "P-200", "--partner", "ACME", "--from", "2099-01-01")

    assert done.exit_code == 0, done.output
    assert "nothing is released" in done.stdout
    assert "2 lines wait for item 'V-1002' of ACME all the same: what they say is of other days" in done.stdout
    assert waiting.run("fix", "item", "V-1002", "P-200", "--partner", "ACME", "--to", "2000-12-31").exit_code == 0


@pytest.mark.parametrize("first", ["item", "unit"])
def test_a_line_that_waits_for_two_things_says_what_is_left(known: Installation, orders: Orders, first: str) -> None:
    known.drop("po.jsonl", orders({"item_no": "V-1002", "unit": "furlong"}))
    known.run("run")
    fixes = {"item": ("V-1002", "P-200"), "unit": ("furlong", "C62")}
    one, other = sorted(fixes, key=lambda kind: kind != first)
    done = known.run("fix", one, *fixes[one], "--partner", "ACME")

    assert done.stdout.splitlines()[1:] == [
        "nothing is released",
        "1 line waits still, for something else: `crossdock parked` says what for",
    ]
    (waits,) = known.run("parked").stdout.split("\n\n")[0].splitlines()
    assert waits == f"1 line waits for {other} {fixes[other][0]!r} of ACME"
    assert "1 line released, 1 event published" in known.run("fix", other, *fixes[other], "--partner", "ACME").stdout


def test_a_load_leaves_what_was_added_by_hand_alone(waiting: Installation) -> None:
    waiting.run("fix", "item", "V-1002", "P-200", "--partner", "ACME")
    with Dock.open(waiting.settings) as dock:
        loaded = dock.ledger.loaded_master()["cross_references"]
        dock.ledger.load_master("cross_references", loaded.head(0), source="ERP", actor="ERP")
        assert dock.ledger.master()["cross_references"]["theirs"].to_list() == ["V-1002"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("item", "V-1002", "P-20"), "P-200"),
        (("item", "V-1002", "P-200", "--partner", "ACNE"), "ACME"),
        (("item", "V-1002", "P-200", "--from", "1.3.2026"), "YYYY-MM-DD"),
        (("item", "V-1002", "P-200", "--from", "2026-03-02", "--to", "2026-03-01"), "is before"),
        (("unit", "ST", "PIECE"), "Recommendation 20"),
        (("conversion", "P-100", "XCT", "0", "C62"), "above zero"),
        (("conversion", "P-101", "XCT", "12", "C62"), "P-100"),
        (("item", "V-9", "P-200", "--remove"), "by hand"),
    ],
)
def test_what_cannot_be_right_is_not_added(waiting: Installation, wrong: tuple[str, ...], told: str) -> None:
    refused = waiting.run("fix", *wrong)

    assert refused.exit_code == 2
    assert told in refused.stderr
    assert len(waiting.run("parked", "--json").stdout.splitlines()) == 2


def test_a_row_that_would_change_nothing_is_refused(waiting: Installation) -> None:
    assert waiting.run("fix", "item", "V-7", "P-200", "--from", "2026-01-01").exit_code == 0
    refused = waiting.run("fix", "item", "V-7", "P-100", "--from", "2025-01-01", "--to", "2026-06-30")
    assert refused.exit_code == 0  # it answers in 2025
    refused = waiting.run("fix", "item", "V-7", "P-100")
    assert (refused.exit_code, "would still be P-200" in refused.stderr) == (2, True)


def test_a_changed_partner_file_releases_too(known: Installation, orders: Orders) -> None:
    known.drop("po.jsonl", orders(("1", "10"), {"line_no": "20", "unit": "STK_PALLET"}))
    known.run("run")
    assert len(known.run("parked", "--json").stdout.splitlines()) == 1

    (known.home / "partners" / "acme.yaml").write_text(
        "partner: ACME\nidentities: {x12: ['ZZ:ACMEINC'], email: ['*@acme.example']}\ntimezone: Europe/Berlin\n"
    )
    assert "nothing is released" in known.run("release").stdout
    known.run("fix", "unit", "STK_PALLET", "C62")
    assert known.run("parked", "--json").stdout == ""


def test_lines_are_given_back_with_a_reason(waiting: Installation) -> None:
    assert waiting.run("parked", "--reject", "no").exit_code == 2
    done = waiting.run("parked", "--value", "V-1002", "--reject", "discontinued in 2024")

    assert "2 lines rejected" in done.stdout
    assert "no line waits" in waiting.run("parked").stdout
    told = [json.loads(line) for line in waiting.run("findings", "--json").stdout.splitlines()]
    assert [one["message"] for one in told if one["code"] == "line.rejected"] == ["rejected, discontinued in 2024"] * 2
    waiting.run("fix", "item", "V-1002", "P-200")
    assert len(events(waiting)) == 1


def test_a_preview_shows_what_a_replay_then_does(known: Installation, orders: Orders) -> None:
    known.drop("po.jsonl", orders(("1", "10"), ("1", "20")))
    known.run("run")
    before = events(known)
    assert known.run("replay").exit_code == 2
    assert known.run("replay", "--all", "--preview").exit_code == 0

    known.run("fix", "conversion", "", "C62", "1", "EA")
    with Dock.open(known.settings) as dock:
        items = dock.ledger.loaded_master()["items"]
        dock.ledger.load_master(
            "items", items.with_columns(base_unit=items["base_unit"].replace("C62", "DZN")), source="t", actor="t"
        )
    looked = known.run("replay", "--partner", "ACME", "--preview")
    assert looked.exit_code == 1
    assert "base_quantity 12 -> 1" in looked.stdout
    assert events(known) == before
    assert known.run("accept", "ACME").exit_code == 1

    done = known.run("replay", "--partner", "ACME", "--reason", "dozens it is")
    assert "2 changes" in done.stdout
    after = events(known)
    assert after[:2] == before
    assert [(one["sequence"], one["data"]["base_quantity"]) for one in after[2:]] == [(2, "1")] * 2
    assert "0 stay" in done.stdout
    again = known.run("replay", "--all")
    assert "2 stay" in again.stdout
    assert len(events(known)) == 4
    assert known.run("accept", "ACME").exit_code == 0


def test_a_selection_reads_only_what_it_names(known: Installation, orders: Orders) -> None:
    for number in range(3):
        known.drop(f"po-{number}.jsonl", orders((f"45{number}", "10")))
    known.run("run")
    (document, *_) = [one["correlationid"] for one in events(known)]

    def read(*selection: str) -> int:
        told = known.run("replay", "--preview", *selection).stdout.split()
        return int(told[0])

    assert read("--all") == 3
    assert read(str(document)) == 1
    assert read("--last", "2") == 2
    assert read("--since", "2099-01-01") == 0
    assert read("--channel", "other") == 0
    assert read("--code", "item.unknown") == 0
    assert read("--type", "rows.purchase_orders") == 3


def test_a_run_releases_what_new_master_data_unblock(waiting: Installation) -> None:
    with Dock.open(waiting.settings) as dock:
        items = dock.ledger.loaded_master()["items"]
        more = items.head(1).with_columns(item=pl.lit("V-1002"))
        dock.ledger.load_master("items", pl.concat([items, more]), source="t", actor="t")

    assert "2 lines that waited, 2 events" in waiting.run("run").stdout
    assert len(events(waiting)) == 3
    assert "released" not in waiting.run("run").stdout


NEWCO = "partner: NEWCO\nidentities: {x12: ['ZZ:NEWCO'], email: ['*@newco.example']}\n"


def test_what_an_unknown_sender_sent_is_read_once_a_partner_file_claims_it(known: Installation) -> None:
    envelope = Envelope(
        sender="ZZ:NEWCO", receiver="ZZ:US", control_number=1, written_at=datetime(2026, 3, 1, 12, tzinfo=UTC)
    )
    lines = [("BEG", "00", "NE", "4711", "", "20260301"), ("N1", "ST", "North", "92", "N1")]
    lines += [("PO1", "1", "5", "EA", "1.50", "", "BP", "P-100"), ("CTT", "1")]
    group = Group(
        code="PO", sender="NEWCO", receiver="US", control_number=1, release="004010", sets=[("850", "0001", lines)]
    )
    known.drop("order.edi", b"".join(write_interchange(envelope, [group])))
    mail = known.home / "in" / "stock.csv"
    mail.write_text("Item,Site,On hand,Unit,As of\nP-100,N1,5,EA,2026-03-01\n")
    known.run("run")
    assert events(known) == []
    assert known.run("release").stdout == "nothing is released\n"

    (known.home / "partners" / "newco.yaml").write_text(NEWCO)
    done = known.run("release")
    assert "1 event published" in done.stdout, done.output
    (event,) = events(known)
    assert (event["data"]["partner"], event["data"]["item"]) == ("NEWCO", "P-100")
    newest = json.loads(known.run("findings", "--json").stdout.splitlines()[0])
    assert (newest["code"], newest["name"]) == ("partner.unknown", "stock.csv")
