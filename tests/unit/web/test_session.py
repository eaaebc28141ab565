"""Who we are to a system, and what its troubles mean to us."""

from __future__ import annotations

import inspect
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
import requests

from connectors.connections import Connection
from connectors.web.answers import seconds_of
from connectors.web.circuit import Circuit
from connectors.web.session import WebSession, base_url
from connectors.web.tokens import AccessTokens
from schemas.errors import ConfigError, PermanentError, TransientError
from tests.web_servers import Asked, JsonApi, Told

NOW = datetime(2026, 3, 30, 8, tzinfo=UTC)
CHANNEL = {"kind": "rest", "queries": [{"name": "stock", "path": "/stock", "columns": {"item": "sku"}}]}


def listed(_: Asked) -> Told:
    return Told([{"sku": "P-1"}])


def tokens(asked: Asked) -> Told:
    return Told({"access_token": f"t{len(asked.body)}", "token_type": "Bearer", "expires_in": 3600})


def test_basic_bearer_and_api_key(api: JsonApi, pull) -> None:
    api.routes["/stock"] = listed
    for number, (differs, header, value) in enumerate(
        [
            ({"login": "u", "password": "p"}, "Authorization", "Basic dTpw"),
            ({"extra": {"token": "abc"}}, "Authorization", "Bearer abc"),
            ({"extra": {"api_key": "k", "api_key_header": "X-Own"}}, "X-Own", "k"),
        ]
    ):
        pull(api.connection(**differs), CHANNEL)
        assert api.asked[number].headers[header] == value


def test_a_token_is_fetched_once_and_renewed_when_it_is_refused(api: JsonApi, pull) -> None:
    api.routes |= {"/stock": listed, "/token": tokens}
    connection = api.connection(
        login="id", password="secret", extra={"token_url": f"{api.url}/token", "scope": "read all"}
    )
    api.troubles.append(Told({"error": {"message": "token expired"}}, 401))
    assert pull(connection, CHANNEL)["stock"][1] == [["P-1"]]
    assert [asked.path for asked in api.asked] == ["/token", "/stock", "/token", "/stock"]
    assert api.asked[0].body == "grant_type=client_credentials&scope=read+all"
    assert api.asked[0].headers["Authorization"].startswith("Basic ")


def test_a_token_is_not_used_in_its_last_minute(api: JsonApi) -> None:
    api.routes["/token"] = tokens
    now = [0.0]
    known = AccessTokens(api.connection(login="id", extra={"token_url": f"{api.url}/token"}), lambda: now[0])
    for now[0], asked in ((0.0, 1), (3539.0, 1), (3541.0, 2)):
        known.token()
        assert len(api.asked) == asked


def test_a_refused_secret_is_no_reason_to_try_again(api: JsonApi, pull) -> None:
    api.routes["/token"] = lambda _: Told({"error": "invalid_client"}, 401)
    connection = api.connection(login="id", password="hush", extra={"token_url": f"{api.url}/token"})
    with pytest.raises(PermanentError, match="gives no token") as told:
        pull(connection, CHANNEL)
    assert "hush" not in str(told.value)


@pytest.mark.parametrize(
    ("trouble", "error", "wait"),
    [
        (Told("busy", 503, {"Retry-After": "7"}), TransientError, 7.0),
        (Told("", 500), TransientError, None),
        (Told("", 429, {"Retry-After": "1"}), TransientError, 1.0),
        (Told({"error": {"message": {"value": "locked by CB99"}}}, 423), TransientError, None),
        (Told(hang_up=True), TransientError, None),
        (Told("", 401), PermanentError, None),
        (Told("", 403), PermanentError, None),
        (Told("", 404), PermanentError, None),
        (Told("", 302, {"Location": "https://login.example/?secret=1"}), PermanentError, None),
        (Told("<html>", 200), PermanentError, None),
        (Told('{"nothing": 1', 200), PermanentError, None),
    ],
)
def test_troubles(api: JsonApi, pull, trouble: Told, error: type[Exception], wait: float | None) -> None:
    api.routes["/stock"] = listed
    api.troubles.append(trouble)
    with pytest.raises(error) as told:
        pull(api.connection(), CHANNEL)
    assert getattr(told.value, "retry_after", None) == wait
    assert "secret=1" not in str(told.value)


@pytest.mark.parametrize(
    "kind",
    [kind for _, kind in inspect.getmembers(requests.exceptions, inspect.isclass) if issubclass(kind, Exception)],
    ids=lambda kind: kind.__name__,
)
def test_every_error_of_the_library_becomes_one_of_ours(kind: type[Exception]) -> None:
    if not issubclass(kind, requests.exceptions.RequestException):
        assert issubclass(kind, Warning) or kind.__module__ != "requests.exceptions"
        return

    class Failing(requests.adapters.BaseAdapter):
        def send(self, *_: object, **__: object) -> requests.Response:
            raise kind.__new__(kind)

        def close(self) -> None: ...

    session = WebSession(Connection(conn_id="api", type="http", host="127.0.0.1"))
    session._session.mount("http://", Failing())
    with pytest.raises((TransientError, PermanentError)):
        session.get("http://127.0.0.1/x")
    session.close()


def wait_of(circuit: Circuit) -> float:
    try:
        circuit.check()
    except TransientError as error:
        return error.retry_after or -1.0
    return 0.0


def test_a_system_that_fails_again_and_again_is_left_alone_for_longer_and_longer(state) -> None:
    clock = [NOW]
    circuit = Circuit(state, lambda: clock[0])
    waits = []
    for _ in range(6):
        circuit.check()
        circuit.failed(TransientError("no work process"))
        waits.append(wait_of(circuit))
        clock[0] += timedelta(seconds=waits[-1])
    assert waits == [0, 0, 5, 10, 20, 40]
    circuit.worked()
    circuit.failed(TransientError("busy", retry_after=30))
    with pytest.raises(TransientError, match="busy"):
        circuit.check()


def test_an_open_circuit_asks_nothing(api: JsonApi, pull, state) -> None:
    api.routes["/stock"] = listed
    api.troubles += [Told("", 503, {"Retry-After": "60"})]
    with pytest.raises(TransientError):
        pull(api.connection(), CHANNEL)
    with pytest.raises(TransientError, match="left alone"):
        pull(api.connection(), CHANNEL)
    assert len(api.asked) == 1


def test_a_system_that_wants_to_be_left_alone_for_a_day_is_asked_again_before(state) -> None:
    circuit = Circuit(state, lambda: NOW)
    circuit.failed(TransientError("busy", retry_after=86_400))
    with pytest.raises(TransientError) as told:
        circuit.check()
    assert told.value.retry_after == 15 * 60


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"type": "http", "host": "h", "port": 8000}, "http://h:8000"),
        ({"type": "https", "host": "h"}, "https://h"),
        ({"type": "http", "host": "https://h/base/"}, "https://h/base"),
        ({"type": "http", "host": "h", "schema": "https"}, "https://h"),
        ({"type": "odata", "host": "h", "schema": "sap"}, "https://h/sap"),
    ],
)
def test_where_a_connection_leads(given: dict[str, object], url: str) -> None:
    assert base_url(Connection(conn_id="c", **given)) == url  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.example/odata",
        "https://erp.example:8443/odata",
        "http://erp.example/odata",
        "https://erp.example@elsewhere.example/odata",
        "//elsewhere.example/odata",
        "file:///etc/passwd",
    ],
)
def test_credentials_go_to_no_other_host_port_or_protocol(link: str) -> None:
    session = WebSession(
        Connection(conn_id="c", type="https", host="https://erp.example/odata", login="u", password="p")
    )
    with closing(session), pytest.raises(PermanentError, match=r"is not on https://erp\.example "):
        session.get(link)


def test_a_connection_without_a_host_is_refused() -> None:
    with pytest.raises(ConfigError, match="names no host"):
        base_url(Connection(conn_id="c", type="http"))


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("12", 12.0), ("Mon, 30 Mar 2026 08:01:00 GMT", 60.0), ("Mon, 30 Mar 2026 08:01:00", 60.0)],
)
def test_retry_after(written: str, seconds: float) -> None:
    assert seconds_of(written, NOW) == seconds


@pytest.mark.parametrize("written", [None, "", "soon", "-5", "1.5", "\u00b2"])
def test_a_retry_after_that_says_nothing(written: str | None) -> None:
    assert seconds_of(written, NOW) is None
