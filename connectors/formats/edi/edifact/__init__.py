"""EDIFACT: interchanges of ISO 9735, read as a stream, judged by grammars, turned into lines."""

from __future__ import annotations

from connectors.formats.edi.edifact.plan import compile_edifact
from connectors.formats.edi.edifact.reader import read_edifact
from connectors.formats.edi.edifact.service import find_head
from connectors.formats.edi.format import EdiFormat


class Edifact(EdiFormat):
    """EDIFACT, of any directory and syntax version."""

    name = "edifact"
    find = staticmethod(find_head)
    plan = staticmethod(compile_edifact)
    walk = staticmethod(read_edifact)
