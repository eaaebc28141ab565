"""The Parked page: what lines wait for, and the form that gives it to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from crossdock.console.workplace import Workplace
from crossdock.ledger.corrections import Change
from crossdock.ledger.parked import Waiting
from crossdock.mending import repair
from crossdock.mending.repair import TOO_LONG, Cause, CrossReference
from crossdock.views.display import count

MOST = 100  #: causes of a page
LINES = 100  #: of one cause
_PROPOSED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedPage:
    """Causes, the most frequent first; ``lines`` are those of the cause that was opened."""

    causes: Sequence[Cause]
    partner: str
    channel: str
    opened: Cause | None
    lines: Sequence[Mapping[str, Any]]
    now: datetime

    def is_late(self, cause: Cause) -> bool:
        return self.now - cause.since > TOO_LONG

    @property
    def total(self) -> int:
        return sum(cause.lines for cause in self.causes)


def parked_page(place: Workplace, *, partner: str, code: str, value: str, channel: str = "") -> ParkedPage:
    """``code`` and ``value`` open a cause; ``partner`` and ``channel`` narrow what is listed."""
    ledger = place.service.ledger
    causes = repair.causes(ledger, Waiting(partner=partner, channel=channel), limit=MOST)
    opened = None
    lines: Sequence[Mapping[str, Any]] = ()
    if code:
        opened = next(
            (one for one in causes if one.code == code and (one.value or "") == value and one.partner == partner), None
        )
        lines = ledger.parked(LINES, Waiting(partner=partner, code=code, value=value))
    return ParkedPage(
        causes=causes, partner=partner, channel=channel, opened=opened, lines=lines, now=datetime.now(UTC)
    )


def proposals(place: Workplace, cause: Cause) -> list[str]:
    """Our ids that may be meant: those the finding names, then those that look like it."""
    from rapidfuzz import process

    tables = place.service.ledger.master()
    column = {"item": ("items", "item"), "site": ("sites", "site"), "partner": ("partners", "partner")}.get(cause.kind)
    known = tables[column[0]][column[1]].to_list() if column and column[0] in tables else []
    like = [text for text, _, _ in process.extract(cause.value or "", known, limit=_PROPOSED, score_cutoff=60)]
    return list(dict.fromkeys([*cause.near, *like]))[:_PROPOSED]


def fix(place: Workplace, given: Mapping[str, str], author: str) -> str:
    """Add the cross-reference of a form and let go on what it unblocks; what was done, for people.

    Raises ConfigError with everything that is wrong with it.
    """
    row = CrossReference(
        kind=given.get("kind", ""),
        theirs=given.get("theirs", ""),
        ours=given.get("ours", ""),
        partner=given.get("partner", ""),
        valid_from=given.get("valid_from", ""),
    )
    reason = given.get("reason", "")
    repair.add(row, ledger=place.service.ledger, author=author, reason=reason)
    done = place.release(reason or f"{row.kind} {row.theirs} of {row.partner or 'everybody'} is {row.ours}")
    went_on = f"{count(done.released, 'line')} released, {count(done.published, 'event')} published"
    told = f"{row.theirs} is {row.ours}: {went_on}"
    overtaken = done.changes[Change.OVERTAKEN]
    return told + (f", {count(overtaken, 'event')} not published because something newer stands" if overtaken else "")


def give_back(place: Workplace, given: Mapping[str, str]) -> str:
    """Reject the lines of a cause with a reason. Raises ConfigError without one."""
    only = Waiting(partner=given.get("partner", ""), code=given.get("code", ""), value=given.get("value", ""))
    number = repair.give_back(place.service.ledger, only, given.get("reason", ""))
    return f"{count(number, 'line')} given back: {given.get('reason', '')}"
