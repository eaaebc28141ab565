"""Cells merged over several rows of a table: what stands in them is said of each of the rows."""

from __future__ import annotations

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
        first, last = batch.numbers[0], batch.numbers[-1]
        areas = [
            area
            for area in self.sheet.merged
            if self.header <= area[0][0] < area[1][0]
            and area[0][0] < last
            and area[1][0] + 1 >= first
            and area[0][1] - self.sheet.first_column in self.columns
        ]
        if not areas:
            return batch
        rows = [list(row) for row in batch.rows]
        says = [any(cell not in ("", None) for cell in row) for row in rows]
        for area in areas:
            (top, left), (bottom, _) = area
            index, at = left - self.sheet.first_column, top + 1 - first
            if at >= 0:
                self._kept[area] = rows[at][index] if index < len(rows[at]) else ""
            for row in range(max(at + 1, 0), min(bottom + 2 - first, len(rows))):
                if says[row]:
                    rows[row] += [""] * (index + 1 - len(rows[row]))
                    rows[row][index] = self._kept.get(area, "")
        return replace(batch, rows=rows)
