"""What is agreed with one partner beyond the standard: rows that tighten a set's grammar, and rows that relax it.

=======================  =======  =====================================================================
``need N1``              tighten  a segment or loop that must stand there; paths as in ``grammar``
``need BEG07``           tighten  an element that must be filled
``drop PO1/SDQ``         tighten  a segment or loop that may not stand there
``max PO1/PID 5``        both     how often it may: fewer times tightens, more often relaxes
``length REF02 10``      both     how long an element may be: shorter tightens, longer relaxes
``codes BEG01 00 05``    both     tightens: only these; relaxes: these as well
``free CTT``             relax    what must not stand there, or need not be filled (``free BEG04``)
``after BEG: NTE O 9``   relax    a segment that may stand there too; one that begins with Z may be the partner's own
``note PO1 P0607``       relax    a syntax note that does not hold
=======================  =======  =====================================================================

A component is written as in paths: ``codes DTM01-3 102 203``. An element's rows hold wherever its segment stands
in the set. Rows that a version has no place for say nothing there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.formats.edi.grammar import (
    UNLIMITED,
    Composite,
    Element,
    Grammar,
    Part,
    Segment,
    TransactionSet,
    Use,
    amended,
)
from schemas.errors import ConfigError

_ELEMENT = re.compile(r"(?P<id>[A-Z][A-Z0-9]{1,2}?)(?P<position>\d{2})(?:-(?P<component>\d{1,2}))?")
_VERBS = {"need": "tighten", "drop": "tighten", "free": "relax", "after": "relax", "note": "relax"}
_OWN_ELEMENTS = 30  #: of a segment that is the partner's own
_ANYTHING = Element("", "AN", 1, UNLIMITED, "an element of the partner's own")


@dataclass(frozen=True, slots=True)
class Agreed:
    """The rows of one document type in a partner's file."""

    tighten: tuple[str, ...] = ()
    relax: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.tighten or self.relax)

    def rows(self) -> Iterator[tuple[str, str]]:
        """(whether it tightens or relaxes, row)."""
        yield from (("tighten", row) for row in self.tighten)
        yield from (("relax", row) for row in self.relax)


def agreed_in(options: Mapping[str, object]) -> Agreed:
    """The rows among a mapping's options."""
    rows = (options.get(name) for name in ("tighten", "relax"))
    tighten, relax = (tuple(map(str, given)) if isinstance(given, list | tuple) else () for given in rows)
    return Agreed(tighten, relax)


def check_agreed(base: Grammar, others: Iterable[Grammar], set_id: str, agreed: Agreed) -> None:
    """Raises ConfigError with one problem for each row that no version can take, or that does the other thing."""
    problems = []
    for direction, row in agreed.rows():
        try:
            base = _with(base, set_id, direction, row)
        except _Wrong as wrong:
            if not any(_fits(other, set_id, direction, row) for other in others):
                problems.append(f"{direction}: '{row}': {wrong}")
    if problems:
        raise ConfigError(f"{base.standard.name}.{set_id}: wrong agreement", problems=tuple(problems))


def _fits(grammar: Grammar, set_id: str, direction: str, row: str) -> bool:
    try:
        _with(grammar, set_id, direction, row)
    except _Wrong:
        return False
    return True


def as_agreed(grammar: Grammar, set_id: str, agreed: Agreed) -> Grammar:
    """The grammar of any version as agreed; a row that means nothing in it is passed over."""
    for direction, row in agreed.rows():
        try:
            grammar = _with(grammar, set_id, direction, row)
        except _Wrong:
            continue
    return grammar


class _Wrong(Exception):
    """What is wrong with a row."""


def _with(grammar: Grammar, set_id: str, direction: str, row: str) -> Grammar:
    verb, _, rest = row.strip().partition(" ")
    place, *words = rest.replace(":", " ", 1).split() or [""]
    if verb not in ("need", "drop", "max", "length", "codes", "free", "after", "note") or not place:
        raise _Wrong("write need, drop, max, length, codes, free, after or note, and a place")
    if _VERBS.get(verb, direction) != direction:
        raise _Wrong(f"{verb} would {_VERBS[verb]}")
    element = None if place in _paths(grammar.sets[set_id].root) else _ELEMENT.fullmatch(place)
    if verb == "note":
        return _of_segment(grammar, place, _without_note(grammar, place, words))
    if element is None and verb in ("codes", "length"):
        raise _Wrong(f"{place} is no element")
    if element is not None:
        return _of_element(grammar, verb, direction, element, words)
    return _of_place(grammar, set_id, direction, place, row)


def _paths(root: Part) -> dict[str, Part]:
    """Every place of a set by its path; of several with one path the first."""
    found: dict[str, Part] = {}
    for chain in root.walk():
        found.setdefault("/".join(part.id for part in chain[1:]), chain[-1])
    return found


def _of_place(grammar: Grammar, set_id: str, direction: str, place: str, row: str) -> Grammar:
    verb, set_ = row.split(maxsplit=1)[0], grammar.sets[set_id]
    part = _paths(set_.root).get(place)
    if part is None:
        raise _Wrong(f"{set_id} has no {place}")
    if verb == "max":
        _, _, most = row.rpartition(" ")
        if not most.isdigit():
            raise _Wrong("how often? write a number")
        _directed(direction, int(most), part.most)
    elif verb == "after":
        id_ = (row.partition(":")[2].split() or [""])[0]
        if id_.startswith("Z") and id_ not in grammar.segments:
            own = Segment(id_, (Use(_ANYTHING, required=False),) * _OWN_ELEMENTS)
            grammar = replace(grammar, segments={**grammar.segments, id_: own})
        if id_ not in grammar.segments:
            raise _Wrong(f"there is no segment {id_ or 'named'}")
        if not re.match(rf"\s*{id_}\s+O\b", row.partition(":")[2].replace(" C", " O", 1)):
            raise _Wrong("what may stand there too is optional: write O")
    elif (verb == "need") == part.required and verb != "drop":
        raise _Wrong(f"{place} is {'mandatory' if part.required else 'optional'} anyway")
    elif verb == "drop" and part.required:
        raise _Wrong(f"{place} is mandatory: to leave it out would relax")
    try:
        root = amended(set_.root, row, set_id)
    except ConfigError as error:
        raise _Wrong(error.message) from None
    changed = TransactionSet(set_.id, set_.group, set_.name, root)
    return replace(grammar, sets={**grammar.sets, set_id: changed})


def _of_element(grammar: Grammar, verb: str, direction: str, place: re.Match[str], words: Sequence[str]) -> Grammar:
    segment = grammar.segments.get(place["id"])
    position, component = int(place["position"]), int(place["component"] or 0)
    if segment is None or not 0 < position <= len(segment.uses):
        raise _Wrong(f"there is no {place[0]}")
    use = segment.uses[position - 1]
    if isinstance(use.element, Composite) and component:
        if component > len(use.element.uses):
            raise _Wrong(f"there is no {place[0]}")
        inner = list(use.element.uses)
        inner[component - 1] = _changed(inner[component - 1], verb, direction, words, place[0])
        use = replace(use, element=replace(use.element, uses=tuple(inner)))
    else:
        use = _changed(use, verb, direction, words, place[0])
    uses = (*segment.uses[: position - 1], use, *segment.uses[position:])
    return _of_segment(grammar, segment.id, replace(segment, uses=uses))


def _changed(use: Use, verb: str, direction: str, words: Sequence[str], place: str) -> Use:
    """The use of an element as the row wants it."""
    element = use.element
    if verb in ("need", "free"):
        if use.required == (verb == "need"):
            raise _Wrong(f"{place} is {'mandatory' if use.required else 'optional'} anyway")
        return replace(use, required=verb == "need")
    if isinstance(element, Composite):
        raise _Wrong(f"{place} is a composite: name a component, as in {place}-1")
    if verb == "length":
        if len(words) != 1 or not words[0].isdigit() or int(words[0]) < 1:
            raise _Wrong("how long? write a number")
        _directed(direction, int(words[0]), element.most)
        most = int(words[0])
        return replace(use, element=replace(element, least=min(element.least, most), most=most))
    if verb == "codes" and words:
        given = frozenset(words)
        if direction == "relax" and element.codes is None:
            raise _Wrong(f"every code of {place} is allowed anyway")
        if direction == "tighten":
            if element.codes is not None and element.whole and not given <= element.codes:
                raise _Wrong(f"{', '.join(sorted(given - element.codes))} would relax")
            return replace(use, element=replace(element, codes=given, whole=True))
        return replace(use, element=replace(element, codes=given | (element.codes or frozenset())))
    raise _Wrong(f"{verb} is not said of an element" if words or verb != "codes" else "which codes?")


def _without_note(grammar: Grammar, id_: str, words: Sequence[str]) -> Segment:
    segment = grammar.segments.get(id_)
    if segment is None or len(words) != 1:
        raise _Wrong("write a segment and one of its syntax notes, as in note PO1 P0607")
    kept = tuple(note for note in segment.notes if str(note) != words[0])
    if len(kept) == len(segment.notes):
        raise _Wrong(f"{id_} has no note {words[0]}; it has {', '.join(map(str, segment.notes)) or 'none'}")
    return replace(segment, notes=kept)


def _directed(direction: str, wanted: int, standard: int) -> None:
    if (wanted < standard) != (direction == "tighten") or wanted == standard:
        shown = "no limit" if standard >= UNLIMITED else standard
        raise _Wrong(f"the standard says {shown}: that would {'relax' if wanted > standard else 'tighten'}")


def _of_segment(grammar: Grammar, id_: str, segment: Segment) -> Grammar:
    return replace(grammar, segments={**grammar.segments, id_: segment})
