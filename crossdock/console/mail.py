"""The Mail page: mails that nothing proves or whose sender nobody knows, and the forms for a person's word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crossdock.console.workplace import Workplace
from crossdock.mending import mails
from crossdock.mending.mails import Mail
from crossdock.views.display import count
from schemas.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class MailPage:
    """The mails that wait; of ``strangers`` (numbers of mails) somebody has to say whose they are."""

    mails: Sequence[Mail]
    strangers: frozenset[int]
    partners: Sequence[str]


def mail_page(place: Workplace) -> MailPage:
    library = place.library()
    found = mails.waiting(place.service.ledger)
    strangers = frozenset(one.number for one in found if mails.is_stranger(one, library))
    return MailPage(mails=found, strangers=strangers, partners=sorted(library.partners))


def release(place: Workplace, given: Mapping[str, str]) -> str:
    """Read a mail; what came of it, for people. Raises ConfigError for what cannot be said."""
    done = mails.release(
        _asked(place, given),
        partner=given.get("partner", ""),
        reason=given.get("reason", ""),
        ledger=place.service.ledger,
        library=place.library(),
        translate=place.translate,
    )
    return (
        f"Read: {count(done['documents'], 'document')}, {count(done['events'], 'event')}, "
        f"{count(done['parked'], 'line waits', 'lines wait')}."
    )


def reject(place: Workplace, given: Mapping[str, str]) -> str:
    """Turn a mail down, likewise."""
    number = mails.reject(_asked(place, given), reason=given.get("reason", ""), ledger=place.service.ledger)
    return f"{count(number, 'file')} turned down."


def _asked(place: Workplace, given: Mapping[str, str]) -> Mail:
    number = given.get("mail", "")
    if not number.isascii() or not number.isdigit():
        raise ConfigError("the form names no mail")
    return mails.waiting_one(place.service.ledger, int(number))
