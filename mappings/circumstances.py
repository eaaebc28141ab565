"""What holds for all lines of a document while a mapping is applied to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from mappings.master_data import MasterData

_SUGGESTIONS = 50  # each costs a search through all codes; one document gets this many


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What holds for all lines of a document and stands in none of them.

    ``zone`` is that of times written without one. ``marks`` says, for paths whose reader found out,
    which decimal mark their numbers have. ``lenient``: what cannot be looked up is a warning, and the
    value as sent stands in for ours.
    """

    partner: str
    master: MasterData
    zone: ZoneInfo
    marks: Mapping[str, str] = field(default_factory=dict)
    lenient: bool = False
    suggestions: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def suggest(self, kind: str, partner: str, value: str) -> str:
        """What may have been meant by an unknown ``value``, or what is expected in general."""
        general = _EXPECTED[kind]
        asked = (kind, partner, value)
        if asked not in self.suggestions:
            if len(self.suggestions) >= _SUGGESTIONS:
                return general
            near = self.master.nearest(kind, partner, value)
            if value in near:
                self.suggestions[asked] = f"{general}, valid on that day: {value} is known for other days only"
            else:
                self.suggestions[asked] = f"{general}; near: {', '.join(near)}" if near else general
        return self.suggestions[asked]


_EXPECTED = {
    "partner": "a partner of the master data, or a cross-reference to one",
    "item": "an item of the master data, or a cross-reference to one",
    "site": "a site of the master data, or a cross-reference to one",
    "unit": "a unit of measure that is known, or a cross-reference to one",
}
