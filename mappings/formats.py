"""The names by which a mapping says how a number or a date is written.

Numbers: ``point``, ``comma``, ``auto`` (decimal mark), ``implied2`` (X12 N2: two decimals implied).
Times: ``CCYYMMDD`` (six digits too, with a clock), ``iso``, ``dmy``, ``mdy``, ``ymd``, ``written``
(as people write, order told by the value itself). As data element 2379 beside it says, days, weeks, months or
ranges: ``edifact`` and ``edifact_end`` (their first moment, or the first one after them), ``edifact_day`` (a day or
a time of day, nothing where it is longer), ``edifact_range`` and ``edifact_range_end`` (only where it is longer),
``edifact_last`` (its last day); with ``_us`` behind, weeks begin on Sunday. A field that names none takes what is
usual in its document's format; see ``usual_formats``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from mappings.spec import Layout
from mappings.values import (
    ccyymmdd,
    day_alone,
    decimal_text,
    implied_decimal_text,
    iso,
    last_day,
    period_end,
    period_start,
    range_end,
    range_start,
    written,
)
from schemas.configuration import unknown

NumberFormat = Callable[[str], str]
TimeFormat = Callable[[str, str, ZoneInfo], datetime | None]  #: text, clock, zone; None: it says nothing

NUMBER_FORMATS: Mapping[str, NumberFormat] = {
    "point": partial(decimal_text, mark="."),
    "comma": partial(decimal_text, mark=","),
    "auto": partial(decimal_text, mark="auto"),
    **{f"implied{places}": partial(implied_decimal_text, places=places) for places in range(10)},
}
_EDIFACT: Mapping[str, Callable[..., datetime | None]] = {
    "edifact": period_start,
    "edifact_end": period_end,
    "edifact_day": day_alone,
    "edifact_range": range_start,
    "edifact_range_end": range_end,
    "edifact_last": last_day,
}
#: Those that count weeks, and go by another name where weeks begin on Sunday.
BY_WEEKS = frozenset(_EDIFACT)
TIME_FORMATS: Mapping[str, TimeFormat] = {
    "CCYYMMDD": ccyymmdd,
    **_EDIFACT,
    **{f"{name}_us": partial(read, weeks="us") for name, read in _EDIFACT.items()},
    "iso": iso,
    "written": written("auto"),
    "dmy": written("dmy"),
    "mdy": written("mdy"),
    "ymd": written("ymd"),
}

#: What is canonical already when written in this format, and needs no reading.
PLAIN_NUMBER: Mapping[str, str] = {
    "point": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$",
    "comma": r"^-?(0|[1-9][0-9]*)$",
    "auto": r"^-?(0|[1-9][0-9]*)(\.([0-9]{1,2}|[0-9]{4,}))?$",
}

#: Decimal mark -> number format.
MARKS: Mapping[str, str] = {".": "point", ",": "comma", "auto": "auto"}


def number_format(name: str) -> NumberFormat:
    """Raises ValueError naming the formats there are."""
    if name not in NUMBER_FORMATS:
        raise ValueError(unknown("number format", name, NUMBER_FORMATS))
    return NUMBER_FORMATS[name]


def time_format(name: str) -> TimeFormat:
    """Raises ValueError naming the formats there are."""
    if name not in TIME_FORMATS:
        raise ValueError(unknown("time format", name, TIME_FORMATS))
    return TIME_FORMATS[name]


def usual_formats(document: str, layout: Layout) -> tuple[str, str]:
    """Names of the number and the time format that are usual in a document of this type.

    EDI and IDocs write decimal points and CCYYMMDD, XML and rows of a database ISO 8601; a workbook is written by
    people, as its layout says.
    """
    match document.partition(".")[0]:
        case "x12" | "edifact" | "idoc":
            return "point", "CCYYMMDD"
        case "workbook":
            return MARKS[layout.decimal], "written" if layout.dates == "auto" else layout.dates
        case _:
            return "point", "iso"
