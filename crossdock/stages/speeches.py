"""Events that no line of a document gave: what follows from it for things of which the feed has spoken before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import polars as pl

from crossdock.ledger import PayloadRecord
from crossdock.translation import Document
from mappings.identities import identified_one
from mappings.normalise import empty_events


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """One event to be made: ``data`` is all that it says but its lineage."""

    subject: str
    time: str
    line: int
    data: Mapping[str, Any]
    place: Mapping[str, Any] = field(default_factory=dict)  #: where in the document it comes from, beside ``origin``


def origin_of(document: Document, record: PayloadRecord) -> dict[str, Any]:
    """Where speeches come from that the mapping of ``document`` has led to, but for their places in it."""
    return lineage_of(record, document.id, document.mapping, document.mapping_version)


def lineage_of(record: PayloadRecord, document: str, mapping: str | None, version: str) -> dict[str, Any]:
    """Where speeches come from, but for their places in the document."""
    return {"payload": record.sha256, "document": document, "mapping": mapping, "mapping_version": version}


def events_of(stream: str, speeches: Iterable[Speech], origin: Mapping[str, Any]) -> pl.DataFrame:
    """Events of one stream as ``mappings.normalise`` makes them; the id tells the origin's document from any other."""
    made = []
    for one in speeches:
        made.append(
            {
                **identified_one(origin["document"], msgspec.json.encode(one.data).decode() + one.subject),
                "stream": stream,
                "kind": one.data["kind"],
                "subject": one.subject,
                "time": one.time,
                "partner": one.data["partner"],
                "item": one.data["item"],
                "site": one.data["site"],
                "line": one.line,
                "data": msgspec.json.encode({**one.data, "lineage": {**origin, **one.place}}).decode(),
            }
        )
    return pl.DataFrame(made, schema=empty_events().schema)
