"""Auditing: is everything still as it was written down, and what is there to know of a partner.

``verify`` looks at the chain of the audit trail and at every byte of the archive; ``export`` writes a partner's
full history into one file that an auditor can read without this program.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from schemas.errors import ConfigError

if TYPE_CHECKING:
    from connectors.archive import Archive
    from crossdock.ledger import Ledger

_PAGE = 1_000
_PIECE = 1 << 20
_ASKED = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that is not as it was written down. ``orphaned``: bytes that the ledger knows nothing of."""

    kind: Literal["trail", "missing", "changed", "orphaned"]
    what: str
    message: str

    @property
    def is_grave(self) -> bool:
        """Whether something was lost or altered; orphans are leftovers of a crash between archive and ledger."""
        return self.kind != "orphaned"


def verify(ledger: Ledger, archive: Archive, *, head: str = "") -> Iterator[Fault]:
    """Every fault of trail and archive; nothing when all is as it was written down.

    ``head`` is a hash noted down elsewhere: the trail must still have the entry that carries it.
    """
    for broken in ledger.trail.broken():
        yield Fault(kind="trail", what=f"entry {broken.entry}", message=broken.fault)
    if head and not ledger.trail.has(head):
        yield Fault(kind="trail", what=head, message="no entry carries this hash: the trail was written anew")
    yield from archive_faults(ledger, archive)


def archive_faults(ledger: Ledger, archive: Archive) -> Iterator[Fault]:
    """The archive against the ledger: bytes that are missing, changed, or known to nobody."""
    for sha256, name, kept in ledger.trail.archived():
        if kept and not archive.verify(sha256):
            there = archive.path(sha256).exists()
            message = "its bytes are not those that were received" if there else "its bytes are missing"
            yield Fault(kind="changed" if there else "missing", what=f"{name} ({sha256[:12]})", message=message)
    asked: list[str] = []
    for sha256 in archive.contents():
        asked.append(sha256)
        if len(asked) == _ASKED:
            yield from _orphans(asked, ledger)
            asked = []
    yield from _orphans(asked, ledger)


def _orphans(sha256s: list[str], ledger: Ledger) -> Iterator[Fault]:
    known = ledger.trail.is_archived(sha256s)
    for sha256 in sha256s:
        if sha256 not in known:
            yield Fault(kind="orphaned", what=sha256[:12], message="the ledger knows nothing of these bytes")


# -- export -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export holds."""

    payloads: int
    documents: int
    events: int
    entries: int  #: of the audit trail
    missing: int  #: payloads whose bytes are not in the archive any more


def export(partner: str, file: Path, *, ledger: Ledger, archive: Archive) -> Exported:
    """Write the partner's history into ``file``, a ZIP archive, with a manifest of what each part hashes to.

    ``history.jsonl`` has payloads, documents, findings, lines that waited and entries of the audit trail;
    ``events.jsonl`` the events as published; ``raw/`` the bytes as received. Raises ConfigError when the ledger
    has nothing of that partner.
    """
    counts: dict[str, int] = {}
    digests: dict[str, str] = {}
    documents: list[tuple[int, int]] = []
    raw: dict[str, str] = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as into:
        with _Part(into, "history.jsonl", digests) as part:
            for kind, row in ledger.trail.history(partner):
                counts[kind] = counts.get(kind, 0) + 1
                part.write(_line({"kind": kind, **row}))
                if kind == "payload":
                    raw.setdefault(row["sha256"], row["name"])
                if kind == "document" and row["first_position"] is not None:
                    documents.append((row["first_position"], row["last_position"]))
        with _Part(into, "events.jsonl", digests) as part:
            events = 0
            for event in _events(partner, documents, ledger):
                part.write(event + b"\n")
                events += 1
        missing = sum(not _raw(into, sha256, archive, digests) for sha256 in raw)
        number, head = ledger.trail.head()
        manifest = {
            "partner": partner,
            "written_at": datetime.now(UTC).isoformat(),
            "trail": {"entry": number, "hash": head},
            "sha256": digests,
            "names": raw,
        }
        into.writestr("manifest.json", json.dumps(manifest, indent=2))
    if not counts:
        file.unlink()
        raise ConfigError(f"the ledger has nothing of a partner {partner!r}")
    return Exported(
        payloads=counts.get("payload", 0),
        documents=counts.get("document", 0),
        events=events,
        entries=counts.get("audit", 0),
        missing=missing,
    )


class _Part:
    """One file within the ZIP, hashed while it is written."""

    def __init__(self, into: zipfile.ZipFile, name: str, digests: dict[str, str]) -> None:
        self._stream = into.open(name, "w", force_zip64=True)
        self._name = name
        self._digests = digests
        self._digest = hashlib.sha256()

    def __enter__(self) -> _Part:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()
        self._digests[self._name] = self._digest.hexdigest()

    def write(self, piece: bytes) -> None:
        self._stream.write(piece)
        self._digest.update(piece)


def _line(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, default=str, ensure_ascii=False).encode() + b"\n"


def _events(partner: str, ranges: list[tuple[int, int]], ledger: Ledger) -> Iterator[bytes]:
    for first, last in ranges:
        after = first - 1
        while after < last:
            page = ledger.events(after=after, limit=min(_PAGE, last - after))
            if not page:
                break
            yield from (event.cloud_event() for event in page if event.partner == partner)
            after = page[-1].position


def _raw(into: zipfile.ZipFile, sha256: str, archive: Archive, digests: dict[str, str]) -> bool:
    if not archive.verify(sha256):
        return False
    with archive.open(sha256) as content, _Part(into, f"raw/{sha256}", digests) as part:
        while piece := content.read(_PIECE):
            part.write(piece)
    return True
