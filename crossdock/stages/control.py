"""Control numbers of what comes in: sent again, changed under the same number, missing, out of order.

A number is known by who sent it to whom. Sent again with the same bytes it is answered again and
gives no new events. The same number over other bytes is an alarm: nothing of that interchange is
used until somebody has asked the sender which one holds. For a gap, and for a number that comes after a
later one, the partner's file has the policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from connectors.archive import Archive
from crossdock.ledger import Ledger, PayloadRecord
from crossdock.ledger.claims import Claims
from crossdock.ledger.envelopes import Parties, SeenInterchange
from crossdock.ledger.held_back import RELEASED
from crossdock.translation import DocumentClosed, DocumentLines, DocumentOpened, EnvelopeClosed, Translated
from mappings.library import Library
from mappings.spec import InSequence
from schemas.documents import DocumentStart, GroupEnd, InterchangeEnd
from schemas.findings import Finding, Severity, Stage

_PIECE = 1 << 20  #: bytes compared at once
_LARGEST = 999_999_999  #: after it comes 1


def controlled(
    translated: Iterable[Translated],
    *,
    record: PayloadRecord,
    archive: Archive,
    ledger: Ledger,
    library: Library,
    claims: Claims,
) -> Iterator[Translated]:
    """The translation, with a finding where a control number gives cause, and nothing of what is held back.

    ``claims`` keep others from reading an interchange of the same number until this payload is stored.
    """
    door = _Door(record, archive, ledger, library, claims)
    held: Finding | None = None
    for item in translated:
        match item:
            case DocumentOpened(document=document):
                entry = door.entry(document.start, document.partner)
                yield from entry.told
                held = entry.held
                yield item
            case DocumentLines() if held is not None:
                continue
            case DocumentClosed() if held is not None:
                yield replace(item, status="rejected", lines=0, events=0, parked=0, findings=(held,))
            case EnvelopeClosed(envelope=GroupEnd()) if held is not None:
                yield replace(item, agreement=None)
            case EnvelopeClosed(envelope=InterchangeEnd() as end):
                kept = end if held is None else replace(end, documents=0, findings=(held, *end.findings))
                held = None
                yield replace(item, envelope=kept)
            case _:
                yield item


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a document's interchange has to say for itself; ``told`` only once."""

    told: tuple[Finding, ...] = ()
    held: Finding | None = None


class _Door:
    """Looks at each interchange of one payload when its first document comes."""

    def __init__(
        self, record: PayloadRecord, archive: Archive, ledger: Ledger, library: Library, claims: Claims
    ) -> None:
        self._claims = claims
        self._record = record
        self._archive = archive
        self._ledger = ledger
        self._library = library
        self._current: tuple[int, Finding | None] | None = None

    def entry(self, start: DocumentStart, partner: str) -> _Entry:
        offset = start.attributes.get("interchange_offset", "")
        if not partner or not offset or not start.interchange:
            return _Entry()
        if self._current is not None and self._current[0] == int(offset):
            return _Entry(held=self._current[1])
        entry = self._look(start, int(offset), partner)
        self._current = (int(offset), entry.held)
        return entry

    def _look(self, start: DocumentStart, offset: int, partner: str) -> _Entry:
        if RELEASED in self._record.metadata:
            return _Entry(told=(_released(start, offset),))
        parties = Parties(partner, start.sender, start.receiver)
        self._claims.take("\x1f".join((*parties, start.interchange)))
        earlier = self._ledger.seen_interchanges(parties, start.interchange, self._record.id)
        if earlier:
            if any(self._is_same(one, offset) for one in earlier):
                return _Entry(told=(_resent(start, offset, earlier[0]),))
            return _Entry(held=_altered(start, offset, earlier[0]))
        return self._sequence(start, offset, partner)

    def _is_same(self, earlier: SeenInterchange, offset: int) -> bool:
        """Whether the same bytes stand at ``offset`` of this payload."""
        if (earlier.sha256, earlier.offset) == (self._record.sha256, offset):
            return True
        for done in range(0, earlier.length, _PIECE):
            size = min(_PIECE, earlier.length - done)
            ours = self._archive.read_range(self._record.sha256, offset + done, size)
            if ours != self._archive.read_range(earlier.sha256, earlier.offset + done, size):
                return False
        return True

    def _sequence(self, start: DocumentStart, offset: int, partner: str) -> _Entry:
        file = self._library.partners.get(partner)
        policy = file.control_numbers if file else InSequence.PROCESS
        if policy is InSequence.PROCESS or not start.interchange.isdecimal():
            return _Entry()
        known = self._ledger.recent_numbers(Parties(partner, start.sender, start.receiver), self._record.id)
        finding = _out_of_sequence(start, offset, known, policy)
        if finding is None:
            return _Entry()
        return _Entry(held=finding) if policy is InSequence.REJECT else _Entry(told=(finding,))


def _out_of_sequence(start: DocumentStart, offset: int, known: Sequence[str], policy: InSequence) -> Finding | None:
    """What is wrong with the number after those that were seen last; None before the first."""
    numbers = [int(number) for number in known if number.isdecimal()]
    if not numbers:
        return None
    number, last = int(start.interchange), max(numbers)
    awaited = last + 1 if last < _LARGEST else 1
    if number == awaited:
        return None
    severity = Severity.ERROR if policy is InSequence.REJECT else Severity.WARNING
    if number < last:
        message = f"interchange {start.interchange} comes after {last:09d}"
        return _finding(
            "interchange.out_of_order", message, start, offset, severity=severity, expected=f"{awaited:09d}"
        )
    missing = number - awaited
    message = f"{missing} interchange{'s' if missing > 1 else ''} before {start.interchange} did not arrive"
    return _finding("interchange.gap", message, start, offset, severity=severity, expected=f"{awaited:09d}")


def _released(start: DocumentStart, offset: int) -> Finding:
    message = f"interchange {start.interchange} was held back, and is used after all"
    return _finding("interchange.released", message, start, offset, severity=Severity.INFO, expected="")


def _resent(start: DocumentStart, offset: int, earlier: SeenInterchange) -> Finding:
    message = (
        f"interchange {start.interchange} came before, in {earlier.name}, with the same bytes; it is answered again"
    )
    return _finding("interchange.resent", message, start, offset, severity=Severity.INFO, expected="")


def _altered(start: DocumentStart, offset: int, earlier: SeenInterchange) -> Finding:
    message = (
        f"interchange {start.interchange} came before, in {earlier.name}, with other content; none of this is used"
    )
    return _finding(
        "interchange.altered", message, start, offset, severity=Severity.ERROR, expected="a number of its own"
    )


def _finding(
    code: str, message: str, start: DocumentStart, offset: int, *, severity: Severity, expected: str
) -> Finding:
    altered = code == "interchange.altered"
    if start.type.startswith("edifact."):
        place, standard = "UNB-05", {"0085": "26" if altered else "18", "0013": "UNB", "UCD0098": "6"}
    else:
        place, standard = "ISA-13", {"TA105": "025" if altered else "018"}
    return Finding(
        code=code,
        severity=severity,
        stage=Stage.SYNTAX,
        message=message,
        location=f"interchange {start.interchange}, {place}",
        value=start.interchange,
        expected=expected or None,
        standard=standard,
        offset=offset,
    )
