"""The path notation of X12 and its check against a grammar.

=================  ==============================================================
``PO107``          element 07 of the first PO1
``PO103-2``        its second component
``N1[ST]04``       element 04 of the N1 whose element 01 is ST (HL: whose element 03)
``LIN[VN]``        the product id that follows the qualifier VN in a LIN
``N1[ST]/N402``    element 02 of the N4 in the loop that such an N1 opens
=================  ==============================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz import process

from connectors.formats.edi.grammar import Composite, Grammar, Part, Segment, TransactionSet
from schemas.errors import ConfigError

_STEP = re.compile(r"(?P<id>[A-Z][A-Z0-9]{1,2})(?:\[(?P<qualifier>[^\]/]+)\])?")
_PLACE = re.compile(
    r"(?P<id>[A-Z][A-Z0-9]{1,2}?)(?:\[(?P<qualifier>[^\]/]+)\])?(?P<element>\d{2})?(?:-(?P<component>\d{1,2}))?"
)


@dataclass(frozen=True, slots=True)
class Loop:
    """A step of a path: the loop opened by segment ``id``, of the given qualifier if there is one."""

    id: str
    qualifier: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A path taken apart. ``element`` counts from 1; 0 stands for the id after the pair qualifier ``qualifier``."""

    text: str
    loops: tuple[Loop, ...]
    id: str
    qualifier: str | None
    element: int
    component: int = 0  #: from 1; 0: the whole element


def qualifier_position(segment_id: str) -> int:
    """Which element names a segment's kind: HL03 for an HL, else element 01."""
    return 3 if segment_id == "HL" else 1


def read_loop(text: str) -> tuple[Loop, ...]:
    """``HL[I]`` or ``PO1/SCH`` taken apart; empty when it cannot be read."""
    steps = [_STEP.fullmatch(step) for step in text.split("/")]
    return tuple(Loop(step["id"], step["qualifier"]) for step in steps if step) if all(steps) else ()


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
    return Place(text, loops, match["id"], match["qualifier"], element, int(match["component"] or 0))


def check_paths(
    grammar: Grammar, set_: TransactionSet, line: str, paths: Iterable[str]
) -> tuple[tuple[Part, ...], str | None, tuple[Place, ...]]:
    """The chain of parts to the line's loop, that loop's qualifier, and all paths taken apart.

    Raises ConfigError with one problem for each path the grammar knows no place for.
    """
    problems: list[str] = []
    chain, qualifier = _line_chain(set_, line, problems)
    places = []
    for path in paths:
        place = read_place(path)
        problem = _problem(grammar, set_, path, place)
        if problem:
            problems.append(problem)
        elif place:
            places.append(place)
    if problems:
        raise ConfigError(f"x12.{set_.id}: wrong paths", problems=tuple(problems))
    return chain, qualifier, tuple(places)


def find_loop(set_: TransactionSet, ids: tuple[str, ...]) -> tuple[Part, ...] | None:
    """The parts that lead to the outermost loop whose last steps are ``ids``; the set itself for no ids."""
    if not ids:
        return (set_.root,)
    chains = sorted((chain for chain in set_.root.walk() if chain[-1].loop), key=len)
    return next((c for c in chains if tuple(part.id for part in c)[-len(ids) :] == ids), None)


def _line_chain(set_: TransactionSet, line: str, problems: list[str]) -> tuple[tuple[Part, ...], str | None]:
    steps = read_loop(line) if line else ()
    chain = find_loop(set_, tuple(step.id for step in steps)) if steps or not line else None
    if chain is not None:
        return chain, steps[-1].qualifier if steps else None
    known = sorted({chain[-1].id for chain in set_.root.walk() if chain[-1].loop})
    problems.append(f"line: {set_.id} has no loop '{line}'{_nearest(line, known)}")
    return (set_.root,), None


def _problem(grammar: Grammar, set_: TransactionSet, path: str, place: Place | None) -> str:
    if place is None:
        return f"'{path}' is no path; write PO107, PO103-2, N1[ST]04, LIN[VN] or N1[ST]/N402"
    used = {chain[-1].id for chain in set_.root.walk()}
    loops = {chain[-1].id for chain in set_.root.walk() if chain[-1].loop}
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
    return _component_problem(segment, place)


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
    found = process.extractOne(word, known)
    return f"; did you mean {found[0]}?" if found and found[1] >= 40 else f"; known: {', '.join(known[:20])}"
