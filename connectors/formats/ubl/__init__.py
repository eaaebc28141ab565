"""UBL 2.0 to 2.4: orders, responses, despatch and receipt advices, stock reports and forecasts; Peppol's among them.

A document is of type ``ubl.<its name>`` (``ubl.DespatchAdvice``); its version is the CustomizationID, else the
UBLVersionID. It may stand in an envelope (SBDH). Paths are those of ``connectors.formats.xml.paths``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

from connectors.base import Plans, ReadItem
from connectors.formats.ubl.dialect import NAMESPACE, UblDialect
from connectors.formats.xml.compiling import compiled
from connectors.formats.xml.reading import read
from connectors.formats.xml.root import head_text, root_of
from schemas.documents import LinePlan

_HEAD = 65_536
_NAMED = re.compile(re.escape(NAMESPACE) + r"(?P<name>[A-Z][A-Za-z]*)-2(?![\w.])")
_PARTS = ("Common", "UnqualifiedDataTypes", "QualifiedDataTypes", "Signature")


class Ubl:
    """See the module."""

    name = "ubl"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002
        return root_of(head) is not None and bool(_documents_in(head))

    def compile(self, type: str, line: str, paths: Iterable[str], options: Mapping[str, object]) -> LinePlan:
        """Raises ConfigError for a line and for paths that are none."""
        return compiled(type, line, paths, options)

    def read(self, stream: BinaryIO, *, name: str, plans: Plans, metadata: Mapping[str, str]) -> Iterator[ReadItem]:  # noqa: ARG002
        head = stream.read(_HEAD)
        stream.seek(0)
        yield from read(stream, UblDialect(_documents_in(head)), plans)


def _documents_in(head: bytes) -> tuple[str, ...]:
    """Names of the UBL documents whose namespaces are declared in the first bytes."""
    found = dict.fromkeys(match["name"] for match in _NAMED.finditer(head_text(head)))
    return tuple(name for name in found if not name.startswith(_PARTS))
