"""From a partner's SFTP server to another one's, by channel and outlet files and connections as Airflow writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from connectors import registry
from connectors.archive import Archive
from connectors.channel import Channel
from connectors.connections import Connection
from crossdock.ledger import Ledger
from crossdock.receive import receive
from schemas.errors import TransientError

pytestmark = pytest.mark.integration


def test_a_file_on_one_server_becomes_events_on_another(
    known: Any, orders: Callable[..., str], sshd: Any, start_sshd: Callable[..., Any]
) -> None:
    other = start_sshd()
    theirs, hub = known.home / "theirs", known.home / "hub"
    for folder in (theirs, hub):
        folder.mkdir()
    (theirs / "orders.jsonl").write_text(orders(("4500001", "10"), ("4500001", "20")))
    (known.home / "channels" / "inbox.yaml").write_text(
        f"channel: inbox\nsource: {{kind: sftp, conn_id: acme, path: {theirs}, pattern: '*.jsonl', quiet: 100ms}}\n"
    )
    (known.home / "outlets" / "feed.yaml").write_text(
        f"outlet: feed\nsink: {{kind: sftp, conn_id: hub, path: {hub}, known_hosts: known_hosts}}\n"
    )
    to_hub = other.connection()
    (known.home / "known_hosts").write_text(f"[127.0.0.1]:{other.port} {to_hub.extra['host_key']}\n")
    installation = replace(
        known,
        environment={
            **known.environment,
            "AIRFLOW_CONN_ACME": as_json(sshd.connection()),
            "AIRFLOW_CONN_HUB": as_json(to_hub, without="host_key"),
        },
    )
    for _ in range(2):
        result = installation.run("run")
        assert result.exit_code == 0, result.output
    (file,) = hub.iterdir()
    events = [json.loads(line) for line in file.read_bytes().splitlines()]
    assert [event["data"]["references"]["line"] for event in events] == ["10", "20"]
    assert [path.name for path in (theirs / "done").iterdir()] == ["orders.jsonl"]


CONTENTS = {"a.edi": b"", "b.edi": b"b" * 5_000, "c.edi": b"c" * 1_200_000}


@pytest.mark.parametrize("settle", ["move", "delete"])
def test_a_connection_that_breaks_off_at_any_byte_loses_and_doubles_nothing(
    settle: str, sshd: Any, wire: Any, tmp_path: Path
) -> None:
    archive = Archive(tmp_path / "archive")
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:

        def bytes_of_all(name: str) -> int:
            inbox = tmp_path / name
            inbox.mkdir()
            for file, content in CONTENTS.items():
                (inbox / file).write_bytes(content)
            options = {"kind": "sftp", "conn_id": "partner", "path": str(inbox), "quiet": "0s", "settle": settle}
            before = wire.to_client
            receive_until_well(Channel(channel=name, source=options), sshd.connection(port=wire.port), archive, ledger)
            received = [(row["name"], row["sha256"]) for row in ledger.payloads(channel=name)]
            assert sorted(received) == [(file, sha256(content).hexdigest()) for file, content in CONTENTS.items()]
            left = {path.name: path.read_bytes() for path in inbox.rglob("*") if path.is_file()}
            assert left == (CONTENTS if settle == "move" else {})
            return int(wire.to_client - before)

        whole = bytes_of_all("whole")
        for n in range(1, 10):
            wire.break_off_after(whole * n // 9 - 150 * n)
            bytes_of_all(f"broken-{n}")


def receive_until_well(channel: Channel, connection: Connection, archive: Archive, ledger: Ledger) -> None:
    for _ in range(3):
        state = ledger.state(channel.channel)
        source = registry.open_source(channel, home=Path(), state=state, connections=lambda _: connection)
        with closing(source), suppress(TransientError):
            receive(channel, source, archive=archive, ledger=ledger)
            return
    pytest.fail("one connection broke off, but three runs did not do")


def as_json(connection: Any, *, without: str = "") -> str:
    extra = {name: value for name, value in connection.extra.items() if name != without}
    return json.dumps(
        {
            "conn_type": connection.type,
            "host": connection.host,
            "port": connection.port,
            "login": connection.login,
            "extra": extra,
        }
    )
