"""The IMAP source against a real Dovecot: logging in, settling, interruptions, new numbers, waiting, thousands."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from connectors.base import Arrival
from connectors.connections import Connection
from connectors.mailbox.login import mail_login
from connectors.sources import imap
from connectors.web.tokens import AccessTokens
from schemas.errors import ConfigError, PermanentError, TransientError
from tests.mail_servers import Dovecot


def message(number: int, size: int = 10) -> bytes:
    head = f"From: clerk@anvilgate.example\r\nMessage-ID: <{number}@anvilgate.example>\r\nSubject: S {number}\r\n\r\n"
    return head.encode() + b"x" * size + b"\r\n"


@pytest.fixture
def folder(dovecot: Dovecot, request: pytest.FixtureRequest) -> str:
    name = f"f{abs(hash(request.node.nodeid))}"
    client = dovecot.client()
    client.create_folder(name)
    client.logout()
    return name


Opening = Callable[..., imap.ImapSource]


@pytest.fixture
def open_source(dovecot: Dovecot, folder: str) -> Iterator[Opening]:
    opened = []

    def open_(connection: Connection | None = None, **options: Any) -> imap.ImapSource:
        given = imap.Options(conn_id="mail", **{"folder": folder, "done": f"{folder}-done", **options})
        source = imap.ImapSource(mail_login(connection or dovecot.connection(), "imap"), given)
        opened.append(source)
        return source

    yield open_
    for source in opened:
        source.close()


def take(source: imap.ImapSource, limit: int = 100, *, settle: bool = True) -> list[tuple[Arrival, bytes]]:
    taken = []
    for arrival in source.arrivals(limit):
        taken.append((arrival, b"".join(source.fetch(arrival))))
        if settle:
            source.settle(arrival)
    return taken


def numbers(dovecot: Dovecot, folder: str) -> list[int]:
    client = dovecot.client()
    client.select_folder(folder, readonly=True)
    found = client.search("ALL")
    client.logout()
    return found


def test_messages_are_moved_once_they_are_taken_and_stay_unread_until_then(dovecot, folder, open_source):
    dovecot.append(message(1), message(2), folder=folder)
    source = open_source()
    (arrival, content), _ = take(source, settle=False)
    assert content == message(1)
    assert arrival.metadata["message_id"] == "<1@anvilgate.example>"
    client = dovecot.client()
    client.select_folder(folder, readonly=True)
    assert client.search("UNSEEN") == numbers(dovecot, folder)
    client.logout()
    source.settle(arrival)
    assert len(numbers(dovecot, folder)) == len(numbers(dovecot, f"{folder}-done")) == 1
    assert [content for _, content in take(open_source())] == [message(2)]


def test_messages_can_stay_where_they_are_and_be_flagged(dovecot, folder, open_source):
    dovecot.append(message(1), message(2), folder=folder)
    assert len(take(open_source(settle="flag"))) == 2
    assert take(open_source(settle="flag")) == []
    client = dovecot.client()
    client.select_folder(folder, readonly=True)
    assert len(client.search(["KEYWORD", imap.KEYWORD, "SEEN"])) == 2
    client.logout()


def test_new_numbers_do_not_make_new_messages_of_old_ones_and_settle_nobody_elses(dovecot, folder, open_source):
    dovecot.append(message(1), folder=folder)
    ((before, _),) = take(open_source(), settle=False)
    client = dovecot.client()
    client.delete_folder(folder)
    client.create_folder(folder)  # a new UIDVALIDITY, in which the old number means another message
    client.append(folder, message(7))
    client.append(folder, message(1))
    client.logout()
    source = open_source()
    source.settle(before)
    after = take(source)
    assert [content for _, content in after] == [message(7), message(1)]
    assert before.key == after[1][0].key
    assert before.metadata["uid"] != after[1][0].metadata["uid"]


def test_the_same_message_delivered_to_two_folders_has_one_key(dovecot, folder, open_source):
    dovecot.append(message(1), message(1), message(1, 11), folder=folder)
    keys = [arrival.key for arrival, _ in take(open_source())]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("size", [imap.PIECE - 150, imap.PIECE, 3 * imap.PIECE, 5_000_000])
def test_messages_of_any_size_come_whole(dovecot, folder, open_source, size):
    dovecot.append(message(1, size), folder=folder)
    ((_, content),) = take(open_source())
    assert content == message(1, size)


def test_thousands_of_messages_and_a_process_that_dies_again_and_again(dovecot, folder, open_source):
    client = dovecot.client()
    client.multiappend(folder, [{"msg": message(number)} for number in range(2000)])
    client.logout()
    taken: dict[str, bytes] = {}
    at_least = 0
    while len(taken) < 2000:
        source = open_source()
        for at, arrival in enumerate(source.arrivals(1000)):
            taken[arrival.key] = b"".join(source.fetch(arrival))
            at_least += 1
            if at == 999 - len(taken) % 7:  # between archiving and settling
                source._drop()  # as a killed process's connection goes: without a word
                break
            source.settle(arrival)
    assert sorted(taken.values()) == sorted(message(number) for number in range(2000))
    assert at_least > 2000


def test_a_connection_that_breaks_off_is_made_again(dovecot, folder, open_source, wire_to):
    wire = wire_to(dovecot.plain)
    dovecot.append(message(1, 3_000_000), folder=folder)
    connection = dovecot.connection(tls="none")
    source = open_source(Connection(**{**fields(connection), "port": wire.port}), timeout="5s")
    wire.break_off_after(1_500_000)
    with pytest.raises(TransientError):
        take(source)
    assert [content for _, content in take(source)] == [message(1, 3_000_000)]


def fields(connection: Connection) -> dict[str, Any]:
    return {name: getattr(connection, name) for name in connection.__dataclass_fields__}


def test_a_message_that_somebody_takes_away_is_passed_over(dovecot, folder, open_source):
    dovecot.append(message(1), message(2), folder=folder)
    arrivals = open_source().arrivals(10)
    first = next(arrivals)
    client = dovecot.client()
    client.select_folder(folder)
    client.delete_messages(client.search("ALL"))
    client.expunge()
    client.logout()
    assert list(arrivals) == []
    source = open_source()
    source.settle(first)


def test_who_waits_hears_of_a_new_message_at_once(dovecot, folder, open_source):
    source = open_source()
    assert source.wait(0.2) is False
    later = threading.Timer(0.3, lambda: dovecot.append(message(1), folder=folder))
    later.start()
    began = time.monotonic()
    assert source.wait(20) is True
    assert time.monotonic() - began < 10
    later.join()
    assert len(take(source)) == 1


# -- logging in --------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", ["implicit", "starttls", "none"])
def test_the_ways_in(dovecot, folder, open_source, tls):
    dovecot.append(message(1), folder=folder)
    assert len(take(open_source(dovecot.connection(tls=tls)))) == 1


def test_a_wrong_password_an_untrusted_certificate_and_a_folder_that_is_not_there(dovecot, open_source):
    wrong = Connection(**{**fields(dovecot.connection()), "password": "sesame"})
    with pytest.raises(PermanentError, match="lets us not in"):
        take(open_source(wrong))
    with pytest.raises(PermanentError, match="certificate"):
        take(open_source(Connection(**{**fields(dovecot.connection()), "extra": {}})))
    with pytest.raises(PermanentError, match="is the folder there"):
        take(open_source(folder="Nowhere"))


def test_a_password_goes_through_no_open_wire():
    with pytest.raises(ConfigError, match="reads along"):
        mail_login(Connection(conn_id="m", type="imap", host="mail.example", extra={"tls": "none"}), "imap")
    with pytest.raises(ConfigError, match="of type http"):
        mail_login(Connection(conn_id="m", type="http", host="mail.example"), "imap")


class TokenServer:
    """Gives access tokens (RFC 6749) and says whose they are (RFC 7662)."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200
        self.expires_in: object = 3600
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if self.path == "/introspect":
                    known = "token-" in form
                    self._say(200, {"active": "true" if known else "false", "username": "supply"})
                    return
                outer.asked.append(form)
                given = {"access_token": f"token-{len(outer.asked)}", "expires_in": outer.expires_in}
                refusal = {"error": "invalid_grant", "error_description": "the refresh token has ended"}
                self._say(outer.status, given if outer.status == 200 else refusal)

            def _say(self, status: int, said: object) -> None:
                body = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    server = TokenServer()
    yield server
    server.close()


def test_in_by_oauth2_with_a_refresh_token(tokens):
    server = Dovecot(token_url=f"{tokens.url}/introspect")
    try:
        server.append(message(1))
        extra = {"token_url": f"{tokens.url}/token", "client_id": "crossdock", "refresh_token": "r"}
        source = imap.ImapSource(mail_login(server.connection(**extra), "imap"), imap.Options(conn_id="mail"))
        assert len(take(source)) == 1
        source.close()
        assert "grant_type=refresh_token" in tokens.asked[0]
        fixed = server.connection(access_token="nobody-gave-this")
        with pytest.raises(PermanentError, match="lets us not in"):
            take(imap.ImapSource(mail_login(fixed, "imap"), imap.Options(conn_id="mail")))
    finally:
        server.remove()


def test_a_token_is_used_until_it_ends_and_refusals_are_told(tokens):
    clock = [0.0]
    extra = {"token_url": f"{tokens.url}/token", "client_id": "c", "client_secret": "s", "scope": "mail"}
    connection = Connection(conn_id="m", type="imap", host="h", extra=extra)
    given = AccessTokens(connection, lambda: clock[0])
    assert [given.token(), given.token()] == ["token-1", "token-1"]
    clock[0] = 3541.0
    assert given.token() == "token-2"
    assert "grant_type=client_credentials" in tokens.asked[1]
    clock[0] = 99_999.0
    tokens.status = 400
    with pytest.raises(PermanentError, match="the refresh token has ended"):
        given.token()
    tokens.status = 503
    with pytest.raises(TransientError):
        given.token()
    tokens.close()
    with pytest.raises(TransientError, match="ConnectionError"):
        given.token()
    tokens.thread = threading.Thread(target=lambda: None)
    tokens.thread.start()
