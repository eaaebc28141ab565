"""How the columns of a sheet are written: as agreed, else as all of it proves, else as is usual."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from connectors.collector import no_collection
from connectors.formats.workbook import columns, headers
from connectors.formats.workbook.columns import Evidence
from connectors.formats.workbook.headers import VALUE, Fit
from connectors.formats.workbook.layout import Layout, layout_of
from connectors.formats.workbook.sheets import Sheet
from connectors.formats.workbook.table import Agreed
from connectors.formats.workbook.unreadable import Unreadable
from schemas.findings import Finding, Severity, Stage

GLANCE = 256  #: rows that are looked at together: few enough for the processor's cache


def agreed_on(sheet: Sheet, fit: Fit) -> tuple[Agreed, list[Finding]]:
    """How each column is written, and what stays unclear."""
    layout = layout_of(fit.plan)
    numbers: dict[str, tuple[int, ...]] = {
        path: (index,) for path, index in fit.columns.items() if path in layout.numbers
    }
    if fit.periods:
        numbers[VALUE] = tuple(period.index for period in fit.periods)
    days = {path: (index,) for path, index in fit.columns.items() if path in layout.days}
    marks = dict.fromkeys(numbers, layout.decimal) if layout.decimal != "auto" else {}
    orders = dict(_orders_told(fit, days)) if layout.dates == "auto" else dict.fromkeys(days, layout.dates)
    seen = _evidence(
        sheet,
        fit,
        {p: i for p, i in numbers.items() if p not in marks},
        {p: i for p, i in days.items() if p not in orders},
    )
    usual_mark, usual_order = columns.usual_mark(layout.language), columns.usual_order(layout.language)
    doubts: list[Finding] = []
    for path, evidence in seen.items():
        is_number = path in numbers
        chosen, usual = (marks, usual_mark) if is_number else (orders, usual_order)
        if choice := evidence.verdict() or (usual if evidence.doubt == "ambiguous" else None):
            chosen[path] = choice
        elif evidence.doubt:
            doubts.append(_unclear(sheet, fit, path, "decimal" if is_number else "dates", evidence))
        elif is_number and (usual or evidence.numbers):
            chosen[path] = usual or "."  # nothing there has a mark: one that is told of is the partner's own
    if layout.dates == "auto":
        orders |= _above(fit, layout, days, usual_order)
    only = {path: values for path, values in layout.only.items() if path in fit.columns}
    return Agreed(marks, orders, layout.days, layout.identifiers, layout.weighty, only), doubts


def _orders_told(fit: Fit, days: Collection[str]) -> Iterator[tuple[str, str]]:
    """The order of dates that the header of a column itself says: ``Date (dd.mm.yyyy)``."""
    for path, told in fit.qualified.items():
        if path in days and (order := columns.order_in(told.text)):
            yield path, order


def _above(fit: Fit, layout: Layout, days: Collection[str], usual: str | None) -> dict[str, str]:
    """How dates are written that stand above tables: as one itself proves, else as is usual."""
    orders: dict[str, str] = {}
    for path in layout.days.difference(days):
        evidence = Evidence()
        if path in fit.above:
            columns.look_at_dates(evidence, [fit.above[path].text])
        if order := evidence.verdict() or usual:
            orders[path] = order
    return orders


def _evidence(
    sheet: Sheet, fit: Fit, numbers: Mapping[str, tuple[int, ...]], days: Mapping[str, tuple[int, ...]]
) -> dict[str, Evidence]:
    """What all rows of the sheet prove of the columns that nothing is agreed on."""
    seen = {path: Evidence() for path in (*numbers, *days)}
    if not seen:
        return seen
    wanted = [*((path, index, True) for path, some in numbers.items() for index in some)]
    wanted += [(path, index, False) for path, some in days.items() for index in some]
    try:
        with no_collection():
            for batch in sheet.batches(GLANCE):
                rows = batch.after(fit.row).rows
                for path, index, is_number in wanted:
                    cells = [row[index] for row in rows if index < len(row)]
                    (columns.look_at_numbers if is_number else columns.look_at_dates)(seen[path], cells)
    except Unreadable:
        pass  # said when the rows are read
    return seen


def _unclear(sheet: Sheet, fit: Fit, path: str, what: str, evidence: Evidence) -> Finding:
    title = fit.titles.get(path, "with the periods")
    index = fit.columns.get(path, fit.periods[0].index if fit.periods else 0)
    told = (
        ("whether its decimal mark is a comma or a point", "decimal: ',' or '.' in the partner's file")
        if what == "decimal"
        else ("whether the day or the month comes first", "dates: dmy or mdy in the partner's file")
    )
    return Finding(
        code=f"workbook.{what}_{evidence.doubt}",
        severity=Severity.WARNING,
        stage=Stage.STRUCTURE,
        message=f"the column {title} does not tell {told[0]}",
        location=headers.place(sheet, index, fit.row),
        value=evidence.unclear or evidence.example,
        expected=told[1],
    )
