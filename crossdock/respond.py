"""Responding: answers that partners are promised are made, judged, recorded and handed over.

Each answer goes through these steps, and a crash between any two of them loses nothing and sends nothing else::

    owed -> written with the next control numbers -> judged by referees -> recorded with them -> handed over -> sent

What was recorded leaves byte for byte, under the same name, however often handing it over has to be
tried. What a referee refuses stays listed and takes no number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from connectors.base import Outbox
from crossdock.ledger.answers import ControlNumbers, Judged, Transmission
from crossdock.ledger.envelopes import OwedAnswer
from schemas.documents import GroupEnd, InterchangeEnd
from schemas.errors import ConfigError, CrossdockError, PermanentError, TransientError

if TYPE_CHECKING:
    from connectors.formats.edi.acknowledgments import DocumentVerdict, Numbers
    from connectors.formats.edi.acknowledgments.referee import Referee
    from crossdock.ledger import Ledger
    from mappings.spec import Acknowledge

#: Answers made, or handed over, between two looks at the ledger.
TOGETHER = 200
#: How often an answer is written again because its numbers were taken meanwhile.
PATIENCE = 100
WORKBOOK = "workbook"  #: the kind of answer that is a workbook sent back


class Outboxes(Protocol):
    """Finds where outbound documents go."""

    def __call__(self, outlet: str) -> Outbox:
        """The outlet's outbox. Raises ConfigError for one that is not there or carries no documents."""
        ...


class Returning(Protocol):
    """Makes what goes back when a workbook is answered."""

    def __call__(self, answer: OwedAnswer, outlet: str) -> Returned:
        """For this outlet. Raises PermanentError where it cannot be made now."""
        ...


@dataclass(frozen=True, slots=True)
class Returned:
    """A corrected workbook (``xlsx``) or the letter around it (``eml``), as it leaves at a moment."""

    write: Callable[[datetime], bytes]
    suffix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Responded:
    """What one round of responding did."""

    sent: Mapping[str, int] = field(default_factory=dict)  #: by kind of answer
    refused: int = 0
    errors: tuple[CrossdockError, ...] = ()  #: what kept an outlet or an answer waiting

    def check(self) -> None:
        """Raise the first error, of several one that is worth a retry; return if there is none."""
        if self.errors:
            raise next((error for error in self.errors if isinstance(error, TransientError)), self.errors[0])


def respond(
    *,
    ledger: Ledger,
    agreements: Mapping[str, Acknowledge | None],
    outboxes: Outboxes,
    referee: Referee,
    returning: Returning,
) -> Responded:
    """Make what is owed, then hand over what is made. ``agreements`` are the partners' own, by partner.

    An answer that cannot be made, or an outlet that takes nothing, stops no other. Errors of the
    ledger go through.
    """
    refused, errors = _make_all(ledger, agreements, referee, returning)
    sent, undelivered = _hand_over_all(ledger, outboxes)
    return Responded(sent=sent, refused=refused, errors=(*errors, *undelivered))


# -- making -----------------------------------------------------------------------------------------


def _make_all(
    ledger: Ledger, agreements: Mapping[str, Acknowledge | None], referee: Referee, returning: Returning
) -> tuple[int, list[CrossdockError]]:
    from connectors.formats.edi.acknowledgments import Refused

    refused = 0
    errors: list[CrossdockError] = []
    seen: set[int] = set()
    while fresh := [answer for answer in ledger.owed(len(seen) + TOGETHER) if answer.id not in seen]:
        for answer in fresh:
            seen.add(answer.id)
            try:
                _make(answer, ledger, agreements.get(answer.partner), referee, returning)
            except Refused as error:
                ledger.refuse_answer(answer.id, error.message)
                errors.append(error)
                refused += 1
            except (PermanentError, ConfigError) as error:
                errors.append(error)
    return refused, errors


def _make(
    answer: OwedAnswer, ledger: Ledger, agreement: Acknowledge | None, referee: Referee, returning: Returning
) -> None:
    """Write it with the next numbers, have it judged, record it; again, if the numbers were taken meanwhile."""
    if agreement is None:
        raise PermanentError(
            f"a {answer.kind} is owed to {answer.partner}, whose file no longer says anything about answers",
            hint="let its `acknowledge:` say where answers go; what is owed stays owed",
        )
    workbook = returning(answer, agreement.outlet(answer.kind)) if answer.kind == WORKBOOK else None
    draft = _draft(answer, ledger) if workbook is None else _returned(workbook)
    for _ in range(PATIENCE):
        seen = ledger.last_numbers(answer.partner)
        given = seen.following(groups=draft.groups, sets=draft.sets)
        content = _written(draft, given)
        if draft.judged:
            referee.judge(content)
        recorded = ledger.record_answer(
            answer,
            seen=seen,
            given=given,
            name=f"{answer.partner}-{answer.kind}-{given.interchange:09d}.{draft.suffix}",
            content=content,
            outlet=agreement.outlet(answer.kind),
            answer_by=_expected(answer, agreement.expect),
        )
        if recorded or not ledger.is_owed(answer.id):
            return
    raise TransientError(f"the control numbers of {answer.partner} were taken {PATIENCE} times over by others")


def _written(draft: _Draft, given: ControlNumbers) -> bytes:
    """Raises Refused where that fails for a reason that lies in the answer: what is owed to others does not wait for
    it. Want of disk or memory goes through, and the next round tries again."""
    from connectors.formats.edi.acknowledgments import Refused

    try:
        return draft.write(given, datetime.now(UTC))
    except (CrossdockError, MemoryError, OSError):
        raise
    except Exception as error:
        raise Refused(
            f"the answer could not be written: {type(error).__name__}: {error}",
            hint="it stays unsent; report the fault, and let it be made again once that is mended",
        ) from error


@dataclass(frozen=True, slots=True)
class _Draft:
    """All of an answer but its control numbers."""

    write: Callable[[ControlNumbers, datetime], bytes]  #: takes the last numbers of the answer itself
    groups: int = 1
    sets: int = 1
    judged: bool = True  #: a referee looks at it before it leaves
    suffix: str = "edi"


def _returned(workbook: Returned) -> _Draft:
    return _Draft(lambda _, at: workbook.write(at), groups=0, sets=0, judged=False, suffix=workbook.suffix)


def _draft(answer: OwedAnswer, ledger: Ledger) -> _Draft:
    from connectors.formats.edi.acknowledgments import (
        acknowledge_group,
        acknowledge_interchange,
        advise,
        report_errors,
        report_syntax,
        reported,
    )

    envelope = answer.envelope
    match answer.kind, envelope:
        case ("997" | "999") as kind, GroupEnd():
            verdicts = _verdicts(ledger.judged(answer.payload, envelope.first, envelope.last))
            return _Draft(lambda last, at: acknowledge_group(envelope, verdicts, kind, _numbers(last), at))
        case "824", GroupEnd():
            verdicts = _verdicts(ledger.judged(answer.payload, envelope.first, envelope.last))
            return _Draft(lambda last, at: advise(envelope, verdicts, _numbers(last), at))
        case "TA1", InterchangeEnd():
            return _Draft(lambda last, at: acknowledge_interchange(envelope, _numbers(last), at), groups=0, sets=0)
        case "CONTRL", InterchangeEnd():
            verdicts = _verdicts(ledger.judged(answer.payload, envelope.first, envelope.last))
            groups = ledger.groups(answer.payload, envelope.interchange)
            return _Draft(lambda last, at: report_syntax(envelope, groups, verdicts, _numbers(last), at), groups=0)
        case "APERAK", InterchangeEnd():
            verdicts = _verdicts(ledger.judged(answer.payload, envelope.first, envelope.last))
            messages = len(reported(verdicts))
            return _Draft(
                lambda last, at: report_errors(envelope, verdicts, _numbers(last), at), groups=0, sets=messages
            )
        case "STATUS" | "ALEAUD", InterchangeEnd():
            return _told_to_sap(
                answer.kind, envelope, _verdicts(ledger.judged(answer.payload, envelope.first, envelope.last))
            )
        case _:
            raise PermanentError(f"there is no {answer.kind} for {type(envelope).__name__} {answer.id}")


def _told_to_sap(kind: str, envelope: InterchangeEnd, verdicts: Sequence[DocumentVerdict]) -> _Draft:
    from connectors.formats.idoc.status import audit, report_status

    write = audit if kind == "ALEAUD" else report_status
    return _Draft(
        lambda last, at: write(envelope, verdicts, last.interchange, at), groups=0, sets=0, judged=False, suffix="xml"
    )


def _numbers(last: ControlNumbers) -> Numbers:
    from connectors.formats.edi.acknowledgments import Numbers

    return Numbers(interchange=last.interchange, group=last.group, set=last.set)


def _verdicts(judged: Iterable[Judged]) -> list[DocumentVerdict]:
    from connectors.formats.edi.acknowledgments import DocumentVerdict

    return [
        DocumentVerdict(
            set=one.attributes.get("set", one.type.partition(".")[2]),
            identifier=":".join(
                one.attributes.get(name, "") for name in ("message", "version", "release", "agency", "association")
            ).rstrip(":"),
            control_number=one.control_number,
            implementation=one.attributes.get("implementation", ""),
            rejected=one.status == "rejected",
            findings=one.findings,
        )
        for one in judged
    ]


def _expected(answer: OwedAnswer, within: timedelta) -> datetime | None:
    """When the partner should have acknowledged it; functional acknowledgments never are."""
    return datetime.now(UTC) + within if answer.kind in ("824", "APERAK") else None


# -- handing over -----------------------------------------------------------------------------------


def _hand_over_all(ledger: Ledger, outboxes: Outboxes) -> tuple[dict[str, int], list[CrossdockError]]:
    """In the order they were made; an outlet that fails once gets no more in this round."""
    sent: dict[str, int] = {}
    failed: dict[str, CrossdockError] = {}
    after = 0
    while some := ledger.unsent(TOGETHER, after=after):
        after = some[-1].id
        for one in some:
            if one.outlet in failed:
                continue
            try:
                _hand_over(one, ledger, outboxes)
            except CrossdockError as error:
                failed[one.outlet] = error
            else:
                sent[one.kind] = sent.get(one.kind, 0) + 1
    return sent, list(failed.values())


def _hand_over(one: Transmission, ledger: Ledger, outboxes: Outboxes) -> None:
    outboxes(one.outlet).put(one.name, one.content)
    ledger.note_sent(one.id)
