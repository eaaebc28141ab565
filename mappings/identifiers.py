"""Keys and codes that others give out: what is wrong about one, told apart from being unknown.

GS1 keys are judged by biip, VAT numbers by python-stdnum, currencies by the list of ISO 4217 that the package iso4217
carries, countries by the territories of Unicode's CLDR (babel) that ISO 3166-1 has, Incoterms by our own short list.
Each is imported when it is first needed. Whole columns of GS1 keys are judged by the same weights over columns.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import cache, reduce
from pathlib import Path
from typing import Any, Literal

import polars as pl
import yaml

Gs1 = Literal["gtin", "gln", "sscc"]

#: How many digits each GS1 key has (GS1 General Specifications 2.1, 2.2, 2.4); the last one checks.
DIGITS: Mapping[Gs1, tuple[int, ...]] = {"gtin": (8, 12, 13, 14), "gln": (13,), "sscc": (18,)}
#: Kind of look-up -> the key that a code of digits alone may be meant as. Eight digits may be anybody's number.
LOOKED_UP: Mapping[str, tuple[Gs1, tuple[int, ...]]] = {
    "item": ("gtin", (12, 13, 14)),
    "site": ("gln", (13,)),
    "partner": ("gln", (13,)),
}
#: CLDR's territories of two letters that ISO 3166-1 has not assigned to a country.
_NO_COUNTRIES = frozenset({"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ"})
_INCOTERMS = Path(__file__).parent / "incoterms.yaml"


def right_digit(key: str) -> str:
    """The check digit that the digits before the last of ``key`` call for (GS1 General Specifications 7.9.1)."""
    from biip.checksums import gs1_standard_check_digit

    return str(gs1_standard_check_digit(key[:-1]))


def wrong_check_digits(kind: Gs1, keys: pl.Series, lengths: tuple[int, ...] = ()) -> pl.Series:
    """Which of ``keys`` have the form of such a key, but for the last digit. Never null."""
    distinct = keys.unique()  # of some thousand lines a few hundred packages
    wrong = distinct.filter(distinct.to_frame("key").select_seq(_is_wrong(kind, lengths)).to_series())
    if wrong.is_empty():
        return pl.Series(keys.name, [False], pl.Boolean).new_from_index(0, len(keys))
    return keys.is_in(wrong.implode()).fill_null(False)


@cache
def _is_wrong(kind: Gs1, lengths: tuple[int, ...]) -> pl.Expr:
    return wrong_check_digit(kind, pl.col("key"), lengths)


def _form(lengths: tuple[int, ...]) -> str:
    return f"^(?:{'|'.join(f'[0-9]{{{length}}}' for length in lengths)})$"


def wrong_check_digit(kind: Gs1, key: pl.Expr, lengths: tuple[int, ...] = ()) -> pl.Expr:
    """Whether the last digit of ``key`` is not the one that checks; False for what has another form."""
    number = key.cast(pl.Int64, strict=False)  # the longest has 18 digits
    lengths = lengths or DIGITS[kind]
    threes = (
        _weighed(number // 1000**place % 1000, begins_with=3 if place % 2 else 1)
        for place in range((max(lengths) + 2) // 3)
    )
    # added one by one: a column for each place at once is a lot of memory for millions of keys
    total: pl.Expr = reduce(operator.add, threes)
    return (key.str.contains(_form(lengths)) & (total % 10 != 0)).fill_null(False)


def _weighed(three: pl.Expr, begins_with: int) -> pl.Expr:
    """The digits of numbers up to 999, the last times ``begins_with``, the others by turns times 3 and 1, added up."""
    return pl.lit(_sums(begins_with)).gather(three)


@cache
def _sums(begins_with: int) -> pl.Series:
    last, then = begins_with, 4 - begins_with
    return pl.Series([n % 10 * last + n // 10 % 10 * then + n // 100 * last for n in range(1000)], dtype=pl.Int64)


def misspelt(kind: str, codes: pl.Series) -> pl.Series:
    """Which codes of a kind of look-up have the form of a GTIN or GLN, but for the last digit. Never null."""
    if kind not in LOOKED_UP:
        return pl.Series(codes.name, [False], pl.Boolean).new_from_index(0, len(codes))
    key, lengths = LOOKED_UP[kind]
    return wrong_check_digits(key, codes.str.strip_chars(), lengths)


def no_currency(codes: pl.Series) -> pl.Series:
    """Which are none of ISO 4217. Never null."""
    known = pl.Series(sorted(currencies()), dtype=pl.String)
    return (codes.is_not_null() & ~codes.is_in(known.implode())).fill_null(False)


def fault_of(kind: str, value: str) -> str:
    """What is wrong about ``value``, in words; empty where nothing is. ``kind`` is one of ``KINDS``."""
    return KINDS[kind](value)


def faulty(kind: str, values: pl.Series) -> list[str]:
    """The distinct filled values of which ``fault_of`` says something.

    Of a million GS1 keys those that are right are told over columns, and only the others are asked one by one.
    """
    distinct = values.drop_nulls().unique()
    gs1 = next((one for one in DIGITS if one == kind), None)
    if gs1 is not None:
        key = pl.col("key")
        right = key.str.contains(_form(DIGITS[gs1])) & ~wrong_check_digit(gs1, key)
        distinct = distinct.to_frame("key").filter(~right).to_series()
    return [value for value in distinct if value and fault_of(kind, value)]


def _gs1(kind: Gs1) -> Callable[[str], str]:
    def judge(value: str) -> str:
        if not re.fullmatch(r"[0-9]+", value) or len(value) not in DIGITS[kind]:
            return f"a {kind.upper()} has {' or '.join(map(str, DIGITS[kind]))} digits"
        right = right_digit(value)
        return "" if value[-1] == right else f"the check digit is {value[-1]}, the digits before it call for {right}"

    return judge


def _duns(value: str) -> str:
    """Since 2006 the ninth digit checks nothing."""
    return "" if re.fullmatch(r"[0-9]{9}|[0-9]{2}-[0-9]{3}-[0-9]{4}", value) else "a D-U-N-S number has nine digits"


def _vat(value: str) -> str:
    """With the prefix of its country; EU numbers, and those of countries that python-stdnum knows by themselves."""
    from importlib import import_module

    from stdnum.eu import vat
    from stdnum.exceptions import InvalidChecksum, ValidationError

    country = value[:2].upper()
    try:
        if country.lower() in vat.MEMBER_STATES or country == "EL":
            vat.validate(value)
        elif country in _VAT_ELSEWHERE:
            import_module(_VAT_ELSEWHERE[country]).validate(value)
        else:
            return "" if country in countries() else "a VAT number begins with its country's code"
    except InvalidChecksum:
        return "the check digits of the VAT number are wrong"
    except ValidationError as error:
        return f"it is no VAT number of {country}: {error}"
    return ""


_VAT_ELSEWHERE = {"GB": "stdnum.gb.vat", "CH": "stdnum.ch.vat", "NO": "stdnum.no.mva"}


@cache
def currencies() -> frozenset[str]:
    """The codes of ISO 4217 in force."""
    from iso4217 import Currency

    return frozenset(str(one.code) for one in Currency)


@cache
def countries() -> frozenset[str]:
    """The alpha-2 codes of ISO 3166-1."""
    from babel import Locale

    codes = map(str, Locale("en").territories)
    return frozenset(code for code in codes if re.fullmatch("[A-Z]{2}", code)) - _NO_COUNTRIES


@cache
def incoterms() -> Mapping[str, Any]:
    """Three letters -> name and editions."""
    listed: dict[str, Any] = yaml.safe_load(_INCOTERMS.read_text(encoding="utf-8"))
    return listed


def _listed(what: str, known: Callable[[], frozenset[str]]) -> Callable[[str], str]:
    return lambda value: "" if value in known() else f"{value!r} is no {what}"


def _incoterm(value: str) -> str:
    """The three letters, perhaps a place, perhaps the edition: ``FCA Hull Incoterms 2020``."""
    term, *rest = value.upper().split()
    if term not in incoterms():
        return f"{term!r} is none of the Incoterms: {', '.join(incoterms())}"
    if (edition := next((int(word) for word in rest if word in ("2010", "2020")), None)) is None:
        return ""
    editions = incoterms()[term]["editions"]
    return "" if edition in editions else f"{term} is not among the Incoterms {edition}"


KINDS: Mapping[str, Callable[[str], str]] = {
    "gtin": _gs1("gtin"),
    "gln": _gs1("gln"),
    "sscc": _gs1("sscc"),
    "duns": _duns,
    "vat": _vat,
    "currency": _listed("currency of ISO 4217", currencies),
    "country": _listed("country of ISO 3166-1", countries),
    "incoterm": _incoterm,
}
