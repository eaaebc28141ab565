"""Two readers of one suite: Great Expectations itself against our own, and its pages in the console."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import polars as pl
import pytest
from fastapi import FastAPI

from crossdock.console.data_docs import plain, routes
from crossdock.console.rendering import Rendering
from crossdock.dock import Dock
from crossdock.expectations import PAUSE, is_due, record
from crossdock.visibility import Audience, Viewer
from mappings.batches import COLUMNS, Policy, Tally, asked, batch_rows, for_the_record, read_batch_suite, shipped_suites
from mappings.normalise import empty_events
from mappings.quality import Case, judge
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from conftest import Installation

pytestmark = pytest.mark.integration

RECEIVED = datetime(2026, 3, 31, tzinfo=UTC)


def random_batch(random: random.Random) -> pl.DataFrame:
    """Rows of which each column is filled, empty or wrong more or less often."""
    height = random.choice([1, 3, 9, 10, 11, 40, 200])
    shares = {name: random.choice([0, 0.04, 0.06, 0.19, 0.21, 0.49, 0.51, 1]) for name in COLUMNS}

    def value(name: str, row: int) -> object:
        if name == "row":
            return row
        if random.random() >= shares[name]:
            return None
        return float(random.randint(0, 500)) if name == "quantity" else f"{name}-{random.randint(1, 9)}"

    rows = [{name: value(name, row) for name in COLUMNS} for row in range(1, height + 1)]
    return pl.DataFrame(rows, schema=dict(COLUMNS))


def test_our_reading_of_a_suite_and_great_expectations_come_to_the_same_end() -> None:
    chance = random.Random(20260331)
    cases, ours = [], []
    for number in range(60):
        suite = list(shipped_suites().values())[number % 3]
        rows = random_batch(chance)
        bounds = {
            "least_rows": chance.randint(0, 50),
            "least_median": 100.0,
            "most_median": float(chance.randint(1, 500)),
        }
        expected = suite.under({})
        tally = Tally(expected)
        for chunk in rows.iter_slices(chance.choice([1, 7, 1000])):
            tally.add(chunk)
        ours.append({missed.sentence for missed in tally.missed(bounds)})
        entries = asked(expected, rows.height, bool(rows["quantity"].count()))
        cases.append(Case(suite=for_the_record(suite, entries), rows=rows, parameters=bounds))
    theirs = [{unmet.sentence for unmet in verdict.unmet} for verdict in judge(cases)]
    assert ours == theirs
    assert len({frozenset(one) for one in ours}) > 20


def test_a_policy_decides_what_is_severe() -> None:
    suite = shipped_suites()["demand"]
    severities = {
        one["meta"]["code"]: one["severity"]
        for one in for_the_record(suite, suite.under({"stale": "stop"})).content["expectations"]
    }
    assert severities["batch.stale"] == "critical"
    assert [one.policy for one in suite.under({"stale": "off"}) if one.code == "batch.stale"] == []
    assert Policy.OFF not in {one.policy for one in suite.expected}


def test_a_suite_that_only_great_expectations_could_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "events_demand.json"
    file.write_text(
        '{"name": "events_demand", "expectations": ['
        '{"type": "expect_column_mean_to_be_between", "kwargs": {"column": "colour"}, "meta": {"code": "batch.x"}},'
        '{"type": "expect_table_row_count_to_be_between", "kwargs": {},'
        ' "meta": {"code": "batch.x", "policy": "park", "notes": "N."}}]}'
    )
    with pytest.raises(ConfigError) as refused:
        read_batch_suite(file)
    told = "\n".join(refused.value.problems)
    for said in ("expect_column_mean", "'colour'", "policy and notes missing", "single rows", "several"):
        assert said in told


def test_what_is_dated_strangely_is_seen() -> None:
    times = ["2026-03-30T00:00:00Z", "2026-02-01T00:00:00Z", "2026-04-02T00:00:00Z"]
    rows = [
        {
            **dict.fromkeys(empty_events().columns, "x"),
            "line": n,
            "time": time,
            "subject": f"stock/A/{n}#2",
            "data": data,
        }
        for n, (time, data) in enumerate(
            zip(times, ['{"base_quantity":"-2.5"}', "{}", '{"order":"1"}'], strict=True), 1
        )
    ]
    events = pl.DataFrame(rows, schema=empty_events().schema)
    table = batch_rows(events, pl.DataFrame(), "_cause", "_line", received=RECEIVED, room=2)
    assert table["stale"].to_list() == [None, times[1], None]
    assert table["early"].to_list() == [None, None, times[2]]
    assert table["quantity"].to_list() == [2.5, None, None]
    assert table["order"].to_list() == [None, None, "1"]
    assert table["repeated"].null_count() == 0


def test_great_expectations_looks_at_what_was_judged_once_and_its_pages_are_served(known: Installation) -> None:
    file = known.home / "partners" / "acme.yaml"
    file.write_text(file.read_text() + "batches: {}\n")
    (known.home / "channels" / "inbox.yaml").write_text(
        "channel: inbox\npartner: ACME\nsource: {kind: folder, path: in, quiet: 0s}\n"
    )
    lines = ["P-100,N1,5,EA,2026-03-01", *(f"P-{900 + n},N1,5,EA,2026-03-01" for n in range(12))]
    for name, some in (("good.csv", ["P-200,N1,7,EA,2026-03-01"]), ("bad.csv", lines)):
        known.drop(name, "Item,Site,On hand,Unit,As of\n" + "".join(f"{line}\n" for line in some))
    known.run("run")
    docs = known.settings.data_docs
    with Dock.open(known.settings) as dock:
        parts = {"archive": dock.archive, "ledger": dock.ledger, "context": dock.context(), "data_docs": docs}
        now = datetime(2026, 3, 2, 12, tzinfo=UTC)
        assert (is_due(dock.ledger, "inbox"), is_due(dock.ledger, "another")) == (True, False)
        done = record(**parts, channel="inbox", now=now)
        assert (done.batches, done.unsure, done.alarms) == (2, 0, ())
        assert not is_due(dock.ledger, "inbox", now=now + PAUSE)
        assert {one["referee"] for one in dock.ledger.verdicts.listing()} == {"agrees"}
        assert record(**parts).batches == 0

        dock.ledger.verdicts.note_referee(1, "")
        assert is_due(dock.ledger, "inbox", now=now + PAUSE)
        assert not is_due(dock.ledger, "inbox", now=now + PAUSE / 2)
        (told,) = dock.ledger.verdicts.without_referee(1)
        with dock.ledger._database.write() as connection:
            from crossdock.ledger.tables import batch_verdicts

            connection.execute(batch_verdicts.update().where(batch_verdicts.c.id == told["id"]).values(missed="[]"))
        (alarm,) = record(**parts).alarms
        assert "the gate said 'everything is met'" in alarm

    console = FastAPI()
    console.include_router(routes(docs, Rendering()))
    (docs / ".kept").write_text("not for everybody")
    (docs.parent / "ledger.db").write_text("nor this")
    viewer = Viewer(audience=Audience.INTEGRATION, name="test")

    async def pages(scope: Any, receive: Any, send: Any) -> None:
        await console({**scope, "state": {"viewer": viewer}}, receive, send)

    def get(path: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=pages)
            async with httpx.AsyncClient(transport=transport, base_url="http://dock") as client:
                return await client.get(path, follow_redirects=True)

        return asyncio.run(ask())

    index = get("/data-docs").text
    assert index.count('data-name="run">ACME<') == 3
    assert '<span class="bad">not met</span>' in index
    (page,) = [path for path in docs.glob("validations/events_inventory/ACME/*/*.html") if "P-905" in path.read_text()][
        :1
    ]
    shown = get(f"/data-docs/{page.relative_to(docs)}").text
    assert "P-905" in shown
    assert "<script" not in shown
    assert "https://" not in shown.replace("https://greatexpectations.io", "").partition("<body")[0]
    for hidden in (
        "/data-docs/.kept",
        "/data-docs/../ledger.db",
        "/data-docs/%2e%2e/ledger.db",
        "/data-docs/nothing",
    ):
        assert get(hidden).status_code == 404


def test_a_page_keeps_nothing_that_runs_or_comes_from_elsewhere() -> None:
    page = (
        '<html><head><link rel="stylesheet" href="https://cdn/x.css"><script>1</script><style>a{}</style></head>'
        '<body onload="x()"><img src="https://cdn/logo.png"><a href="a.html" style="x">a</a></body></html>'
    )
    left = plain(page)
    assert "cdn" not in left
    assert "onload" not in left
    assert "/static/data-docs.css" in left
    assert '<a href="a.html">a</a>' in left
