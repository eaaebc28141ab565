"""EDI: X12 interchanges, read as a stream, judged by grammars, turned into lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

from connectors.base import Plans, ReadItem
from connectors.formats.edi.agreed import agreed_in
from connectors.formats.edi.delimiters import find_header
from connectors.formats.edi.plan import compile_plan
from connectors.formats.edi.reader import read_interchanges
from connectors.formats.edi.tape import BLOCK, Tape
from schemas.documents import LinePlan


class X12:
    """The X12 format.

    What comes out depends neither on ``block``, how many bytes are read at a time, nor on ``learn``, whether
    segments like those found faultless before may be recognised without walking through them again.
    """

    name = "x12"

    def __init__(self, block: int = BLOCK, *, learn: bool = True) -> None:
        self._block = block
        self._learn = learn

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the bytes say it all
        """Whether an ISA segment begins anywhere in ``head``."""
        return find_header(head.decode("latin-1")) >= 0

    def compile(self, type: str, line: str, paths: Iterable[str], options: Mapping[str, object]) -> LinePlan:
        """A plan for ``x12.<set>``; paths as in ``edi.paths``. Raises ConfigError naming every bad path.

        ``options`` may hold rows that ``tighten`` or ``relax`` the grammar, as in ``edi.agreed``.
        """
        wanted = tuple(dict.fromkeys(paths))
        compiled = compile_plan(type, line, wanted, agreed_in(options))
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
        return read_interchanges(Tape(stream, self._block), plans, learn=self._learn)
