"""The other commands, over a real ledger in a folder of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from crossdock import __version__
from crossdock.cli import BUG, RUN, Speaking

if TYPE_CHECKING:
    from conftest import Installation

Orders = Callable[..., str]


@pytest.fixture
def ran(known: Installation, orders: Orders) -> Installation:
    """An installation that has run once: two events, one line that waits, one file that cannot be read."""
    known.drop("po.jsonl", orders(("1", "10"), {"order_no": "2", "item_no": "P-999"}, ("3", "10")))
    known.drop("upload.edi", b"")
    assert known.run("run").exit_code == 0
    return known


def test_a_run_says_what_it_did_for_each_channel_and_outlet(known: Installation, orders: Orders) -> None:
    known.drop("po.jsonl", orders(("1", "10"), {"order_no": "2", "item_no": "P-999"}, ("3", "10")))

    first = known.run("run").stdout.splitlines()
    second = known.run("run").stdout.splitlines()

    assert first == [
        "inbox  1 payload · 1 document · 3 lines · 2 new events · 1 parked · 1 finding",
        "feed   2 events published",
    ]
    assert second == ["inbox  nothing new", "feed   nothing new to publish"]


def test_status_before_anything_has_come_in(installation: Installation) -> None:
    installation.run("migrate")

    result = installation.run("status")

    assert result.stdout == "nothing has come in yet; crossdock run takes in what waits\n"


@pytest.mark.parametrize(
    "command", [["status"], ["events"], ["findings"], ["parked"], ["answers"], ["trace", "0" * 32]]
)
def test_who_only_looks_makes_no_ledger(installation: Installation, command: list[str]) -> None:
    installation.environment["CROSSDOCK_HOME"] = str(installation.home / "mistyped")

    result = installation.run(*command)

    assert result.exit_code == 2
    assert "there is no ledger here" in result.stderr
    assert "crossdock migrate" in result.stderr
    assert not (installation.home / "mistyped").exists()


def test_an_empty_file_is_no_ledger_yet(installation: Installation) -> None:
    (installation.home / "ledger.db").touch()

    assert installation.run("status").exit_code == 2
    assert installation.run("migrate").exit_code == 0
    assert installation.run("status").exit_code == 0


def test_status_shows_counts_reasons_causes_master_data_and_the_feed(ran: Installation) -> None:
    shown = ran.run("status").stdout
    lines = [line.split() for line in shown.splitlines()]

    assert ["inbox", "2", "1", "3", "2", "-", "-", "1", "1", "2", "errors"] in lines
    assert any(line[:3] == ["upload.edi", "·", "inbox"] for line in lines)
    assert "payload.empty" in shown
    assert ["1", "item.unknown", "ACME", "“P-999”"] in [line[:4] for line in lines]
    assert ["items", "1", "2"] in [line[:3] for line in lines]
    assert ["feed", "2", "0"] in [line[:3] for line in lines]


def test_status_tells_a_load_of_master_data_that_was_held_back(ran: Installation) -> None:
    from crossdock.dock import Dock

    with Dock.open(ran.settings) as dock:
        dock.ledger.note_rejected_master("items", source="erp", actor="test", reasons=["item P-1 stands there twice"])

    shown = ran.run("status").stdout

    assert "items held back" in shown
    assert "item P-1 stands there twice" in shown
    assert ["items", "1", "2"] in [line.split()[:3] for line in shown.splitlines()]


def test_status_on_a_narrow_terminal_says_the_same_in_a_list(ran: Installation) -> None:
    ran.environment["COLUMNS"] = "60"

    shown = ran.run("status").stdout

    assert "2 payloads · 1 document · 3 lines · 2 demand · 1 parked" in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 60


def test_events_are_shown_in_feed_order_with_the_position_to_go_on_from(ran: Installation) -> None:
    first = ran.run("events", "--limit", "1").stdout
    rest = ran.run("events", "--after", "1").stdout

    assert "order 1 / 10" in first
    assert first.endswith("go on with --after 1\n")
    assert "order 3 / 10" in rest
    assert "order 1 / 10" not in rest


def test_events_as_json_lines_are_the_cloud_events_that_were_published(ran: Installation) -> None:
    shown = ran.run("events", "--jsonl").stdout
    published = "".join(file.read_text() for file in sorted((ran.home / "feed").glob("*.jsonl")))

    assert [json.loads(line) for line in shown.splitlines()] == [json.loads(line) for line in published.splitlines()]
    assert len(shown.splitlines()) == 2


def test_more_events_than_a_page_come_whole_and_in_order(known: Installation, orders: Orders) -> None:
    known.drop("po.jsonl", orders(*((str(number), "10") for number in range(2500))))
    known.run("run")

    assert len(known.run("events", "--jsonl").stdout.splitlines()) == 2500
    some = known.run("events", "--jsonl", "--after", "100", "--limit", "1500").stdout.splitlines()
    assert [json.loads(line)["data"]["references"]["order"] for line in some] == [str(n) for n in range(100, 1600)]


def test_only_one_stream_on_request(ran: Installation) -> None:
    assert len(ran.run("events", "--jsonl", "--stream", "demand").stdout.splitlines()) == 2
    assert ran.run("events", "--stream", "shipment").stdout == "no events\n"
    assert ran.run("events", "--stream", "weather").exit_code == 2


def test_an_event_is_traced_to_its_document_mapping_and_bytes(ran: Installation) -> None:
    event = json.loads(ran.run("events", "--jsonl").stdout.splitlines()[1])

    shown = ran.run("trace", event["id"]).stdout

    assert event["id"] in shown
    assert event["data"]["lineage"]["payload"] in shown
    assert f"standard/rows_purchase_orders, version {event['data']['lineage']['mapping_version']}" in shown
    (marked,) = [line for line in shown.splitlines() if line.startswith(">")]
    offset, raw = marked[1:].split(maxsplit=1)
    assert int(offset) == event["data"]["lineage"]["offset"]
    assert json.loads(raw)[0] == "3"


def test_an_event_whose_bytes_are_gone_still_shows_what_the_ledger_knows(ran: Installation) -> None:
    event = json.loads(ran.run("events", "--jsonl").stdout.splitlines()[0])
    shutil.rmtree(ran.home / "archive")

    result = ran.run("trace", event["id"])

    assert event["subject"] in result.stdout
    assert "is missing from the archive" in " ".join(result.stderr.split())
    assert result.exit_code == 4


def test_an_unknown_event_is_told(ran: Installation) -> None:
    result = ran.run("trace", "0" * 32)

    assert result.exit_code == 2
    assert "no event has the id" in result.stderr


def test_findings_say_file_place_and_what_was_expected(ran: Installation) -> None:
    shown = ran.run("findings").stdout
    rows = [json.loads(line) for line in ran.run("findings", "--json").stdout.splitlines()]

    assert "item.unknown · inbox po.jsonl, rows.purchase_orders, row 2" in shown
    assert "expected an item of the master data" in shown
    assert {row["code"] for row in rows} == {"item.unknown", "payload.empty"}
    assert ran.run("findings", "--severity", "info").stdout == "nothing to complain of\n"


def test_parked_lines_are_grouped_by_what_they_wait_for_and_listed(ran: Installation) -> None:
    shown = [line.split() for line in ran.run("parked").stdout.splitlines()]
    (row,) = [json.loads(line) for line in ran.run("parked", "--json").stdout.splitlines()]

    assert ["1", "item.unknown", "ACME", "“P-999”"] in [line[:4] for line in shown]
    assert ["item.unknown", "inbox", "po.jsonl", "row", "2"] in [line[:5] for line in shown]
    assert (row["cause"], row["location"], row["fields"]["order"]) == ("item.unknown", "row 2", "2")


def test_configuration_that_is_wrong_is_told_in_sentences_without_a_traceback(installation: Installation) -> None:
    result = installation.run("run", "--channel", "imbox")

    assert result.exit_code == 2
    assert "did you mean 'inbox'?" in result.stderr
    assert "what to do: " in result.stderr
    assert "Traceback" not in result.output


def test_a_broken_channel_makes_the_run_fail_though_the_others_ran(known: Installation, orders: Orders) -> None:
    known.drop("po.jsonl", orders(("1", "10")))
    (known.home / "channels" / "worse.yaml").write_text("channel: worse\nsource: {kind: fodler, path: in}\n")

    result = known.run("run")

    assert result.exit_code == 2
    assert "1 new event" in result.stdout
    assert "did you mean 'folder'?" in result.stdout


def test_a_folder_that_cannot_be_made_is_no_bug(installation: Installation) -> None:
    (installation.home / "file").write_text("no folder")

    result = installation.run("simulate", str(installation.home / "file" / "company"))

    assert result.exit_code == 4
    assert "may write" in result.stderr


def test_an_error_that_can_pass_says_so_and_has_its_own_exit_code(installation: Installation) -> None:
    installation.environment["CROSSDOCK_LEDGER"] = "postgresql://nobody@127.0.0.1:1/none"

    result = installation.run("status")

    assert result.exit_code == 3
    assert "nothing was lost" in result.stderr


def test_an_error_that_will_not_pass_has_its_own_exit_code(installation: Installation) -> None:
    (installation.home / "ledger.db").write_bytes(b"this is no database" * 100)

    result = installation.run("status")

    assert result.exit_code == 4
    assert "what to do: " in result.stderr


def test_what_nobody_foresaw_is_short_unless_debug_is_asked_for() -> None:
    faulty = typer.Typer(cls=Speaking)

    @faulty.callback()
    def options(debug: bool = False) -> None: ...

    @faulty.command(rich_help_panel=RUN)
    def divide() -> None:
        1 / 0  # noqa: B018

    short, long = CliRunner().invoke(faulty, ["divide"]), CliRunner().invoke(faulty, ["--debug", "divide"])

    assert short.exit_code == BUG
    assert short.stderr.startswith("unexpected: ZeroDivisionError")
    assert len(short.stderr.splitlines()) <= 3
    assert isinstance(long.exception, ZeroDivisionError)


def test_the_demo_company_is_made_and_says_what_to_do_next(installation: Installation) -> None:
    company = installation.home / "company"

    result = installation.run("simulate", str(company), "--lines", "50")

    assert result.exit_code == 0
    assert (company / "PLANTED.md").exists()
    assert f". {company / 'environment'}; crossdock run" in result.stdout


def test_migrate_makes_a_ledger(installation: Installation) -> None:
    result = installation.run("migrate")

    assert result.stdout == "the ledger's schema is up to date\n"
    assert (installation.home / "ledger.db").exists()


def test_the_version_is_told(installation: Installation) -> None:
    assert installation.run("--version").stdout == f"crossdock {__version__}\n"
