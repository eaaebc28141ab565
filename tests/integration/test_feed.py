"""`crossdock serve` as a process of its own, read over a real socket while the pipeline goes on."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from crossdock import following
from crossdock.dock import Dock
from crossdock.local.arrivals import ledgered, not_readable
from crossdock.local.feed import Feed
from schemas.errors import PermanentError, TransientError
from tests.certificates import server_certificate

pytestmark = pytest.mark.integration

TOKEN = "correct-horse-battery"
COMMAND = [str(Path(sys.executable).parent / "crossdock"), "serve", "--port"]


def environment(known: Any) -> dict[str, str]:
    return {**os.environ, **known.environment, "CROSSDOCK_TOKEN": TOKEN, "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def served(known: Any) -> Iterator[str]:
    """The address of a running service over the installation's ledger; stopping it leaves no complaint."""
    process = subprocess.Popen(
        [*COMMAND, "0"], env=environment(known), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    assert "the console at http://127.0.0.1:" in said, process.communicate()
    yield said.split("console at ")[1].partition(";")[0]
    process.send_signal(signal.SIGTERM)
    _, complaints = process.communicate(timeout=20)
    assert complaints == ""


def test_what_is_committed_meanwhile_can_be_read_at_once(
    known: Any, served: str, orders: Callable[..., str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("crossdock.local.feed.PAGE", 3)
    feed = Feed(served, TOKEN)
    assert feed.is_well()
    assert list(feed.events()) == []
    with Dock.open(known.settings) as dock:
        for batch in ("1", "2"):
            known.drop(f"po{batch}.jsonl", orders(*((batch, str(line)) for line in range(1, 5))))
            dock.run()
            assert not_readable(dock.ledger, feed) == []
        assert [event["id"] for event in feed.events()] == list(ledgered(dock.ledger))
        assert len(list(feed.events(after=5))) == 3
    page = requests.get(served, auth=("crossdock", TOKEN), timeout=30)
    assert page.ok
    assert "po2.jsonl" not in page.text
    assert "inbox" in page.text


def test_a_stranger_is_told_so(served: str):
    with pytest.raises(PermanentError, match=r"401.*Show the token"):
        list(Feed(served, "wrong-wrong-wrong-wrong").events())


def test_a_service_that_is_not_there_is_worth_another_try():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        feed = Feed(f"http://127.0.0.1:{nobody.getsockname()[1]}", TOKEN)
        assert not feed.is_well()
        with pytest.raises(TransientError, match="does not answer"):
            list(feed.events())


def test_a_taken_port_is_told_with_what_to_do(known: Any):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*COMMAND, str(port)], env=environment(known), capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == 4
    assert f"127.0.0.1:{port} cannot be listened on" in done.stderr
    assert "--port" in done.stderr


def test_the_snippets_of_the_docs_read_the_state(known: Any, served: str, orders: Callable[..., str]):
    """The lines of docs/feed-api.md for polars and pandas as they stand there, and what those for Power Query ask."""
    text = (Path(__file__).parents[2] / "docs" / "feed-api.md").read_text()
    known.drop("po.jsonl", orders(*(("1", str(line)) for line in range(1, 6))))
    with Dock.open(known.settings) as dock:
        dock.run()
    in_polars, in_pandas = (block.split("```")[0] for block in text.split("```python\n")[1:3])
    for code, expected in ((in_polars, ["12"] * 5), (in_pandas, [12.0] * 5)):
        names: dict[str, Any] = {}
        exec(code.replace('"limit": 1000', '"limit": 2'), names)
        table = names["state"](served, TOKEN)
        column = "quantity" if code is in_polars else "data.quantity"
        assert list(table[column]) == expected
    query = text.split("```\nlet\n")[1].split("```")[0]
    assert _as_power_query_asks(query, served) == [("ACME", "P-100", "N1", "ordered", "12", "C62")] * 5


def _as_power_query_asks(query: str, served: str) -> list[tuple[str, ...]]:
    """The rows that the query would make, by the requests that its Web.Contents stands for: path, query, headers."""
    [path] = re.findall(r'RelativePath = "([^"]+)"', query)
    [limit] = re.findall(r'Query = \[limit = "([0-9]+)", after = Text.From\(after\)\]', query)
    [header] = re.findall(r'Headers = \[Authorization = "(Bearer )cd_...\"\]', query)
    [columns] = re.findall(r'ExpandRecordColumn\(Data, "event", \{([^}]+)\}', query)
    assert int(limit) <= 1000
    rows: list[dict[str, Any]] = []
    state: dict[str, Any] = {"next": 0, "more": True}
    while state["more"]:  # List.Generate, with pages small enough to be several
        answer = requests.get(
            f"{served}/{path}",
            params={"limit": "2", "after": str(state["next"])},
            headers={"Authorization": header + TOKEN, "Accept": ""},
            timeout=30,
        )
        assert answer.headers["content-type"] == "application/json"
        state = answer.json()
        rows += [event["data"] for event in state["events"]]
    names = [name.strip(' "') for name in columns.split(",")]
    assert names[-1] == "due_at"
    assert all(row.get("due_at", "").endswith(("Z", ":00")) for row in rows)
    return [tuple(row[name] for name in names[:-1]) for row in rows]


def test_the_feed_can_be_followed_live(known: Any, served: str, orders: Callable[..., str]):
    """Server-sent events over a real socket: what is there, then what comes, each once, in order."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/event-stream", "Last-Event-ID": "1"}
    with (
        Dock.open(known.settings) as dock,
        requests.get(f"{served}/v1/events", headers=headers, stream=True, timeout=30) as live,
    ):
        assert live.headers["content-type"].startswith("text/event-stream")
        for batch in ("1", "2"):
            known.drop(f"po{batch}.jsonl", orders(*((batch, str(line)) for line in range(1, 4))))
            dock.run()
        told = []
        for line in live.iter_lines():
            if line.startswith(b"id: "):
                told.append(int(line[4:]))
            if len(told) == 5:
                break
    assert told == [2, 3, 4, 5, 6]


def test_events_leave_as_soon_as_they_stand_in_the_feed(known: Any, orders: Callable[..., str]):
    """`crossdock publish --follow`, while another process writes events and does not publish them itself."""
    command = [str(Path(sys.executable).parent / "crossdock"), "publish", "--follow"]
    with Dock.open(known.settings) as dock:
        dock.run()  # master data
        process = subprocess.Popen(
            command, env=environment(known), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "publishing to feed\n"
        for batch in ("1", "2"):
            known.drop(f"po{batch}.jsonl", orders(*((batch, str(line)) for line in range(1, 4))))
            dock.translate(dock.receive("inbox"))
            committed = time.monotonic()
            assert process.stdout.readline().endswith("feed: 3 events\n")
            assert time.monotonic() - committed < following.LOOK / 2  # it was told, and did not just look again
        assert [sink["behind"] for sink in dock.ledger.sinks()] == [0]
    process.send_signal(signal.SIGTERM)
    _, complaints = process.communicate(timeout=20)
    assert (process.returncode, complaints) == (0, "")


def test_files_that_change_hold_for_who_follows_and_a_failing_outlet_goes_on_when_it_is_told_to(
    known: Any, orders: Callable[..., str]
):
    command = [str(Path(sys.executable).parent / "crossdock"), "publish", "--follow"]
    known.drop("po.jsonl", orders(("1", "1"), ("1", "2")))
    with Dock.open(known.settings) as dock:
        dock.run()
        process = subprocess.Popen(
            command, env=environment(known), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "publishing to feed\n"
        closed = socket.create_server(("127.0.0.1", 0))
        outlet = known.home / "outlets" / "hub.yaml"
        retry = "{first: 10m, patience: 0s}"
        there = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        closed.close()
        outlet.write_text(f"outlet: hub\nsink: {{kind: http, url: '{there}'}}\nretry: {retry}\n")
        assert process.stdout.readline() == "publishing to feed, hub\n"
        assert there in process.stderr.readline()
        with receiving(there) as got:
            resumed = time.monotonic()
            dock.ledger.resume_sink("hub")
            assert process.stdout.readline().endswith("hub: 2 events\n")
            assert time.monotonic() - resumed < following.LOOK / 2
        assert len(got) == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    process.stdout.close()
    process.stderr.close()


@contextmanager
def receiving(address: str) -> Iterator[list[bytes]]:
    """Somebody who takes whatever is posted there."""
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", int(address.rpartition(":")[2].strip("/"))), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield got
        server.shutdown()
        thread.join()


# -- TLS ----------------------------------------------------------------------------------------------


@pytest.fixture
def certified(tmp_path: Path) -> tuple[Path, Path]:
    """Files of a certificate for this machine, made for the test, and of its key."""
    certificate, key = server_certificate("127.0.0.1")
    for name, content in (("server.pem", certificate), ("server.key", key)):
        (tmp_path / name).write_bytes(content)
    return tmp_path / "server.pem", tmp_path / "server.key"


@contextmanager
def serving(known: Any, *arguments: str) -> Iterator[str]:
    process = subprocess.Popen([*COMMAND, "0", *arguments], env=environment(known), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().partition("console at ")[2].partition(";")[0]
    finally:
        process.terminate()
        process.communicate(timeout=20)


def spoken(address: str, authority: Path, newest: ssl.TLSVersion) -> str:
    """The version of TLS that a client gets which speaks none newer."""
    context = ssl.create_default_context(cafile=authority)
    context.maximum_version = newest
    host, port = address.removeprefix("https://").split(":")
    plain = socket.create_connection((host, int(port)), timeout=20)
    with context.wrap_socket(plain, server_hostname=host) as wrapped:
        return str(wrapped.version())


def test_over_tls_with_a_certificate_of_our_own(known: Any, certified: tuple[Path, Path]) -> None:
    certificate, key = certified
    with serving(known, "--tls-cert", str(certificate), "--tls-key", str(key)) as address:
        assert address.startswith("https://127.0.0.1:")
        answer = requests.get(
            f"{address}/v1/events", headers={"Authorization": f"Bearer {TOKEN}"}, verify=str(certificate), timeout=20
        )
        assert answer.json()["events"] == []
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(address, timeout=20)
        assert spoken(address, certificate, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
        assert spoken(address, certificate, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
        with pytest.raises(requests.exceptions.ConnectionError):
            requests.get(address.replace("https", "http"), timeout=20)


def test_an_old_version_of_tls_is_not_spoken_where_that_is_said(known: Any, certified: tuple[Path, Path]) -> None:
    certificate, key = certified
    with serving(known, "--tls-cert", str(certificate), "--tls-key", str(key), "--tls-min", "1.3") as address:
        with pytest.raises(ssl.SSLError):
            spoken(address, certificate, ssl.TLSVersion.TLSv1_2)
        assert spoken(address, certificate, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
