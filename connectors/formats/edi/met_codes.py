"""Codes of long lists, as they were met at one place.

A list may hold a thousand codes, but a partner uses a few of them. While those are few, a run's pattern spells them
out; a code that is none of them goes the exact way, is held against the whole list there, and is learned.
"""

from __future__ import annotations

from collections.abc import Set

MOST_SPELLED = 8  #: different codes that a pattern spells out at one place
MOST_OUTGROWN = 2  #: times a pattern is written anew for the codes of one place


class MetCodes:
    """Faultless codes of one long list at one place, and how often the exact walk met each."""

    __slots__ = ("_met", "_outgrown", "_spelled")

    def __init__(self) -> None:
        self._met: dict[str, int] = {}
        self._spelled: Set[str] = frozenset()
        self._outgrown = 0

    @property
    def few(self) -> bool:
        """Whether they are few enough to be spelled out; once they are not, they never are again."""
        return len(self._met) <= MOST_SPELLED and self._outgrown <= MOST_OUTGROWN

    def meet(self, code: str, often: int) -> bool:
        """A code was met; whether patterns that spell them out should be written anew. ``often``: how often one has to
        be met for that."""
        if not self.few:
            return False
        self._met[code] = times = self._met.get(code, 0) + 1
        if self._spelled and times == often and code not in self._spelled:
            self._outgrown += 1
            return True
        return bool(self._spelled) and not self.few

    def spell(self) -> Set[str]:
        """The codes to spell out in a pattern that is being written; none where they are to be looked up."""
        self._spelled = frozenset(self._met) if self.few else frozenset()
        return self._spelled
