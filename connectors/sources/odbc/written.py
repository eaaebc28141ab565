"""Rows that the database itself writes as JSON: one value of each row passes the driver, not sixteen.

PostgreSQL can. What its driver would get wrong comes as PostgreSQL's own text: fractions of a time of day, and moments
that Python has no type for (``infinity``, before the year 1, after 9999).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from connectors.pulls.batch import Batch
from connectors.sources.odbc.values import texts

#: Types whose text in the database is what a payload says of them.
_BY_ITSELF = frozenset({str, int, bool, Decimal, date, time})
_MOST = 90  #: values of one array; a function of PostgreSQL takes a hundred
_PADDED = re.compile(rb' "[,\]]')  #: where a text may end in a blank
_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines
_line = msgspec.json.Decoder(list[str | None])


class Kind(NamedTuple):
    """What the driver says of a column: Python's type, digits."""

    type: type
    size: int | None


class _Part(NamedTuple):
    """Neighbouring columns of the payload: written by the database, one as the driver has it, or an empty one."""

    columns: tuple[int, ...] = ()
    typed: int | None = None


class Written:
    """How ``text``, a statement whose columns are ``names``, is asked so that the ``chosen`` ones come as JSON."""

    def __init__(
        self,
        text: str,
        names: Sequence[str],
        kinds: Sequence[Kind],
        chosen: Sequence[int | None],
        *,
        mark: int | None,
        zone: ZoneInfo | None,
    ) -> None:
        self._kinds = kinds
        self._zone = zone
        self._names = names
        self._parts = list(_parts(chosen, kinds))
        self._mark = mark
        asked = [self._expression(part) for part in self._parts]
        #: Columns that come as the driver has them, after the parts: of the watermark at last, if there is one.
        guarded = [part.typed for part in self._parts if part.typed is not None and kinds[part.typed].type is datetime]
        guarded += [mark] if mark is not None and kinds[mark].type in (date, datetime) else []
        self._guarded = list(dict.fromkeys(guarded))
        asked += [self._typed(mark)] if mark is not None else []
        asked += [self._odd()] if self._guarded else []
        self.text = f"SELECT {', '.join(asked)} FROM ({text}\n) AS pulled"  # noqa: S608 - the channel's own query

    def batch(self, rows: Sequence[Sequence[Any]]) -> Batch:
        """Rows of ``text`` as lines."""
        if not rows:
            return Batch(b"", 0)
        given = list(zip(*rows, strict=True))
        fragments = [self._fragments(part, column) for part, column in zip(self._parts, given, strict=False)]
        marks = list(given[len(self._parts)]) if self._mark is not None else []
        if self._guarded and any(given[-1]):
            self._mend(fragments, marks, given[-1])
        lines = fragments[0] if len(fragments) == 1 else map(",".join, zip(*fragments, strict=True))
        block = ("[" + "]\n[".join(lines) + "]\n").encode()
        return Batch(_stripped(block) if _PADDED.search(block) else block, len(rows), marks)

    def _expression(self, part: _Part) -> str:
        if part.typed is not None:
            return self._typed(part.typed)
        if not part.columns:
            return "NULL"
        return f"json_build_array({', '.join(f'{self._name(column)}::text' for column in part.columns)})::text"

    def _typed(self, column: int) -> str:
        name, kind = self._name(column), self._kinds[column].type
        return f"CASE WHEN {_known(name)} THEN {name} END" if kind in (date, datetime) else name

    def _odd(self) -> str:
        """The text of moments that Python has no type for; NULL for a row without any."""
        names = [self._name(column) for column in self._guarded]
        odd = " OR ".join(f"NOT ({_known(name)})" for name in names)
        said = ", ".join(f"CASE WHEN NOT ({_known(name)}) THEN {name}::text END" for name in names)
        return f"CASE WHEN {odd} THEN json_build_array({said})::text END"

    def _name(self, column: int) -> str:
        return 'pulled."{}"'.format(self._names[column].replace('"', '""'))

    def _fragments(self, part: _Part, column: Sequence[Any]) -> list[str]:
        """The values of a part, row by row, as they stand in an array."""
        if part.typed is not None:
            kind, size = self._kinds[part.typed]
            told = texts(column, kind, self._zone, size)
            if kind is datetime:
                return ["null" if text is None else f'"{text}"' for text in told]
            return [_encode(text).decode() for text in told]
        return [value[1:-1] for value in column] if part.columns else ["null"] * len(column)

    def _mend(self, fragments: Sequence[list[str]], marks: list[Any], odd: Sequence[str | None]) -> None:
        """Write moments that Python has no type for as the database does; as watermarks they are far ahead, or none."""
        place_of = {part.typed: place for place, part in enumerate(self._parts) if part.typed is not None}
        for row, said in enumerate(odd):
            for column, text in zip(self._guarded, _line.decode(said) if said else (), strict=False):
                if text is None:
                    continue
                if column in place_of:
                    fragments[place_of[column]][row] = _encode(text).decode()
                if column == self._mark:
                    ahead = not text.startswith("-") and not text.endswith("BC")
                    marks[row] = self._kinds[column].type.max if ahead else None  # type: ignore[attr-defined]


def _parts(chosen: Sequence[int | None], kinds: Sequence[Kind]) -> Iterator[_Part]:
    def how(column: int | None) -> str:
        return "" if column is None else "written" if kinds[column].type in _BY_ITSELF else "typed"

    for manner, group in groupby(chosen, how):
        columns = list(group)
        if manner == "written":
            for start in range(0, len(columns), _MOST):
                yield _Part(columns=tuple(column for column in columns[start : start + _MOST] if column is not None))
        else:
            yield from (_Part(typed=column) for column in columns)


def _known(name: str) -> str:
    """Whether there is nothing, or a moment of the years that Python knows."""
    return f"({name} IS NULL OR {name} >= '0001-01-01' AND {name} < '10000-01-01')"


def _stripped(block: bytes) -> bytes:
    """The lines, their texts without blanks at the end: ODBC does not tell CHAR from VARCHAR in a result."""
    lines = (_line.decode(line) for line in block.split(b"\n")[:-1])
    return _encode_lines([[text and text.rstrip(" ") for text in line] for line in lines])
