"""The Files pages: everything that came in, also what no document could be read out of, with its bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossdock.console.raw import Raw, raw_of
from crossdock.console.workplace import Workplace
from crossdock.ledger import PayloadRecord
from crossdock.ledger.searching import Only

WITHIN = 500  #: documents, parts and findings of one file

#: What becomes of a file, by its status in the ledger.
STATES: Mapping[str, str] = {
    "received": "waits",
    "translated": "read",
    "unpacked": "taken apart",
    "quarantined": "not readable",
    "rejected": "turned down",
}

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePage:
    """One file: its documents, what it was taken apart into, and its bytes with what was found in them."""

    file: PayloadRecord
    container: PayloadRecord | None
    parts: Sequence[Row]
    documents: Sequence[Row]
    raw: Raw


def file_page(place: Workplace, file: PayloadRecord) -> FilePage:
    ledger = place.service.ledger
    findings = ledger.findings(payload=file.id, limit=WITHIN)
    return FilePage(
        file=file,
        container=ledger.payload(file.parent) if file.parent is not None else None,
        parts=ledger.browsing.files(of=file.id, limit=WITHIN),
        documents=ledger.searching.documents(only=Only(file=file.id), limit=WITHIN),
        raw=raw_of(place.archive, file.sha256, 0, file.size, findings),
    )
