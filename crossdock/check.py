"""Checking a file: read, map and validate it without a ledger, and say what came of it.

The same translation as production's, gathered by document. What belongs to no document (a broken
envelope, an empty file) comes as an object of its own, of type ``interchange`` or ``file``.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO

from schemas.findings import Finding, Severity, Stage, worst

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from crossdock.translation import Context, DocumentClosed, Translated

ALL = 1 << 62  #: as many events as there are


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One document of a checked file, or, with ``type`` interchange or file, what belongs to none.

    ``lines`` and ``events`` are counts; ``sample`` holds the first events, as many as were asked for.
    """

    file: str
    type: str
    partner: str = ""
    control_number: str = ""
    status: str = ""
    location: str = ""
    lines: int = 0
    events: int = 0
    parked: int = 0
    findings: tuple[Finding, ...] = ()
    sample: tuple[Mapping[str, Any], ...] = field(default=())

    @property
    def is_document(self) -> bool:
        return self.type not in ("file", "interchange")

    def as_json(self, *, events: bool = False) -> bytes:
        """One line of ``crossdock check --json``. With ``events``, ``event_list`` holds the events themselves."""
        import msgspec

        body: dict[str, Any] = {
            "file": self.file,
            "type": self.type,
            "partner": self.partner,
            "control_number": self.control_number,
            "status": self.status,
            "lines": self.lines,
            "events": self.events,
            "parked": self.parked,
            "findings": self.findings,
        }
        if events:
            body["event_list"] = self.sample
        return msgspec.json.encode(body)


def check_file(path: Path, context: Context, *, partner: str = "", sample: int = 0) -> Iterator[Checked]:
    """What is in the file: its documents in order, then what belongs to none of them.

    A mail (.eml) is unpacked, and each attachment checked as a file of its own. ``partner`` names
    the partner whose mapping is to be used, whoever the file says sent it. Nothing that the file
    holds raises, and neither does a file that cannot be opened.
    """
    from connectors.formats import mail

    try:
        with path.open("rb") as stream:
            check = _check_mail if mail.recognises(_head(stream), path.name) else _check_stream
            modified = datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(microsecond=0)
            metadata = {"received_at": modified.isoformat()} | ({"partner": partner} if partner else {})
            yield from check(stream, str(path), context, metadata, sample)
    except OSError as error:
        yield Checked(file=str(path), type="file", findings=(_not_opened(error),))


def _head(stream: BinaryIO) -> bytes:
    head = stream.read(4096)
    stream.seek(0)
    return head


def gather(translated: Iterable[Translated], file: str, *, sample: int = 0) -> Iterator[Checked]:
    """The documents that translation yields, each with its findings; then what belongs to none."""
    from crossdock.translation import DocumentClosed, DocumentLines, DocumentOpened

    loose: list[Finding] = []
    findings: list[Finding] = []
    events: list[Mapping[str, Any]] = []
    for item in translated:
        match item:
            case DocumentOpened():
                findings, events = [], []
            case DocumentLines():
                findings += item.findings
                events += _events(item.events.head(sample - len(events)))
            case DocumentClosed():
                yield _closed(item, file, (*findings, *item.findings), tuple(events))
            case Finding():
                loose.append(item)
    yield from _loose(loose, file)


def exit_code(checked: Sequence[Checked]) -> int:
    """Of one file: 0 clean, 1 findings of severity error, 2 when nothing at all could be read."""
    if not any(worst(one.findings) is Severity.ERROR for one in checked):
        return 0
    return 1 if any(one.is_document for one in checked) else 2


def _check_mail(
    stream: BinaryIO, name: str, context: Context, metadata: Mapping[str, str], sample: int
) -> Iterator[Checked]:
    """Each attachment as a file of its own, sent by the mail's sender; then what is wrong with the mail itself."""
    from connectors.formats.mail import unpack

    loose: list[Finding] = []
    for part in unpack(stream):
        if isinstance(part, Finding):
            loose.append(part)
        else:
            within = f"{name}: {part.name or part.key}"
            yield from _check_stream(io.BytesIO(part.data), within, context, {**part.metadata, **metadata}, sample)
    if loose:
        yield Checked(file=name, type="file", findings=tuple(loose))


def _check_stream(
    stream: BinaryIO, name: str, context: Context, metadata: Mapping[str, str], sample: int
) -> Iterator[Checked]:
    from crossdock.translation import translate_stream

    digest = hashlib.sha256()
    while piece := stream.read(1 << 20):
        digest.update(piece)
    stream.seek(0)
    payload = digest.hexdigest()
    translated = translate_stream(stream, payload=payload, name=name, metadata=metadata, context=context)
    yield from gather(translated, name, sample=sample)


def _closed(
    closed: DocumentClosed, file: str, findings: tuple[Finding, ...], sample: tuple[Mapping[str, Any], ...]
) -> Checked:
    document = closed.document
    return Checked(
        file=file,
        type=document.start.type,
        partner=document.partner,
        control_number=document.start.control_number,
        status=closed.status,
        location=document.start.location,
        lines=closed.lines,
        events=closed.events if closed.status != "rejected" else 0,
        parked=closed.parked,
        findings=findings,
        sample=sample if closed.status != "rejected" else (),
    )


def _loose(findings: Sequence[Finding], file: str) -> Iterator[Checked]:
    """Findings about an envelope (its syntax) are the interchange's, all others the file's."""
    for type_, some in (
        ("interchange", tuple(finding for finding in findings if finding.stage is Stage.SYNTAX)),
        ("file", tuple(finding for finding in findings if finding.stage is not Stage.SYNTAX)),
    ):
        if some:
            yield Checked(file=file, type=type_, findings=some)


def _events(events: pl.DataFrame) -> Iterator[Mapping[str, Any]]:
    """Rows of an event table, with ``data`` read back from its JSON text."""
    import msgspec

    from mappings.frames import unframed

    for row in unframed(events).iter_rows(named=True):
        yield row | {"data": msgspec.json.decode(row["data"])}


def _not_opened(error: OSError) -> Finding:
    return Finding(
        code="file.unreadable",
        severity=Severity.ERROR,
        stage=Stage.TRANSPORT,
        message=f"the file cannot be opened: {error.strerror or error}",
        expected="a file that exists and may be read",
    )
