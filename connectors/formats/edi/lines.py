"""Lines while a set is read: which values are in force where, and the table they become.

A line sees its own values first, then those of the loops around it (in an HL tree: of its parents by
HL02), outermost last; and last of all those of the levels below it, for the carton that stands under
its item. Nothing is merged line by line: values are kept as they were found and become whole
columns when a chunk is handed on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, groupby
from operator import attrgetter, itemgetter, sub
from typing import Protocol

import polars as pl

from schemas.documents import LENGTH, LOCATION, OFFSET, ORDINAL, FewLines, LineChunk
from schemas.findings import Finding, Severity, Stage

CHUNK_ROWS = 4096
MOST_ROWS = 4 * CHUNK_ROWS  #: lines of one loop around lines that are kept for the next chunk
MOST_BELOW = 1000  #: levels below one line that are looked through for values
MOST_AROUND = 1000  #: findings on one loop around lines that are kept until it ends
FEW = 48  #: lines that are filled in one value at a time
FEW_ROWS = 16  #: lines found one by one that are kept as those that a batch has found

Values = dict[int, str]  #: by slot
Row = Sequence[str | None]


class Layout(Protocol):
    """Which slot each group of a found row belongs to."""

    @property
    def takes(self) -> Sequence[tuple[int, int]]:
        """(slot, index in the row); of several for one slot the first that is filled counts."""
        ...


class Scope:
    """The values found in one loop instance around lines, and the scope around it (None around the header)."""

    __slots__ = ("__weakref__", "_in_force", "below", "line", "owner", "parent", "values")

    def __init__(self, parent: Scope | None, values: Values | None = None) -> None:
        self.values: Values = {} if values is None else values
        self.parent = parent
        self.line: int | None = None  #: ordinal of the line whose scope this is, or below which it lies
        self.owner: Scope | None = None  #: the line's scope this one lies below
        self.below: list[Values] | None = None  #: of a line's scope: values found below it, in order
        self._in_force: Values | None = None if parent is not None else {}

    def lend_to(self, parent: Scope) -> None:
        """Below a line, a scope's values help that line where nothing nearer has any."""
        owner = parent.owner or (parent if parent.line is not None else None)
        if owner is not None:
            self.owner, self.line = owner, owner.line
            if owner.below is None:
                owner.below = []
            if len(owner.below) < MOST_BELOW:
                owner.below.append(self.values)

    def lent(self, slot: int) -> str | None:
        """The first value found below."""
        return next((values[slot] for values in self.below or () if slot in values), None)

    @property
    def together(self) -> Siblings | None:
        """Those as one of which it was opened, while nothing was added to it."""
        return None

    def let_go(self) -> None:
        """Of the scopes around it: nothing is added to it, nor to them, any more."""
        self.in_force()

    def in_force(self) -> Values:
        """Own values and, where there is none, those of the nearest scope around, but not the header's.

        Asked once the scope is complete. Levels may be nested as deep as a file says, so this takes no turn of
        its own for each.
        """
        if self._in_force is None and self.parent is not None:
            if self.parent._in_force is None:
                for scope in reversed(list(self.parent._waiting())):
                    scope.in_force()
            around = self.parent._in_force or {}
            self._in_force = around | self.values if self.values else around
            self.parent = None
        return self._in_force or {}

    def _waiting(self) -> Iterator[Scope]:
        """This scope and those around it of which it is not known yet what is in force, innermost first."""
        scope: Scope | None = self
        while scope is not None and scope._in_force is None:
            yield scope
            scope = scope.parent


@dataclass(frozen=True, slots=True, eq=False)
class Siblings:
    """Scopes that many rows of one kind have opened around lines, side by side below one scope that is complete."""

    around: Values  #: in force there
    columns: Mapping[int, Sequence[str]]  #: what they hold, by slot; empty where there is nothing

    def opened(self, first: int, size: int) -> list[Sibling]:
        """So many of them, from that row on."""
        return [Sibling(self, place) for place in range(first, first + size)]

    def told(self, slot: int, places: Sequence[int]) -> Sequence[str | None]:
        """What is in force in these of them."""
        outer, column = self.around.get(slot), self.columns.get(slot)
        if column is None:
            return [outer] * len(places)
        in_a_row = places == range(places[0], places[0] + len(places))
        own = column[places[0] : places[0] + len(places)] if in_a_row else [column[place] for place in places]
        return [value or outer for value in own] if "" in own else own


class Sibling(Scope):
    """One of many: its values become its own when it is asked for them, as it is by whoever adds to them."""

    __slots__ = ("_own", "_siblings", "place")

    def __init__(self, siblings: Siblings, place: int) -> None:
        self._siblings = siblings
        self._own: Values | None = None
        self.place = place  #: among them
        self.parent = self.line = self.owner = self.below = self._in_force = None

    @property
    def together(self) -> Siblings | None:
        return self._siblings if self._own is None else None

    @property
    def values(self) -> Values:  # type: ignore[override]
        if self._own is None:
            told = ((slot, column[self.place]) for slot, column in self._siblings.columns.items())
            self._own = {slot: value for slot, value in told if value}
        return self._own

    def let_go(self) -> None:
        """What is in force around it, it knows already."""

    def in_force(self) -> Values:
        if self._in_force is None:
            self._in_force = self._siblings.around | self.values
        return self._in_force


@dataclass(slots=True)
class Around:
    """An open loop around lines, and what is wrong with it."""

    number: int
    offset: int
    scope: Scope
    first: int  #: the ordinal its first line gets
    findings: list[Finding] = field(default_factory=list)
    left: int = 0  #: findings beyond MOST_AROUND, which are counted
    worst: Severity = Severity.INFO  #: of these

    def note(self, found: Iterable[Finding]) -> None:
        """Something is wrong with it; who is told of it, is known when it ends."""
        for finding in found:
            if len(self.findings) < MOST_AROUND:
                self.findings.append(finding)
            else:
                self.left += 1
                self.worst = max(self.worst, finding.severity, key=lambda severity: severity.rank)

    def told(self) -> list[Finding]:
        """All that was noted, the last of it as a number."""
        if not self.left:
            return self.findings
        more = Finding(
            code="findings.more",
            severity=self.worst,
            stage=Stage.STRUCTURE,
            message=f"{self.left:,} more findings on this loop are not listed",
            location=f"segment {self.number}",
            value=str(self.left),
            expected=f"at most {MOST_AROUND:,} findings a loop",
            offset=self.offset,
        )
        return [*self.findings, more]


class Lines:
    """The lines of one document that have not been handed on yet.

    A line begins as a row of groups found by a run (``rows`` by layout), as one of many found by a batch (``keep``),
    or bare; values found later in it are put in one by one. The lists stay the same objects all along, so that a
    tight loop may hold on to them.
    """

    def __init__(self, ordinal: int, paths: Sequence[str], decimals: Sequence[int], header: Scope) -> None:
        self.ordinal = ordinal
        self.paths = tuple(paths)
        self.decimals = tuple(decimals)
        self.header = header
        self.done = 0  #: lines handed on
        self.parents: list[Scope] = []
        self.segments: list[int] = []
        self.offsets: list[int] = []
        self.ends: list[int] = []
        self.rows: dict[Layout, tuple[list[int], list[Row]]] = {}
        self.scopes: dict[int, Scope] = {}
        self._pieces: list[tuple[int, pl.DataFrame]] = []  #: position of the first line, and what they hold by slot
        self._padded = False  #: whether values in the pieces may end with blanks
        self._empty = False  #: whether any of them is empty
        self._later: list[dict[int, str]] = [{} for _ in self.paths]

    @property
    def count(self) -> int:
        """Lines so far."""
        return self.done + len(self.segments)

    def begin(self, parent: Scope, segment: int, offset: int) -> int:
        """A line begins below ``parent``; its ordinal."""
        self.parents.append(parent)
        self.segments.append(segment)
        self.offsets.append(offset)
        return self.done + len(self.segments)

    def again(self) -> int:
        """A line that begins and ends where the one begun last does; its ordinal."""
        place = len(self.segments) - 1
        ordinal = self.begin(self.parents[place], self.segments[place], self.offsets[place])
        self.ends.append(self.ends[place])
        if place in self.scopes:
            self.scopes[place + 1] = self.scopes[place]
        return ordinal

    def newest(self) -> Values:
        """The values of its own that the line begun last has."""
        place = len(self.segments) - 1
        values: Values = {}
        for layout, (positions, rows) in self.rows.items():
            for slot, group in layout.takes if positions and positions[-1] == place else ():
                if value := (rows[-1][group] or "").rstrip(" "):
                    values.setdefault(slot, value)
        for first, frame in self._pieces:
            for name, value in frame.row(-1, named=True).items() if first + frame.height == place + 1 else ():
                if value := (value or "").rstrip(" "):
                    values.setdefault(int(name.removeprefix("own ")), value)
        for slot, later in enumerate(self._later):
            if place in later:
                values.setdefault(slot, later[place])
        return values

    def rows_of(self, layout: Layout | None) -> tuple[list[int], list[Row]]:
        """Where the rows of a layout are kept: positions among the waiting lines, and the rows."""
        if layout is None:
            return [], []
        kept = self.rows.get(layout)
        if kept is None:
            kept = self.rows[layout] = ([], [])
        return kept

    def put(self, slot: int, value: str) -> None:
        """A value of the line last begun; the first one counts."""
        self._later[slot].setdefault(len(self.segments) - 1, value)

    def put_at(self, position: int, slot: int, value: str) -> None:
        """A value of the line at this position among the waiting ones; the first one counts."""
        self._later[slot].setdefault(position, value)

    def keep(self, first: int, columns: Mapping[int, Sequence[str]], *, padded: bool) -> None:
        """What consecutive lines from this position on hold, by slot; empty where there is nothing. ``padded``: some
        may end with blanks.

        It becomes a table at once: thousands of texts kept until a chunk is full would all have left the cache.
        """
        if columns:
            size = len(next(iter(columns.values())))
            texts = pl.Series(list(chain.from_iterable(columns.values())), dtype=pl.String)  # cheaper than one a slot
            series = [texts.slice(at * size, size).alias(f"own {slot}") for at, slot in enumerate(columns)]
            self._pieces.append((first, pl.DataFrame(series)))
            self._padded |= padded
            self._empty |= bool((texts == "").any())

    def _keep_rows(self) -> None:
        """The rows of a few lines, found one by one between batches, as pieces among those of the batches."""
        if sum(len(rows) for _, rows in self.rows.values()) > FEW_ROWS:
            return
        for layout, (positions, rows) in self.rows.items():
            for position, row in zip(positions, rows, strict=True):
                columns: dict[int, list[str]] = {}
                for slot, group in layout.takes:
                    value = row[group] or ""
                    if not columns.get(slot, [""])[0].strip(" "):
                        columns[slot] = [value]
                padded = any(value.endswith(" ") for (value,) in columns.values())
                self.keep(position, columns, padded=padded)
            positions.clear()
            rows.clear()
        self._pieces.sort(key=itemgetter(0))

    def flush(self) -> LineChunk:
        """The waiting lines as a chunk. All of them are closed."""
        if self._pieces:
            self._keep_rows()
        own = self._own()
        positions, scopes = _around(self.parents)
        few = len(self.segments) <= FEW and not self._pieces
        chunk = (self._few if few else self._many)(own, positions, scopes)
        self._clear()
        return chunk

    def _many(self, own: Sequence[Row | None], positions: Sequence[int], scopes: Sequence[Scope]) -> LineChunk:
        """All layers of all columns side by side, and one selection that takes the nearest of each."""
        size = len(self.segments)
        begins = pl.Series(OFFSET, self.offsets, dtype=pl.Int64)
        layers = [
            pl.Series(ORDINAL, range(self.done + 1, self.done + size + 1), dtype=pl.Int64),
            pl.Series(LOCATION, self.segments, dtype=pl.Int64),
            begins,
            (pl.Series(self.ends, dtype=pl.Int64) - begins).alias(LENGTH),
        ]
        layers += self._whole().get_columns() if self._pieces else []
        layers += [pl.Series(f"put {slot}", column, pl.String) for slot, column in enumerate(own) if column is not None]
        told, everywhere = self._told(pl.DataFrame(layers))
        around = _inherited(positions, scopes, everywhere)
        layers += around.values()
        told |= {name: pl.col(name) for name in around}
        if self.scopes:
            lent = [pl.Series(f"lent {slot}", self._lent(slot), pl.String) for slot in range(len(self.paths))]
            layers += lent
            told |= {one.name: pl.col(one.name) for one in lent}
        columns = [pl.col(ORDINAL), pl.format("segment {}", LOCATION).alias(LOCATION), pl.col(OFFSET), pl.col(LENGTH)]
        for slot, (path, places) in enumerate(zip(self.paths, self.decimals, strict=True)):
            nearest = [told.get(f"{layer} {slot}") for layer in ("own", "put", "around")]
            nearest.append(pl.lit(header) if (header := self.header.values.get(slot)) is not None else None)
            nearest.append(told.get(f"lent {slot}"))
            filled = [layer for layer in nearest if layer is not None]
            if filled:
                text = filled[0] if len(filled) == 1 or slot in everywhere else pl.coalesce(filled)
                columns.append((_with_point(text, places) if places else text).alias(path))
        return LineChunk(ordinal=self.ordinal, table=pl.DataFrame(layers).select_seq(columns))

    def _told(self, frame: pl.DataFrame) -> tuple[dict[str, pl.Expr], set[int]]:
        """What each of the lines' own layers tells: null where it has nothing, and no padding; and the slots of which
        every line has a value of its own."""
        own = [name for name in frame.columns if name.startswith("own ")]
        later = [name for name in frame.columns if name.startswith("put ")]
        doubtful = [*(own if self._padded or self._empty else ()), *later]
        checks = [pl.col(doubtful).str.ends_with(" ").any(), (pl.col(doubtful) == "").any().name.prefix("empty ")]
        found = frame.select_seq(checks).row(0, named=True) if doubtful else {}
        told: dict[str, pl.Expr] = {}
        everywhere = set()
        for name in (*own, *later):
            if found.get(name) or found.get(f"empty {name}"):
                told[name] = _filled_text(name, padded=bool(found[name]))
                continue
            told[name] = pl.col(name)
            if name in own and not frame.get_column(name).null_count():
                everywhere.add(int(name.removeprefix("own ")))
        return told, everywhere

    def _whole(self) -> pl.DataFrame:
        """What was kept, one row for each waiting line."""
        frames: list[pl.DataFrame] = []
        at = 0
        for first, frame in (*self._pieces, (len(self.segments), pl.DataFrame())):
            if first > at:
                frames.append(pl.DataFrame({"gap": pl.Series([None], dtype=pl.Null).new_from_index(0, first - at)}))
            if frame.height:
                frames.append(frame)
            at = first + frame.height
        return pl.concat(frames, how="diagonal")

    def _few(self, own: Sequence[Row | None], positions: Sequence[int], scopes: Sequence[Scope]) -> FewLines:
        """The same, value by value: work on columns pays only for many lines."""
        size = len(self.segments)
        outer = [scope.in_force() for scope in scopes]
        columns: dict[str, Sequence[str | int | None]] = {
            ORDINAL: range(self.done + 1, self.done + size + 1),
            LOCATION: [f"segment {number}" for number in self.segments],
            OFFSET: self.offsets.copy(),
            LENGTH: list(map(sub, self.ends, self.offsets)),
        }
        nothing: Row = [None] * size
        inherited = set().union(*outer)
        for slot, (path, places) in enumerate(zip(self.paths, self.decimals, strict=True)):
            found = own[slot]
            column = nothing if found is None else [text.rstrip(" ") or None if text else None for text in found]
            if slot in inherited:
                column = _filled(column, [outer[position].get(slot) for position in positions])
            if slot in self.header.values:
                column = _filled(column, [self.header.values[slot]] * size)
            if self.scopes:
                column = _filled(column, self._lent(slot))
            if places:
                column = [text and _pointed(text, places) for text in column]
            columns[path] = column
        return FewLines(ordinal=self.ordinal, columns=columns)

    def _clear(self) -> None:
        self.done += len(self.segments)
        for waiting in (self.parents, self.segments, self.offsets, self.ends):
            waiting.clear()
        self.scopes.clear()
        for later in self._later:
            later.clear()
        for positions, rows in self.rows.values():
            positions.clear()
            rows.clear()
        self._pieces.clear()
        self._padded = self._empty = False

    def _own(self) -> list[list[str | None] | None]:
        """For each slot the values that lines have of their own beside what was kept; None where none has any."""
        size = len(self.segments)
        own: list[list[str | None] | None] = [None] * len(self.paths)

        def fill(slot: int, values: Iterable[tuple[int, str | None]]) -> None:
            filled = opened(slot)
            for position, value in values:
                if value and not (filled[position] or "").strip(" "):
                    filled[position] = value

        def opened(slot: int) -> list[str | None]:
            column = own[slot]
            if column is None:
                column = own[slot] = [None] * size
            return column

        for layout, (positions, rows) in self.rows.items():
            if not rows:
                continue
            if size - len(rows) < size // 8:
                _close_gaps(positions, rows, size)
            by_group = list(zip(*rows, strict=True))
            for slot, group in layout.takes:
                if own[slot] is None and len(positions) == size:
                    own[slot] = list(by_group[group])
                else:
                    fill(slot, zip(positions, by_group[group], strict=True))
        for slot, later in enumerate(self._later):
            if later:
                fill(slot, later.items())
        return own

    def _lent(self, slot: int) -> list[str | None]:
        lent: list[str | None] = [None] * len(self.segments)
        for position, scope in self.scopes.items():
            lent[position] = scope.lent(slot)
        return lent


def _close_gaps(positions: list[int], rows: list[Row], size: int) -> None:
    """Empty rows for the few lines that are of another layout, so that the rows are all lines."""
    nothing = (None,) * len(rows[0])
    for position in range(size):
        if position >= len(positions) or positions[position] != position:
            positions.insert(position, position)
            rows.insert(position, nothing)


def _filled(column: Row, other: Row) -> Row:
    """Row by row the first that is filled."""
    return [mine if mine is not None else theirs for mine, theirs in zip(column, other, strict=True)]


def _around(parents: Sequence[Scope]) -> tuple[list[int], list[Scope]]:
    """For each line the index of the scope around it, and these scopes, each once."""
    seen: dict[int, int] = {}
    scopes: list[Scope] = []
    positions = []
    last, at = None, 0
    for parent in parents:
        if parent is not last:
            last = parent
            at = seen.setdefault(id(parent), len(scopes))
            if at == len(scopes):
                scopes.append(parent)
        positions.append(at)
    return positions, scopes


def _inherited(positions: Sequence[int], scopes: Sequence[Scope], everywhere: Collection[int]) -> dict[str, pl.Series]:
    """What lines have from the loops around them, by layer; without the slots that are filled everywhere anyhow."""
    same: list[pl.Series] = []
    varying: list[pl.Series] = []
    for slot, values in _in_force(scopes, everywhere).items():
        if values.count(values[0]) == len(values):
            same.append(pl.Series(f"around {slot}", values[:1], pl.String).new_from_index(0, len(positions)))
        else:
            varying.append(pl.Series(f"around {slot}", values, pl.String))
    rows = pl.Series(positions, dtype=pl.UInt32)
    return {series.name: series for series in (*same, *(one[rows] for one in varying))}


def _in_force(scopes: Sequence[Scope], but: Collection[int]) -> dict[int, Sequence[str | None]]:
    """What is in force in each of these scopes, by slot, without some slots."""
    stretches: list[tuple[Set[int], Callable[[int], Sequence[str | None]]]] = []
    for siblings, some in groupby(scopes, attrgetter("together")):
        if siblings is None:
            outer = [scope.in_force() for scope in some]
            stretches.append((set().union(*outer), partial(_at_slot, outer=outer)))
        else:
            places = [scope.place for scope in some if isinstance(scope, Sibling)]
            stretches.append((siblings.around.keys() | siblings.columns.keys(), partial(siblings.told, places=places)))
    slots = set().union(*(slots for slots, _ in stretches)).difference(but)
    if len(stretches) == 1:
        return {slot: stretches[0][1](slot) for slot in slots}
    return {slot: list(chain.from_iterable(told(slot) for _, told in stretches)) for slot in slots}


def _at_slot(slot: int, outer: Sequence[Values]) -> list[str | None]:
    """What each says there. Mostly all say something, and to ask for it in that belief takes half the time."""
    try:
        return list(map(itemgetter(slot), outer))
    except KeyError:
        return [one.get(slot) for one in outer]


def _filled_text(column: str, *, padded: bool) -> pl.Expr:
    """A column without padding, which is trailing blanks (X12.6); where nothing is left of it, null."""
    text = pl.col(column).str.strip_chars_end(" ") if padded else pl.col(column)
    return pl.when(text != "").then(text)


def _with_point(text: pl.Expr, decimals: int) -> pl.Expr:
    """An Nn element with the decimal point it implies; where there are none but commas, these as points."""
    if decimals < 0:
        return text.str.replace(",", ".", literal=True)
    sign = pl.when(text.str.starts_with("-")).then(pl.lit("-")).otherwise(pl.lit(""))
    digits = text.str.strip_prefix("-").str.zfill(decimals + 1)
    point = sign + digits.str.head(-decimals) + "." + digits.str.tail(decimals)
    return pl.when(text.str.contains(r"^-?\d+$")).then(point).otherwise(text)


_WHOLE = re.compile(r"-?\d+")


def _pointed(text: str, decimals: int) -> str:
    """One value as ``_with_point`` writes it."""
    if decimals < 0:
        return text.replace(",", ".", 1)
    if not _WHOLE.fullmatch(text):
        return text
    sign, digits = ("-", text[1:]) if text[0] == "-" else ("", text)
    digits = digits.zfill(decimals + 1)
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"
