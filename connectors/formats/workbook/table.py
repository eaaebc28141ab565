"""The rows below a header as line chunks: totals left out, values from above carried down, periods unfolded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

import polars as pl

from connectors.formats.workbook import columns as written
from connectors.formats.workbook.cells import ERROR, Fault, column, column_letter, dated, plain, text_of
from connectors.formats.workbook.headers import VALUE, Fit, Told, labelled, place
from connectors.formats.workbook.safety import as_sent
from connectors.formats.workbook.sheets import Batch, Sheet
from schemas.documents import LENGTH, LOCATION, OFFSET, ORDINAL, PLACE_SUFFIX, LineChunk
from schemas.findings import Finding, Severity, Stage

STARTS, ENDS, BUCKET = "@starts", "@ends", "@bucket"  #: paths of a period across, beside ``@value``

_TOTAL = r"(grand\s*|sub-?\s*)?(total|totals|sum|summe|gesamt\w*|zwischensumme|totale|totaux|suma)"
_BEGINS_AS_TOTAL = re.compile(rf"(?i){_TOTAL}\b")
_EXPONENT = re.compile(r"([0-9])(?:[.,]([0-9]+))?[eE]\+?([0-9]{1,2})")
_ROW = "_row"
_MOST_DIGITS = 1e15  #: beyond this a spreadsheet has lost digits
_LABELS = 8  #: filled cells that a row of labels has at most


@dataclass(frozen=True, slots=True)
class Agreed:
    """How the columns of one sheet are read: by path, the decimal mark and the order of dates; what rows count."""

    marks: Mapping[str, str]
    orders: Mapping[str, str]
    days: frozenset[str]  #: paths of dates
    identifiers: frozenset[str]
    weighty: frozenset[str]  #: paths without whose value a line means nothing, or another thing
    only: Mapping[str, frozenset[str]] = field(
        default_factory=dict
    )  #: path -> values as compared; other rows are not read


class Table:
    """The table below one header, chunk by chunk. What is said above a block holds for the lines that follow it."""

    def __init__(self, sheet: Sheet, fit: Fit, agreed: Agreed, ordinal: int) -> None:
        self.sheet = sheet
        self.fit = fit
        self.agreed = agreed
        self.ordinal = ordinal
        self.lines = 0
        self._carried: dict[str, Told] = {**fit.units, **self._dated(fit.above)}
        # a mapping knows hundreds of headers, and a table has ten of them
        self._nothing = {
            path: pl.lit(None, pl.String).alias(path) for path in fit.plan.paths if path not in fit.columns
        }

    def chunk(self, batch: Batch) -> tuple[LineChunk, list[Finding]]:
        """The lines of some rows, and what is to be said of them."""
        columns = _across(batch)
        table = pl.DataFrame([self._column(path, columns(index)) for path, index in self.fit.columns.items()])
        filled = self._filled(table, batch)
        keep, findings, spans = self._sorted_out(batch, table, filled)
        whole = self._with_places(table, batch, spans).filter(keep)
        if self.fit.periods:
            whole = self._unfolded(whole, batch)
        lines = whole.with_columns_seq(
            pl.int_range(self.lines + 1, self.lines + 1 + pl.len(), dtype=pl.Int64).alias(ORDINAL)
        )
        findings += self._faults(batch, lines)
        findings += self._digits_lost(lines)
        self.lines += lines.height
        known = frozenset(lines.columns)
        nothing = [column for path, column in self._nothing.items() if path not in known]
        return LineChunk(ordinal=self.ordinal, table=lines.drop(_ROW).with_columns_seq(nothing)), findings

    # -- cells ----------------------------------------------------------------------------------------

    def _column(self, path: str, cells: Sequence[object]) -> pl.Series:
        if path in self.agreed.identifiers and any(type(cell) is float and abs(cell) > _MOST_DIGITS for cell in cells):
            cells = [f"{cell:.14E}" if type(cell) is float and abs(cell) > _MOST_DIGITS else cell for cell in cells]
        if path in self.agreed.days and self.sheet.since and float in set(map(type, cells)):
            cells = [dated(cell, self.sheet.since) if type(cell) is float else cell for cell in cells]
        text = column(path, cells, self.agreed.marks.get(path) or ".")
        if text.dtype != pl.String:
            text = text.cast(pl.String)
        if text.str.starts_with("'").any():
            text = text.map_elements(as_sent, return_dtype=pl.String)
        if path in self.agreed.days:
            text = written.days_in_words(text)
            text = written.period_starts(text, str(self.fit.plan.options.get("weeks") or "iso"))
        if path in self.agreed.orders:
            text = written.as_iso(text, self.agreed.orders[path])
        if path in self.agreed.identifiers and text.str.contains(r"^[0-9](?:[.,][0-9]+)?[eE]\+?[0-9]{1,2}$").any():
            text = text.map_elements(_whole, return_dtype=pl.String)
        return text.alias(path)

    def _filled(self, table: pl.DataFrame, batch: Batch) -> pl.Series:
        filled = ~table.select_seq(pl.all_horizontal(pl.all().is_null())).to_series()
        if not self.fit.periods:
            return filled
        across = [period.index for period in self.fit.periods]
        return filled | pl.Series(
            [any(index < len(row) and row[index] not in ("", None) for index in across) for row in batch.rows],
            dtype=pl.Boolean,
        )

    # -- rows -----------------------------------------------------------------------------------------

    def _sorted_out(
        self, batch: Batch, table: pl.DataFrame, filled: pl.Series
    ) -> tuple[pl.Series, list[Finding], list[tuple[int, dict[str, Told]]]]:
        """Which rows are lines: neither blank, nor a total, nor the header once more, nor labels.

        And from which row on what is carried down holds.
        """
        spans = [(0, dict(self._carried))]
        dropped, findings, others = [], [], []
        suspect = self._suspects(table)
        fallen = suspect.select_seq(pl.any_horizontal(pl.all())).to_series() | ~filled
        for index in fallen.arg_true():
            texts = [text_of(cell) for cell in batch.rows[index]]
            some = [text for text in texts if text]
            if not some:
                continue
            number = batch.numbers[index]
            if suspect["again"][index]:
                why = "the header stands here once more"
            elif suspect["total"][index] or (suspect["lacking"][index] and _BEGINS_AS_TOTAL.match(some[0])):
                why = "a total, not a line"
            elif len(some) <= _LABELS and (told := self._told(number, texts)):
                self._carried |= told
                spans.append((index, dict(self._carried)))
                dropped.append(index)
                continue
            elif suspect["other"][index]:
                dropped.append(index)
                others.append(number)
                continue
            else:
                continue
            dropped.append(index)
            findings.append(passed_over(why, place(self.sheet, 0, number), " | ".join(some)[:200]))
        if others:
            why = f"{len(others)} row{'s hold' if len(others) > 1 else ' holds'} something else than what is read"
            findings.append(passed_over(why, place(self.sheet, 0, others[0]), ", ".join(map(str, others[:20]))))
        return (filled.scatter(dropped, False) if dropped else filled), findings, spans

    def _suspects(self, table: pl.DataFrame) -> pl.DataFrame:
        fit = self.fit
        needed = [
            [path for path in paths if path in fit.columns and path not in self._carried]
            for paths in fit.headings.required_paths
        ]
        lacking = pl.any_horizontal(
            pl.lit(False), *(pl.all_horizontal(pl.col(path).is_null() for path in paths) for paths in needed if paths)
        )
        total = pl.any_horizontal(pl.all().str.contains(f"(?i)^{_TOTAL}\\W*$"))
        again = pl.all_horizontal(pl.col(path) == title for path, title in fit.titles.items())
        other = pl.any_horizontal(
            pl.lit(False),
            *(~_compared(path).is_in(list(values)) for path, values in self.agreed.only.items() if path in fit.columns),
        )
        return table.select_seq(
            again=again.fill_null(False),
            total=total.fill_null(False),
            lacking=lacking,
            other=other.fill_null(False),
        )

    def _told(self, number: int, texts: Sequence[str]) -> dict[str, Told]:
        """What a row of labels says for the lines below it, of paths that have no column."""
        told = labelled(self.sheet, self.fit.headings, number, texts)
        return self._dated({path: value for path, value in told.items() if path not in self.fit.columns})

    def _dated(self, told: Mapping[str, Told]) -> dict[str, Told]:
        """The same, with dates read as those of a column are."""
        dates = {
            path: replace(one, text=self._date(path, one.text))
            for path, one in told.items()
            if path in self.agreed.days
        }
        return {**told, **dates}

    def _date(self, path: str, text: str) -> str:
        read = written.days_in_words(pl.Series([text]))
        order = self.agreed.orders.get(path)
        return str((written.as_iso(read, order) if order else read)[0])

    def _with_places(
        self, table: pl.DataFrame, batch: Batch, spans: Sequence[tuple[int, dict[str, Told]]]
    ) -> pl.DataFrame:
        row = pl.Series(batch.numbers, dtype=pl.Int64)
        number = row.cast(pl.String)
        places = [(self._prefix(index) + number).alias(path + PLACE_SUFFIX) for path, index in self.fit.columns.items()]
        return table.with_columns_seq(
            *places,
            *_carried(spans, len(batch.rows)),
            (self._prefix(-self.sheet.first_column) + number).alias(LOCATION),
            pl.Series(OFFSET, batch.offsets or [None] * len(batch.rows), pl.Int64),
            pl.Series(LENGTH, batch.lengths or [None] * len(batch.rows), pl.Int64),
            pl.Series(_ROW, row),
        )

    def _prefix(self, index: int) -> pl.Expr:
        letter = column_letter(index + self.sheet.first_column)
        return pl.lit(f"{self.sheet.name}!{letter}" if self.sheet.name else letter)

    # -- periods --------------------------------------------------------------------------------------

    def _unfolded(self, lines: pl.DataFrame, batch: Batch) -> pl.DataFrame:
        """A line for each quantity under a period; the place of the line is that of the quantity."""
        at = {number: index for index, number in enumerate(batch.numbers)}
        rows = [at[number] for number in lines[_ROW]]
        mark = self.agreed.marks.get(VALUE) or "."
        parts = []
        for period in self.fit.periods:
            cells = _cells(batch, period.index)
            values = column(VALUE, [cells[row] for row in rows], mark).cast(pl.String)
            here = self._prefix(period.index) + pl.col(_ROW).cast(pl.String)
            parts.append(
                lines.with_columns_seq(
                    values,
                    here.alias(VALUE + PLACE_SUFFIX),
                    here.alias(LOCATION),
                    pl.lit(period.starts.isoformat()).alias(STARTS),
                    pl.lit(period.ends.isoformat()).alias(ENDS),
                    pl.lit(period.bucket).alias(BUCKET),
                ).filter(
                    pl.col(VALUE).is_not_null()
                    | pl.Series([isinstance(cells[row], Fault) for row in rows], dtype=pl.Boolean)
                )
            )
        return pl.concat(parts).sort(_ROW, maintain_order=True)

    # -- what is wrong with cells -----------------------------------------------------------------------

    def _faults(self, batch: Batch, lines: pl.DataFrame) -> Iterator[Finding]:
        """Errors and formulas without a value, in the columns that are read."""
        if not self.sheet.faulty:
            return
        indexes = {*self.fit.columns.values(), *(period.index for period in self.fit.periods)}
        weighty = {index for path, index in self.fit.columns.items() if path in self.agreed.weighty}
        weighty |= {period.index for period in self.fit.periods}
        found = [
            (number, index, cell)
            for number, row in zip(batch.numbers, batch.rows, strict=True)
            for index in indexes
            if index < len(row) and type(cell := row[index]) is Fault
        ]
        if not found:
            return
        by_row = dict(zip(reversed(lines[_ROW].to_list()), reversed(lines[ORDINAL].to_list()), strict=True))
        by_place = dict(zip(lines[LOCATION].to_list(), lines[ORDINAL].to_list(), strict=True))
        for number, index, fault in found:
            here = place(self.sheet, index, number)
            line = by_place.get(here) if self.fit.periods else None
            if (line := line or by_row.get(number)) is None:
                continue
            broken = fault.kind == ERROR
            yield _wrong(
                "cell.error" if broken else "cell.uncalculated",
                f"the cell shows the error {fault}" if broken else "the formula has never been calculated",
                here,
                str(fault),
                expected="a value" if broken else "a value; open the file in a spreadsheet program and save it",
                line=line,
                severity=Severity.ERROR if index in weighty else Severity.WARNING,
            )

    def _digits_lost(self, lines: pl.DataFrame) -> Iterator[Finding]:
        """Numbers of items and orders that a spreadsheet has cut: 1.23E+12."""
        for path in self.fit.columns:
            if path not in self.agreed.identifiers:
                continue
            lost = lines.filter(pl.col(path).str.contains(r"^[0-9](?:[.,][0-9]+)?[eE]\+?[0-9]{1,2}$"))
            for text, here, line in lost.select_seq(path, path + PLACE_SUFFIX, ORDINAL).iter_rows():
                yield _wrong(
                    "cell.digits_lost",
                    f"{text} is a long number that a spreadsheet program has shortened: its digits are lost",
                    here,
                    text,
                    expected="all digits; format the column as text before filling it",
                    line=line,
                )


def _carried(spans: Sequence[tuple[int, dict[str, Told]]], height: int) -> Iterator[pl.Series]:
    """What is carried down, as columns: from each span's row on, what it says; and where that stands."""
    for path in dict.fromkeys(path for _, told in spans for path in told):
        texts: list[str | None] = []
        places: list[str | None] = []
        for (begin, told), (end, _) in zip(spans, [*spans[1:], (height, {})], strict=True):
            one = told.get(path)
            texts += [one.text if one else None] * (end - begin)
            places += [one.place if one else None] * (end - begin)
        yield pl.Series(path, texts, pl.String)
        yield pl.Series(path + PLACE_SUFFIX, places, pl.String)


def _compared(path: str) -> pl.Expr:
    return pl.col(path).map_elements(plain, return_dtype=pl.String)


def _whole(text: str) -> str:
    """``1.234567E+6`` has all its digits and is 1234567; of ``1.23E+12`` some are lost, and it stays."""
    match = _EXPONENT.fullmatch(text)
    if match is None:
        return text
    digits, exponent = match[1] + (match[2] or ""), int(match[3])
    return digits if len(digits) == exponent + 1 else text


def _across(batch: Batch) -> Callable[[int], Sequence[object]]:
    """The cells of a column, by its index; all columns are cut at once, which is a third of the work."""
    alike = len(set(map(len, batch.rows))) == 1
    columns = list(zip(*batch.rows, strict=False) if alike else zip_longest(*batch.rows, fillvalue=""))
    nothing = [""] * len(batch.rows)
    return lambda index: columns[index] if index < len(columns) else nothing


def _cells(batch: Batch, index: int) -> list[object]:
    return [row[index] if index < len(row) else "" for row in batch.rows]


def passed_over(message: str, location: str, value: str | None, *, code: str = "workbook.row_passed_over") -> Finding:
    """What was not read, and why that is right."""
    return Finding(
        code=code, severity=Severity.INFO, stage=Stage.STRUCTURE, message=message, location=location, value=value
    )


def _wrong(
    code: str, message: str, location: str, value: str, *, expected: str, line: int, severity: Severity = Severity.ERROR
) -> Finding:
    return Finding(
        code=code,
        severity=severity,
        stage=Stage.STRUCTURE,
        message=message,
        location=location,
        value=value,
        expected=expected,
        line=line,
    )
