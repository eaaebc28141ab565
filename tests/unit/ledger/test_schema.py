"""Opening: migrations, concurrent or late, and URLs that lead nowhere."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
import sqlalchemy as sa

from crossdock.ledger import Ledger
from crossdock.ledger.columns import metadata
from crossdock.ledger.database import Database
from crossdock.ledger.tables import REVISION
from schemas.errors import ConfigError, PermanentError, TransientError


def test_migrations_build_exactly_the_tables_that_are_declared(empty_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    database = Database(empty_url)
    database.migrate()
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        checks = sa.inspect(connection).get_check_constraints("feed")
    declared = [one for one in metadata.tables["feed"].constraints if isinstance(one, sa.CheckConstraint)]
    assert [check["name"] for check in checks] == [one.name for one in declared]
    database.close()


def test_the_newest_migration_is_the_one_the_program_asks_for() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    import crossdock.ledger.migrations as migrations

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])))
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


def test_migrations_can_be_undone_and_done_again(empty_url: str) -> None:
    from alembic import command
    from alembic.config import Config

    import crossdock.ledger.migrations as migrations

    database = Database(empty_url)
    database.migrate()
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    with database.read() as connection:
        assert sa.inspect(connection).get_table_names() == ["alembic_version"]
    database.migrate()
    database.require_current()
    database.close()


def _open_together(url: str, gate: object, failures: object) -> None:
    gate.wait(30)  # type: ignore[attr-defined]
    try:
        Ledger.open(url).close()
    except BaseException as error:
        failures.put(repr(error))  # type: ignore[attr-defined]


def test_processes_that_open_a_new_ledger_at_once_all_succeed(empty_url: str) -> None:
    fork = multiprocessing.get_context("fork")
    gate, failures = fork.Barrier(4), fork.Queue()
    processes = [fork.Process(target=_open_together, args=(empty_url, gate, failures)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert failures.empty(), failures.get()
    with Ledger.open(empty_url, migrate=False) as ledger:
        assert ledger.summary() == []


def test_without_migrating_a_new_ledger_is_refused(empty_url: str) -> None:
    with pytest.raises(PermanentError, match="schema is missing"):
        Ledger.open(empty_url, migrate=False)


def test_a_ledger_of_a_newer_program_is_refused(empty_url: str) -> None:
    Ledger.open(empty_url).close()
    database = Database(empty_url)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    for migrate in (True, False):
        with pytest.raises(PermanentError, match="9999"):
            Ledger.open(empty_url, migrate=migrate)


@pytest.mark.parametrize("bad", ["mysql://host/db", "sqlite://", "sqlite:///:memory:", "ledger.db", ""])
def test_other_urls_are_a_config_error_that_shows_good_ones(bad: str) -> None:
    with pytest.raises(ConfigError, match=r"sqlite:////path/to/ledger\.db or postgresql://"):
        Ledger.open(bad)


def test_a_password_in_a_url_is_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        Ledger.open("mysql://user:secret@host/db")
    assert "secret" not in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="check that its folder exists"):
        Ledger.open(f"sqlite:///{tmp_path / 'no' / 'ledger.db'}")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("these are not the bytes of a database, by no means" * 100)
    with pytest.raises(PermanentError, match="no SQLite database"):
        Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}")


def test_a_server_that_is_away() -> None:
    with pytest.raises(TransientError, match="away"):
        Ledger.open("postgresql://nobody@127.0.0.1:1/none")
