"""Groups and interchanges that stand or fall as a whole, where a partner's file says so.

``on_error: reject_group`` and ``reject_interchange`` let one document with an error bring down its neighbours. What
came before it must not be used by then, so such a group or interchange is set aside until its end is known: in
memory while it is small, else in a temporary file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from crossdock.translated import DocumentClosed, DocumentOpened, EnvelopeClosed, Translated
from crossdock.waiting import Waiting
from mappings.library import Library
from mappings.spec import OnError, Partner
from schemas.documents import GroupEnd, InterchangeEnd
from schemas.findings import Finding, Severity, Stage

_IN_MEMORY = 16_384  #: rows that are set aside without a file
_WIDE = (OnError.REJECT_GROUP, OnError.REJECT_INTERCHANGE)
_FORMATS = ("x12", "edifact")  #: those with groups and interchanges


def as_agreed(translated: Iterable[Translated], library: Library) -> Iterator[Translated]:
    """The translation; what is rejected with its group or interchange says so, and because of whom."""
    aside: _Aside | None = None
    try:
        for item in translated:
            if aside is None and isinstance(item, DocumentOpened):
                aside = _aside_for(item, library)
            if aside is None:
                yield item
                continue
            aside.take(item)
            if isinstance(item, EnvelopeClosed) and aside.is_over(item):
                yield from aside.released()
                aside = None
        if aside is not None:
            yield from aside.released()
    finally:
        if aside is not None:
            aside.close()


def _aside_for(opened: DocumentOpened, library: Library) -> _Aside | None:
    partner = library.partners.get(opened.document.partner)
    format = opened.document.start.type.partition(".")[0]
    return _Aside(partner, library) if partner is not None and format in _FORMATS and _is_wide(partner) else None


def _is_wide(partner: Partner) -> bool:
    return any(policy in _WIDE for policy in (partner.on_error, *(one.on_error for one in partner.documents.values())))


class _Aside:
    """One interchange, or one group where nothing reaches further, until its end."""

    def __init__(self, partner: Partner, library: Library) -> None:
        self._partner = partner
        self._library = library
        self._items = Waiting(_IN_MEMORY)
        self._group = 0  #: number of the open group among those set aside
        self._fallen: dict[int, str] = {}  #: groups that are rejected, and because of whom
        self._all = ""  #: because of whom all is rejected
        self._reaches_on = partner.on_error is OnError.REJECT_INTERCHANGE or any(
            one.on_error is OnError.REJECT_INTERCHANGE for one in partner.documents.values()
        )

    def take(self, item: Translated) -> None:
        self._items.add(item)
        match item:
            case DocumentClosed(document=document) if item.status != "accepted" and not document.is_answer:
                policy = self._library.policy_for(self._partner, document.start.type)
                self._judge(policy, document.start.location)
            case EnvelopeClosed(envelope=GroupEnd() as end):
                self._judge_envelope(end, f"group {end.control_number}")
                self._group += 1
            case EnvelopeClosed(envelope=InterchangeEnd() as end):
                self._judge_envelope(end, f"interchange {end.interchange.control_number}")

    def _judge(self, policy: OnError, cause: str) -> None:
        if policy is OnError.REJECT_GROUP:
            self._fallen.setdefault(self._group, cause)
        elif policy is OnError.REJECT_INTERCHANGE:
            self._all = self._all or cause

    def _judge_envelope(self, end: GroupEnd | InterchangeEnd, cause: str) -> None:
        if any(finding.severity is Severity.ERROR for finding in end.findings):
            self._judge(self._partner.on_error, cause)

    def is_over(self, closed: EnvelopeClosed) -> bool:
        """Whether nothing that comes can change what is set aside."""
        return isinstance(closed.envelope, InterchangeEnd) or not self._reaches_on

    def released(self) -> Iterator[Translated]:
        """All of it, in its order. Messages of EDIFACT in no group make one group."""
        group = 0
        for item in self._items.released():
            cause = self._all or self._fallen.get(group, "")
            yield self._rejected(item, cause) if cause else item
            if isinstance(item, EnvelopeClosed) and isinstance(item.envelope, GroupEnd):
                group += 1

    def close(self) -> None:
        self._items.close()

    def _rejected(self, item: Translated, cause: str) -> Translated:
        match item:
            case DocumentClosed(document=document):
                finding = _finding(document.start.type, "interchange" if self._all else "group", cause)
                return replace(item, status="rejected", events=0, findings=(*item.findings, finding))
            case EnvelopeClosed(envelope=InterchangeEnd() as end) if self._all:
                finding = _finding(end.interchange.format, "interchange", cause)
                return replace(item, envelope=replace(end, documents=0, findings=(*end.findings, finding)))
            case _:
                return item


def _finding(type_: str, what: str, cause: str) -> Finding:
    """Said of each document, and of the interchange."""
    x12 = {"AK502": "5", "TA105": "024"}
    return Finding(
        code=f"{what}.rejected",
        severity=Severity.ERROR,
        stage=Stage.SYNTAX,
        message=f"the {what} is rejected as a whole, as agreed, because of {cause}",
        location=cause,
        standard=x12 if type_.startswith("x12") else {"0085": "18"},
    )
