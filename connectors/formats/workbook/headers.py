"""The header of a sheet: found by what stands in it, and explained where it is not found.

A header may take two lines (``Quantity`` over ``ordered | shipped``), name a unit (``Qty (kg)``) or a
way of writing (``Date (dd.mm.yyyy)``), and leave out what stands above the table once for all
(``Order no.: 4500017``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from connectors.formats.workbook.cells import column_letter, plain, text_of
from connectors.formats.workbook.periods import Period, periods_in
from connectors.formats.workbook.sheets import Batch, Sheet
from schemas.documents import LinePlan
from schemas.findings import Finding, Severity, Stage

SEARCHED = 60  #: rows among which a header is looked for
VALUE = "@value"  #: path of the quantities of a sheet with periods across
_LISTED = 40  #: headers that a finding lists
_BESIDE = 4  #: cells to the right of a label among which its value is looked for
_FEWEST_PERIODS = 2
#: ``Qty (kg)``, ``Menge [Stk]``, ``Weight in kg``
_QUALIFIED = re.compile(r"(.*\S)\s*(?:[(\[]\s*([^()\[\]]{1,20}?)\s*[)\]]|\sin\s([^\s]{1,8}))\s*", re.DOTALL)
_LABEL = re.compile(r"([^:\uff1a]{1,60})[:\uff1a]\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Headings:
    """What a plan expects of a header: its paths as compared, by field."""

    paths_of: Mapping[str, tuple[str, ...]]  #: header as compared -> the paths it answers
    fields: Mapping[str, tuple[str, ...]]  #: field -> its paths
    fields_of: Mapping[str, tuple[str, ...]]  #: path -> the fields it serves; one column may serve several
    required: tuple[str, ...]  #: fields
    numbers: frozenset[str] = frozenset()  #: paths of numbers, which never stand above the table

    @classmethod
    def of(
        cls,
        paths: Sequence[str],
        fields: Mapping[str, tuple[str, ...]],
        required: tuple[str, ...],
        numbers: frozenset[str] = frozenset(),
    ) -> Headings:
        paths_of: dict[str, tuple[str, ...]] = {}
        for path in paths:
            if not path.startswith("@"):
                paths_of[plain(path)] = (*paths_of.get(plain(path), ()), path)
        fields_of: dict[str, tuple[str, ...]] = {}
        for name, alternatives in fields.items():
            for path in alternatives:
                fields_of[path] = (*fields_of.get(path, ()), name)
        return cls(paths_of, fields, {path: fields_of.get(path, (path,)) for path in paths}, required, numbers)

    @property
    def required_paths(self) -> list[tuple[str, ...]]:
        return [self.fields[name] for name in self.required if name in self.fields]

    @property
    def takes_periods(self) -> bool:
        return VALUE in self.fields_of


@dataclass(frozen=True, slots=True)
class Told:
    """A value that stands once for many lines: above the table, or in its header."""

    text: str
    place: str


@dataclass(frozen=True, slots=True)
class Fit:
    """How well one row of a sheet serves one plan as its header."""

    plan: LinePlan
    headings: Headings
    row: int  #: row number of the header, of two the lower one
    columns: Mapping[str, int]  #: path -> index of its cell in a row
    titles: Mapping[str, str]  #: path -> header as written
    twice: tuple[tuple[str, int], ...]  #: headers that stand there again, with the index of the cell
    header: tuple[str, ...] = ()  #: every header as written, blank ones too
    qualified: Mapping[str, Told] = field(default_factory=dict)  #: path -> what its header says in brackets
    above: Mapping[str, Told] = field(default_factory=dict)  #: path -> what is said above the table
    periods: tuple[Period, ...] = ()
    lines: int = 1  #: of the sheet that it takes

    @property
    def fields(self) -> frozenset[str]:
        across = [path for path in self.headings.fields_of if path.startswith("@")] if self.periods else ()
        paths = (*self.columns, *self.above, *across, *self.units)
        return frozenset(name for path in paths for name in self.headings.fields_of.get(path, ()))

    @property
    def units(self) -> Mapping[str, Told]:
        """The unit that the header of the quantity names, under the first path of units that has no column."""
        paths = self.headings.fields.get("unit", ())
        if not paths or any(path in self.columns for path in paths):
            return {}
        for path, told in self.qualified.items():
            if "quantity" in self.headings.fields_of.get(path, ()):
                return {paths[0]: told}
        return {}

    @property
    def missing(self) -> tuple[str, ...]:
        """Required fields without a column; where nothing is required, as many as lack to one half, and to two."""
        if self.headings.required:
            return tuple(name for name in self.headings.required if name not in self.fields)
        enough = max(min(2, len(self.headings.fields)), len(self.headings.fields) // 2)
        lacking = [name for name in self.headings.fields if name not in self.fields]
        return tuple(lacking) if len(self.fields) < enough else ()

    @property
    def complete(self) -> bool:
        return bool(self.columns) and not self.missing

    @property
    def merit(self) -> tuple[bool, int, int, int, int, int]:
        """Better: has all, has more fields, columns and periods, takes fewer lines, stands further up."""
        return self.complete, len(self.fields), len(self.columns), len(self.periods), -self.lines, -self.row


def fits(sheet: Sheet, first: Batch, wanting: Sequence[tuple[LinePlan, Headings]]) -> list[Fit]:
    """The best header row for each plan, best plan first; plans that no row serves at all are left out."""
    best: list[Fit] = []
    rows = [[text_of(cell) for cell in row] for row in first.rows[:SEARCHED]]
    for plan, headings in wanting:
        found = [fit for fit in _candidates(sheet, plan, headings, first, rows) if fit.columns]
        fit = max(found, key=lambda fit: fit.merit, default=None)
        if fit is not None:
            best.append(fit)
    # sorting is stable: among equals the candidate named first wins
    return sorted(best, key=lambda fit: (not fit.complete, len(fit.missing), -len(fit.fields)))


def _candidates(
    sheet: Sheet,
    plan: LinePlan,
    headings: Headings,
    first: Batch,
    rows: Sequence[Sequence[str]],
) -> Iterator[Fit]:
    """``rows`` are the first of ``first`` as text."""
    numbers = list(first.numbers[:SEARCHED])
    told: dict[str, Told] = {}
    for at, (number, texts) in enumerate(zip(numbers, rows, strict=True)):
        single = _fit(plan, headings, _Line(sheet, number, [(text,) for text in texts], first.rows[at]), told)
        yield single
        if at + 1 < len(rows) and rows[at + 1] and (single.columns or any(texts)):
            over = _spread(sheet, number, texts, len(rows[at + 1]))
            below = [*rows[at + 1], *[""] * (len(over) - len(rows[at + 1]))]
            both = [
                _joined(top, own, own_top) for top, own, own_top in zip(over, below, _padded(texts, over), strict=True)
            ]
            double = _fit(plan, headings, _Line(sheet, numbers[at + 1], both, first.rows[at + 1], lines=2), told)
            if len(double.columns) > len(single.columns) or len(double.periods) > len(single.periods):
                yield double
        told |= labelled(sheet, headings, number, texts)


def _padded(texts: Sequence[str], like: Sequence[str]) -> list[str]:
    return [*texts, *[""] * (len(like) - len(texts))]


def _joined(top: str, below: str, own_top: str) -> tuple[str, ...]:
    """What the two lines of one column may say together: both, the lower one, or the upper where it stands alone."""
    if not below:
        return (own_top,)
    return (f"{top} {below}", below) if top else (below,)


def _spread(sheet: Sheet, number: int, texts: Sequence[str], width: int) -> list[str]:
    """The upper line, its merged cells filled; where nothing is merged, each text as far as the next one."""
    width = max(width, len(texts))
    over = [*texts, *[""] * (width - len(texts))]
    merged = [
        (left[1] - sheet.first_column, right[1] - sheet.first_column)
        for left, right in sheet.merged
        if left[0] == number - 1 and right[1] > left[1]
    ]
    if merged:
        for begin, end in merged:
            if 0 <= begin < width:
                over[begin : end + 1] = [over[begin]] * (min(end, width - 1) - begin + 1)
        return over
    for index in range(1, width):
        over[index] = over[index] or over[index - 1]
    return over


@dataclass(frozen=True, slots=True)
class _Line:
    """A row that may be a header: what each column may be called, best first, and its cells as they are."""

    sheet: Sheet
    number: int
    options: Sequence[tuple[str, ...]]
    cells: Sequence[object]
    lines: int = 1


def _fit(plan: LinePlan, headings: Headings, line: _Line, told: Mapping[str, Told]) -> Fit:
    options = line.options
    columns: dict[str, int] = {}
    titles: dict[str, str] = {}
    twice: list[tuple[str, int]] = []
    for index, texts in enumerate(options):
        for text in texts:
            if paths := headings.paths_of.get(plain(text), ()) if text else ():
                for path in paths:
                    if path in columns:
                        twice.append((text, index))
                    else:
                        columns[path], titles[path] = index, text
                break
    qualified = _qualified(headings, line, columns, titles)
    periods: tuple[Period, ...] = ()
    if headings.takes_periods and columns:
        taken = set(columns.values())
        heads = [None if index in taken else one for index, one in enumerate(_headed(options, line.cells))]
        found = periods_in(heads, str(plan.options.get("weeks") or "iso"))
        periods = found if len(found) >= _FEWEST_PERIODS else ()
    above = {path: value for path, value in told.items() if path not in columns}
    return Fit(
        plan=plan,
        headings=headings,
        row=line.number,
        columns=columns,
        titles=titles,
        twice=tuple(twice),
        header=_header(line, columns, titles),
        qualified=qualified,
        above=above,
        periods=periods,
        lines=line.lines,
    )


def _header(line: _Line, columns: Mapping[str, int], titles: Mapping[str, str]) -> tuple[str, ...]:
    """As written: of two lines what was recognised, else both where cells are merged above, else the lower."""
    known = {index: titles[path] for path, index in columns.items()}
    which = 0 if line.sheet.merged else -1
    return tuple(known.get(index) or texts[which] for index, texts in enumerate(line.options))


def _headed(options: Sequence[tuple[str, ...]], cells: Sequence[object]) -> list[object]:
    """The header's cells for finding periods: dates as such, else the fullest text."""
    headed: list[object] = []
    for index, texts in enumerate(options):
        cell = cells[index] if index < len(cells) else ""
        headed.append(texts if cell is None or isinstance(cell, str) or len(texts) > 1 else cell)
    return headed


def _qualified(headings: Headings, line: _Line, columns: dict[str, int], titles: dict[str, str]) -> dict[str, Told]:
    """Columns found once what stands in brackets is left out; and what stands there."""
    qualified: dict[str, Told] = {}
    taken = set(columns.values())
    for path, index in columns.items():  # a header that was agreed on with its brackets
        if match := _QUALIFIED.fullmatch(titles[path]):
            qualified[path] = Told((match[2] or match[3]).strip(), place(line.sheet, index, line.number))
    for index, texts in enumerate(line.options):
        if index in taken:
            continue
        for text in texts:
            match = _QUALIFIED.fullmatch(text)
            paths = headings.paths_of.get(plain(match[1]), ()) if match else ()
            free = [path for path in paths if path not in columns]
            if match and free:
                for path in free:
                    columns[path], titles[path] = index, text
                    qualified[path] = Told((match[2] or match[3]).strip(), place(line.sheet, index, line.number))
                break
    return qualified


def labelled(sheet: Sheet, headings: Headings, number: int, texts: Sequence[str]) -> dict[str, Told]:
    """What a row says by label and value: ``Order no.: 4500017``, or the two in cells beside each other."""
    told: dict[str, Told] = {}
    for index, text in enumerate(texts):
        if not text:
            continue
        match = _LABEL.fullmatch(text)
        label, value, at = (match[1], match[2].strip(), index) if match else (text, "", index)
        paths = [path for path in headings.paths_of.get(plain(label), ()) if path not in headings.numbers]
        if not paths:
            continue
        if not value:
            beside = ((n, texts[n]) for n in range(index + 1, min(index + _BESIDE, len(texts))) if texts[n])
            at, value = next(beside, (index, ""))
            if plain(value.rstrip(":\uff1a ")) in headings.paths_of:
                continue
        if value:
            told |= dict.fromkeys(paths, Told(value, place(sheet, at, number)))
    return told


def repeated(sheet: Sheet, fit: Fit) -> Iterator[Finding]:
    """A header that stands in two columns: the first one counts."""
    for text, index in fit.twice:
        yield Finding(
            code="workbook.header_repeated",
            severity=Severity.WARNING,
            stage=Stage.STRUCTURE,
            message=f"the header {text} stands in more than one column; the first one was read",
            location=place(sheet, index, fit.row),
            value=text,
        )


def explain(sheet: Sheet, first: Batch, fits_: Sequence[Fit], wanting: Sequence[tuple[LinePlan, Headings]]) -> Finding:
    """Why no plan fits the sheet: headers found, headers expected, and what is nearest to what is missing."""
    if not wanting:
        return _finding(
            "workbook.sheet_unwanted", "no document is expected on a sheet of this name", sheet.name, sheet.name
        )
    if fits_:
        fit = fits_[0]
        row = first.rows[first.numbers.index(fit.row)]
        found = [text for cell in row if (text := text_of(cell))]
        hints = [_hint(name, fit.headings.fields.get(name, (name,)), found) for name in fit.missing]
        return _finding(
            "workbook.header_incomplete",
            f"{fit.plan.type}: the header lacks " + "; ".join(hints),
            place(sheet, 0, fit.row),
            _listed(found),
            expected=_expected(fit.headings, fit.missing),
        )
    number, found = _likeliest(first)
    headings = wanting[0][1]
    return _finding(
        "workbook.header_missing",
        f"no row has the headers of {', '.join(plan.type for plan, _ in wanting)}",
        place(sheet, 0, number) if found else sheet.name,
        _listed(found),
        expected=_expected(headings, headings.required or tuple(headings.fields)),
    )


def place(sheet: Sheet, index: int, row: int) -> str:
    """``Stock!D17``; ``D17`` in a file without sheet names."""
    cell = f"{column_letter(sheet.first_column + index)}{row}"
    return f"{sheet.name}!{cell}" if sheet.name else cell


def _likeliest(first: Batch) -> tuple[int, list[str]]:
    """The row with most texts, which is what a person would take for the header."""
    rows = [
        (number, [cell.strip() for cell in row if isinstance(cell, str) and cell.strip()])
        for number, row in zip(first.numbers[:SEARCHED], first.rows[:SEARCHED], strict=True)
    ]
    return max(rows, key=lambda row: (len(row[1]), -row[0]), default=(1, []))


#: Likeness, of 100, from which a header may have been meant by another.
NEAR = 80


def nearest(names: Sequence[str], found: Sequence[str]) -> tuple[str, float] | None:
    """Of the headers ``found`` the one most like any of ``names``, and how like it is, of 100; None where none is."""
    best = likeness(names, found)
    return best if best[1] >= NEAR else None


def likeness(names: Sequence[str], found: Sequence[str]) -> tuple[str, float]:
    """The same, however little it is like them; nothing, and 0, where there is nothing to compare."""
    from rapidfuzz import fuzz, process

    matches = (process.extractOne(name, found, scorer=fuzz.WRatio, processor=plain) for name in names)
    best = max((match for match in matches if match), key=lambda match: match[1], default=("", 0.0))
    return best[0], best[1]


def _hint(name: str, names: Sequence[str], found: Sequence[str]) -> str:
    near = nearest(names, found)
    return f"{name} (nearest is {near[0]!r})" if near is not None else name


_NAMED = 8  #: alternatives of a field that a finding names


def _expected(headings: Headings, fields: Sequence[str]) -> str:
    told = []
    for name in fields:
        paths = [path for path in headings.fields.get(name, (name,)) if not path.startswith("@")]
        more = f" or {len(paths) - _NAMED} others" if len(paths) > _NAMED else ""
        told.append(f"{name}: {' or '.join(paths[:_NAMED])}{more}")
    return "; ".join(told)


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - _LISTED} more" if len(words) > _LISTED else ""
    return ", ".join(words[:_LISTED]) + more


def _finding(code: str, message: str, location: str, value: str, *, expected: str | None = None) -> Finding:
    return Finding(
        code=code,
        severity=Severity.ERROR,
        stage=Stage.STRUCTURE,
        message=message,
        location=location,
        value=value,
        expected=expected,
    )
