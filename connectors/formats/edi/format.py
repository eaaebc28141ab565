"""What the two formats of EDI are to the rest of the house: something that reads payloads by compiled plans."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO, ClassVar

from connectors.base import Plans, ReadItem
from connectors.formats.edi.agreed import Agreed, agreed_in
from connectors.formats.edi.tape import BLOCK, Tape
from schemas.documents import LinePlan


class EdiFormat(ABC):
    """X12 or EDIFACT.

    What comes out depends neither on ``block``, how many bytes are read at a time, nor on ``learn``, whether
    segments like those found faultless before may be recognised without walking through them again.
    """

    name: ClassVar[str]

    def __init__(self, block: int = BLOCK, *, learn: bool = True) -> None:
        self._block = block
        self._learn = learn

    @abstractmethod
    def find(self, text: str, /) -> int:
        """Index of the first interchange in Latin-1 text, or -1."""

    @abstractmethod
    def plan(self, type: str, line: str, paths: tuple[str, ...], agreed: Agreed, /) -> object:
        """What a document type's lines and paths become. Raises ConfigError naming every bad one."""

    @abstractmethod
    def walk(self, tape: Tape, plans: Plans, /, *, learn: bool) -> Iterator[ReadItem]:
        """Everything in a payload, in order."""

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the bytes say it all
        """Whether an interchange begins anywhere in ``head``."""
        return self.find(head.decode("latin-1")) >= 0

    def compile(self, type: str, line: str, paths: Iterable[str], options: Mapping[str, object]) -> LinePlan:
        """A plan for ``x12.<set>`` or ``edifact.<message>``; paths as in ``edi.paths``. Raises ConfigError naming every
        bad path.

        ``options`` may hold rows that ``tighten`` or ``relax`` the grammar, as in ``edi.agreed``.
        """
        wanted = tuple(dict.fromkeys(paths))
        compiled = self.plan(type, line, wanted, agreed_in(options))
        return LinePlan(type=type, paths=wanted, line=line, options=dict(options), compiled=compiled)

    def read(
        self,
        stream: BinaryIO,
        *,
        name: str,  # noqa: ARG002 - an interchange names itself
        plans: Plans,
        metadata: Mapping[str, str],  # noqa: ARG002
    ) -> Iterator[ReadItem]:
        """The documents, line chunks and findings of the payload, in order and in bounded memory."""
        return self.walk(Tape(stream, self._block), plans, learn=self._learn)
