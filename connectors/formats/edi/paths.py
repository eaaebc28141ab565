"""The path notation of EDI and its check against a grammar.

=================  ==============================================================
``PO107``          element 07 of the first PO1
``PO103-2``        its second component
``N1[ST]04``       element 04 of the N1 whose element 01 is ST (HL: whose element 03)
``LIN[VN]``        the product id that follows the qualifier VN in a LIN
``N1[ST]/N402``    element 02 of the N4 in the loop that such an N1 opens
``ACK[04=067]05``  element 05 of the ACK whose element 04 is 067; several conditions
                   are set apart by commas, as in ``SHP[02,03=050]02``
=================  ==============================================================

EDIFACT is written the same way. What stands in brackets is compared with the first component of its element,
a path without a component means the first one, and ids are where LIN, PIA and their like name their kind:

===================  ============================================================
``DTM[137]01-2``     second component of the DTM whose first one is 137
``NAD[ST]02``        the party of the NAD whose element 01 is ST
``LIN[EN]``          the item number of kind EN in a LIN; ``PIA[SA]`` in a PIA
``PIA[01=1,IN]``     the same, in the PIA whose element 01 is 1
``NAD[ST]/LOC02``    element 02 of a LOC in the group that such a NAD opens
===================  ============================================================

A line is named by its loop: ``PO1``, ``HL[I]``, ``LIN/FST``. Where several loops may hold the lines of
one parent they are all named: ``LIN/FST | LIN/SDP/FST``. Of loops with different first segments
those that stand first in their parent make its lines, and the parent named last
is a line itself where it holds none: ``PO1/ACK | PO1/SCH | PO1``. In ``PO1/ACK(02)`` an ACK makes a line
of its own only if it and the one before it have an element 02; else it says more of the line before.
In ``LIN/FST by SDQ(03,04)`` each line is shared out by its SDQ segments: there is a line for the elements 03 and 04
of such a segment, one for 05 and 06, and so on; a path ``SDQ04`` leads to each one's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

from connectors.formats.edi.grammar import Composite, Grammar, Part, Segment, TransactionSet
from schemas.errors import ConfigError

_STEP = re.compile(r"(?P<id>[A-Z][A-Z0-9]{1,2})(?:\[(?P<qualifier>[^\]/]+)\])?(?:\((?P<counts>\d{2})\))?")
_PLACE = re.compile(
    r"(?P<id>[A-Z][A-Z0-9]{1,2}?)(?:\[(?P<qualifier>[^\]/]+)\])?(?P<element>\d{2})?(?:-(?P<component>\d{1,2}))?"
)
_SHARING = re.compile(r"(?P<line>.+) by (?P<id>[A-Z][A-Z0-9]{1,2})\((?P<first>\d{2}),(?P<second>\d{2})\)")
_CONDITION = re.compile(r"(?:(?P<element>\d{2})=)?(?P<code>[^=]+)")


@dataclass(frozen=True, slots=True)
class Loop:
    """A step of a path: the loop opened by segment ``id``, of the given qualifier if there is one."""

    id: str
    qualifier: str | None = None
    counts: int = 0  #: the element without which it says more of the loop before it


@dataclass(frozen=True, slots=True)
class Place:
    """A path taken apart. ``element`` counts from 1; 0 stands for the id after the pair qualifier ``qualifier``."""

    text: str
    loops: tuple[Loop, ...]
    id: str
    qualifier: str | None
    element: int
    component: int = 0  #: from 1; 0: the whole element
    when: tuple[tuple[int, str], ...] = ()  #: further elements, and what must stand there


@dataclass(frozen=True, slots=True)
class Sharing:
    """The segment by which a line is shared out, and where the first of its pairs of elements stands."""

    id: str
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class LineLoops:
    """Where lines begin: the chain of parts from the set to the line's loop, and what may stand in its stead.

    ``others`` are chains to loops inside the same parent. ``bare``: a parent without any line is one itself.
    ``counts`` is the element that tells a further line from more about the one before; 0 where each loop is a line.
    """

    chain: tuple[Part, ...]
    qualifier: str | None = None
    others: tuple[tuple[Part, ...], ...] = ()
    bare: bool = False
    counts: int = 0
    shares: Sharing | None = None


def qualifier_position(segment_id: str) -> int:
    """Which element names a segment's kind: HL03 for an HL, else element 01."""
    return 3 if segment_id == "HL" else 1


def read_loop(text: str) -> tuple[Loop, ...]:
    """``HL[I]`` or ``PO1/SCH`` taken apart; empty when it cannot be read."""
    steps = [_STEP.fullmatch(step) for step in text.split("/")]
    loops = tuple(Loop(step["id"], step["qualifier"], int(step["counts"] or 0)) for step in steps if step)
    return loops if all(steps) else ()


def read_place(text: str) -> Place | None:
    """A path taken apart, or None when it is not in the notation."""
    *steps, last = text.split("/")
    loops = read_loop("/".join(steps)) if steps else ()
    match = _PLACE.fullmatch(last)
    if match is None or (steps and not loops):
        return None
    element = int(match["element"] or 0)
    if not element and (match["qualifier"] is None or match["component"]):
        return None
    if match["element"] == "00":
        return None
    conditions = [_CONDITION.fullmatch(one) for one in (match["qualifier"] or "").split(",") if one]
    usual = [one["code"] for one in conditions if one and not one["element"]]
    when = tuple((int(one["element"]), one["code"]) for one in conditions if one and one["element"])
    if not all(conditions) or len(usual) > 1 or any(not at for at, _ in when):
        return None
    if not element and not usual:
        return None
    qualifier = usual[0] if usual else None
    return Place(text, loops, match["id"], qualifier, element, int(match["component"] or 0), when)


def check_paths(
    grammar: Grammar, set_: TransactionSet, line: str, paths: Iterable[str]
) -> tuple[LineLoops, tuple[Place, ...]]:
    """Where lines begin, and all paths taken apart.

    Raises ConfigError with one problem for each path the grammar knows no place for.
    """
    problems: list[str] = []
    loops = _line_loops(set_, line, problems)
    places = []
    for path in paths:
        place = read_place(path)
        if place and place.element and not place.component and grammar.standard.leading:
            place = replace(place, component=1)
        problem = _problem(grammar, set_, path, place)
        if problem:
            problems.append(problem)
        elif place:
            places.append(place)
    if problems:
        raise ConfigError(f"{grammar.standard.name}.{set_.id}: wrong paths", problems=tuple(problems))
    return loops, tuple(places)


def find_loop(set_: TransactionSet, ids: tuple[str, ...]) -> tuple[Part, ...] | None:
    """The parts that lead to the outermost loop whose last steps are ``ids``; the set itself for no ids."""
    if not ids:
        return (set_.root,)
    chains = sorted((chain for chain in set_.root.walk() if chain[-1].loop), key=len)
    return next((c for c in chains if tuple(part.id for part in c)[-len(ids) :] == ids), None)


def _line_loops(set_: TransactionSet, line: str, problems: list[str]) -> LineLoops:
    loops, _, _ = line.partition(" by ")
    first, *more = (one.strip() for one in loops.split("|"))
    chain, qualifier = _line_chain(set_, first, problems)
    others = []
    bare = False
    for one in more:
        other, _ = _line_chain(set_, one, problems)
        if bare or len(other) < len(chain) - (other == chain[:-1]) or other[: len(chain) - 1] != chain[:-1]:
            problems.append(f"line: '{one}' is no loop inside {chain[-2].id}, nor {chain[-2].id} itself at the end")
        elif other == chain[:-1]:
            bare = True
        else:
            others.append(other)
    if bare and (len(chain) < 3 or chain[-2].id == "HL"):
        problems.append(f"line: '{more[-1]}' cannot be a line beside '{first}'")
    counts = max((step.counts for step in read_loop(first)), default=0) if first else 0
    around = chain[-2] if bare else chain[-1]
    return LineLoops(chain, qualifier, tuple(others), bare, counts, _sharing(line, around, problems))


def _sharing(line: str, around: Part, problems: list[str]) -> Sharing | None:
    """What stands behind ``by``; the segment must stand inside the loop that is a line."""
    if " by " not in line:
        return None
    found = _SHARING.fullmatch(line)
    sharing = Sharing(found["id"], int(found["first"]), int(found["second"])) if found else None
    if sharing is None or sharing.second != sharing.first + 1:
        problems.append(f"line: '{line}' does not say by which elements; write LIN/FST by SDQ(03,04)")
    elif not any(member.id == sharing.id and not member.loop for member in around.members):
        problems.append(f"line: no {sharing.id} stands in {around.id}")
    return sharing


def _line_chain(set_: TransactionSet, line: str, problems: list[str]) -> tuple[tuple[Part, ...], str | None]:
    steps = read_loop(line) if line else ()
    chain = find_loop(set_, tuple(step.id for step in steps)) if steps or not line else None
    if chain is not None:
        return chain, steps[-1].qualifier if steps else None
    known = sorted({chain[-1].id for chain in set_.root.walk() if chain[-1].loop})
    problems.append(f"line: {set_.id} has no loop '{line}'{_nearest(line, known)}")
    return (set_.root,), None


@cache
def _named_in(set_: TransactionSet) -> tuple[frozenset[str], frozenset[str]]:
    """The ids of its segments, and of its loops."""
    chains = list(set_.root.walk())
    return frozenset(chain[-1].id for chain in chains), frozenset(chain[-1].id for chain in chains if chain[-1].loop)


def _problem(grammar: Grammar, set_: TransactionSet, path: str, place: Place | None) -> str:
    if place is None:
        return f"'{path}' is no path; write PO107, PO103-2, N1[ST]04, LIN[VN] or N1[ST]/N402"
    used, loops = _named_in(set_)
    for loop in place.loops:
        if loop.id not in loops:
            return f"'{path}': {set_.id} has no loop {loop.id}{_nearest(loop.id, sorted(loops))}"
    if place.id not in used:
        return f"'{path}': {set_.id} has no segment {place.id}{_nearest(place.id, sorted(used))}"
    segment = grammar.segments[place.id]
    if place.element > len(segment.uses):
        return f"'{path}': {place.id} ends with {place.id}{len(segment.uses):02d}"
    if not place.element and not segment.pairs:
        return f"'{path}': {place.id} holds no qualifier/id pairs; add the element, as in {path}02"
    leading = grammar.standard.leading
    for at, _ in place.when:
        if at > len(segment.uses) or (not leading and isinstance(segment.uses[at - 1].element, Composite)):
            return f"'{path}': {place.id}{at:02d} is no simple element"
    return "" if leading and place.component == 1 else _component_problem(segment, place)


def _component_problem(segment: Segment, place: Place) -> str:
    if not place.component:
        return ""
    element = segment.uses[place.element - 1].element
    if not isinstance(element, Composite):
        return f"'{place.text}': {place.id}{place.element:02d} has no components"
    if place.component > len(element.uses):
        return f"'{place.text}': {place.id}{place.element:02d} ends with component {len(element.uses)}"
    return ""


def _nearest(word: str, known: list[str]) -> str:
    from rapidfuzz import process

    found = process.extractOne(word, known)
    return f"; did you mean {found[0]}?" if found and found[1] >= 40 else f"; known: {', '.join(known[:20])}"
