"""What a source, a sink and a format are.

The three contract suites in ``tests/contract`` are the fine print: every module registered in
``connectors.registry`` is run through them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:  # a DAG file reads channels many times a minute and must not wait for polars
    from schemas.documents import DocumentEnd, DocumentStart, GroupEnd, InterchangeEnd, LineChunk, LinePlan, WorkbookEnd
    from schemas.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Something that waits at a source: not fetched yet, and not let go of yet.

    ``key`` names it uniquely and stably within its source (a path, a message id, a watermark
    range), so that the same arrival seen twice is known to be the same. ``name`` is for people.
    ``metadata`` says how it came (path, modified, mail headers, query) and is kept with the payload.
    """

    key: str
    name: str
    received_at: datetime  #: aware; when it reached the source, as the source knows it
    metadata: Mapping[str, str] = field(default_factory=dict)


class State(Protocol):
    """A source's small memory between runs (watermarks), kept by the ledger."""

    def get(self, key: str) -> str | None: ...
    def set(self, key: str, value: str) -> None: ...


class Source(Protocol):
    """Where payloads come from.

    The order is always: ``arrivals``, ``fetch``, archive and ledger (the caller's), ``settle``.
    A crash anywhere before ``settle`` makes the same arrival appear again.
    """

    def arrivals(self, limit: int) -> Iterator[Arrival]:
        """At most ``limit`` complete arrivals, oldest first. Half-written ones are left alone.

        Raises TransientError when the system cannot be reached, PermanentError when it refuses.
        """
        ...

    def fetch(self, arrival: Arrival) -> Iterator[bytes]:
        """The arrival's bytes exactly as they are, in pieces of bounded size."""
        ...

    def settle(self, arrival: Arrival) -> None:
        """Let go of it (move the file, flag the mail, commit the watermark). Idempotent."""
        ...

    def close(self) -> None:
        """Release connections. Idempotent."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder into which things land, and whether a file of some name there says that something has.

    What has landed is complete ``rests`` seconds later.
    """

    folder: Path
    wants: Callable[[str], bool]
    rests: float = 0.0


@runtime_checkable
class Waits(Protocol):
    """What a source also is that can be waited at."""

    def wait(self, seconds: float) -> bool:
        """Return True as soon as something has arrived that no earlier call told of, False when the time is over."""
        ...

    def lies(self) -> bool:
        """Whether anything is there that was not taken yet."""
        ...


#: Seconds that a run waits at most for what landed last to be complete; what takes longer is for the next run.
SOON = 5.0


@runtime_checkable
class Ripens(Protocol):
    """What a source also is that takes nothing before it has rested for a while."""

    def ripe_in(self) -> float:
        """Seconds until what landed last counts as complete, if nobody touches it; 0 where nothing is waited for."""
        ...


class Sink(Protocol):
    """Where events go. ``deliver`` is called with events in feed order."""

    def deliver(self, events: Sequence[bytes]) -> None:
        """Hand over a batch of CloudEvents, each a JSON object in UTF-8, all or nothing.

        Returns only once the receiver holds them durably. Delivering the same batch again is
        harmless for a receiver that knows event ids. Raises TransientError or PermanentError.
        """
        ...

    def close(self) -> None: ...


@runtime_checkable
class Outbox(Protocol):
    """What a sink of files also is: where outbound documents go as they are."""

    def put(self, name: str, data: bytes) -> None:
        """Hand over one file; it appears under ``name`` whole or not at all.

        Returns only once the receiver holds it durably. The same name again takes the place of the
        first. Raises TransientError or PermanentError.
        """
        ...


class Plans(Protocol):
    """What a reader asks while it reads: what is wanted of this document?"""

    def for_document(self, start: DocumentStart) -> LinePlan | None:
        """The plan for a document whose type the format itself knows (EDI, rows). None: nothing is
        wanted of it; it is judged and passed over."""
        ...

    def candidates(self, sender: str) -> Sequence[LinePlan]:
        """For formats that do not name their documents (workbooks): the plans to choose among, by
        sheet name and header, for this sender (an email address; empty: anybody)."""
        ...


ReadItem: TypeAlias = "DocumentStart | LineChunk | DocumentEnd | GroupEnd | InterchangeEnd | WorkbookEnd | Finding"


class Format(Protocol):
    """How a kind of bytes is read. Stateless: one instance serves all payloads."""

    name: str  #: the part of a document type before the dot: ``x12``, ``workbook``, ``rows``

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether a payload that begins with ``head`` (up to 4 KiB) and is called ``name`` is of this format."""
        ...

    def compile(self, type: str, line: str, paths: Iterable[str], options: Mapping[str, object]) -> LinePlan:
        """Check ``paths`` and make them fast. Raises ConfigError naming every bad path."""
        ...

    def read(self, stream: BinaryIO, *, name: str, plans: Plans, metadata: Mapping[str, str]) -> Iterator[ReadItem]:
        """The payload as a stream of documents, line chunks and findings, in bounded memory.

        Never raises for what the bytes hold; a Finding says it. A Finding between a
        DocumentStart and its DocumentEnd belongs to that document, any other to the payload.
        """
        ...
