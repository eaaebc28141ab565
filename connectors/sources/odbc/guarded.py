"""Columns that hold what their type does not allow: SQLite keeps any value in any of them.

Its driver makes nothing, or another value, of what does not fit the type that a column declares: 12 of ``12 pcs``, no
day of ``28.02.2026``. So the database is asked for such values beside the rows, as its own text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

import msgspec

from connectors.sources.odbc.values import Texts

_MOST = 90  #: values of one array; a function of SQLite takes a hundred
#: Adding nothing makes the third of March of the 31st of February, which is how a day that is none is told.
_DAY = "substr({0}, 1, 10) IS date(substr({0}, 1, 10), '+0 days')"
#: What a value is that the driver gives as it stands, by the type it makes of the column.
_FITS: Mapping[type, str] = {
    int: "typeof({0}) = 'integer'",
    float: "typeof({0}) IN ('integer', 'real')",
    bool: "{0} IN (0, 1)",
    date: _DAY,
    datetime: f"{_DAY} AND (length({{0}}) = 10 OR substr({{0}}, 11, 1) IN (' ', 'T')"
    " AND substr({0}, 12, 8) IS time(substr({0}, 12, 8), '+0 days')"
    " AND rtrim(substr({0}, 20), '0123456789') IN ('', '.'))",
    time: "{0} IS time({0}, '+0 days')",
}
_decode = msgspec.json.Decoder(list[str | None]).decode


class Guard:
    """How a statement is asked so that nothing is lost; ``types`` are what the driver makes of its columns."""

    def __init__(self, types: Sequence[type]) -> None:
        guarded = [(place, _column(place), type_) for place, type_ in enumerate(types) if type_ in _FITS]
        self._width = len(types)
        self._parts = [guarded[at : at + _MOST] for at in range(0, len(guarded), _MOST)]

    def text(self, text: str) -> str:
        """The statement, with a column more for every so many: an array of the values that do not fit, or NULL.

        Its columns get names of ours: what the driver calls them is not always what the database does.
        """
        asked = ["pulled.*", *(_odd([(name, type_) for _, name, type_ in part]) for part in self._parts)]
        names = ", ".join(map(_column, range(self._width)))
        return f"WITH pulled ({names}) AS ({text}\n) SELECT {', '.join(asked)} FROM pulled"  # noqa: S608 - the channel's own

    def mend(self, written: Sequence[Texts], chosen: Sequence[int | None], columns: Sequence[Sequence[Any]]) -> None:
        """Put the values that do not fit where the driver's stand; ``columns`` are all that the statement gave."""
        at = {place: number for number, place in enumerate(chosen) if place is not None}
        for part, said in zip(self._parts, columns[self._width :], strict=True):
            for row, text in enumerate(said):
                for (place, _, _), value in zip(part, _decode(text) if text else (), strict=False):
                    if value is not None and place in at:
                        written[at[place]][row] = value


def _odd(columns: Sequence[tuple[str, type]]) -> str:
    odd = [f"{name} IS NOT NULL AND NOT ({_FITS[type_].format(name)})" for name, type_ in columns]
    said = [
        f"CASE WHEN {wrong} THEN CASE typeof({name}) WHEN 'blob' THEN hex({name}) ELSE CAST({name} AS TEXT) END END"
        for wrong, (name, _) in zip(odd, columns, strict=True)
    ]
    return f"CASE WHEN {' OR '.join(odd)} THEN json_array({', '.join(said)}) END"


def _column(place: int) -> str:
    return f"c{place}"
