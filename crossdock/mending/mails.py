"""Mails that wait, because nothing proves them or nobody knows their sender, and a person's word on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from schemas.configuration import unknown
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from crossdock.ledger import Ledger, StoreSummary
    from mappings.library import Library

#: Reads payloads and stores what comes of them.
Translate = Callable[[Iterable[int]], list["StoreSummary"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail, by its number, and those of its files that wait: payload and name."""

    number: int
    sender: str
    subject: str
    received_at: datetime
    code: str
    why: str
    files: Sequence[tuple[int, str]]

    @property
    def payloads(self) -> list[int]:
        return [payload for payload, _ in self.files]


def waiting(ledger: Ledger) -> list[Mail]:
    """The newest first."""
    rows = sorted(ledger.vouching.waiting(), key=itemgetter("mail"), reverse=True)
    return [_mail(number, list(files)) for number, files in groupby(rows, key=itemgetter("mail"))]


def waiting_one(ledger: Ledger, number: int) -> Mail:
    """The mail of that number, or in which the file of that number is. Raises ConfigError where none such waits."""
    for mail in waiting(ledger):
        if number == mail.number or number in mail.payloads:
            return mail
    raise ConfigError(f"no mail {number} waits for a word")


def is_stranger(mail: Mail, library: Library) -> bool:
    """Whether no partner file claims its sender, so that whoever lets it in has to say whose it is."""
    return library.partner_of("email", mail.sender) is None


def release(
    mail: Mail, *, partner: str, reason: str, ledger: Ledger, library: Library, translate: Translate
) -> Mapping[str, int]:
    """It is from who it says, or ``partner``'s: read like any other. How many documents, events and parked lines.

    Raises ConfigError without a reason, for a partner nobody knows, and for a stranger's mail without one.
    """
    _require(reason)
    if partner and partner not in library.partners:
        raise ConfigError(unknown("partner", partner, library.partners))
    if not partner and is_stranger(mail, library):
        raise ConfigError(f"no partner file claims {mail.sender}: say whose it is")
    ledger.vouching.release(mail.payloads, partner=partner, reason=reason)
    done = translate(mail.payloads)
    return {name: sum(getattr(one, name) for one in done) for name in ("documents", "events", "parked")}


def reject(mail: Mail, *, reason: str, ledger: Ledger) -> int:
    """Nothing of it will be used; its bytes are kept, and nobody is answered. How many files."""
    _require(reason)
    return ledger.vouching.reject(mail.payloads, reason=reason)


def _require(reason: str) -> None:
    if not reason.strip():
        raise ConfigError("please say why; the audit trail keeps it")


def _mail(number: int, files: Sequence[Mapping[str, Any]]) -> Mail:
    first = files[0]
    return Mail(
        number=number,
        sender=first["from"],
        subject=first["subject"],
        received_at=first["received_at"],
        code=first["code"],
        why=first["why"],
        files=[(one["payload"], one["name"]) for one in files],
    )
