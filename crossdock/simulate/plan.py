"""What a simulation promises: how much of everything, what was written where, and what is wrong on purpose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from schemas.events import Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """How many lines of each kind make about ``lines`` in all. Ship notices and receipts follow from the orders."""

    items: int
    north_orders: int
    south_orders: int
    north_stock: int
    supplier_stock: int

    @classmethod
    def of(cls, lines: int) -> Volume:
        """Never fewer than some 1,000 lines, whatever is asked: every planted defect needs its place."""
        lines = max(lines, 1_000)
        return cls(
            items=max(60, min(5_000, lines // 200)),
            north_orders=lines * 24 // 100,
            south_orders=lines * 12 // 100,
            north_stock=lines * 6 // 100,
            supplier_stock=lines * 2 // 100,
        )


class Effect(StrEnum):
    """What a planted defect brings down, and nothing more."""

    NONE = "reported, nothing held back"
    LINE_PARKED = "line parked"
    DOCUMENT_REJECTED = "document rejected"
    QUARANTINED = "payload quarantined"
    UNCHANGED = "already known, no new event"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A finding that a planted defect must lead to: its code, and its location and value as ``Finding`` has them."""

    code: str
    location: str
    value: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """One thing that is wrong on purpose, where, and what Crossdock is to say about it.

    ``file`` is relative to the simulation's folder (an ERP query's name for rows of the ERP), ``payload``
    the name of the payload it becomes (an attachment's, for a mail). ``place`` is where a person finds
    the value. ``count`` is how many lines it holds back.
    """

    name: str
    channel: str
    file: str
    payload: str
    place: str
    value: str
    findings: tuple[Expected, ...]
    effect: Effect
    story: str
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A file, or an ERP query, as written: its documents and lines as a reader will count them, and the
    events that come of it once the planted defects are taken off."""

    channel: str
    file: str
    type: str
    documents: int
    lines: int
    events: Mapping[Stream, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """All that was made, for a test to hold the pipeline against."""

    directory: Path
    seed: int
    made: tuple[Made, ...]
    planted: tuple[Planted, ...]

    @property
    def lines(self) -> int:
        """Lines written, bad ones included."""
        return sum(made.lines for made in self.made)

    @property
    def documents(self) -> int:
        """Business documents written, bad ones included."""
        return sum(made.documents for made in self.made)

    @property
    def events(self) -> dict[Stream, int]:
        """Events expected, by stream."""
        return self.events_of(self.made)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels that anything was made for, in order of appearance."""
        return tuple(dict.fromkeys(made.channel for made in self.made))

    def of_channel(self, channel: str) -> tuple[Made, ...]:
        """What was made for one channel."""
        return tuple(made for made in self.made if made.channel == channel)

    @staticmethod
    def events_of(made: Iterable[Made]) -> dict[Stream, int]:
        """Events expected of ``made``, by stream."""
        total: Counter[Stream] = Counter()
        for one in made:
            total.update(one.events)
        return {stream: total[stream] for stream in Stream}


def planted_page(simulation: Simulation) -> str:
    """``PLANTED.md``: every planted defect with place, value and what is expected to happen."""
    rows = "\n".join(_row(planted) for planted in simulation.planted)
    events = ", ".join(f"{count} {stream.value}" for stream, count in simulation.events.items())
    return f"""# What is wrong in here on purpose

Seed {simulation.seed}: {simulation.lines} lines in {simulation.documents} documents, expected to give {events} events.
Each row below leads to its findings and holds back what it says, and nothing else.

| defect | file | place | value | findings | effect | story |
|---|---|---|---|---|---|---|
{rows}
"""


def _row(planted: Planted) -> str:
    codes = ", ".join(_code(finding.code) for finding in planted.findings) or "none"
    what = (planted.name, _code(planted.file), planted.place, _code(planted.value), codes)
    return f"| {' | '.join((*what, planted.effect.value, planted.story))} |"


def _code(text: str) -> str:
    return f"`{text}`" if text else "none"
