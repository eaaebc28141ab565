"""The feed's client, with a stand-in behind ``requests``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from requests.adapters import BaseAdapter

from crossdock.ledger import Ledger
from crossdock.local.arrivals import not_readable
from crossdock.local.feed import Feed
from schemas.errors import PermanentError


class Service(BaseAdapter):
    """Hands out ``ids`` two at a time; answers ``status`` to everything."""

    def __init__(self, ids: str = "", status: int = 200) -> None:
        super().__init__()
        self.ids = ids
        self.status = status

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        assert request.headers["Authorization"] == "Bearer t0ken"
        after = int(parse_qs(urlsplit(str(request.url)).query).get("after", ["0"])[0])
        page = self.ids[after : after + 2]
        response = requests.Response()
        response.status_code = self.status
        body = {"events": [{"id": one} for one in page], "next": after + len(page)}
        response._content = json.dumps(body).encode() if self.status == 200 else b'{"detail": "so there"}'
        return response

    def close(self) -> None: ...


@dataclass(frozen=True)
class Event:
    position: int
    id: str


@dataclass(frozen=True)
class Told:
    """A ledger that has only events."""

    ids: str

    def events(self, *, after: int = 0, limit: int = 1000) -> list[Event]:
        return [Event(number, id) for number, id in enumerate(self.ids, 1) if number > after]


def client(service: Service) -> Feed:
    session = requests.Session()
    session.mount("http://", service)
    return Feed("http://feed", "t0ken", session=session)


def test_it_is_read_to_the_end():
    assert [event["id"] for event in client(Service("abcde")).events()] == list("abcde")
    assert [event["id"] for event in client(Service("abcde")).events(after=3)] == list("de")


def test_a_refusal_is_told_with_its_reason():
    with pytest.raises(PermanentError, match=r"500: .*so there"):
        list(client(Service(status=500)).events())


@pytest.mark.parametrize(("status", "well"), [(200, True), (503, False)])
def test_it_is_well_when_it_says_so(status, well):
    assert client(Service(status=status)).is_well() is well


@pytest.mark.parametrize(("served", "told"), [("abc", 0), ("ab", 1), ("acb", 1), ("abcd", 1), ("", 1)])
def test_what_is_handed_out_is_what_the_ledger_holds(served, told):
    assert len(not_readable(cast(Ledger, Told("abc")), client(Service(served)))) == told
