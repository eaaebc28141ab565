"""Text as both databases can hold it, and JSON of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import overload

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

_ENCODER = msgspec.json.Encoder(order="sorted")
_TEXTS = msgspec.json.Decoder(dict[str, str])
_LIST = msgspec.json.Decoder(list[str])


@overload
def storable(text: str) -> str: ...
@overload
def storable(text: None) -> None: ...
def storable(text: str | None) -> str | None:
    """``text`` without what a database refuses: NUL (PostgreSQL) and halves of surrogate pairs (both)."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")


def to_json(value: Mapping[str, str] | Sequence[str]) -> str:
    """Keys in order, so that equal values are equal text."""
    if isinstance(value, Mapping):
        return _ENCODER.encode({storable(key): storable(text) for key, text in value.items()}).decode()
    return _ENCODER.encode([storable(text) for text in value]).decode()


def texts(json: str) -> dict[str, str]:
    return _TEXTS.decode(json)


def sentences(json: str) -> list[str]:
    return _LIST.decode(json)


def holds(connection: Connection, column: sa.ColumnElement[str], *words: str) -> sa.ColumnElement[bool]:
    """Whether every word stands in the column, in capitals or not. SQLite's LIKE does not tell them apart, of ASCII."""
    like = column.icontains if connection.dialect.name == "postgresql" else column.contains
    return sa.and_(sa.true(), *(like(word, autoescape=True) for word in words))
