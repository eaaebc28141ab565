"""How a column is written, found out from all of it: decimal mark, order of day and month.

What the texts prove comes first, then what the partner's language is wont to do; where neither tells,
the column stays as it is and is reported, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from connectors.formats.workbook.cells import decimal_mark
from connectors.formats.workbook.periods import day_in_words, periods_in

#: Languages whose writers all agree: the decimal mark, the order of a date. Spanish differs on marks by country.
_MARK_OF = {
    "de": ",",
    "fr": ",",
    "it": ",",
    "nl": ",",
    "pl": ",",
    "pt": ",",
    "cs": ",",
    "sv": ",",
    "da": ",",
    "tr": ",",
}
_ORDER_OF = dict.fromkeys((*_MARK_OF, "es"), "dmy") | {"ja": "ymd", "zh": "ymd", "hu": "ymd", "ko": "ymd", "sv": "ymd"}

_WRITTEN = r"^(\d{1,2})[./\- ](\d{1,2})[./\- ](\d{4}|\d{2})\.?(?:[ T,]+(\d{1,2}:\d{2}(?::\d{2})?))?$"
_DATE = re.compile(_WRITTEN)
_PERIOD = r"(?i)^\p{L}+[\s./\-']*\d{1,4}(?:[\s./\-]+\d{2,4})?$|^20\d\d[\s./\-]*\p{L}+[\s./\-]*\d{0,2}$"
_IN_WORDS = r"^\d{1,2}\D{0,7}\p{L}{3,}\D{1,7}\d{2,4}$|^\p{L}{3,}\D{1,3}\d{1,2}\D{1,5}20\d\d$"
#: ``dd.mm.yyyy``, ``MM/DD/YY``, ``TT.MM.JJJJ``
_PATTERN = re.compile(r"[^a-z]*([dtjymga])\1*[./\- ]+([dmyjtga])\2*[./\- ]+([dmyjtga])\3*[^a-z]*", re.I)
_LETTER = {"d": "d", "t": "d", "g": "d", "m": "m", "y": "y", "j": "y", "a": "y"}


@dataclass(slots=True)
class Evidence:
    """What has been seen of a column: marks and orders that texts prove, and a text that could be read in two ways."""

    proved: set[str] = field(default_factory=set)
    unclear: str | None = None
    example: str | None = None
    numbers: bool = False  #: it has number cells

    def verdict(self) -> str | None:
        return next(iter(self.proved)) if len(self.proved) == 1 else None

    @property
    def doubt(self) -> str:
        """``mixed``, ``ambiguous``, or nothing where it is plain or there is nothing to tell."""
        if len(self.proved) > 1:
            return "mixed"
        return "ambiguous" if not self.proved and self.unclear is not None else ""


def look_at_numbers(evidence: Evidence, cells: Sequence[object]) -> None:
    """Add what the texts among ``cells`` prove of the decimal mark."""
    kinds = set(map(type, cells))
    if kinds == {float}:
        evidence.numbers = True
        return
    texts = {cell for cell in set(cells) if type(cell) is str and ("," in cell or "." in cell)}
    evidence.numbers = evidence.numbers or bool(kinds & {float, int})
    if texts:
        proved, unclear = decimal_mark(sorted(texts))
        evidence.proved |= proved
        evidence.unclear = evidence.unclear or (unclear[0] if unclear else None)
        evidence.example = evidence.example or next(iter(sorted(texts)))


def look_at_dates(evidence: Evidence, cells: Sequence[object]) -> None:
    """Add what the texts among ``cells`` prove of the order of day and month."""
    if str not in set(map(type, cells)):
        return
    for text in {cell.strip() for cell in set(cells) if type(cell) is str and cell}:
        match = _DATE.fullmatch(text)
        if match is None:
            continue
        first, second = int(match[1]), int(match[2])
        evidence.example = evidence.example or text
        if first > 12 >= second:
            evidence.proved.add("dmy")
        elif second > 12 >= first:
            evidence.proved.add("mdy")
        elif first != second:
            evidence.unclear = min(evidence.unclear or text, text)


def usual_mark(language: str) -> str | None:
    """The decimal mark of everybody who writes this language; None where they differ."""
    return _MARK_OF.get(language.partition("-")[0].casefold())


def usual_order(language: str) -> str | None:
    """Likewise the order of a date."""
    return _ORDER_OF.get(language.partition("-")[0].casefold())


def order_in(hint: str) -> str | None:
    """``dmy`` for ``dd.mm.yyyy`` or ``TT.MM.JJJJ``, as headers say it; None for anything else."""
    match = _PATTERN.fullmatch(hint)
    if match is None:
        return None
    order = "".join(_LETTER[letter.lower()] for letter in match.groups())
    return order if order in ("dmy", "mdy", "ymd") else None


def as_iso(texts: pl.Series, order: str) -> pl.Series:
    """Dates written in ``order`` as ISO 8601; whatever else stands there, and days that do not exist, as it is."""
    written = texts.str.contains(_WRITTEN).fill_null(False)
    if not written.any():
        return texts
    new: Mapping[str, str] = {text: _iso(text, order) for text in texts.filter(written).unique()}
    return texts.replace(list(new), list(new.values()))


def days_in_words(texts: pl.Series) -> pl.Series:
    """Days whose month is a word (``1-Mar-26``, ``3. März 2026``) as ISO 8601; whatever else stands there as it is."""
    written = texts.str.contains(_IN_WORDS).fill_null(False)
    if not written.any():
        return texts
    new = {text: day.isoformat() for text in texts.filter(written).unique() if (day := day_in_words(text))}
    return texts.replace(list(new), list(new.values()))


def period_starts(texts: pl.Series, weeks: str = "iso") -> pl.Series:
    """Weeks and months (``KW 15/2026``, ``April 2026``) as the day they begin; whatever else stands there as it is."""
    written = texts.str.contains(_PERIOD).fill_null(False)
    if not written.any():
        return texts
    new = {
        text: found[0].starts.isoformat()
        for text in texts.filter(written).unique()
        if (found := periods_in([text], weeks))
    }
    return texts.replace(list(new), list(new.values()))


def _iso(text: str, order: str) -> str:
    match = _DATE.fullmatch(text)
    if match is None:
        return text
    first, second, third = match[1], match[2], match[3]
    parts: Sequence[str] = (first, second, third)
    if order == "ymd":
        year, month, day = parts
        if len(third) == 4:
            return text
    else:
        year = third
        month, day = (second, first) if order == "dmy" else (first, second)
    number = int(year) if len(year) == 4 else int(year) + (2000 if int(year) < 50 else 1900)
    try:
        iso = date(number, int(month), int(day)).isoformat()
    except ValueError:
        return text
    return (
        f"{iso}T{match[4].rjust(5, '0') if match[4].count(':') == 1 else match[4].rjust(8, '0')}" if match[4] else iso
    )
