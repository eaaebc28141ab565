"""The Parked page: what lines wait for, and the form that gives it to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from crossdock.console.workplace import Workplace
from crossdock.ledger.corrections import Change
from crossdock.ledger.parked import Waiting
from crossdock.mending import repair
from crossdock.mending.repair import TOO_LONG, Cause, CrossReference
from crossdock.views.display import count
from mappings.master_data import OWN_IDS

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


def proposals(place: Workplace, cause: Cause) -> dict[str, str]:
    """Our ids that may be meant, each with why: what the partner or we call alike; the likeliest first."""
    tables = place.service.ledger.master()
    table, column = OWN_IDS.get(cause.kind, ("", ""))
    if table not in tables:
        return {}
    ours = tables[table]
    told = next((ours[name] for name in ("description", "name") if name in ours.columns), ours[column])
    known = dict(zip(ours[column], told.fill_null(""), strict=True))
    codes = tables["cross_references"].filter(kind=cause.kind)
    codes = codes.filter(codes["partner"].is_in(["", cause.partner]) & codes["ours"].is_in(list(known)))
    theirs = dict(zip(codes["theirs"], codes["ours"], strict=True))
    called = [*cause.near, *_alike(cause.value or "", theirs), *_alike(cause.value or "", known)]
    found: dict[str, str] = {}
    for code in called:
        if code in theirs:
            found.setdefault(theirs[code], f"{known[theirs[code]]}, which they call {code}")
        elif code in known:
            found.setdefault(code, known[code])
    return dict(islice(found.items(), _PROPOSED))


def _alike(value: str, codes: Iterable[str]) -> list[str]:
    from rapidfuzz import process

    return [code for code, _, _ in process.extract(value, list(codes), limit=_PROPOSED, score_cutoff=60)]


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
