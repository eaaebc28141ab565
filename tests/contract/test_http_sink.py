"""The HTTP sink against a real server: what it sends, and what it makes of every answer and every failure."""

from __future__ import annotations

import base64
import hmac
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
from connectors.sinks.http import HttpSink, Options, as_ours, open_sink
from schemas.errors import ConfigError, CrossdockError, PermanentError, RefusedError, TransientError

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


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (400, "what it says"),
        (401, "credentials"),
        (403, "credentials"),
        (404, "what it says"),
        (413, "what it says"),
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


def test_structured_posts_each_event(receiver: Any, session: requests.Session) -> None:
    HttpSink(receiver.url, session, mode="structured").deliver(EVENTS)
    assert [request.body for request in receiver.requests] == list(EVENTS)
    assert {r.headers["Content-Type"] for r in receiver.requests} == {"application/cloudevents+json; charset=utf-8"}
    assert [r.headers["Idempotency-Key"] for r in receiver.requests] == [f'"{json.loads(e)["id"]}"' for e in EVENTS]


def test_binary_puts_attributes_into_headers(receiver: Any, session: requests.Session) -> None:
    event = {"id": "e1", "specversion": "1.0", "subject": 'order/Müller 50%/"1"', "sequence": 3}
    event |= {"datacontenttype": "application/json", "data": {"quantity": "1.50"}}
    HttpSink(receiver.url, session, mode="binary").deliver([json.dumps(event).encode()])
    [request] = receiver.requests
    assert json.loads(request.body) == {"quantity": "1.50"}
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["ce-subject"] == "order/M%C3%BCller%2050%25/%221%22"
    assert (request.headers["ce-id"], request.headers["ce-specversion"], request.headers["ce-sequence"]) == (
        "e1",
        "1.0",
        "3",
    )


@pytest.mark.parametrize("status", [422, 503])
def test_what_was_taken_before_a_failure_is_told(receiver: Any, session: requests.Session, status: int) -> None:
    receiver.answers = [receiver.template, replace(receiver.template, status=status)]
    with pytest.raises((RefusedError, TransientError)) as told:
        HttpSink(receiver.url, session, mode="structured").deliver([*EVENTS, *EVENTS])
    assert told.value.details["taken"] == 1


def test_a_signature_that_a_receiver_can_check(receiver: Any, tmp_path: Any) -> None:
    """By the words of Standard Webhooks, computed here from the request alone."""
    key = b"0123456789abcdef01234567"
    secret = "whsec_" + base64.b64encode(key).decode()
    behind = Connection(conn_id="hub", type="http", extra={"signing_secret": secret})
    sink = open_sink(Options(url=receiver.url, conn_id="hub"), home=tmp_path, connections=lambda _: behind)
    sink.deliver(EVENTS)
    sink.deliver(EVENTS)
    sink.close()
    first, second = receiver.requests
    told = {name: first.headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature")}
    signed = f"{told['id']}.{told['timestamp']}.".encode() + first.body
    assert told["signature"] == "v1," + base64.b64encode(hmac.new(key, signed, "sha256").digest()).decode()
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"] == f'"{told["id"]}"'


def test_a_secret_that_is_no_base64_is_told_without_it(tmp_path: Any) -> None:
    behind = Connection(conn_id="hub", type="http", extra={"signing_secret": "whsec_n0t base64"})
    with pytest.raises(ConfigError, match="no base64") as told:
        open_sink(Options(url="http://hub.example/", conn_id="hub"), home=tmp_path, connections=lambda _: behind)
    assert "n0t" not in str(told.value)
