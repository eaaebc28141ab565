"""Who asks wrongly, or sends what cannot be taken, too often: told when again, and nobody else is kept waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import pytest

from connectors.as2.station import Reply
from crossdock.dock import Dock
from crossdock.feed import as2
from crossdock.feed.access import UNPROVEN, WRONG, Door
from crossdock.feed.app import api_and_console
from crossdock.feed.service import Service, service_of
from crossdock.feed.throttle import Throttle, address_of

from .conftest import TOKEN

HERE, THERE = "192.0.2.1", "192.0.2.2"


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def test_so_many_at_once_and_then_so_many_a_minute() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    assert [throttle.take("a", 3) for _ in range(4)] == [0, 0, 0, 20]
    assert throttle.take("b", 3) == 0
    clock.now += 19
    assert throttle.take("a", 3) == pytest.approx(1)
    clock.now += 1
    assert throttle.take("a", 3) == 0
    clock.now += 3600
    assert [throttle.take("a", 3) for _ in range(4)] == [0, 0, 0, 20]


def test_what_is_given_back_does_not_count_and_nothing_is_saved_up() -> None:
    throttle = Throttle(Clock())
    for _ in range(100):
        assert throttle.take("a", 3) == 0
        throttle.give_back("a")
    for _ in range(100):
        throttle.give_back("a")
    assert [throttle.take("a", 3) for _ in range(4)] == [0, 0, 0, 20]


def test_only_so_many_are_remembered_the_latest() -> None:
    throttle = Throttle(Clock(), most=2)
    for who in ("a", "b", "a", "c"):
        throttle.take(who, 1)
    assert [throttle.wait(who, 1) > 0 for who in ("a", "c")] == [True, True]
    assert throttle.wait("b", 1) == 0


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9%eth0", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_an_address_is_what_one_has_to_himself(host: str, address: str) -> None:
    assert address_of({"client": (host, 4711)}) == address
    assert address_of({"client": None}) == ""


# -- at the door -------------------------------------------------------------------------------------


@dataclass
class Station:
    """Takes what says ``good``; remembers how much it was given to judge."""

    judged: int = 0
    most: int = 1000

    def receive(self, headers: Iterable[tuple[str, str]], body: bytes, at: datetime) -> Reply:
        self.judged += 1
        return Reply(status=200, headers={}, body=b"", taken=body == b"good")

    def hand_over_receipts(self, session: Any) -> int:
        return 0


@dataclass
class Street:
    """The application before which people stand at several addresses, and one clock."""

    service: Service
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        app = api_and_console(self.service)
        app.include_router(as2.routes(self.service.stations))
        self.door = Door(app, TOKEN, self.service.ledger, seconds=self.clock)

    def ask(self, token: str | None, *, at: str = HERE, path: str = "/v1/events", **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        return asyncio.run(self._ask(at, "POST" if "content" in options else "GET", path, headers, options))

    async def _ask(
        self, at: str, method: str, path: str, headers: Mapping[str, str], options: Mapping[str, Any]
    ) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.door, client=(at, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://dock") as client:
            return await client.request(method, path, headers=headers, **options)


@pytest.fixture
def station() -> Station:
    return Station()


@pytest.fixture
def street(dock: Dock, station: Station) -> Street:
    return Street(service_of(dock, stations={"in": station}))


def guess(street: Street, times: int) -> list[int]:
    return [street.ask("wrong-wrong-wrong-wrong").status_code for _ in range(times)]


def test_too_many_wrong_tokens_are_told_when_again(street: Street) -> None:
    assert guess(street, WRONG + 2) == [401] * WRONG + [429, 429]
    answer = street.ask("wrong-wrong-wrong-wrong")
    assert answer.headers["content-type"] == "application/problem+json"
    street.clock.now += int(answer.headers["retry-after"])
    assert guess(street, 2) == [401, 429]


def test_while_somebody_guesses_even_the_right_word_of_the_house_opens_nothing_there(street: Street) -> None:
    guess(street, WRONG)
    assert street.ask(TOKEN).status_code == 429
    assert street.ask(TOKEN, at=THERE).status_code == 200
    street.clock.now += 60
    assert street.ask(TOKEN).status_code == 200


def test_who_has_been_let_in_is_not_kept_out_by_who_guesses_beside_him(
    street: Street, token: Callable[..., str]
) -> None:
    assert street.ask(TOKEN).status_code == 200
    guess(street, WRONG + 1)
    assert street.ask(TOKEN).status_code == 200
    assert street.ask(token("planner")).status_code == 200


def test_a_right_token_opens_where_it_was_never_shown_while_somebody_guesses_there(
    street: Street, token: Callable[..., str]
) -> None:
    guess(street, WRONG + 1)
    assert street.ask(token("planner")).status_code == 200


def test_who_shows_no_token_is_asked_for_one_however_often(street: Street) -> None:
    assert {street.ask(None).status_code for _ in range(WRONG + 5)} == {401}


def test_it_is_told_in_the_log_once_a_minute(street: Street, caplog: pytest.LogCaptureFixture) -> None:
    guess(street, WRONG + 5)
    assert [record.getMessage() for record in caplog.records] == [
        f"more than {WRONG} wrong tokens a minute from {HERE}"
    ]


def test_what_no_station_can_take_is_not_even_read_after_a_while(street: Street, station: Station) -> None:
    answers = [street.ask(None, path="/as2/in", content=b"junk") for _ in range(UNPROVEN + 3)]
    assert [one.status_code for one in answers] == [200] * UNPROVEN + [429] * 3
    assert station.judged == UNPROVEN
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert street.ask(None, path="/as2/in", content=b"good", at=THERE).status_code == 200


def test_whose_messages_are_taken_may_send_as_many_as_he_likes(street: Street) -> None:
    assert {street.ask(None, path="/as2/in", content=b"good").status_code for _ in range(UNPROVEN + 5)} == {200}


def test_a_station_that_is_none_is_not_tried_for_ever(street: Street) -> None:
    found = [street.ask(None, path=f"/as2/{n}", content=b"x").status_code for n in range(UNPROVEN + 1)]
    assert found == [404] * UNPROVEN + [429]
