"""Grammars: what a standard allows, read from the tables in ``schemas/x12`` and ``schemas/edifact``.

``elements.yaml``, ``segments.yaml`` and ``sets/*.yaml`` describe the base version (004010; D96A). A file named
after another version (``003040.yaml``, ``D01B.yaml``) says only what differs there. The notation of each
table is explained at its head.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from schemas.errors import ConfigError

_SCHEMAS = Path(__file__).resolve().parents[3] / "schemas"
BASE_VERSION = "004010"
UNLIMITED = 1_000_000_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Standard:
    """A standard: its tables, the version they describe, and what stands around its documents."""

    name: str
    tables: Path
    base: str
    opens: str
    closes: str
    enders: tuple[str, ...]  #: segments that end a document although its last one has not come
    leading: bool  #: a segment's kind is told by the first component of an element, not by a whole one
    code_lists: tuple[str, ...] = ()  #: elements of composites that name the code list of the other ones


X12 = Standard("x12", _SCHEMAS / "x12", BASE_VERSION, "ST", "SE", ("ST", "GE", "GS", "IEA"), False)
EDIFACT = Standard(
    "edifact", _SCHEMAS / "edifact", "D96A", "UNH", "UNT", ("UNH", "UNE", "UNG", "UNZ", "UNB"), True, ("1131", "3055")
)


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """A simple data element. ``codes`` is None where the list is open or kept by somebody else.

    ``whole`` is False where the list has grown since it was known as a whole, so that another code may be right.
    """

    number: str
    type: str  #: AN, ID, DT, TM, R, B or N0 to N9 (implied decimals); of EDIFACT a, n, an
    least: int
    most: int
    name: str = ""
    codes: frozenset[str] | None = None
    whole: bool = True

    @property
    def decimals(self) -> int:
        """Implied decimals of an N element, else 0."""
        return int(self.type[1:]) if self.type[0] == "N" else 0


@dataclass(frozen=True, slots=True)
class Note:
    """A syntax note (X12.6): ``P0607`` and its kin; ``positions`` count from 1."""

    kind: str
    positions: tuple[int, ...]

    def __str__(self) -> str:
        return self.kind + "".join(f"{p:02d}" for p in self.positions)


@dataclass(frozen=True, slots=True, eq=False)
class Composite:
    """A composite data element and its components.

    ``lists`` are the indices of components that, when filled, say whose code list the others are from (EDIFACT 1131 and
    3055).
    """

    number: str
    uses: tuple[Use, ...]
    notes: tuple[Note, ...] = ()
    lists: tuple[int, ...] = ()

    def element(self, index: int, filled: Sequence[object]) -> Element:
        """The element at ``index``; without its codes where one of the ``filled`` components says that they are
        another's."""
        element = self.uses[index].element
        assert isinstance(element, Element), "composites hold simple elements"
        named = any(filled[at] for at in self.lists if at < len(filled))
        return _without_codes(element) if named and element.codes is not None and index not in self.lists else element


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """One position of a segment or composite."""

    element: Element | Composite
    required: bool
    repeat: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A segment: its positions, syntax notes, and where its qualifier/id pairs stand.

    In X12 ``pairs`` are the indices of the qualifiers, each before its id; in EDIFACT of the composites
    whose first component is an id and whose second names its kind.
    """

    id: str
    uses: tuple[Use, ...]
    notes: tuple[Note, ...] = ()
    pairs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A place in a transaction set: a segment, or a loop that this segment opens.

    ``most`` is the maximum use of a segment or the maximum repeat of a loop. ``members`` are the
    places of the loop after its first segment; empty for a plain segment.
    """

    id: str
    required: bool
    most: int
    loop: bool = False
    members: tuple[Part, ...] = ()

    def walk(self, path: tuple[Part, ...] = ()) -> Iterator[tuple[Part, ...]]:
        """Every place below and including this one, as the chain that leads to it."""
        here = (*path, self)
        yield here
        for member in self.members:
            yield from member.walk(here)


@dataclass(frozen=True, slots=True, eq=False)
class TransactionSet:
    """A transaction set or message: ``root`` is the loop of ST or UNH, its last member SE or UNT."""

    id: str
    group: str
    name: str
    root: Part


@dataclass(frozen=True, slots=True, eq=False)
class Grammar:
    """All that is known of one version."""

    version: str
    segments: Mapping[str, Segment]
    sets: Mapping[str, TransactionSet]
    standard: Standard = X12


@cache
def known_versions() -> tuple[str, ...]:
    """The versions with a table of their own, oldest first."""
    overlays = (path.stem for path in X12.tables.glob("0*.yaml"))
    return tuple(sorted({BASE_VERSION, *overlays}))


def nearest_version(wanted: str) -> str:
    """The newest known version not after ``wanted``, else the oldest known; the base where ``wanted`` is no version."""
    release = wanted[:6]
    if not re.fullmatch(r"\d{6}", release):
        return BASE_VERSION
    earlier = [version for version in known_versions() if version <= release]
    return earlier[-1] if earlier else known_versions()[0]


@cache
def load_grammar(version: str, standard: Standard = X12) -> Grammar:
    """The grammar of a known ``version``. Raises ConfigError where a table is wrong."""
    tables = standard.tables
    base = _read(tables / "elements.yaml"), _read(tables / "segments.yaml")
    overlay = _overlay(version, standard)
    listed, grown = _read(tables / "codes.yaml"), overlay["grown"]
    codes = {number: _spelt(text, listed) for number, text in (listed | overlay["codes"]).items()}
    texts = base[0]["elements"] | overlay["elements"]
    elements = {number: _element(number, text, codes, whole=number not in grown) for number, text in texts.items()}
    composites: dict[str, Composite] = {}
    for number, text in (base[0]["composites"] | overlay["composites"]).items():
        uses, notes = _uses(text, elements, composites, number)
        lists = tuple(i for i, use in enumerate(uses) if use.element.number in standard.code_lists)
        composites[number] = Composite(number, uses, notes, lists)
    segments = {}
    for id_, text in (base[1] | overlay["segments"]).items():
        uses, notes = _uses(text, elements, composites, id_)
        segments[id_] = Segment(id_, uses, notes, _pairs(uses))
    sets = {}
    changes = overlay["sets"]
    for path in sorted((tables / "sets").glob("*.yaml")):
        table = _read(path)
        root = _table_root(standard, table)
        for change in changes.get(table["set"], ()):
            where = f"{version}.yaml: sets.{table['set']}"
            root = _set_root(change, where, standard.opens) if "\n" in change else amended(root, change, where)
        sets[table["set"]] = TransactionSet(table["set"], table["group"], table["name"], root)
    _check(standard, version, segments, sets)
    return Grammar(version, segments, sets, standard)


def _table_root(standard: Standard, table: Mapping[str, Any]) -> Part:
    """The root of a set in the base version; ``like`` names the set that it differs from by ``changes``."""
    where = f"{table['set']}.yaml"
    if "like" not in table:
        return _set_root(table["table"], where, standard.opens)
    root = _table_root(standard, _read(standard.tables / "sets" / f"{table['like']}.yaml"))
    for change in table["changes"]:
        root = amended(root, change, where)
    return root


def _overlay(version: str, standard: Standard) -> dict[str, dict[str, Any]]:
    """What differs from the base version; ``like`` names a version whose differences hold as well.

    The changes of a set are rows for ``amended``, in order; or a whole table in place of it. ``grown`` are the elements
    that may have more codes than those listed.
    """
    parts = ("codes", "grown", "elements", "composites", "segments", "sets")
    if version == standard.base:
        return {part: {} for part in parts}
    table = _read(standard.tables / f"{version}.yaml")
    table["grown"] = dict.fromkeys((table.get("grown") or "").split())
    below = _overlay(table.get("like") or standard.base, standard)
    found = {part: below[part] | (table.get(part) or {}) for part in parts}
    for set_, changes in (table.get("sets") or {}).items():
        found["sets"][set_] = [*below["sets"].get(set_, ()), *changes]
    return found


def _read(path: Path) -> dict[str, Any]:
    table: dict[str, Any] = yaml.load(path.read_text("utf-8"), Loader=_LOADER)  # noqa: S506 - a safe loader
    return table


def _element(number: str, text: str, codes: Mapping[str, str], *, whole: bool) -> Element:
    type_, least, most, *name = text.split(None, 3)
    listed = _listed(codes[number]) if number in codes else None
    return Element(number, type_, int(least), int(most), name[0] if name else "", listed, whole)


def _spelt(text: str, listed: Mapping[str, str]) -> str:
    """``+98`` stands for all codes of that list in the base version, ``+EANCOM`` for a list that many share."""
    return " ".join(listed[word[1:]] if word[0] == "+" else word for word in text.split())


@cache
def _listed(text: str) -> frozenset[str]:
    """Codes set apart by blanks; ``08..11`` stands for 08 09 10 11, ``AAC..AAE`` for AAC AAD AAE."""
    codes: set[str] = set()
    for word in text.split():
        first, dots, last = word.partition("..")
        if not dots:
            codes.add(first)
        elif first.isdigit():
            codes.update(f"{number:0{len(first)}}" for number in range(int(first), int(last) + 1))
        else:
            codes.update(first[:-1] + chr(letter) for letter in range(ord(first[-1]), ord(last[-1]) + 1))
    return frozenset(codes)


@lru_cache(maxsize=1024)
def _without_codes(element: Element) -> Element:
    return replace(element, codes=None)


_REPEATED = re.compile(r"(\d+)x\(([^)]*)\)")
_NOTE = re.compile(r"([PRECL])((?:\d\d){2,})")


def _uses(
    text: str, elements: Mapping[str, Element], composites: Mapping[str, Composite], where: str
) -> tuple[tuple[Use, ...], tuple[Note, ...]]:
    """``350 330! 2x(235 234) C040^5 | P0304``, as the head of ``segments.yaml`` explains it."""
    positions, _, notes = text.partition("|")
    spread = _REPEATED.sub(lambda m: " ".join([m[2]] * int(m[1])), positions)
    uses = []
    for token in spread.split():
        number, _, repeat = token.partition("^")
        required = number.endswith("!")
        number = number.rstrip("!")
        known = composites.get(number) or elements.get(number)
        if known is None:
            raise ConfigError(f"{where}: element {number} is not in elements.yaml")
        uses.append(Use(known, required, int(repeat or 1)))
    found = []
    for token in notes.split():
        match = _NOTE.fullmatch(token)
        if not match:
            raise ConfigError(f"{where}: '{token}' is not a syntax note")
        found.append(Note(match[1], tuple(int(match[2][i : i + 2]) for i in range(0, len(match[2]), 2))))
    return tuple(uses), tuple(found)


def _pairs(uses: tuple[Use, ...]) -> tuple[int, ...]:
    """Index of each product id qualifier (235) that is followed by its product id (234), or of each such composite."""
    numbers = [use.element.number for use in uses]
    composites = [i for i, number in enumerate(numbers) if number == "C212"]
    return tuple(composites or (i for i, pair in enumerate(pairwise(numbers)) if pair == ("235", "234")))


_ROW = re.compile(
    r"(?P<id>[A-Z][A-Z0-9]{1,2})\s+(?P<required>[MOC])(?:\s+(?P<most>\d+|>1))?(?:\s+loop\s+(?P<loop>\d+|>1))?"
)


def _number(text: str | None) -> int:
    return 1 if text is None else UNLIMITED if text == ">1" else int(text)


def _part(row: str, where: str) -> Part:
    match = _ROW.fullmatch(row.strip())
    if not match:
        raise ConfigError(f"{where}: cannot read the row '{row.strip()}'", hint="ID M|O|C [max use] [loop repeat]")
    loop = match["loop"] is not None
    return Part(match["id"], match["required"] == "M", _number(match["loop"] if loop else match["most"]), loop)


def _set_root(table: str, where: str, opens: str) -> Part:
    """A table of rows; what is indented under a loop's row belongs to that loop."""
    rows = [(len(line) - len(line.lstrip()), line) for line in table.splitlines() if line.strip()]

    def members(start: int, indent: int) -> tuple[tuple[Part, ...], int]:
        found: list[Part] = []
        i = start
        while i < len(rows) and rows[i][0] >= indent:
            part = _part(rows[i][1], where)
            below, i = members(i + 1, rows[i][0] + 1)
            if below and not part.loop:
                raise ConfigError(f"{where}: {part.id} has rows under it but is no loop")
            found.append(replace(part, members=below))
        return tuple(found), i

    parts, _ = members(0, 0)
    return Part(opens, True, 1, True, parts)


def amended(root: Part, change: str, where: str) -> Part:
    """One row of an overlay: ``drop HL/TSD``, ``max HL/LH4 4``, ``after BSN: NTE O 100``, ``before HL/N1/N3: N2 O``,
    ``into HL/TD3: AT9 O``, ``loop HL/TD3 12``, ``call PAT PYT``, ``need CTT``, ``free CTT``. Of several places with
    that path it is the first."""
    verb, rest = change.split(None, 1)
    place, _, row = rest.partition(":")
    names, *argument = place.split()
    path = names.split("/")
    new = _part(row, where) if row.strip() else None

    def apply(part: Part, path: list[str]) -> Part | None:
        kept: list[Part] = []
        hit = False
        for member in part.members:
            below = apply(member, path[1:]) if len(path) > 1 and member.id == path[0] and not hit else None
            if hit or member.id != path[0] or (len(path) > 1 and below is None):
                kept.append(member)
                continue
            hit = True
            if below is not None:
                kept.append(below)
            elif verb in ("after", "before") and new:
                kept += [member, new] if verb == "after" else [new, member]
            elif verb == "into" and new:
                kept.append(replace(member, loop=True, members=(*member.members, new)))
            elif verb == "max":
                kept.append(replace(member, most=_number(argument[0])))
            elif verb == "loop":
                kept.append(replace(member, loop=True, most=_number(argument[0])))
            elif verb == "call":
                kept.append(replace(member, id=argument[0]))
            elif verb in ("need", "free"):
                kept.append(replace(member, required=verb == "need"))
            elif verb != "drop":
                raise ConfigError(f"{where}: cannot read '{change}'")
        return replace(part, members=tuple(kept)) if hit else None

    amended = apply(root, path)
    if amended is None:
        raise ConfigError(f"{where}: '{change}': there is no {names} in {root.id}")
    return amended


def required(root: Part, path: tuple[str, ...]) -> Part:
    """The tree in which the loop at ``path`` is mandatory in the loop around it."""
    first, *rest = path
    members = tuple(
        member if member.id != first or not member.loop
        else required(member, tuple(rest)) if rest
        else replace(member, required=True)
        for member in root.members
    )  # fmt: skip
    return replace(root, members=members)


def _check(
    standard: Standard, version: str, segments: Mapping[str, Segment], sets: Mapping[str, TransactionSet]
) -> None:
    missing = sorted(
        {
            f"{version}: set {set_.id} uses segment {chain[-1].id}, which is not in segments.yaml"
            for set_ in sets.values()
            for chain in set_.root.walk()
            if chain[-1].id not in segments
        }
    )
    if missing:
        raise ConfigError(f"the tables of {standard.name} do not fit together", problems=tuple(missing))
