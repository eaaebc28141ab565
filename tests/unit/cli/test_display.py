"""The small pieces of every view."""

from __future__ import annotations

import io

import pytest
from rich.console import Console, RenderableType

from crossdock.views.display import error_view, findings_view, moment, quantity, quoted, references, show, size
from crossdock.views.report import Bars, ChannelsView
from schemas.errors import ConfigError, PermanentError, TransientError


def plain(renderable: RenderableType, width: int = 100) -> list[str]:
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    with console.capture() as capture:
        show(console, renderable)
    return capture.get().splitlines()


def finding(severity: str = "error", code: str = "item.unknown", **fields: object) -> dict[str, object]:
    return {
        "severity": severity,
        "code": code,
        "message": "it is wrong",
        "location": "row 1",
        "expected": "an item",
    } | fields


def test_the_gravest_findings_come_first_and_whole_documents_before_lines() -> None:
    shown = plain(
        findings_view(
            [finding("info", "a"), finding(code="b", line=3), finding("warning", "c"), finding(code="d", line=None)]
        )
    )

    assert [line.split()[1] for line in shown if not line.startswith(" ")] == ["d", "b", "c", "a"]


def test_the_same_said_of_many_places_is_told_once() -> None:
    shown = plain(findings_view([finding(location=f"row {n}", value="V-1") for n in range(1, 6)]))

    assert shown == [
        "error   item.unknown · row 1, row 2, row 3 and 2 more",
        "        it is wrong",
        "        found “V-1” · expected an item",
    ]


def test_many_warnings_of_one_code_are_told_once_with_their_values() -> None:
    rows = [finding("warning", message=f"{n} is wrong", value=f"V-{n}", location=f"row {n}") for n in range(1, 6)]

    assert plain(findings_view(rows)) == [
        "warning item.unknown · 5 places",
        "        “V-1” at row 1, “V-2” at row 2, “V-3” at row 3 and 2 more",
        "        expected an item",
    ]


def test_what_is_not_shown_is_counted() -> None:
    rows = [finding(value=f"V-{n}", message=f"V-{n}") for n in range(10)]

    assert plain(findings_view(rows, most=3))[-1] == "and 7 more findings: 7 x item.unknown"


def test_the_codes_of_the_standard_stand_beside_ours() -> None:
    (head, *_) = plain(findings_view([finding(code="element.missing", standard={"AK304": "8", "AK403": "1"})]))

    assert head == "error   element.missing · row 1 · AK304 8 AK403 1"


def test_markup_in_a_value_is_text() -> None:
    shown = plain(findings_view([finding(value="[bold]x[/bold]", message="[red]", location="[link=file]")]))

    assert "[link=file]" in shown[0]
    assert "[red]" in shown[1]
    assert "“[bold]x[/bold]”" in shown[2]


@pytest.mark.parametrize(
    ("value", "shown"),
    [("a\x1db", "“a\\x1db”"), ("x" * 200, "“" + "x" * 119 + "…”"), ("", "“”")],
)
def test_values_are_shown_as_they_stand_there(value: str, shown: str) -> None:
    assert quoted(value) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0 B"), (999, "999 B"), (4230, "4.2 kB"), (5_000_000, "5.0 MB"), (1.5e12, "1500.0 GB")]
)
def test_sizes_for_people(number: int, shown: str) -> None:
    assert size(number) == shown


def test_a_quantity_is_told_twice_only_when_it_was_converted() -> None:
    same = {"quantity": "4", "unit": "C62", "base_quantity": "4", "base_unit": "C62"}

    assert quantity(same) == "4 C62"
    assert quantity(same | {"base_quantity": "48", "unit": "CT"}) == "4 CT = 48 C62"


def test_a_day_is_shown_as_a_day_and_an_instant_with_its_zone() -> None:
    assert moment("2026-03-01T00:00:00Z") == "2026-03-01"
    assert moment("2026-03-01T10:30:00Z") == "2026-03-01 10:30Z"
    assert moment("2026-03-01T10:30:00.25-05:00") == "2026-03-01 10:30-05:00"


def test_references_are_the_numbers_partners_speak_by() -> None:
    refs = {"order": "4500", "order_line": "10", "shipment": "S-1", "lot": "L", "package": "P"}

    assert references({"references": refs}) == "order 4500 / 10, shipment S-1"
    assert references({"references": {"lot": "L"}}) == "lot L"
    assert references({}) == ""


def test_each_kind_of_error_says_what_to_do() -> None:
    config = plain(error_view(ConfigError("2 problems", problems=("a.yaml:1: x", "a.yaml:2: y"), hint="mend them")))
    transient = plain(error_view(TransientError("the ledger is locked", retry_after=5)))
    permanent = plain(error_view(PermanentError("the disk is full", hint="free some space")))

    assert config == ["configuration: 2 problems", "  a.yaml:1: x", "  a.yaml:2: y", "what to do: mend them"]
    assert transient == ["not now: the ledger is locked", "Trying again after 5 s may well work; nothing was lost."]
    assert permanent == ["stopped: the disk is full", "what to do: free some space"]


CHANNEL = {
    "channel": "edi-inbox",
    "payloads": 12,
    "documents": 1234,
    "lines": 98765,
    "events": {"demand": 1, "shipment": 98000, "inventory": 0},
    "parked": 2,
    "quarantined": 0,
    "findings": {"error": 1, "warning": 2, "info": 0},
}


def test_channels_are_a_table_where_there_is_room_and_a_list_where_there_is_not() -> None:
    wide, narrow = plain(ChannelsView([CHANNEL]), width=120), plain(ChannelsView([CHANNEL]), width=60)

    assert wide[1].split() == [
        "edi-inbox",
        "12",
        "1,234",
        "98,765",
        "1",
        "98,000",
        "-",
        "2",
        "-",
        "1",
        "error",
        "·",
        "2",
        "warnings",
    ]
    assert narrow[0] == "edi-inbox"
    assert " ".join(" ".join(narrow[1:]).split()) == (
        "12 payloads · 1,234 documents · 98,765 lines · 1 demand · 98,000 shipment · 2 parked · 1 error · 2 warnings"
    )


def test_several_channels_are_added_up() -> None:
    assert plain(ChannelsView([CHANNEL, CHANNEL]), width=120)[-1].split()[:4] == ["together", "24", "2,468", "197,530"]


def test_progress_is_silent_where_there_is_no_terminal() -> None:
    file = io.StringIO()
    with Bars(Console(file=file)) as bars:
        bars.begin("inbox", 100, "bytes")
        bars.advance(100, lines=4)
        bars.end()

    assert file.getvalue() == ""


def test_progress_moves_on_a_terminal() -> None:
    file = io.StringIO()
    with Bars(Console(file=file, force_terminal=True, width=100)) as bars:
        bars.begin("inbox", 5000, "bytes")
        bars.advance(2500, lines=4)
        bars.end()
        bars.begin("feed", 0, "events")
        bars.advance(7)

    assert "7 events" in file.getvalue()
