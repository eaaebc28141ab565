"""Master data out of SAP's IDocs: MATMAS as items, CREMAS as partners.

They come as materials and vendors are made or changed, a few at a time, so that what a payload holds is laid over the
table in force instead of taking its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO

import polars as pl

from connectors.formats.idoc import Idoc
from schemas.documents import DocumentStart, LineChunk, LinePlan
from schemas.findings import Finding, Severity, Stage
from schemas.master import MASTER_EXTRAS, MASTER_TABLES


@dataclass(frozen=True, slots=True)
class _Table:
    """How an IDoc becomes rows: where a row is, and the paths of its columns, the first that is filled."""

    name: str
    key: str
    line: str
    columns: Mapping[str, tuple[str, ...]]


_TABLES = {
    "idoc.MATMAS": _Table(
        name="items",
        key="item",
        line="E1MARAM",
        columns={
            "item": ("E1MARAM/MATNR_LONG", "E1MARAM/MATNR"),
            "description": ("E1MAKTM[SPRAS_ISO='EN']/MAKTX", "E1MAKTM/MAKTX"),
            "base_unit": ("E1MARAM/MEINS",),
            "status": ("E1MARAM/LVORM",),
        },
    ),
    "idoc.CREMAS": _Table(
        name="partners",
        key="partner",
        line="E1LFA1M",
        columns={"partner": ("E1LFA1M/LIFNR",), "name": ("E1LFA1M/NAME1",), "country": ("E1LFA1M/LAND1",)},
    ),
}
#: Tables that come in parts, and the column that tells their rows apart.
KEY_OF = {table.name: table.key for table in _TABLES.values()}


@dataclass(frozen=True, slots=True)
class ReadIdocs:
    """The rows that IDocs of one kind hold, with the table's columns. ``table`` is empty where they hold none."""

    table: str = ""
    rows: pl.DataFrame | None = None
    findings: tuple[Finding, ...] = ()


def looks_like_idocs(head: bytes) -> bool:
    return Idoc().recognises(head, "")


def read_idocs(stream: BinaryIO, name: str) -> ReadIdocs:
    """The master data in ``stream``. Never raises for what the bytes hold."""
    plans = _Plans()
    findings: list[Finding] = []
    chunks: dict[str, list[pl.DataFrame]] = {}
    kind = ""
    for item in Idoc().read(stream, name=name, plans=plans, metadata={}):
        match item:
            case DocumentStart():
                kind = item.type
                if kind not in _TABLES:
                    findings.append(_no_master_data(item))
            case LineChunk():
                chunks.setdefault(kind, []).append(_columns(_TABLES[kind], item.table))
            case Finding():
                findings.append(item)
    if len(chunks) > 1:
        findings.append(_mixed(name, chunks))
    if not chunks or any(finding.severity is Severity.ERROR for finding in findings):
        return ReadIdocs(next((_TABLES[kind].name for kind in chunks), ""), None, tuple(findings))
    (kind, parts), *_ = chunks.items()
    table = _TABLES[kind]
    # the last of several IDocs for one material says how it is now
    rows = pl.concat(parts).unique(table.key, keep="last", maintain_order=True)
    return ReadIdocs(table.name, rows, tuple(findings))


def laid_over(table: str, rows: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """``before`` with the rows of ``rows`` in it; what these leave empty stays as it was."""
    extras = [name for name in MASTER_EXTRAS[table] if name in before.columns]
    key, columns = KEY_OF[table], [*MASTER_TABLES[table], *extras]
    known = before.select(columns).fill_null("")
    rows = rows.with_columns(pl.lit("").alias(name) for name in extras)
    kept = known.join(rows.select(key), on=key, how="anti")
    was = known.unique(key, keep="last", maintain_order=True)
    joined = rows.select(columns).join(was, on=key, how="left", suffix="_was")
    filled = joined.select(
        pl.when(pl.col(column) == "")
        .then(pl.col(f"{column}_was").fill_null(""))
        .otherwise(pl.col(column))
        .alias(column)
        if column != key
        else pl.col(key)
        for column in columns
    )
    return pl.concat([kept, filled])


class _Plans:
    """connectors.base.Plans: what is taken of each kind."""

    def for_document(self, start: DocumentStart) -> LinePlan | None:
        return _plan(start.type) if start.type in _TABLES else None

    def candidates(self, sender: str) -> Sequence[LinePlan]:  # noqa: ARG002
        return ()


@cache
def _plan(kind: str) -> LinePlan:
    table = _TABLES[kind]
    return Idoc().compile(kind, table.line, [path for paths in table.columns.values() for path in paths], {})


def _columns(table: _Table, chunk: pl.DataFrame) -> pl.DataFrame:
    """Rows with all columns of the master table, zeros that pad a number taken away."""
    told = {
        column: pl.coalesce(*(pl.col(path) for path in paths)).fill_null("") for column, paths in table.columns.items()
    }
    told[table.key] = told[table.key].str.strip_chars_start("0")
    if "status" in told:
        told["status"] = pl.when(told["status"] == "").then(pl.lit("active")).otherwise(pl.lit("blocked"))
    nothing = pl.lit("", dtype=pl.String)
    return chunk.select(told.get(column, nothing).alias(column) for column in MASTER_TABLES[table.name])


def _no_master_data(start: DocumentStart) -> Finding:
    return Finding(
        code="master.table_unknown",
        severity=Severity.ERROR,
        stage=Stage.STRUCTURE,
        message=f"{start.type} IDocs hold no master table; known: {', '.join(_TABLES)}",
        location=start.location,
        value=start.type,
        offset=start.offset,
    )


def _mixed(name: str, kinds: Mapping[str, object]) -> Finding:
    return Finding(
        code="master.mixed",
        severity=Severity.ERROR,
        stage=Stage.STRUCTURE,
        message=f"the payload holds {' and '.join(kinds)}, which are different tables; send each in a file of its own",
        location=name,
    )
