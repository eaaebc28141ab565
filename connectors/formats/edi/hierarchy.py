"""The HL tree of a ship notice: who is below whom, by HL02 and not by order of appearance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from connectors.formats.edi.lines import Scope, Siblings, Values

#: levels that are remembered as possible parents; those that were named longest ago are forgotten first
REMEMBERED = 20_000
_GENERATION = REMEMBERED // 2


class Hierarchy:
    """The HL levels met so far in one set, in bounded memory.

    They are kept in two generations: a level that is named as a parent moves to the young one, and when that is
    full it becomes the old one, whose levels are forgotten. So what stands at the top of a tree is never lost.
    """

    def __init__(self, header: Scope) -> None:
        self.header = header
        self._young: dict[str, Scope] = {}
        self._old: dict[str, Scope] = {}
        self._last_id = ""
        self._last = header

    def parent(self, parent_id: str) -> Scope | None:
        """The scope of the level HL02 names; the header's for none; None for a level that never came."""
        if parent_id == self._last_id:
            return self._last
        if not parent_id:
            return self.header
        found = self._young.get(parent_id)
        if found is None:
            found = self._old.pop(parent_id, None)
            if found is not None:
                self._keep(parent_id, found)
        if found is not None:
            self._last_id, self._last = parent_id, found
        return found

    def plain_level(self, id_: str | None, parent_id: str | None, values: Values) -> Scope | None:
        """A new level, where all is plain: a number of its own, below a known level that is no line; else None."""
        parent = self.parent(parent_id or "")
        if parent is None or parent.line is not None or not id_ or id_ in self._young or id_ in self._old:
            return None
        scope = self._young[id_] = Scope(parent, values)
        if len(self._young) > _GENERATION:
            self._age()
        return scope

    def plain_levels(self, ids: Sequence[str], parents: Sequence[str], values: Iterable[Values]) -> list[Scope]:
        """The same for one after the other, as far as all is plain; none where some might be forgotten meanwhile."""
        opened: list[Scope] = []
        young, old = self._young, self._old
        if len(young) + 2 * len(ids) > _GENERATION:
            return opened
        named: str | None = None
        parent: Scope | None = None
        for id_, parent_id, own in zip(ids, parents, values, strict=True):
            if parent_id != named:
                named, parent = parent_id, self.parent(parent_id)
            if parent is None or parent.line is not None or not id_ or id_ in young or id_ in old:
                break
            young[id_] = scope = Scope(parent, own)
            opened.append(scope)
        return opened

    def siblings(
        self, ids: Sequence[str], parent_id: str, columns: Mapping[int, Sequence[str]], first: int
    ) -> Sequence[Scope]:
        """The same for levels that are all below one; none where any of them is not plain. ``columns``: what levels
        hold, by slot; these are there from row ``first`` on."""
        parent = self.parent(parent_id)
        fresh = set(ids)
        if parent is None or parent.line is not None or "" in fresh or len(fresh) < len(ids):
            return ()
        young, old = self._young, self._old
        known = not (young.keys().isdisjoint(fresh) and old.keys().isdisjoint(fresh))
        if known or len(young) + len(ids) > _GENERATION:
            return ()
        opened = Siblings(parent.in_force(), columns).opened(first, len(ids))
        young.update(zip(ids, opened, strict=True))
        return opened

    def add(self, id_: str, scope: Scope) -> bool:
        """Remember a level that may become a parent; False when its HL01 stood before."""
        fresh = self._young.pop(id_, None) is None and self._old.pop(id_, None) is None
        if id_ == self._last_id:
            self._last = scope
        self._keep(id_, scope)
        return fresh

    def _keep(self, id_: str, scope: Scope) -> None:
        self._young[id_] = scope
        if len(self._young) > _GENERATION:
            self._age()

    def _age(self) -> None:
        for forgotten in self._old.values():
            forgotten.let_go()
        self._old, self._young = self._young, {}
        self._last_id, self._last = "", self.header
