"""Sinks that keep tables: what stands in them, and that a key's latest is its latest."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import polars as pl
import psycopg
import pytest

from connectors.sinks.parquet import ParquetSink
from connectors.sinks.postgres import PostgresSink, as_ours
from schemas.errors import PermanentError, RefusedError, TransientError


def event(number: int, *, subject: str = "a", sequence: int = 1, day: int = 1, stream: str = "demand") -> bytes:
    data = {"partner": "ACME", "item": "P-1", "site": "N1", "kind": "ordered", "unit": "EA", "base_unit": "C62"}
    data |= {"quantity": "1.50", "base_quantity": f"{number}.250"}
    told = {"id": f"e{number}", "source": "/s", "type": f"crossdock.{stream}.v1", "subject": subject, "data": data}
    told |= {"time": "2026-03-01T08:00:00+01:00", "recordedtime": f"2026-03-{day:02}T08:00:00.5Z"}
    return json.dumps(told | {"sequence": sequence, "correlationid": "d"}).encode()


def test_files_are_parted_by_stream_and_day_and_read_back_as_one(tmp_path: Path) -> None:
    sink = ParquetSink(tmp_path)
    sink.deliver([event(1), event(2, day=2), event(3, stream="shipment"), event(4)])
    sink.deliver([event(5)])
    sink.deliver([event(5)])
    folders = {str(file.parent.relative_to(tmp_path)) for file in tmp_path.rglob("*.parquet")}
    assert folders == {f"stream={s}/day=2026-03-0{d}" for s, d in (("demand", 1), ("demand", 2), ("shipment", 1))}
    read = pl.read_parquet(tmp_path / "**/*.parquet", hive_partitioning=True).sort("id")
    assert read["id"].to_list() == ["e1", "e2", "e3", "e4", "e5"]
    assert read["base_quantity"].to_list()[0] == "1.250"
    assert set(read["stream"]) == {"demand", "shipment"}
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.fixture
def table(postgres) -> tuple[dict[str, str], str]:
    url = postgres.database()
    where = urlsplit(url)
    host = where.hostname or parse_qs(where.query)["host"][0]
    settings = {"host": host, "port": str(where.port or ""), "dbname": where.path[1:], "user": where.username or ""}
    return {name: value for name, value in settings.items() if value}, url


@pytest.mark.integration
def test_only_the_highest_revision_of_a_key_is_kept(table: tuple[dict[str, str], str]) -> None:
    settings, url = table
    sink = PostgresSink(settings, "public.latest", keep="latest")
    sink.deliver([event(1), event(2, sequence=2), event(3, subject="b")])
    sink.deliver([event(4, sequence=4), event(3, subject="b")])
    sink.deliver([event(1), event(2, sequence=2)])
    sink.close()
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT subject, sequence, base_quantity::text FROM latest ORDER BY 1").fetchall()
        assert rows == [("a", 4, "4.250"), ("b", 1, "3.250")]
        assert connection.execute("SELECT data ->> 'item', time FROM latest LIMIT 1").fetchone()[0] == "P-1"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (psycopg.errors.InvalidPassword("no"), PermanentError),
        (psycopg.errors.InvalidCatalogName("no such database"), PermanentError),
        (psycopg.errors.InsufficientPrivilege("no"), PermanentError),
        (psycopg.errors.SerializationFailure("again"), TransientError),
        (psycopg.errors.DiskFull("full"), TransientError),
        (psycopg.errors.QueryCanceled("timeout"), TransientError),
        (psycopg.errors.NumericValueOutOfRange("odd"), RefusedError),
        (psycopg.OperationalError("connection refused"), TransientError),
    ],
)
def test_which_of_ours(error: psycopg.Error, kind: type[Exception]) -> None:
    assert type(as_ours(error, "hub")) is kind
