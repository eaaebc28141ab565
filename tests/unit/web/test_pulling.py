"""Pulls that break off anywhere, over a system that goes on changing: nothing is lost, nothing settled comes twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.pulls.source import PullingSource
from connectors.pulls.watermark import Reach, before, order_of
from connectors.web.pulling import Asked, Page, Service
from schemas.errors import TransientError

START = datetime(2026, 3, 30, 8, tzinfo=UTC)
OVERLAP = timedelta(seconds=10)


class State(dict[str, str]):
    def set(self, key: str, value: str) -> None:
        self[key] = value


class Erp:
    """Rows that become visible up to an overlap after the moment they carry; many carry the same one."""

    def __init__(self, page: int) -> None:
        self.page = page
        self.rows: list[list[str | None]] = []
        self.breaks: list[int] = []  #: pages until the next break of the line

    def write(self, second: int, late: int) -> None:
        moment = START + timedelta(seconds=second - late)
        self.rows.append([str(len(self.rows)), moment.isoformat()])

    def pages(self, since: str, kept: Callable[[str], str | None]) -> Iterator[Page]:
        fitting = [row for row in self.rows if not since or order_of(str(row[1])) >= order_of(since)]
        fitting.sort(key=lambda row: order_of(str(row[1])))
        left = self.breaks.pop() if self.breaks else -1
        for at in range(0, len(fitting) or 1, self.page):
            if left == 0:
                raise TransientError("the line broke")
            left -= 1
            yield Page(rows=fitting[at : at + self.page])


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), page=st.integers(1, 5), payload_rows=st.integers(1, 12))
def test_whatever_breaks(tmp_path: Path, data: st.DataObject, page: int, payload_rows: int) -> None:
    erp, state = Erp(page), State()
    settled: Counter[str] = Counter()
    second = 0

    def run(*, settle: bool) -> bool:
        pull = Asked(name="orders", columns=("id", "at"), pages=erp.pages, watermark="at", key=("id",), overlap=OVERLAP)
        service = Service(state, close=lambda: None)
        source = PullingSource(service, [pull], state=state, spool=tmp_path / "spool", payload_rows=payload_rows)
        try:
            found = False
            for arrival in source.arrivals(10):
                found = True
                rows = [json.loads(line) for line in b"".join(source.fetch(arrival)).splitlines()[1:]]
                if settle:
                    source.settle(arrival)
                    source.settle(arrival)
                    settled.update(row[0] for row in rows)
            return found
        except TransientError:
            return True
        finally:
            source.close()
            state.pop("circuit", None)

    for _ in range(data.draw(st.integers(1, 8))):
        for _ in range(data.draw(st.integers(0, 10))):
            second += data.draw(st.integers(0, 2))
            erp.write(second, late=data.draw(st.integers(0, 9)))
        if data.draw(st.booleans()):
            erp.breaks.append(data.draw(st.integers(0, 4)))
        run(settle=data.draw(st.booleans()))
    erp.breaks.clear()
    for _ in range(3 * len(erp.rows) + 3):
        if not run(settle=True):
            break
    assert set(settled) == {str(row[0]) for row in erp.rows}
    assert set(settled.values()) <= {1}


def test_what_lies_before_a_watermark_is_written_as_the_watermark_is() -> None:
    reach = Reach(timedelta(minutes=10), START, rank=order_of)
    assert reach.begin("2026-03-30T12:00:00Z") == "2026-03-30T11:50:00Z"
    assert reach.begin("2026-03-30T12:00:00+02:00") == "2026-03-30T11:50:00+02:00"
    assert reach.begin("2026-03-30") == "2026-03-29"
    assert reach.begin("4711") == "4111"
    assert reach.begin("A-17") == "A-17"


def test_a_day_is_lowered_by_whole_days_and_a_clock_that_is_put_back_by_its_hour() -> None:
    day = date(2026, 3, 30)
    lowered = [before(day, timedelta(hours=hours)) for hours in (0, 1, 24, 25)]
    assert lowered == [day, date(2026, 3, 29), date(2026, 3, 29), date(2026, 3, 28)]
    assert before("2026-03-30", timedelta(hours=1)) == "2026-03-29"

    berlin = ZoneInfo("Europe/Berlin")  # the hour from 02:00 on comes twice on 25 October 2026
    for clock, begin in (("02:35", "01:30"), ("03:35", "03:30")):
        value, lower = (datetime.fromisoformat(f"2026-10-25T{one}") for one in (clock, begin))
        assert before(value, timedelta(minutes=5), berlin) == lower
    assert before("2026-10-25 02:35:00", timedelta(minutes=5), berlin) == "2026-10-25 01:30:00"


def test_watermarks_are_compared_as_what_they_are() -> None:
    assert order_of("2026-03-30T12:00:00+02:00") < order_of("2026-03-30T11:00:00Z")
    assert order_of("9") < order_of("10")
    assert order_of("A9") > order_of("A10")


def test_a_clock_that_is_ahead_hides_nothing(tmp_path: Path) -> None:
    state, clock = State(), [START]
    rows: list[list[str | None]] = [["1", "2026-03-30T07:59:00Z"], ["2", "2026-03-30T20:00:00Z"]]

    def pages(since: str, kept: Callable[[str], str | None]) -> Iterator[Page]:
        yield Page(rows=[row for row in rows if str(row[1]) >= since])

    def ids() -> list[str]:
        pull = Asked(name="orders", columns=("id", "at"), pages=pages, watermark="at", key=("id",), overlap=OVERLAP)
        service = Service(state, close=lambda: None, now=lambda: clock[0])
        source = PullingSource(service, [pull], state=state, spool=tmp_path / "spool")
        found = []
        for arrival in source.arrivals(10):
            found += [json.loads(line)[0] for line in b"".join(source.fetch(arrival)).splitlines()[1:]]
            source.settle(arrival)
        source.close()
        return found

    assert ids() == ["1", "2"]
    rows.insert(1, ["3", "2026-03-30T08:00:05Z"])
    clock[0] += timedelta(minutes=1)
    assert ids() == ["3"]
    assert ids() == []
