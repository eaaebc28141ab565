"""A person's word on a changed header: kept in the partner's file, noted, and whatever waited for it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.ledger.selecting import Selection
from crossdock.mending.release import Released, release
from crossdock.mending.replay import replay
from crossdock.partners.headers import Proposed, Review, confirm, reviews
from crossdock.partners.partner_file import write
from schemas.errors import ConfigError, CrossdockError

if TYPE_CHECKING:
    from connectors.archive import Archive
    from crossdock.ledger import Ledger
    from crossdock.translation import Context
    from mappings.spec import Partner

#: Findings that a header other than the confirmed one leaves.
SAID = frozenset(
    {f"workbook.column_{what}" for what in ("renamed", "vanished", "appeared", "moved")}
    | {"workbook.header_incomplete", "workbook.header_missing", "workbook.sheet_unwanted"}
)
_FINDINGS = 5_000  #: newest ones that are looked through
_OPENED = 50  #: payloads that are opened at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A sheet of a payload, whose header is not the one that was confirmed."""

    payload: int
    name: str
    received_at: datetime
    review: Review


def changed(*, archive: Archive, ledger: Ledger, context: Context) -> Iterator[Changed]:
    """Sheets that say something else above their columns than what was confirmed; of one header the newest."""
    seen: set[tuple[str, str, str]] = set()
    for payload in _different(ledger.findings(codes=SAID, limit=_FINDINGS, newest=True)):
        try:
            found = changed_in(payload, archive=archive, ledger=ledger, context=context)
        except CrossdockError:
            continue  # its bytes are gone, or nobody knows whose they are
        for one in found:
            key = (one.review.partner, one.review.document, one.review.now)
            if key not in seen:
                seen.add(key)
                yield one


def changed_in(payload: int, *, archive: Archive, ledger: Ledger, context: Context) -> list[Changed]:
    """The sheets of a payload of which something is to be confirmed. Raises what ``headers.reviews`` does."""
    record = ledger.payload(payload)
    found = reviews(record, archive=archive, context=context)
    return [Changed(payload=payload, name=record.name, received_at=record.received_at, review=one) for one in found]


def _different(findings: Iterable[Mapping[str, object]]) -> list[int]:
    """Payloads, the newest first, without those of which the very same was found as of a newer one."""
    said: dict[int, set[object]] = {}
    for one in findings:
        told = tuple(one[name] for name in ("channel", "partner", "type", "code", "message", "value"))
        said.setdefault(int(str(one["payload"])), set()).add(told)
    alike = {frozenset(told): payload for payload, told in sorted(said.items())}
    return sorted(alike.values(), reverse=True)[:_OPENED]


def meant(review: Review, answer: Callable[[Proposed], str]) -> dict[str, str]:
    """Which header holds which field, as ``answer`` says of each that is proposed; empty: none does.

    Raises ConfigError where the sheet could still not be read.
    """
    said = {one.field: title for one in review.proposed if (title := answer(one).strip())}
    if lacking := [name for name in review.missing if name not in said]:
        raise ConfigError(f"no column holds {', '.join(lacking)}", hint="say which one does")
    return said


def keep(
    review: Review, said: Mapping[str, str], *, partner: Partner, folder: Path, ledger: Ledger, reason: str
) -> Path:
    """Write the word into the partner's file in ``folder``, and into the audit trail; the file.

    Raises ConfigError for what cannot be said or written.
    """
    path, text = confirm(review, said, partner=partner, folder=folder)
    write(path, text)
    ledger.trail.note(
        "header.confirmed",
        f"partner {review.partner}",
        reason=reason,
        detail={"document": review.document, "before": review.before, "now": review.now, **said},
    )
    return path


def go_on(
    confirmed: Sequence[Review], payload: int, *, archive: Archive, ledger: Ledger, context: Context, reason: str
) -> Released:
    """Read what waited for the header, and again what was read without a renamed column.

    ``context`` is what holds now that the word is kept.
    """
    done = release(archive=archive, ledger=ledger, context=context, reason=reason)
    again = {row["document"] for row in ledger.documents(payload=payload)}
    selections = [Selection(documents=tuple(again))] if again else []
    selections += [
        Selection(partner=one.partner, type=one.document, code="workbook.column_renamed") for one in confirmed
    ]
    for selection in selections:
        done.add(replay(selection, archive=archive, ledger=ledger, context=context, reason=reason))
    return done
