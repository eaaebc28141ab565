"""Cells merged over several rows of a table: what stands in them is said of each of the rows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from connectors.formats.workbook.sheets import Batch, Merged, Sheet


@dataclass(frozen=True, slots=True)
class Downwards:
    """The merged cells of some columns, ``columns`` as indexes of cells in a row, below the row ``header``.

    Batches come in order: what the first row of an area says is kept for the batches after it.
    """

    sheet: Sheet
    header: int
    columns: Collection[int]
    _kept: dict[Merged, object] = field(default_factory=dict)

    def onto(self, batch: Batch) -> Batch:
        """The batch with their values in every row of theirs that says anything of its own."""
        numbers = batch.numbers
        areas = [
            area
            for area in self.sheet.merged
            if self.header <= area[0][0] < area[1][0]
            and area[0][0] < numbers[-1]
            and area[1][0] + 1 >= numbers[0]
            and area[0][1] - self.sheet.first_column in self.columns
        ]
        if not areas:
            return batch
        rows = [list(row) for row in batch.rows]
        says = [any(cell not in ("", None) for cell in row) for row in rows]
        for area in areas:
            (top, left), (bottom, _) = area
            index, below = left - self.sheet.first_column, bisect_right(numbers, top + 1)
            if below and numbers[below - 1] == top + 1:
                row = rows[below - 1]
                self._kept[area] = row[index] if index < len(row) else ""
            for at in range(below, bisect_right(numbers, bottom + 1)):
                if says[at]:
                    rows[at] += [""] * (index + 1 - len(rows[at]))
                    rows[at][index] = self._kept.get(area, "")
        return replace(batch, rows=rows)
