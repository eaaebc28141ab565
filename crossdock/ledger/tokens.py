"""Who may ask over HTTP: tokens, of which only the hash of the secret is kept.

A token is ``cd_<id>_<secret>``. The id is no secret and finds its row; the secret has 256 bits of chance, so that a
plain SHA-256 of it cannot be guessed back, and is shown once, when the token is made.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from crossdock.acting import acting_as
from crossdock.ledger import audit
from crossdock.ledger.database import Database
from crossdock.ledger.tables import tokens

_WRITTEN = re.compile(r"cd_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_USED = timedelta(minutes=5)  #: how exact the last use is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Who shows it: a client's name, its audience and, for a supplier, its partner."""

    id: str
    name: str
    audience: str
    partner: str
    per_minute: int  #: requests it may make


class Tokens:
    """The tokens of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def new(
        self, *, name: str, audience: str, partner: str = "", expires_at: datetime, per_minute: int, by: str
    ) -> str:
        """Make one; the token itself, which nobody can show again."""
        id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        row: dict[str, Any] = {"id": id, "name": name, "audience": audience, "partner": partner, "hash": _hash(secret)}
        row |= {"per_minute": per_minute, "made_by": by, "made_at": datetime.now(UTC), "expires_at": expires_at}
        with self._database.write() as connection:
            connection.execute(tokens.insert(), row)
            about = {"name": name, "audience": audience, "partner": partner, "expires_at": expires_at.isoformat()}
            audit.note(connection, "token.new", f"token/{id}", detail=about)
        return f"cd_{id}_{secret}"

    def check(self, shown: str, now: datetime) -> Token | None:
        """Whose token it is; None: nobody's, or one that is expired or revoked."""
        match = _WRITTEN.fullmatch(shown)
        if match is None:
            return None
        with self._database.read() as connection:
            row = connection.execute(sa.select(tokens).where(tokens.c.id == match[1])).one_or_none()
        good = row is not None and row.revoked_at is None and row.expires_at > now
        if row is None or not hmac.compare_digest(row.hash, _hash(match[2])) or not good:
            return None
        if row.used_at is None or now - row.used_at > _USED:
            with self._database.write() as connection:
                connection.execute(tokens.update().where(tokens.c.id == row.id).values(used_at=now))
        return Token(id=row.id, name=row.name, audience=row.audience, partner=row.partner, per_minute=row.per_minute)

    def note_access(self, name: str, partner: str, asked: Mapping[str, Any]) -> None:
        """Put into the audit trail that the client ``name`` of a supplier asked for something of the feed."""
        with acting_as(f"client {name}"), self._database.write() as connection:
            audit.note(connection, "feed.access", f"partner/{partner}", detail=asked)

    def all(self) -> list[dict[str, Any]]:
        """Every token ever made, newest first, without its hash."""
        shown = [column for column in tokens.c if column.name != "hash"]
        with self._database.read() as connection:
            rows = connection.execute(sa.select(*shown).order_by(tokens.c.made_at.desc()))
            return [dict(row._mapping) for row in rows]

    def revoke(self, names: Sequence[str]) -> list[str]:
        """Let tokens of these ids or names open nothing from now on; the ids of those that did until now."""
        now = datetime.now(UTC)
        meant = sa.and_(sa.or_(tokens.c.id.in_(names), tokens.c.name.in_(names)), tokens.c.revoked_at.is_(None))
        with self._database.write() as connection:
            ids = list(connection.scalars(sa.select(tokens.c.id).where(meant)))
            connection.execute(tokens.update().where(tokens.c.id.in_(ids)).values(revoked_at=now))
            for id in ids:
                audit.note(connection, "token.revoke", f"token/{id}")
        return ids


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
