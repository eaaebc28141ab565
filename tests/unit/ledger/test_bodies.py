"""What events say, apart from their rows; and rows that are cut out of whole columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
import zstandard
from alembic.config import Config
from hypothesis import given
from hypothesis import strategies as st

from crossdock.ledger import bodies, bulk, migrations
from crossdock.ledger.database import Database
from mappings.frames import MANY, spoken, stacked, unframed
from schemas.errors import PermanentError


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


def texts(first: int, count: int) -> pl.Series:
    return pl.Series("data", [f'{{"at":{position},"note":"Stück\\n"}}' for position in range(first, first + count)])


@pytest.mark.parametrize(
    "wanted",
    [
        [1],
        [600],
        [256, 257],
        [900, 3, 4, 5, 310, 599],
        list(range(1, 1001)),
        list(range(1, 1001, 7)),
        [],
    ],
)
def test_each_position_has_its_own_text_however_they_were_written(database: Database, wanted: list[int]) -> None:
    with database.write() as connection:
        for first, count in ((1, 1), (2, 598), (600, 1), (601, 400)):
            bodies.write(connection, first, texts(first, count).to_frame())
    with database.read() as connection:
        assert bodies.read(connection, wanted) == {at: texts(at, 1)[0] for at in wanted}


def framed(first: int, count: int) -> pl.DataFrame:
    """As ``texts``, under a frame; after ten thousand under another."""
    parts = [
        pl.DataFrame({"at": list(map(str, numbers))}).select(
            **spoken(['{"at":', pl.col("at"), f',"note":"{note}"}}'], MANY)
        )
        for numbers, note in (
            (range(first, min(first + count, 10_001)), r"Stück\n"),
            (range(max(first, 10_001), first + count), "100 %"),
        )
        if numbers
    ]
    return stacked(parts)


@pytest.mark.parametrize(
    "tables",
    [
        [(1, framed(1, 1000))],
        [(9_000, framed(9_000, 3_000))],
        [(9_000, stacked([framed(9_000, 1_500), texts(10_500, 3).to_frame(), framed(10_503, 2_000)]))],
        [(9_900, framed(9_900, 256)), (10_156, texts(10_156, 256).to_frame()), (10_412, framed(10_412, 1))],
    ],
    ids=["one frame", "two frames", "a few whole ones among them", "row by row"],
)
def test_texts_under_frames_are_whole_when_they_are_read(
    database: Database, tables: list[tuple[int, pl.DataFrame]]
) -> None:
    with database.write() as connection:
        for first, table in tables:
            bodies.write(connection, first, table)
    said = {at: text for first, table in tables for at, text in enumerate(unframed(table)["data"], first)}
    some = [at for at in said if at % 7 == 0]
    with database.write() as connection:
        assert bodies.read(connection, said) == said
        assert bodies.read(connection, some) == {at: said[at] for at in some}
        bodies.give_up(connection, some)
    with database.read() as connection:
        assert bodies.read(connection, said) == said | dict.fromkeys(some, bodies.GIVEN_UP)


def test_what_all_say_is_kept_once(database: Database) -> None:
    with database.write() as connection:
        bodies.write(connection, 1, framed(1, 1024))
        kept = connection.exec_driver_sql("SELECT bodies FROM event_bodies").scalars().all()
    assert [zstandard.ZstdDecompressor().decompress(one).count(b"note") for one in kept] == [1, 1, 1, 1]


def test_a_text_that_is_gone_is_named(database: Database) -> None:
    with database.write() as connection:
        bodies.write(connection, 1, texts(1, 3).to_frame())
    with database.read() as connection, pytest.raises(PermanentError, match="position 4 says, nor that of 1 more"):
        bodies.read(connection, [2, 4, 5])


def test_a_single_text_is_found_by_key(tmp_path: Path) -> None:
    """However many events the feed holds."""
    database = Database(f"sqlite:///{tmp_path / 'ledger.db'}")
    database.migrate()
    with database.read() as connection:
        query = f"EXPLAIN QUERY PLAN {bodies._READ['sqlite']}"
        plan = [row.detail for row in connection.exec_driver_sql(query, {"asked": "[[5, 5]]"})]
    database.close()
    assert not any(step.startswith("SCAN event_bodies") or step.startswith("SCAN held") for step in plan), plan


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(
    rows=st.lists(
        st.tuples(st.integers(-(2**63), 2**63 - 1), ANY_TEXT, ANY_TEXT, st.sampled_from(["a", "ab"])), max_size=40
    ),
    first=st.integers(-5, 10**12),
)
def test_a_table_is_inserted_as_it_is(rows: list[tuple[int, str, str, str]], first: int) -> None:
    table = pl.DataFrame(
        rows, schema={"number": pl.Int64, "one": pl.String, "two": pl.String, "few": pl.String}, orient="row"
    ).with_columns(counted=pl.int_range(first, first + pl.len()), same=pl.lit("Ä "), always=pl.lit(7))
    declared = sa.Table("given", sa.MetaData())
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE given (number, one, two, few, counted, same, always)")
        bulk.insert_table(connection, declared, table)
        kept = connection.exec_driver_sql("SELECT * FROM given ORDER BY rowid").all()
    engine.dispose()
    assert [tuple(row) for row in kept] == table.rows()


def test_what_was_rolled_back_is_inserted_at_the_next_try(tmp_path: Path) -> None:
    """And more rows after fewer: a connection counts rows once, and anew after a rollback."""
    database = Database(f"sqlite:///{tmp_path / 'ledger.db'}")
    declared = sa.Table("given", sa.MetaData())
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE given (number UNIQUE)")
    for rows in (range(50), range(50, 200), range(200, 203)):
        with pytest.raises(PermanentError), database.write() as connection:
            bulk.insert_table(connection, declared, pl.DataFrame({"number": [*rows, rows[0]]}))
        with database.write() as connection:
            bulk.insert_table(connection, declared, pl.DataFrame({"number": rows}))
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT number FROM given ORDER BY rowid").scalars().all() == list(range(203))
    database.close()


def test_a_null_is_refused() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection, pytest.raises(ValueError, match="column one holds nulls"):
        bulk.insert_table(connection, sa.Table("given", sa.MetaData()), pl.DataFrame({"one": ["a", None]}))
    engine.dispose()


def test_programs_that_know_no_frames_find_whole_texts(empty_url: str) -> None:
    """After the migration by which they refuse a ledger with frames is undone."""
    from alembic import command

    database, config = Database(empty_url), _migrations()
    database.migrate()
    table = stacked([framed(9_900, 256), framed(10_156, 256), texts(10_412, 3).to_frame()])
    said = dict(enumerate(unframed(table)["data"], 9_900))
    with database.write() as connection:
        bodies.write(connection, 9_900, table)
        bodies.give_up(connection, [9_907])
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0014")
        kept = connection.exec_driver_sql("SELECT first_position, bodies FROM event_bodies").all()
    database.close()
    lines = {
        first + number: line
        for first, packed in kept
        for number, line in enumerate(zstandard.ZstdDecompressor().decompress(packed).decode().split("\n"))
    }
    assert lines == said | {9_907: bodies.GIVEN_UP}


def test_what_older_ledgers_hold_moves_along(empty_url: str) -> None:
    """The text of every event is the same after the migration, and after it is undone."""
    from alembic import command

    database, config = Database(empty_url), _migrations()
    said = {at: texts(at, 1)[0] for at in range(1, 701)}
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
        old = sa.Table("events", sa.MetaData(), autoload_with=connection)
        _a_document(connection)
        words = dict.fromkeys(("fingerprint", "kind", "time", "partner", "item", "site"), "x")
        connection.execute(
            old.insert(),
            [
                {"position": at, "id": f"id{at}", "subject": f"s{at}", "stream": "demand", "sequence": 1}
                | {"document_id": 1, "line": at, "data": text, **words}
                for at, text in said.items()
            ],
        )
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
        assert bodies.read(connection, said) == said
        command.downgrade(config, "0005")
        rows = connection.exec_driver_sql("SELECT position, data FROM events").all()
        assert dict(tuple(row) for row in rows) == said
    database.close()


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])))
    return config


def _a_document(connection: sa.Connection) -> None:
    for name in ("payloads", "documents"):
        table = sa.Table(name, sa.MetaData(), autoload_with=connection)
        needed = [column for column in table.columns if not column.nullable and column.server_default is None]
        values: dict[str, object] = {}
        for column in needed:
            values[column.name] = _something(column)
        connection.execute(table.insert(), values | {"id": 1})


def _something(column: sa.Column[object]) -> object:
    kinds: dict[type, object] = {int: 1, bool: False, str: "2026-01-01T00:00:00.000000Z"}
    return kinds.get(column.type.python_type, "2026-01-01T00:00:00Z")
