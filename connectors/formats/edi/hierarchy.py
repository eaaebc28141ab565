"""The HL tree of a ship notice: who is below whom, by HL02 and not by order of appearance."""

from __future__ import annotations

from connectors.formats.edi.lines import Scope, Values

#: levels that are remembered as possible parents; the oldest are forgotten first
REMEMBERED = 20_000


class Hierarchy:
    """The HL levels met so far in one set, in bounded memory."""

    def __init__(self, header: Scope) -> None:
        self.header = header
        self._levels: dict[str, Scope] = {}
        self._last_id = ""
        self._last = header

    def parent(self, parent_id: str) -> Scope | None:
        """The scope of the level HL02 names; the header's for none; None for a level that never came."""
        if parent_id == self._last_id:
            return self._last
        if not parent_id:
            return self.header
        found = self._levels.get(parent_id)
        if found is not None:
            self._last_id, self._last = parent_id, found
        return found

    def plain_level(self, id_: str | None, parent_id: str | None, values: Values) -> Scope | None:
        """A new level, where all is plain: a number of its own, below a known level that is no line; else None."""
        parent = self.parent(parent_id or "")
        if parent is None or parent.line is not None or not id_ or id_ in self._levels:
            return None
        scope = Scope(parent, values)
        self.add(id_, scope)
        return scope

    def add(self, id_: str, scope: Scope) -> bool:
        """Remember a level that may become a parent; False when its HL01 stood before."""
        fresh = self._levels.pop(id_, None) is None
        self._levels[id_] = scope
        if id_ == self._last_id:
            self._last = scope
        if len(self._levels) > REMEMBERED:
            self._levels.pop(next(iter(self._levels))).in_force()  # lets go of the levels above it
        return fresh
