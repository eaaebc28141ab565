"""From a partner's SFTP server to another one's, by channel and outlet files and connections as Airflow writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

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
