"""Documents on their way past the checks: together, in their order, each with what is said of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from crossdock.ledger.stands import Stands
from crossdock.stages.checking import checked
from crossdock.translation import Document, DocumentClosed, DocumentLines, DocumentOpened, Translated
from mappings.normalise import empty_events
from mappings.spec import Partner
from schemas.documents import ORDINAL, DocumentStart

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
EARLIER, SHIPPED, LATER = "2026-03-01T00:00:00Z", "2026-03-15T00:00:00Z", "2026-04-01T00:00:00Z"
CHECKS: dict[str, Any] = {"ship_notice.arrival": "error", "ship_notice.order_unknown": "warning"}


class NothingStands:
    """A ledger that knows of nothing, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[set[str]] = []

    @property
    def readings(self) -> NothingStands:
        return self

    def stands(self, stream: str, prefixes: set[str]) -> list[Any]:
        assert stream == "demand"
        self.asked.append(set(prefixes))
        return []


def library(checks: dict[str, Any]) -> Any:
    partner = Partner(partner="ACME", checks=checks)
    return SimpleNamespace(partners={"ACME": partner}, mapping_for=lambda *_: None)


def document(number: int, *arrivals: str | None) -> list[Translated]:
    """A ship notice whose lines left in March and arrive at these times."""
    rows, lines = [], []
    for line, arrives in enumerate(arrivals, 1):
        said = {"partner": "ACME", "shipped_at": SHIPPED, "arrives_at": arrives}
        said = {name: value for name, value in said.items() if value}
        place = {"document": f"doc-{number}", "location": f"segment {line}", "offset": line, "length": 1}
        order = {"order": f"{number}%", "order_line": str(line)}
        rows.append(
            {
                **dict.fromkeys(empty_events().columns, "x"),
                **{"partner": "ACME", "subject": f"ship_notice/ACME/S{number}/{line}", "line": line, "time": EARLIER},
                "data": json.dumps(said | {"references": order, "lineage": place}),
            }
        )
        lines.append({ORDINAL: line, **order, **{name: said.get(name) for name in ("shipped_at", "arrives_at")}})
    start = DocumentStart(ordinal=number, type="x12.856")
    opened = Document(id=f"doc-{number}", payload="", start=start, partner="ACME", mapping=None, mapping_version="")
    table = pl.DataFrame(rows, schema=empty_events().schema)
    told = pl.DataFrame(lines, schema_overrides={"arrives_at": pl.String})
    return [
        DocumentOpened(document=opened),
        DocumentLines(lines=told, events=table, parked=pl.DataFrame()),
        DocumentClosed(document=opened, status="accepted", lines=len(rows), events=len(rows), parked=0),
    ]


def bare(items: list[Translated]) -> list[Translated]:
    """The same without what came along of the lines."""
    return [replace(item, lines=pl.DataFrame()) if isinstance(item, DocumentLines) else item for item in items]


def told(items: Iterator[Translated]) -> list[tuple[Any, ...]]:
    seen: list[tuple[Any, ...]] = []
    for item in items:
        match item:
            case DocumentLines():
                findings = [(one.code, one.line, one.value, one.location) for one in item.findings]
                seen.append((item.events["line"].to_list(), item.parked.rows(named=True), findings))
            case DocumentClosed():
                seen.append((item.document.id, item.status, item.events, item.parked))
            case _:
                pass
    return seen


def test_documents_that_are_looked_at_together_keep_what_is_said_of_each() -> None:
    items = [*document(1, LATER), *document(2, LATER, EARLIER, LATER), *document(3, LATER)]
    ledger = NothingStands()
    seen = told(checked(items, ledger=ledger, library=library(CHECKS), now=NOW))  # type: ignore[arg-type]
    assert [one for one in seen if isinstance(one[0], str)] == [
        ("doc-1", "accepted", 1, 0),
        ("doc-2", "accepted_with_errors", 2, 1),
        ("doc-3", "accepted", 1, 0),
    ]
    lines, parked, findings = seen[2]
    assert lines == [1, 3]
    assert [(row[ORDINAL], row["arrives_at"], row["_cause"]) for row in parked] == [(2, EARLIER, "ship_notice.arrival")]
    assert ("ship_notice.arrival", 2, EARLIER, "segment 2") in findings
    assert sum(code == "ship_notice.order_unknown" for code, *_ in findings) == 3
    assert ledger.asked == [{"order/ACME/1%25/1", *(f"order/ACME/2%25/{n}" for n in (1, 2, 3)), "order/ACME/3%25/1"}]


def test_columns_of_the_lines_say_what_the_events_say() -> None:
    items = [*document(1, LATER, None, EARLIER), *document(2, EARLIER)]
    both = [
        told(checked(some, ledger=NothingStands(), library=library(CHECKS), now=NOW))  # type: ignore[arg-type]
        for some in (items, bare(items))
    ]
    assert both[0] == both[1]


def test_lines_of_which_there_is_no_event_shift_nothing() -> None:
    opened, lines, closed = document(1, LATER, EARLIER, LATER)
    assert isinstance(lines, DocumentLines)
    fewer = replace(lines, events=lines.events.filter(pl.col("line") != 1))
    seen = told(checked([opened, fewer, closed], ledger=NothingStands(), library=library(CHECKS), now=NOW))  # type: ignore[arg-type]
    assert seen[0][0] == [3]


def test_what_came_before_an_error_comes_through() -> None:
    def broken() -> Iterator[Translated]:
        yield from document(1, EARLIER)
        raise OSError("the archive is gone")

    seen: list[Translated] = []
    with pytest.raises(OSError, match="gone"):
        seen.extend(checked(broken(), ledger=NothingStands(), library=library(CHECKS), now=NOW))  # type: ignore[arg-type]
    assert len(seen) == 3
    assert isinstance(seen[2], DocumentClosed)
    assert seen[2].parked == 1


def test_nobody_is_asked_for_a_partner_without_checks() -> None:
    items = document(1, EARLIER)
    assert list(checked(items, ledger=None, library=library({}), now=NOW)) == items  # type: ignore[arg-type]


class OrderedBy(NothingStands):
    """A ledger that knows one order line, wanted on or before a day, and has no master data."""

    def stands(self, stream: str, prefixes: set[str]) -> list[Any]:
        wanted = {"ends_at": "2026-04-11T00:00:00-04:00", "lineage": {"document": "doc-0"}, "quantity": "5"}
        return [Stands("order/ACME/1%25/1", "ordered", EARLIER, wanted)]

    def master_version(self) -> int:
        return 1

    def master(self) -> dict[str, pl.DataFrame]:
        return {}


@pytest.mark.parametrize(
    ("field", "promised", "late"),
    [
        ("due_at", "2026-03-10T00:00:00-04:00", None),
        ("due_at", "2026-04-10T15:00:00-04:00", None),
        ("due_at", "2026-04-11T00:00:00-04:00", "2026-04-11T00:00:00-04:00"),
        ("ends_at", "2026-04-11T00:00:00-04:00", None),
        ("ends_at", "2026-04-13T00:00:00-04:00", "2026-04-12T23:59:59-04:00"),  # the week that is promised ends later
    ],
)
def test_what_is_wanted_on_or_before_a_day_is_late_on_the_next(field: str, promised: str, late: str | None) -> None:
    opened, lines, closed = document(1, LATER)
    assert isinstance(lines, DocumentLines)
    events = lines.events.with_columns(
        subject=pl.lit("order_response/ACME/1%25/1"), data=pl.col("data").str.replace("arrives_at", field)
    )
    events = events.with_columns(data=pl.col("data").str.replace(LATER, promised, literal=True))
    items = bare([opened, replace(lines, events=events), closed])
    rules = library({"order_response.date": "warning"})
    seen = told(checked(items, ledger=OrderedBy(), library=rules, now=NOW))  # type: ignore[arg-type]
    assert seen[0][2] == ([("order_response.date", 1, late, "segment 1")] if late else [])


def test_the_end_of_a_large_document_waits_for_no_other() -> None:
    asked: list[Translated] = []

    def coming() -> Iterator[Translated]:
        for item in [*document(1, *[LATER] * 1024), *document(2, LATER)]:
            asked.append(item)
            yield item

    passed = checked(coming(), ledger=NothingStands(), library=library({}), now=NOW)  # type: ignore[arg-type]
    assert any(isinstance(item, DocumentClosed) for item in passed)
    assert len(asked) == 3
