"""The Headers pages: sheets whose header is not the one that was confirmed, and the form for a person's word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crossdock.console.workplace import Workplace
from crossdock.partners import confirming
from crossdock.partners.confirming import Changed
from crossdock.partners.headers import Proposed, Review
from crossdock.views.display import count
from schemas.errors import ConfigError

FIELD = "field."  #: what begins the names of a form's choices, before the field's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One column of a sheet beside the header that was confirmed. ``title`` is empty for one that is gone."""

    title: str
    was: str  #: its header as confirmed; empty for a new one
    kind: str  #: ``same``, ``moved``, ``renamed``, ``new`` or ``gone``
    says: Sequence[str]
    likeness: float  #: of 100, where it is ``renamed``


def changed(place: Workplace) -> list[Changed]:
    """All sheets that wait for a word. Raises TransientError while there are no master data."""
    return list(confirming.changed(archive=place.archive, ledger=place.service.ledger, context=place.context()))


def changed_in(place: Workplace, payload: int) -> list[Changed]:
    """Those of one payload. Raises ConfigError and PermanentError where nothing can be said of it."""
    return confirming.changed_in(payload, archive=place.archive, ledger=place.service.ledger, context=place.context())


def rows(review: Review) -> list[Row]:
    """The columns as they are now, then those that are gone."""
    renamed = {one.new: one for one in review.drift.renamed}
    kinds = dict.fromkeys((title for title, _ in review.drift.appeared), "new")
    kinds |= dict.fromkeys((title for title, _ in review.drift.moved), "moved")
    now = []
    for column in review.columns:
        one = renamed.get(column.title)
        kind = "renamed" if one else kinds.get(column.title, "same" if review.confirmed else "new")
        was = one.old if one else "" if kind == "new" else column.title
        now.append(Row(title=column.title, was=was, kind=kind, says=column.says, likeness=one.score if one else 0))
    return now + [Row(title="", was=title, kind="gone", says=(), likeness=0) for title in review.drift.vanished]


def confirm(place: Workplace, payload: int, given: Mapping[str, str]) -> str:
    """What the form says of one sheet is kept, and what waited is read; what was done, for people.

    Raises ConfigError for what cannot be said or written.
    """
    ledger, reason = place.service.ledger, given.get("reason", "")
    found = (one.review for one in changed_in(place, payload))
    sheet = (given.get("document"), given.get("now"))
    review = next((one for one in found if (one.document, one.now) == sheet), None)
    if review is None:
        raise ConfigError("somebody has confirmed this header meanwhile")

    def answer(one: Proposed) -> str:
        return given.get(FIELD + one.field, "")

    said = confirming.meant(review, answer)
    partner = place.library().partners[review.partner]
    confirming.keep(review, said, partner=partner, folder=place.partners, ledger=ledger, reason=reason)
    done = confirming.go_on(
        [review],
        payload,
        archive=place.archive,
        ledger=ledger,
        context=place.context(),
        reason=reason or "the header was confirmed",
    )
    return (
        f"The header of {review.partner}'s {review.document} is confirmed: {count(done.released, 'line')} and "
        f"{count(done.strangers, 'sheet')} released, {count(done.published, 'event')} corrected or added"
    )
