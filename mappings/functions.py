"""Named functions for what a path, a code list and a format cannot say.

A mapping names one (``function: first_word``); it gets the field's text and gives back other
text, or None for nothing. It is called once per distinct value, so it must depend on nothing else.
What a function cannot read it refuses with ``ValueError``, whose text says what was expected.

Adding one: write it here under ``@mapping_function``; its docstring is what people read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType

from mappings.values import ccyymmdd, iso, zone_of

MappingFunction = Callable[[str], str | None]

_registered: dict[str, MappingFunction] = {}

#: All functions a mapping may name.
FUNCTIONS: Mapping[str, MappingFunction] = MappingProxyType(_registered)


def mapping_function(function: MappingFunction) -> MappingFunction:
    """Let mappings name ``function``. It needs a docstring, and a name of its own."""
    name = function.__name__
    if name in _registered or not function.__doc__:
        raise ValueError(f"mapping function {name} needs a docstring and a name that is not taken")
    _registered[name] = function
    return function


@mapping_function
def strip_leading_zeros(text: str) -> str | None:
    """``0000000815`` becomes ``815``: numbers as SAP pads them. All zeroes become ``0``."""
    return text.lstrip("0") or "0"


@mapping_function
def digits_only(text: str) -> str | None:
    """``PO 4711/2`` becomes ``47112``: what is left when people decorate a number."""
    return re.sub(r"[^0-9]", "", text) or None


@mapping_function
def first_word(text: str) -> str | None:
    """``PUMP-7 Rev B`` becomes ``PUMP-7``: a number with words behind it."""
    words = text.split(maxsplit=1)
    return words[0] if words else None


@mapping_function
def sscc_digits(text: str) -> str | None:
    """An SSCC as its 18 digits, without the application identifier ``(00)`` that scanners leave in front."""
    digits = re.sub(r"[^0-9]", "", text)
    digits = digits.removeprefix("00") if len(digits) == 20 else digits
    if len(digits) != 18:
        raise ValueError("an SSCC of 18 digits")
    return digits


@mapping_function
def upper(text: str) -> str | None:
    """``pump-7`` becomes ``PUMP-7``: for partners whose numbers come in any case."""
    return text.upper()


@mapping_function
def day_after(text: str) -> str | None:
    """``20260405`` becomes ``20260406``: a window that is written with its last day ends when the next day begins."""
    return (ccyymmdd(text, "", zone_of("UTC")) + timedelta(days=1)).strftime("%Y%m%d")


@mapping_function
def week_after(text: str) -> str | None:
    """``20260406`` becomes ``20260413``: a week that is written with its first day ends when the next one begins."""
    return (ccyymmdd(text, "", zone_of("UTC")) + timedelta(days=7)).strftime("%Y%m%d")


@mapping_function
def week_end(text: str) -> str | None:
    """``20260406`` becomes ``20260412``: the last day of a week that is written with its first."""
    return (ccyymmdd(text, "", zone_of("UTC")) + timedelta(days=6)).strftime("%Y%m%d")


@mapping_function
def rejected(text: str) -> str | None:
    """``Z7`` becomes ``rejected``: a reason for rejection, of which each system has codes of its own."""
    return "rejected" if text.strip("0") else None


@mapping_function
def next_day(text: str) -> str | None:
    """``2026-04-05`` becomes ``2026-04-06``: as ``day_after``, for dates as XML and databases write them."""
    return (iso(text, "", zone_of("UTC")) + timedelta(days=1)).date().isoformat()
