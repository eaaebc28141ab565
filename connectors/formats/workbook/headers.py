"""The header of a sheet: found by what stands in it, and explained where it is not found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from connectors.formats.workbook.cells import column_letter, plain, text_of
from connectors.formats.workbook.sheets import Batch, Sheet
from schemas.documents import LinePlan
from schemas.findings import Finding, Severity, Stage

SEARCHED = 60  #: rows among which a header is looked for
_LISTED = 40  #: headers that a finding lists


@dataclass(frozen=True, slots=True)
class Headings:
    """What a plan expects of a header: its paths as compared, by field."""

    paths_of: Mapping[str, tuple[str, ...]]  #: header as compared -> the paths it answers
    fields: Mapping[str, tuple[str, ...]]  #: field -> its paths
    fields_of: Mapping[str, tuple[str, ...]]  #: path -> the fields it serves; one column may serve several
    required: tuple[str, ...]  #: fields

    @classmethod
    def of(cls, paths: Sequence[str], fields: Mapping[str, tuple[str, ...]], required: tuple[str, ...]) -> Headings:
        paths_of: dict[str, tuple[str, ...]] = {}
        for path in paths:
            paths_of[plain(path)] = (*paths_of.get(plain(path), ()), path)
        fields_of: dict[str, tuple[str, ...]] = {}
        for field, names in fields.items():
            for path in names:
                fields_of[path] = (*fields_of.get(path, ()), field)
        return cls(paths_of, fields, {path: fields_of.get(path, (path,)) for path in paths}, required)

    @property
    def required_paths(self) -> list[tuple[str, ...]]:
        return [self.fields[field] for field in self.required if field in self.fields]


@dataclass(frozen=True, slots=True)
class Fit:
    """How well one row of a sheet serves one plan as its header."""

    plan: LinePlan
    headings: Headings
    row: int  #: row number of the header
    columns: Mapping[str, int]  #: path -> index of its cell in a row
    titles: Mapping[str, str]  #: path -> header as written
    twice: tuple[tuple[str, int], ...]  #: headers that stand there again, with the index of the cell

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(field for path in self.columns for field in self.headings.fields_of[path])

    @property
    def missing(self) -> tuple[str, ...]:
        """Required fields without a column; where nothing is required, as many as lack to one half, and to two."""
        if self.headings.required:
            return tuple(field for field in self.headings.required if field not in self.fields)
        enough = max(min(2, len(self.headings.fields)), len(self.headings.fields) // 2)
        lacking = [field for field in self.headings.fields if field not in self.fields]
        return tuple(lacking) if len(self.fields) < enough else ()

    @property
    def complete(self) -> bool:
        return bool(self.columns) and not self.missing


def fits(first: Batch, wanting: Sequence[tuple[LinePlan, Headings]]) -> list[Fit]:
    """The best header row for each plan, best plan first; plans that no row serves at all are left out."""
    rows = [
        (number, [text_of(cell) for cell in row])
        for number, row in zip(first.numbers[:SEARCHED], first.rows[:SEARCHED], strict=True)
    ]
    best: list[Fit] = []
    for plan, headings in wanting:
        found = [_fit(plan, headings, number, texts) for number, texts in rows]
        fit = max(found, key=lambda fit: (fit.complete, len(fit.fields), -fit.row), default=None)
        if fit is not None and fit.columns:
            best.append(fit)
    # sorting is stable: among equals the candidate named first wins
    return sorted(best, key=lambda fit: (not fit.complete, len(fit.missing), -len(fit.fields)))


def _fit(plan: LinePlan, headings: Headings, number: int, texts: Sequence[str]) -> Fit:
    columns: dict[str, int] = {}
    titles: dict[str, str] = {}
    twice: list[tuple[str, int]] = []
    for index, text in enumerate(texts):
        for path in headings.paths_of.get(plain(text), ()) if text else ():
            if path in columns:
                twice.append((text, index))
            else:
                columns[path], titles[path] = index, text
    return Fit(plan, headings, number, columns, titles, tuple(twice))


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
        row = first.rows[fit.row - first.numbers[0]]
        found = [text for cell in row if (text := text_of(cell))]
        hints = [_hint(field, fit.headings.fields.get(field, (field,)), found) for field in fit.missing]
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
_NEAR = 80


def _hint(field: str, names: Sequence[str], found: Sequence[str]) -> str:
    best = max(
        (match for name in names if (match := process.extractOne(name, found, scorer=fuzz.WRatio, processor=plain))),
        key=lambda match: match[1],
        default=None,
    )
    return f"{field} (nearest is {best[0]!r})" if best is not None and best[1] >= _NEAR else field


def _expected(headings: Headings, fields: Sequence[str]) -> str:
    return "; ".join(f"{field}: {' or '.join(headings.fields.get(field, (field,)))}" for field in fields)


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
