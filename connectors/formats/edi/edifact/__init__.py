"""EDIFACT: interchanges of ISO 9735, read as a stream, judged by grammars, turned into lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

from connectors.base import Plans, ReadItem
from connectors.formats.edi.agreed import agreed_in
from connectors.formats.edi.edifact.plan import compile_edifact
from connectors.formats.edi.edifact.reader import read_edifact
from connectors.formats.edi.edifact.service import find_head
from connectors.formats.edi.tape import BLOCK, Tape
from schemas.documents import LinePlan


class Edifact:
    """The EDIFACT format. As of ``X12``, neither ``block`` nor ``learn`` changes what comes out."""

    name = "edifact"

    def __init__(self, block: int = BLOCK, *, learn: bool = True) -> None:
        self._block = block
        self._learn = learn

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the bytes say it all
        """Whether a UNA, UNB or UNH begins anywhere in ``head``."""
        return find_head(head.decode("latin-1")) >= 0

    def compile(self, type: str, line: str, paths: Iterable[str], options: Mapping[str, object]) -> LinePlan:
        """A plan for ``edifact.<message>``; paths as in ``edi.paths``. Raises ConfigError naming every bad path.

        ``options`` may hold rows that ``tighten`` or ``relax`` the grammar, as in ``edi.agreed``.
        """
        wanted = tuple(dict.fromkeys(paths))
        compiled = compile_edifact(type, line, wanted, agreed_in(options))
        return LinePlan(type=type, paths=wanted, line=line, options=dict(options), compiled=compiled)

    def read(
        self,
        stream: BinaryIO,
        *,
        name: str,  # noqa: ARG002 - an interchange names itself
        plans: Plans,
        metadata: Mapping[str, str],  # noqa: ARG002
    ) -> Iterator[ReadItem]:
        """The messages, line chunks and findings of the payload, in order and in bounded memory."""
        return read_edifact(Tape(stream, self._block), plans, learn=self._learn)
