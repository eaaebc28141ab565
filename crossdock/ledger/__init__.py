"""The ledger: one relational database that says what happened to everything.

``Ledger`` is the only door to it. SQLAlchemy Core underneath, SQLite (WAL) or PostgreSQL behind;
no row, connection or statement of SQLAlchemy leaves this package.
"""

from __future__ import annotations

from crossdock.ledger.ledger import Ledger
from crossdock.ledger.records import PayloadRecord, StoredEvent, StoreSummary
from crossdock.ledger.relay import Policy

__all__ = ["Ledger", "PayloadRecord", "Policy", "StoreSummary", "StoredEvent"]
