"""What only a real PostgreSQL can show: its own errors, its own plans, two writers that wait for each other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
import sqlalchemy as sa

from crossdock.ledger import Ledger, feed
from crossdock.ledger.database import Database
from crossdock.ledger.tables import events
from schemas.errors import PermanentError, TransientError

pytestmark = pytest.mark.integration


@pytest.fixture
def url(postgres) -> str:
    return str(postgres.database())


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger.open(url) as opened:
        yield opened


def note(ledger: Ledger, key: str) -> int:
    return ledger.record_payload(
        sha256="a" * 64, size=1, channel="edi", key=key, name=key, received_at=datetime.now(UTC), metadata={}
    ).id


def test_a_database_that_is_not_there(url: str) -> None:
    with pytest.raises(PermanentError, match="database in the ledger URL"):
        Ledger.open(url.replace("/ledger_", "/no_such_"))


def test_a_user_who_may_not_write(url: str, ledger: Ledger, postgres) -> None:
    postgres.administer("DROP ROLE IF EXISTS reader")
    postgres.administer("CREATE ROLE reader LOGIN")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    with Ledger.open(url.replace("//postgres:", "//reader:")) as reader:
        assert reader.summary() == []
        with pytest.raises(PermanentError, match=r"permission denied.*rights"):
            note(reader, "a")


def cut_all_connections(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    time.sleep(0.2)


def test_a_connection_cut_by_the_server_is_transient_and_the_next_try_succeeds(url: str, ledger: Ledger) -> None:
    note(ledger, "a")

    def cut_off_half_way() -> None:
        with ledger._database.write() as connection:
            feed.lock(connection)
            cut_all_connections(url)
            feed.lock(connection)

    with pytest.raises(TransientError):
        cut_off_half_way()
    assert note(ledger, "b") > 0
    assert len(ledger.waiting()) == 2


def test_connections_that_died_while_idle_are_replaced_unnoticed(url: str, ledger: Ledger) -> None:
    note(ledger, "a")
    cut_all_connections(url)
    assert len(ledger.waiting()) == 1


def test_a_reader_never_sees_a_position_before_the_one_below_it(url: str, ledger: Ledger) -> None:
    """The head's lock makes the second writer wait for the first one's commit, whoever asked for positions first."""
    database = Database(url)
    order: list[str] = []
    locked = threading.Event()

    def first() -> None:
        with database.write() as connection:
            position, document = feed.lock(connection)
            locked.set()
            time.sleep(0.5)
            feed.advance(connection, position + 5, document)
            order.append("first")

    def second() -> None:
        locked.wait(5)
        with database.write() as connection:
            position, _ = feed.lock(connection)
            order.append(f"second after {position}")

    threads = [threading.Thread(target=run) for run in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.close()
    assert order == ["first", "second after 5"]


@pytest.mark.parametrize("stream", [None, "demand"])
def test_a_page_is_found_by_index(ledger: Ledger, stream: str | None) -> None:
    query = feed._STORED.where(events.c.position > 5).order_by(events.c.position).limit(10)
    query = query if stream is None else query.where(events.c.stream == stream)
    with ledger._database.read() as connection:
        # an empty table is always scanned unless that is made dear
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
        connection.exec_driver_sql("SET LOCAL enable_sort = off")
        compiled = query.compile(connection.engine, compile_kwargs={"literal_binds": True})
        plan = "\n".join(connection.scalars(sa.text(f"EXPLAIN {compiled}")))
    assert "pk_events" in plan if stream is None else "ix_events_stream_position" in plan
    assert "Sort" not in plan
