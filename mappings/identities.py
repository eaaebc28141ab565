"""Who an event is: hex digits of SHA-256, by which it is known again on every database and in every process.

``polars-hash`` works them out over whole columns, outside the interpreter's lock; ``hashlib`` gives the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import polars as pl

from mappings.speech import Piece, joined

KEY = 20  #: hex digits of a key
FINGERPRINT = 16  #: of a fingerprint
_DOCUMENT, _CONTENT = 8, 24  #: of what an id says of the document, and of subject and content


def sha256(texts: pl.Expr) -> pl.Expr:
    """The 64 hex digits of each text's SHA-256 (UTF-8), null for null."""
    from polars_hash import CryptographicHashingNameSpace

    return CryptographicHashingNameSpace(texts).sha2_256()


def sha256_of(text: str) -> str:
    """The same of one text."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest(pieces: Iterable[Piece]) -> Piece:
    """SHA-256 of a text that is made of ``pieces``; worked out here and now where it is the same in every row."""
    pieces = list(pieces)
    words = [piece for piece in pieces if isinstance(piece, str)]
    return sha256_of("".join(words)) if len(words) == len(pieces) else sha256(joined(pieces))


def identified(document: Piece, content: pl.Expr) -> dict[str, pl.Expr]:
    """``id`` and ``fingerprint`` of events, from the digest of what tells their document from others of the same
    content, and that of their own content and subject."""
    of_document = document[:_DOCUMENT] if isinstance(document, str) else document.str.slice(0, _DOCUMENT)
    own = content.str.slice(0, _CONTENT)
    return {"id": joined([of_document, own]), "fingerprint": own.str.slice(0, FINGERPRINT)}


def identified_one(document: str, content: str) -> dict[str, str]:
    """The same of one event, from these very texts."""
    own = sha256_of(content)
    return {"id": sha256_of(document)[:_DOCUMENT] + own[:_CONTENT], "fingerprint": own[:FINGERPRINT]}


def keys(table: pl.DataFrame) -> pl.Series:
    """The key of each event (columns ``stream`` and ``subject``): what its revisions share."""
    told = sha256(pl.concat_str("stream", "subject", separator="\x1f")).str.slice(0, KEY)
    return table.select_seq(told.alias("key")).to_series()
