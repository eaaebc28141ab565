"""Acknowledgments that come in, taken out of the stream and matched to what we sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connectors.archive import Archive
from connectors.formats.edi.acknowledgments.received import Received, read_interchange_acknowledgment, read_set
from connectors.formats.edi.acknowledgments.received_edifact import read_message
from connectors.formats.edi.edifact.scan import scan_message
from connectors.formats.edi.scan import scan_set
from crossdock.ledger import Ledger, PayloadRecord
from crossdock.translation import AnswerReceived, DocumentClosed, EnvelopeClosed, Translated
from schemas.documents import DocumentStart, EnvelopeEnd, Interchange, InterchangeEnd
from schemas.findings import Finding, Severity, Stage

_LARGEST = 4 << 20  #: bytes of an acknowledgment that are read; what lies beyond is detail


def answered(
    translated: Iterable[Translated], *, record: PayloadRecord, archive: Archive, ledger: Ledger
) -> Iterator[Translated]:
    """The translation and, where a group of acknowledgments or an interchange ends, what it says of ours."""
    waiting: list[DocumentStart] = []
    for item in translated:
        yield item
        match item:
            case DocumentClosed(document=document) if document.is_answer and item.status != "rejected":
                waiting.append(document.start)
            case EnvelopeClosed(envelope=envelope, partner=partner):
                for start in waiting:
                    content = archive.read_range(record.sha256, start.offset or 0, _LARGEST)
                    for received in _read(start, content, envelope.interchange):
                        yield from _told(received, partner, start.ordinal, start.location, ledger)
                waiting = []
                yield from _told_of_envelopes(envelope, partner, ledger)
            case _:
                pass


def _read(start: DocumentStart, content: bytes, interchange: Interchange) -> Iterator[Received]:
    """What the acknowledgment says that ``content`` begins with."""
    format, _, kind = start.type.partition(".")
    if format == "edifact":
        syntax = interchange.version.partition(":")[0]
        yield from read_message(kind, list(scan_message(content, interchange.delimiters, syntax)))
    else:
        yield from read_set(kind, [segment.elements for segment in scan_set(content, interchange.delimiters)])


def _told_of_envelopes(envelope: EnvelopeEnd, partner: str, ledger: Ledger) -> Iterator[Translated]:
    """What the TA1 segments of an interchange say."""
    if not partner or not isinstance(envelope, InterchangeEnd):
        return
    for number, elements in enumerate(envelope.acknowledgments, 1):
        statement = read_interchange_acknowledgment(elements)
        if statement is not None:
            yield from _told(statement, partner, number, f"TA1 {number}", ledger)


def _told(received: Received, partner: str, ordinal: int, location: str, ledger: Ledger) -> Iterator[Translated]:
    transmission = ledger.transmission_of(partner, received.level, received.number)
    yield AnswerReceived(
        partner=partner,
        kind=received.kind,
        ordinal=ordinal,
        number=received.number,
        outcome=received.outcome,
        detail=received.detail,
        transmission=transmission,
    )
    if transmission is None:
        yield Finding(
            code="answer.unmatched",
            severity=Severity.WARNING,
            stage=Stage.BUSINESS,
            message=f"a {received.kind} answers {received.level} {received.number}, which {partner} never had from us",
            location=location,
            value=str(received.number),
            expected=f"the control number of a {received.level} we sent",
        )
    elif received.outcome == "rejected":
        yield Finding(
            code="answer.rejected",
            severity=Severity.WARNING,
            stage=Stage.BUSINESS,
            message=f"{partner} rejects {received.level} {received.number} of ours"
            + (f": {received.detail}" if received.detail else ""),
            location=location,
            value=str(received.number),
            expected="an acceptance",
        )
