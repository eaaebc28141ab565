"""EDI: X12 and EDIFACT interchanges, read as a stream, judged by grammars, turned into lines."""

from __future__ import annotations

from connectors.formats.edi.delimiters import find_header
from connectors.formats.edi.format import EdiFormat
from connectors.formats.edi.plan import compile_plan
from connectors.formats.edi.reader import read_interchanges


class X12(EdiFormat):
    """X12, of any version."""

    name = "x12"
    find = staticmethod(find_header)
    plan = staticmethod(compile_plan)
    walk = staticmethod(read_interchanges)
