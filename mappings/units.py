"""Units of measure: codes as people and systems write them, and exact conversion between them.

Inside, units are UN/ECE Recommendation 20 codes (packages: Recommendation 21 with a leading ``X``).
``codes/unit.yaml`` brings X12 355 codes, ERP codes and words to them.

Physical factors stand in a table here rather than come from a library at run time: a factor that is
defined exactly (a pound is 0.45359237 kg by treaty) stays exact as a fraction, codes would have to be
mapped to the library's unit names one by one anyway, and a unit registry costs every short task half
a second. The tests hold each row against pint, which knows the definitions independently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

_CODES = Path(__file__).parent / "codes" / "unit.yaml"

#: Rec 20 code -> (dimension, how many of the dimension's first unit it is). Exact by definition:
#: the yard and pound agreement of 1959, the US gallon of 231 cubic inches, the imperial gallon of 4.54609 litres.
PHYSICAL: dict[str, tuple[str, Fraction]] = {
    code: (dimension, Fraction(size))
    for dimension, sizes in {
        # each, piece and one all count the same things
        "count": {
            "C62": "1",
            "EA": "1",
            "H87": "1",
            "NMP": "1",
            "PR": "2",
            "DZN": "12",
            "CEN": "100",
            "GRO": "144",
            "MIL": "1000",
        },
        "mass": {
            "KGM": "1",
            "MC": "1e-9",
            "MGM": "1e-6",
            "GRM": "0.001",
            "DTN": "100",
            "TNE": "1000",
            "GRN": "0.00006479891",
            "ONZ": "0.028349523125",
            "APZ": "0.0311034768",
            "LBR": "0.45359237",
            "CWA": "45.359237",
            "CWI": "50.80234544",
            "STN": "907.18474",
            "LTN": "1016.0469088",
        },
        "length": {
            "MTR": "1",
            "4H": "1e-6",
            "MMT": "0.001",
            "CMT": "0.01",
            "DMT": "0.1",
            "KMT": "1000",
            "INH": "0.0254",
            "FOT": "0.3048",
            "YRD": "0.9144",
            "SMI": "1609.344",
        },
        "area": {
            "MTK": "1",
            "MMK": "1e-6",
            "CMK": "0.0001",
            "DMK": "0.01",
            "HAR": "10000",
            "KMK": "1e6",
            "INK": "0.00064516",
            "FTK": "0.09290304",
            "YDK": "0.83612736",
            "ACR": "4046.8564224",
        },
        "volume": {
            "MTQ": "1",
            "4G": "1e-9",
            "MLT": "1e-6",
            "CMQ": "1e-6",
            "CLT": "1e-5",
            "DLT": "0.0001",
            "LTR": "0.001",
            "DMQ": "0.001",
            "HLT": "0.1",
            "INQ": "0.000016387064",
            "FTQ": "0.028316846592",
            "YDQ": "0.764554857984",
            "OZA": "0.0000295735295625",
            "PTL": "0.000473176473",
            "QTL": "0.000946352946",
            "GLL": "0.003785411784",
            "BLL": "0.158987294928",
            "OZI": "0.0000284130625",
            "PTI": "0.00056826125",
            "QTI": "0.0011365225",
            "GLI": "0.00454609",
        },
        "time": {"SEC": "1", "MIN": "60", "HUR": "3600", "DAY": "86400", "WEE": "604800"},
        "energy": {"JOU": "1", "KJO": "1000", "WHR": "3600", "KWH": "3600000", "MWH": "3600000000"},
    }.items()
    for code, size in sizes.items()
}

PLACES = 12  #: decimals a converted quantity is rounded to at most, half to even
_SMALLEST = Decimal(1).scaleb(-PLACES)
_WIDE = Context(prec=80, rounding=ROUND_HALF_EVEN)


#: how many of the second unit one of the first is, None when that is not known
Bridge = Callable[[str, str], Fraction | None]


class Step(NamedTuple):
    """One row of the units table: one ``from_unit`` is worth ``rate`` of ``to_unit``."""

    from_unit: str
    to_unit: str
    rate: Fraction


@cache
def shipped_units() -> Mapping[str, str]:
    """The shipped code list: upper-case code or word -> Rec 20 code. Every Rec 20 code in it stands for itself."""
    listed: dict[str, str] = yaml.safe_load(_CODES.read_text(encoding="utf-8"))
    codes = {code: code for code in (*PHYSICAL, *listed.values())}
    return codes | {word.upper(): code for word, code in listed.items()}


def physical_rate(unit: str, wanted: str) -> Fraction | None:
    """How many ``wanted`` one ``unit`` is, both of one physical dimension; None when they are not."""
    if unit == wanted:
        return Fraction(1)
    if unit not in PHYSICAL or wanted not in PHYSICAL:
        return None
    dimension, size = PHYSICAL[unit]
    other, other_size = PHYSICAL[wanted]
    return size / other_size if dimension == other else None


def find_rate(unit: str, wanted: str, own: Sequence[Step], general: Sequence[Step] = ()) -> Fraction | None:
    """How many ``wanted`` one ``unit`` of an item is; None when nothing leads there.

    What is agreed for the item (``own``) beats what is agreed for all items (``general``), which beats
    physics; last, physics may bridge the ends of agreed steps (sent in feet, agreed per metre). Steps go
    either way, at most two of them; the shorter way wins, among equals the first in order of unit codes.
    """
    if unit == wanted:
        return Fraction(1)
    own_ways, all_ways = _both_ways(own), _both_ways((*own, *general))
    rate = _walk(unit, wanted, own_ways, _same)
    if rate is None:
        rate = _walk(unit, wanted, all_ways, _same)
    if rate is None:
        rate = physical_rate(unit, wanted)
    if rate is None:
        rate = _walk(unit, wanted, own_ways, physical_rate)
    return _walk(unit, wanted, all_ways, physical_rate) if rate is None else rate


def times(quantity: str | None, rate: Fraction) -> str | None:
    """``quantity`` (decimal text) times ``rate``, as decimal text without needless zeros; None for no number.

    The product is exact, then rounded half to even at the 12th decimal: only a division that does not
    come to an end, or a finer scale than any plant has, loses a digit.
    """
    try:
        amount = Decimal(quantity or "")
        product = _WIDE.divide(_WIDE.multiply(amount, Decimal(rate.numerator)), Decimal(rate.denominator))
        product = product.quantize(_SMALLEST, context=_WIDE)
    except InvalidOperation:
        return None
    text = f"{product:f}".rstrip("0").rstrip(".") if product.is_finite() else None
    return "0" if text in ("-0", "") else text


def _same(unit: str, wanted: str) -> Fraction | None:
    return Fraction(1) if unit == wanted else None


def _both_ways(steps: Sequence[Step]) -> list[Step]:
    return sorted({*steps, *(Step(step.to_unit, step.from_unit, 1 / step.rate) for step in steps)})


def _walk(unit: str, wanted: str, ways: Sequence[Step], bridge: Bridge) -> Fraction | None:
    """The rate by one or two ``ways``, with ``bridge`` between where one ends and the next begins."""
    firsts = [(way, rate * way.rate) for way in ways if (rate := bridge(unit, way.from_unit)) is not None]
    for way, rate in firsts:
        if (end := bridge(way.to_unit, wanted)) is not None:
            return rate * end
    for way, rate in firsts:
        for second in ways:
            joint, end = bridge(way.to_unit, second.from_unit), bridge(second.to_unit, wanted)
            if joint is not None and end is not None:
                return rate * joint * second.rate * end
    return None
