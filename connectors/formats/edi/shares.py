"""Lines that are shared out among places: the destination quantities (SDQ) of an X12 item.

Such a segment names a unit, then place and quantity by turns. Each pair makes a line of its own, which
is like the line it shares out in everything else. What is wrong with the one is wrong with all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from connectors.formats.edi.findings import Spot, shared_findings
from connectors.formats.edi.lines import Lines, Scope, Values
from connectors.formats.edi.machine import Move
from schemas.findings import Finding

if TYPE_CHECKING:
    from connectors.formats.edi.body import Body

MOST_SHARES = 5_000  #: places one line is shared out among: as many as the standard allows in an 850
_MOST_TOLD = 20  #: findings on a line that its shares are told


class Shares:
    """The places that the open line, or the loop around lines that may be one, is shared out among."""

    def __init__(self) -> None:
        self.waiting: list[Values] = []  #: by slot, what each of them says
        self.told: list[Finding] = []  #: what is wrong with the open line

    def note(self, findings: Sequence[Finding]) -> None:
        """These are about the open line."""
        self.told += findings[: _MOST_TOLD - len(self.told)]

    def take(self, body: Body, move: Move, elements: Sequence[str], offset: int, length: int) -> Iterator[Finding]:
        """The pairs of a segment; and what keeps them from making lines."""
        sharing = body.machine.plan.shares
        assert sharing is not None, "only asked where lines are shared out"
        if move.level == body.deepest - 1 and body.kind:
            yield beside(body, move.spec.id, offset, length)
            return
        if not (body.line_open if move.level == body.deepest else body.around is not None):
            return
        uses, at = move.spec.uses, sharing.first
        starts = (n for n in range(at, len(uses), 2) if uses[n - 1].element is uses[at - 1].element)
        for start in starts:
            pair = elements[start : start + 2]
            if not any(pair):
                continue
            if len(self.waiting) == MOST_SHARES:
                spot = Spot(body.number, offset, length, body.line if body.line_open else None)
                message = f"this line is shared out among more than {MOST_SHARES:,} places"
                yield body.dialect.segment_finding(
                    "line.shares", message, move.spec.id, spot, expected=f"at most {MOST_SHARES:,}"
                )
                return
            shifted = [*elements[:at], *pair, *elements[at + len(pair) :]]
            values = ((one.slot, body.value_of(one, move.spec, shifted).rstrip(" ")) for one in move.captures)
            self.waiting.append({slot: value for slot, value in values if value})

    def begin(self, lines: Lines, parent: Scope, segment: int, offset: int, end: int) -> None:
        """The lines of a loop that is one itself: one for each share, or just one."""
        for values in self.waiting or [{}]:
            lines.begin(parent, segment, offset)
            lines.ends.append(end)
            for slot, value in values.items():
                lines.put(slot, value)
        self.waiting.clear()

    def end_line(self, lines: Lines) -> list[Finding]:
        """The line begun last has ended: it becomes the first of its shares, and the others follow.

        What is wrong with it holds back each that follows.
        """
        first, *others = self.waiting or [{}]
        own = lines.newest() if others else {}
        told = len(self.told)
        for slot, value in first.items():
            lines.put(slot, value)
        for values in others:
            lines.again()
            for slot, value in (own | values).items():
                lines.put(slot, value)
        found = [*shared_findings(self.told, lines.count - len(others), lines.count)][told:]
        self.waiting.clear()
        self.told.clear()
        return found


def beside(body: Body, id_: str, offset: int, length: int) -> Finding:
    """One segment says where the quantity is to go, another loop when: nothing says what is to be where when."""
    return body.dialect.segment_finding(
        "line.shares", f"beside {body.kind} the places of {id_} are not taken: it is not said what goes there when",
        id_, Spot(body.number, offset, length), expected=f"{id_} or {body.kind}",
    )  # fmt: skip
