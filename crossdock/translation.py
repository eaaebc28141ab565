"""The pure middle: a payload becomes lines, events and findings. No network, no database.

``crossdock check``, the golden tests, replay previews and production all run this very code::

    bytes -> format.read -> line chunks -> mappings.apply -> canonical lines
          -> mappings.normalise -> events        findings of every stage alongside
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import polars as pl

from connectors.base import Format
from mappings.library import Library
from mappings.master_data import MasterData
from schemas.documents import DocumentStart
from schemas.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """All that translation needs to know; immutable, so that one serves many payloads and threads.

    ``lenient`` reads a file of an unknown sender with the standard mapping: what cannot be looked
    up is a warning, and the value as sent stands in for ours.
    """

    library: Library
    master: MasterData
    formats: Mapping[str, Format]
    lenient: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One business document of a payload, with who sent it and how it is read.

    ``id`` is deterministic (payload SHA-256 and ordinal). ``partner`` is empty and
    ``mapping`` None where nothing fitted; its findings say why.
    """

    id: str
    payload: str  #: SHA-256
    start: DocumentStart
    partner: str
    mapping: str | None
    mapping_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentOpened:
    document: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLines:
    """Some lines of the open document and what became of them.

    ``lines``: canonical lines (columns of schemas.lines, then ``_line`` and the place columns).
    ``events``: columns ``schemas.events.EVENT_COLUMNS``. ``parked``: the lines that wait, with the
    columns of ``lines`` and ``_cause``, the code of the finding that parked them.
    """

    lines: pl.DataFrame
    events: pl.DataFrame
    parked: pl.DataFrame
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentClosed:
    """The verdict. When ``status`` is ``rejected`` none of the document's events may be published."""

    document: Document
    status: str  #: ``accepted``, ``accepted_with_errors`` or ``rejected``
    lines: int
    events: int
    parked: int
    findings: tuple[Finding, ...] = ()


Translated = DocumentOpened | DocumentLines | DocumentClosed | Finding


def translate_stream(
    stream: BinaryIO, *, payload: str, name: str, metadata: Mapping[str, str], context: Context
) -> Iterator[Translated]:
    """Translate a payload in bounded memory. ``payload`` is its SHA-256. A bare Finding concerns the payload."""
    raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """What ``translate`` gives: whole tables.

    ``documents``: one row a document (id, type, partner, control_number, status, lines, events,
    parked). ``lines``, ``events`` and ``findings`` carry a ``document`` column.
    """

    documents: pl.DataFrame
    lines: pl.DataFrame
    events: pl.DataFrame
    findings: pl.DataFrame


def translate(data: bytes | Path, *, name: str = "", partner: str = "") -> Translation:
    """Read ``data`` with the shipped mappings, without a ledger."""
    raise NotImplementedError
