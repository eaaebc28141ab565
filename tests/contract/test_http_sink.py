"""The HTTP sink against a real server: what it sends, and what it makes of every answer and every failure."""

from __future__ import annotations

import inspect
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from requests import exceptions as theirs

from connectors.connections import Connection
from connectors.sinks.http import HttpSink, Options, as_ours, open_sink, retry_after
from schemas.errors import ConfigError, CrossdockError, PermanentError, TransientError

EVENTS = [json.dumps({"id": str(n), "specversion": "1.0"}).encode() for n in range(3)]
NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture
def sink(receiver: Any, session: requests.Session) -> HttpSink:
    return HttpSink(receiver.url, session, timeouts=(2.0, 0.3), now=lambda: NOW)


def test_a_batch_is_one_cloudevents_batch(receiver: Any, sink: HttpSink) -> None:
    sink.deliver(EVENTS)
    (request,) = receiver.requests
    assert request.path == "/events"
    assert request.headers["Content-Type"] == "application/cloudevents-batch+json; charset=utf-8"
    assert request.events == [json.loads(event) for event in EVENTS]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_takes_the_batch(receiver: Any, sink: HttpSink, status: int) -> None:
    receiver.answers = [replace(receiver.template, status=status)]
    sink.deliver(EVENTS)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_passing_troubles_are_transient(receiver: Any, sink: HttpSink, status: int) -> None:
    receiver.answers = [replace(receiver.template, status=status, body=b"come  back\nlater")]
    with pytest.raises(TransientError, match=f"answered {status}: come back later") as told:
        sink.deliver(EVENTS)
    assert told.value.retry_after is None


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("17", 17.0), ("Thu, 01 Jan 2026 12:01:30 GMT", 90.0), ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0)],
)
def test_retry_after_is_handed_on(receiver: Any, sink: HttpSink, written: str, seconds: float) -> None:
    receiver.answers = [replace(receiver.template, status=503, headers={"Retry-After": written})]
    with pytest.raises(TransientError) as told:
        sink.deliver(EVENTS)
    assert told.value.retry_after == seconds


@pytest.mark.parametrize("written", [None, "", "soon", "-5", "1.5"])
def test_a_retry_after_that_says_nothing(written: str | None) -> None:
    assert retry_after(written, NOW) is None


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (400, "what it says"),
        (401, "credentials"),
        (403, "credentials"),
        (404, "what it says"),
        (413, "smaller"),
        (422, "what it says"),
    ],
)
def test_refusals_are_permanent(receiver: Any, sink: HttpSink, status: int, hint: str) -> None:
    receiver.answers = [replace(receiver.template, status=status)]
    with pytest.raises(PermanentError, match=hint):
        sink.deliver(EVENTS)


def test_a_redirect_is_not_followed(receiver: Any, sink: HttpSink) -> None:
    receiver.answers = [replace(receiver.template, status=302, headers={"Location": "http://elsewhere.example/"})]
    with pytest.raises(PermanentError, match=r"moved to http://elsewhere\.example/"):
        sink.deliver(EVENTS)
    assert len(receiver.requests) == 1


def test_a_receiver_that_hangs_is_transient(receiver: Any, sink: HttpSink) -> None:
    receiver.answers = [replace(receiver.template, wait=1.0)]
    with pytest.raises(TransientError):
        sink.deliver(EVENTS)


def test_a_receiver_that_hangs_up_is_transient(receiver: Any, sink: HttpSink) -> None:
    receiver.answers = [replace(receiver.template, hang_up=True)]
    with pytest.raises(TransientError):
        sink.deliver(EVENTS)


def test_nobody_listening_is_transient(session: requests.Session) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(TransientError, match=f"127.0.0.1:{port}"):
        HttpSink(f"http://127.0.0.1:{port}/", session).deliver(EVENTS)


def test_a_secret_in_the_url_is_never_told(session: requests.Session) -> None:
    with pytest.raises(CrossdockError) as told:
        HttpSink("http://user:s3cret@127.0.0.1:1/path?key=s3cret", session).deliver(EVENTS)
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize(
    ("connection", "header"),
    [
        ({"login": "me", "password": "pw"}, "Basic bWU6cHc="),
        ({"extra": {"token": "t0ken"}}, "Bearer t0ken"),
        ({}, None),
    ],
)
def test_credentials_come_from_the_connection(
    receiver: Any, tmp_path: Any, connection: dict[str, Any], header: str | None
) -> None:
    port = receiver.server.server_port
    behind = Connection(conn_id="hub", type="http", host="127.0.0.1", port=port, schema="events", **connection)
    sink = open_sink(Options(conn_id="hub"), home=tmp_path, connections=lambda _: behind)
    sink.deliver(EVENTS)
    sink.close()
    assert receiver.requests[0].path == "/events"
    assert receiver.requests[0].headers.get("Authorization") == header


VENDOR = [
    kind for _, kind in inspect.getmembers(theirs, inspect.isclass) if issubclass(kind, requests.RequestException)
]


@pytest.mark.parametrize("kind", VENDOR, ids=lambda kind: kind.__name__)
def test_every_error_class_of_requests_becomes_one_of_ours(kind: type[requests.RequestException]) -> None:
    error = kind("odd", "doc", 0) if issubclass(kind, json.JSONDecodeError) else kind("odd")
    ours = as_ours(error, "http://hub.example/")
    assert isinstance(ours, TransientError | PermanentError | ConfigError)
    assert str(ours).startswith("http://hub.example/: ")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (theirs.ConnectTimeout, TransientError),
        (theirs.ReadTimeout, TransientError),
        (theirs.ConnectionError, TransientError),
        (theirs.ProxyError, TransientError),
        (theirs.ChunkedEncodingError, TransientError),
        (theirs.SSLError, PermanentError),
        (theirs.TooManyRedirects, PermanentError),
        (theirs.InvalidURL, ConfigError),
        (theirs.MissingSchema, ConfigError),
    ],
)
def test_which_of_ours(kind: type[requests.RequestException], expected: type[CrossdockError]) -> None:
    assert type(as_ours(kind("odd"), "hub")) is expected


def test_what_requests_says_is_told_without_secrets() -> None:
    error = theirs.InvalidURL("Invalid URL 'https://user:pw@hub.example/?key=s3cret'")
    assert "s3cret" not in str(as_ours(error, "https://hub.example/", "https://user:pw@hub.example/?key=s3cret"))
