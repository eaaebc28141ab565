"""Times are shown in the installation's zone, the same on every page, with what UTC says within."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from crossdock.console.charts import hours_chart
from crossdock.console.pages import routes
from crossdock.console.times import Times
from crossdock.console.workplace import workplace_of
from crossdock.dock import Dock
from crossdock.feed.app import feed_app
from crossdock.feed.service import service_of
from crossdock.settings import Settings
from schemas.errors import ConfigError
from tests.unit.feed.conftest import TOKEN, Browser

BERLIN = Times(ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("instant", "shown", "utc"),
    [
        (datetime(2026, 1, 5, 23, 30, 9, tzinfo=UTC), "2026-01-06 00:30 <small>CET</small>", "2026-01-05 23:30:09Z"),
        (datetime(2026, 7, 5, 12, tzinfo=UTC), "2026-07-05 14:00 <small>CEST</small>", "2026-07-05 12:00:00Z"),
        ("2026-03-01T08:00:00-06:00", "2026-03-01 15:00 <small>CET</small>", "2026-03-01 14:00:00Z"),
        ("2026-03-01T00:00:00-06:00", "2026-03-01", "2026-03-01 06:00:00Z"),
    ],
)
def test_an_instant(instant: datetime | str, shown: str, utc: str) -> None:
    written = instant if isinstance(instant, str) else instant.isoformat()
    assert BERLIN.minute(instant) == f'<time datetime="{written}" title="{utc}">{shown}</time>'


def test_no_instant_is_nothing_and_a_step_is_told_to_the_second() -> None:
    assert BERLIN.minute(None) == ""
    assert "2026-07-05 14:00:07 <small>CEST" in BERLIN.second(datetime(2026, 7, 5, 12, 0, 7, tzinfo=UTC))


def test_hours_are_those_of_the_zone_and_lead_to_theirs() -> None:
    zone = ZoneInfo("Asia/Kolkata")  # five and a half hours ahead
    since, until = datetime(2026, 1, 5, 12, tzinfo=zone), datetime(2026, 1, 7, 12, tzinfo=zone)
    hour = {"hour": datetime(2026, 1, 6, 6, tzinfo=UTC), "channel": "edi", "payloads": 2, "unreadable": 0}
    chart = hours_chart([hour], "", since=since, until=until)
    assert "06 Jan 11:30: 2 read by edi" in chart
    assert "hour=2026-01-06T06Z" in chart


def test_every_page_says_the_same_zone(known, dock, five, token) -> None:
    zoned = Settings.from_environment(known.environment | {"CROSSDOCK_TIMEZONE": "America/St_Johns"})
    theirs = token(partner="ACME")
    with Dock.open(zoned) as opened:
        service = service_of(opened)
        browser = Browser(feed_app(service, TOKEN, routes(workplace_of(opened, service))))
        assert "Times are America/St Johns" in browser.get("/supplier", token=theirs).text
        for path in ("/", "/documents", "/files/1", "/events/1"):
            page = browser.get(path).text
            times = re.findall(r"<time [^>]*>(.*?)</time>", page)
            assert times, path
            assert all(re.search(r"<small>N[SD]T</small>$", one) for one in times), path
            assert "Times are America/St Johns" in page, path
        assert service.now().utcoffset() != datetime.now(UTC).utcoffset()


def test_a_zone_that_is_none_is_told(known) -> None:
    settings = Settings.from_environment(known.environment | {"CROSSDOCK_TIMEZONE": "Mars/Olympus"})
    with Dock.open(settings) as opened, pytest.raises(ConfigError, match=r"CROSSDOCK_TIMEZONE is .*'Mars/Olympus'"):
        service_of(opened)
