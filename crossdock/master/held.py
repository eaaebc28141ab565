"""Loads of master data that were held back: what they would change, and what a person decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crossdock.master.differences import RowChange, differences
from crossdock.master.idocs import laid_over
from crossdock.master.tables import read_tables
from schemas.errors import ConfigError, PermanentError

if TYPE_CHECKING:
    import polars as pl

    from connectors.archive import Archive
    from crossdock.ledger import Ledger

ACCEPTED, DISCARDED = "accepted", "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLoad:
    """One table of a load that was held back."""

    id: int
    table: str
    source: str
    actor: str
    reasons: tuple[str, ...]
    payload: int
    rows: pl.DataFrame
    in_force: pl.DataFrame

    def changes(self) -> Iterator[RowChange]:
        """What it would change of the version in force, row by row and field by field."""
        return differences(self.table, self.in_force, self.rows)


def held(id: int, *, archive: Archive, ledger: Ledger) -> HeldLoad:
    """One of those that ``Ledger.held_master`` lists. Raises PermanentError where there is none that can be read."""
    found = next((row for row in ledger.held_master() if row["id"] == id), None)
    if found is None:
        raise PermanentError(f"no load {id} is held back", hint="`crossdock master held` lists them")
    payload = ledger.payload(found["payload_id"])
    with archive.open(payload.sha256) as stream:
        read = next((one for one in read_tables(stream, payload.name) if one.table == found["name"]), None)
    if read is None or read.rows is None:
        raise PermanentError(
            f"load {id} holds no table that can be read: {'; '.join(found['reasons'])}", hint="mend it at its source"
        )
    before = ledger.loaded_master()[found["name"]]
    return HeldLoad(
        id=id,
        table=found["name"],
        source=found["source"],
        actor=found["actor"],
        reasons=tuple(found["reasons"]),
        payload=payload.id,
        rows=laid_over(found["name"], read.rows, before) if read.partial else read.rows,
        in_force=before,
    )


def accept(id: int, *, author: str, reason: str, archive: Archive, ledger: Ledger) -> int:
    """Put it in force although it misses what is expected; the version. Raises PermanentError as ``held``."""
    load = held(id, archive=archive, ledger=ledger)
    _decide(load, ACCEPTED, reason, ledger)
    version = ledger.load_master(load.table, load.rows, source=load.source, actor=author)
    _let_go(load, ledger)
    return version


def discard(id: int, *, reason: str, archive: Archive, ledger: Ledger) -> HeldLoad:
    """Nothing of it will be used; its bytes are kept."""
    load = held(id, archive=archive, ledger=ledger)
    _decide(load, DISCARDED, reason, ledger)
    return load


def _decide(load: HeldLoad, decision: str, reason: str, ledger: Ledger) -> None:
    if not reason.strip():
        raise ConfigError("a decision needs a reason; the audit trail keeps it")
    if not ledger.decide_master(load.id, decision, reason=reason):
        raise PermanentError(f"somebody else has just decided on load {load.id}")


def _let_go(load: HeldLoad, ledger: Ledger) -> None:
    """The payload is done with once no table of it is held back."""
    others: list[dict[str, Any]] = [row for row in ledger.held_master() if row["payload_id"] == load.payload]
    if not others and ledger.requeue([load.payload]):
        ledger.store(load.payload, ())
