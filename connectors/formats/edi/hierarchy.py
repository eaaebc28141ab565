"""The HL tree of a ship notice: who is below whom, by HL02 and not by order of appearance."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.formats.edi.findings import segment_finding
from connectors.formats.edi.lines import Scope
from schemas.findings import Finding, Severity

#: levels that are remembered as possible parents; the oldest are forgotten first
REMEMBERED = 20_000


class Hierarchy:
    """The HL levels met so far in one set, in bounded memory."""

    def __init__(self, header: Scope) -> None:
        self._header = header
        self._levels: dict[str, Scope] = {}

    def enter(
        self, scope: Scope, elements: Sequence[str], number: int, offset: int, *, is_line: bool
    ) -> Finding | None:
        """Put ``scope`` below its parent; a finding when HL02 names nothing that came before."""
        id_ = elements[1] if len(elements) > 1 else ""
        parent_id = elements[2] if len(elements) > 2 else ""
        parent = self._levels.get(parent_id) if parent_id else self._header
        scope.parent = parent if parent is not None else self._header
        if not is_line:
            scope.lend_to(scope.parent)
        repeated = id_ in self._levels
        if id_ and (len(elements) < 5 or elements[4] != "0"):
            self._levels[id_] = scope
            if len(self._levels) > REMEMBERED:
                del self._levels[next(iter(self._levels))]
        if parent is None:
            return segment_finding(
                "hl.parent", "", f"HL02 names level {parent_id}, which has not come before", id_="HL-02", number=number,
                line=None, offset=offset, length=0, value=parent_id, expected="the HL01 of an earlier HL",
            )  # fmt: skip
        if repeated:
            return segment_finding(
                "hl.number", "", f"HL01 {id_} was used before", id_="HL-01", number=number, line=None, offset=offset,
                length=0, value=id_, expected="a number of its own", severity=Severity.WARNING,
            )  # fmt: skip
        return None
