"""Looking paths up in trees: compiled once for a mapping, so that a line costs little.

Only elements that some path names are ever touched; the others stay where the parser has put them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lxml import etree

from connectors.formats.xml.paths import Condition, LineSpec, Path, Step, local

Values = Sequence[str | None]


@dataclass(slots=True)
class Wanted:
    """Names of elements that are asked for within another one, and what is asked for within those."""

    inner: dict[str, Wanted] = field(default_factory=dict)

    def add(self, path: Path) -> None:
        """Take note of everything ``path`` looks at."""
        here = self
        for step in path.steps:
            here = here.inner.setdefault(step.name, Wanted())
            for condition in step.conditions:
                here.add(condition.path)
            if step.join is not None:
                here.add(step.join.path)

    def merged(self, other: Wanted) -> Wanted:
        """What either asks for."""
        names = dict.fromkeys((*self.inner, *other.inner))
        nothing = Wanted()
        return Wanted({name: self.inner.get(name, nothing).merged(other.inner.get(name, nothing)) for name in names})


class Scope:
    """An element whose wanted children, those before ``until``, are looked up by name."""

    __slots__ = ("_scopes", "_wanted", "children", "element")

    def __init__(self, element: etree._Element, wanted: Wanted, until: etree._Element | None = None) -> None:
        self.element = element
        self._wanted = wanted
        self._scopes: dict[etree._Element, Scope] = {}
        self.children: dict[str, list[etree._Element]] = {}
        children = self.children
        inner = wanted.inner
        for child in element:
            if child is until:
                break
            tag = child.tag
            if tag.__class__ is not str:  # a reference to an entity, which is refused
                continue
            name = tag if tag[0] != "{" else local(tag)
            if name not in inner:
                continue
            if name in children:
                children[name].append(child)
            else:
                children[name] = [child]

    def within(self, element: etree._Element, name: str) -> Scope:
        """The scope of a child called ``name``; the same one again."""
        scope = self._scopes.get(element)
        if scope is None:
            scope = self._scopes[element] = Scope(element, self._wanted.inner[name])
        return scope


Getter = Callable[[Scope], "str | None"]
Test = Callable[[Scope], bool]


def getter(steps: Sequence[Step], attribute: str, blank: frozenset[str]) -> Getter:
    """What follows ``steps`` down from a scope and says the first text there is; texts of ``blank`` say nothing."""
    if not steps:

        def own(scope: Scope) -> str | None:
            text = scope.element.get(attribute) if attribute else scope.element.text
            text = text and text.strip()
            return text if text and text not in blank else None

        return own
    name = steps[0].name
    if len(steps) == 1 and not steps[0].conditions:

        def leaf(scope: Scope) -> str | None:
            for child in scope.children.get(name, ()):
                text = child.text
                if text and (text := text.strip()) and text not in blank:
                    return text
            return None

        def attributed(scope: Scope) -> str | None:
            for child in scope.children.get(name, ()):
                text = child.get(attribute)
                if text and (text := text.strip()) and text not in blank:
                    return text
            return None

        return attributed if attribute else leaf
    tests = [test_of(condition) for condition in steps[0].conditions]
    inner = getter(steps[1:], attribute, blank)

    def way(scope: Scope) -> str | None:
        for child in scope.children.get(name, ()):
            within = scope.within(child, name)
            for test in tests:
                if not test(within):
                    break
            else:
                if (found := inner(within)) is not None:
                    return found
        return None

    return way


def test_of(condition: Condition) -> Test:
    """Whether some element or attribute that the condition's path leads to says its value."""
    value, attribute = condition.value, condition.path.attribute
    if not condition.path.steps:
        return lambda scope: scope.element.get(attribute) == value
    first, *rest = condition.path.steps
    name = first.name
    if not rest and not first.conditions:

        def said(scope: Scope) -> bool:
            for child in scope.children.get(name, ()):
                text = child.get(attribute) if attribute else child.text
                if text is not None and text.strip() == value:
                    return True
            return False

        return said
    tests = [test_of(one) for one in first.conditions]
    inner = test_of(Condition(Path(tuple(rest), attribute), value)) if rest else None

    def further(scope: Scope) -> bool:
        for child in scope.children.get(name, ()):
            within = scope.within(child, name)
            if all(test(within) for test in tests):
                if inner is not None:
                    if inner(within):
                        return True
                elif (within.element.get(attribute) if attribute else (within.element.text or "").strip()) == value:
                    return True
        return False

    return further


@dataclass(frozen=True, slots=True)
class Place:
    """What is looked up in an element that encloses a line, or is one: by its own name, and by its children's."""

    wanted: Wanted
    own: tuple[tuple[int, Getter], ...]
    below: Mapping[str, tuple[tuple[int, Getter], ...]]

    def find(self, scope: Scope) -> dict[int, str]:
        """What each path finds here, by its index."""
        found: dict[int, str] = {}
        for index, get in self.own:
            if (text := get(scope)) is not None:
                found[index] = text
        below = self.below
        for name in scope.children:
            for index, get in below.get(name, ()):
                if (text := get(scope)) is not None:
                    found[index] = text
        return found


class _Joined:
    """A path whose first element is the one that says what another path found for the line."""

    def __init__(self, path: Path, blank: frozenset[str]) -> None:
        first, *further = path.steps
        assert first.join is not None
        self._name = first.name
        self._says = first.join.path
        self._get = getter(further, path.attribute, blank)

    def find(self, unit: Scope, wanted: str | None) -> str | None:
        """None where no element says so, or several do: then nobody can tell which."""
        if wanted is None:
            return None
        says = test_of(Condition(self._says, wanted))
        inner = (unit.within(child, self._name) for child in unit.children.get(self._name, ()))
        found = [scope for scope in inner if says(scope)]
        return self._get(found[0]) if len(found) == 1 else None


class Lookup:
    """The paths of a mapping, ready to be looked up in units and in what encloses them."""

    def __init__(self, spec: LineSpec, paths: Sequence[Path], blank: frozenset[str] = frozenset()) -> None:
        self.spec = spec
        asked = tuple(paths)
        self._joined = {
            index: _Joined(path, blank) for index, path in enumerate(asked) if path.steps and path.steps[0].join
        }
        others = [path.steps[0].join.other for path in asked if path.steps and path.steps[0].join is not None]
        self._asked = len(asked)
        self._other = {index: len(asked) + at for at, index in enumerate(self._joined)}
        self.paths = (*asked, *others)  # those that are joined with are looked up like any other
        self.blank = blank
        self._named = Wanted()
        for path in self.paths:
            self._named.add(path)
        self._levels: dict[tuple[str, str], Place] = {}
        unit = spec.unit[-1]
        self._places = {
            way: [
                self._place(
                    name, {*spec.unit, *way}, within=way[depth : depth + 1], anchored=False, last=depth == len(way)
                )
                for depth, name in enumerate((unit, *way))
            ]
            for way in spec.lines
        }
        self._ways = tuple(self._places.items())

    def around(self, element: etree._Element, until: etree._Element | None, outer: Values | None) -> Values:
        """What each path finds in ``element``, before its child ``until``, or else had found further out."""
        name = local(element.tag)
        entered = local(until.tag) if until is not None else ""
        place = self._levels.get((name, entered))
        if place is None:
            place = self._place(name, {name, *self.spec.unit}, within=(), anchored=True, last=False)
            self._levels[name, entered] = place
        values: list[str | None] = list(outer) if outer is not None else [None] * len(self.paths)
        for index, text in place.find(Scope(element, place.wanted, until)).items():
            values[index] = text
        return values

    def lines(self, unit: etree._Element, location: str, around: Values) -> Iterator[tuple[list[str | None], str, str]]:
        """The lines of a unit: of each what the paths find, looked up from it outwards, its location, and the name
        of the part that it is; empty where it is the unit itself."""
        for way, places in self._ways:
            scope = Scope(unit, places[0].wanted)
            row = list(around)
            for index, text in places[0].find(scope).items():
                row[index] = text
            if not way:
                yield self._finished(row, scope), location, ""
                return
            found = False
            for own, place in self._down(scope, way, places[1:], row, location):
                found = True
                yield self._finished(own, scope), place, way[-1]
            if found:
                return

    def _finished(self, row: list[str | None], unit: Scope) -> list[str | None]:
        """The row of a line with what is joined to it, which stands in its unit."""
        if not self._joined:
            return row
        for index, joined in self._joined.items():
            row[index] = joined.find(unit, row[self._other[index]])
        return row[: self._asked]

    def _down(
        self, scope: Scope, way: Sequence[str], places: Sequence[Place], row: list[str | None], location: str
    ) -> Iterator[tuple[list[str | None], str]]:
        name, *further = way
        place = places[0]
        for number, child in enumerate(scope.children.get(name, ()), start=1):
            inner = Scope(child, place.wanted)
            own = row.copy()
            for index, text in place.find(inner).items():
                own[index] = text
            here = f"{location}/{name}[{number}]"
            if further:
                yield from self._down(inner, further, places[1:], own, here)
            else:
                yield own, here

    def _place(self, name: str, chain: set[str], *, within: Iterable[str], anchored: bool, last: bool) -> Place:
        """``chain`` are the names that enclose a line: a path that begins with one of them means that very element."""
        own: list[tuple[int, Getter]] = []
        below: dict[str, list[tuple[int, Getter]]] = {}
        for index, path in enumerate(self.paths):
            if index in self._joined or (path.anchored and not anchored):
                continue
            if not path.steps:
                if last or (anchored and path.anchored):
                    own.append((index, getter((), path.attribute, self.blank)))
                continue
            first = path.steps[0]
            if first.name == name:
                own.append((index, self._tested(path)))
            elif first.name not in chain:
                below.setdefault(first.name, []).append((index, getter(path.steps, path.attribute, self.blank)))
        wanted = self._named.merged(self._named.inner.get(name, Wanted()))
        for one in within:
            wanted.inner.setdefault(one, Wanted())
        return Place(wanted, tuple(own), {first: tuple(those) for first, those in below.items()})

    def _tested(self, path: Path) -> Getter:
        """``path`` from an element that its first step is."""
        tests = [test_of(condition) for condition in path.steps[0].conditions]
        get = getter(path.steps[1:], path.attribute, self.blank)
        if not tests:
            return get
        return lambda scope: get(scope) if all(test(scope) for test in tests) else None
