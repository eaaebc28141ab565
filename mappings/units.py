"""Units of measure: codes as people and systems write them, and exact conversion between them.

Inside, units are UN/ECE Recommendation 20 codes (packages: Recommendation 21 with a leading ``X``).
``codes/unit.yaml`` brings X12 355 codes, ERP codes and words to them.

Physical factors are pint's, in exact fractions: a pound is 45359237/100000000 kg by treaty, and stays that.
The registry is built only when a quantity really has to change its physical unit (a fifth of a second once
a process); pieces, packages and whatever an item's own factors say never need it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Context, Decimal, InvalidOperation
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import yaml

if TYPE_CHECKING:
    import pint

_CODES = Path(__file__).parent / "codes" / "unit.yaml"

#: Rec 20 code -> the same unit as pint calls it. A gallon, pint or hundredweight says which one.
PHYSICAL = {
    # mass
    "KGM": "kilogram",
    "MC": "microgram",
    "MGM": "milligram",
    "GRM": "gram",
    "DTN": "100 kilogram",
    "TNE": "metric_ton",
    "GRN": "grain",
    "ONZ": "ounce",
    "APZ": "troy_ounce",
    "LBR": "pound",
    "CWA": "US_hundredweight",
    "CWI": "UK_hundredweight",
    "STN": "short_ton",
    "LTN": "long_ton",
    # length
    "MTR": "meter",
    "4H": "micrometer",
    "MMT": "millimeter",
    "CMT": "centimeter",
    "DMT": "decimeter",
    "KMT": "kilometer",
    "INH": "inch",
    "FOT": "foot",
    "YRD": "yard",
    "SMI": "mile",
    # area
    "MTK": "meter**2",
    "MMK": "millimeter**2",
    "CMK": "centimeter**2",
    "DMK": "decimeter**2",
    "HAR": "hectare",
    "KMK": "kilometer**2",
    "INK": "inch**2",
    "FTK": "foot**2",
    "YDK": "yard**2",
    "ACR": "acre",
    # volume
    "MTQ": "meter**3",
    "4G": "microliter",
    "MLT": "milliliter",
    "CMQ": "centimeter**3",
    "CLT": "centiliter",
    "DLT": "deciliter",
    "LTR": "liter",
    "DMQ": "decimeter**3",
    "HLT": "hectoliter",
    "INQ": "inch**3",
    "FTQ": "foot**3",
    "YDQ": "yard**3",
    "OZA": "US_fluid_ounce",
    "PTL": "US_pint",
    "QTL": "US_liquid_quart",
    "GLL": "US_liquid_gallon",
    "BLL": "oil_barrel",
    "OZI": "imperial_fluid_ounce",
    "PTI": "imperial_pint",
    "QTI": "imperial_quart",
    "GLI": "imperial_gallon",
    # time and energy
    "SEC": "second",
    "MIN": "minute",
    "HUR": "hour",
    "DAY": "day",
    "WEE": "week",
    "JOU": "joule",
    "KJO": "kilojoule",
    "WHR": "watt_hour",
    "KWH": "kilowatt_hour",
    "MWH": "megawatt_hour",
}

#: Rec 20 code -> how many things it counts. Each, piece and one are the same.
COUNTS = {"C62": 1, "EA": 1, "H87": 1, "NMP": 1, "PR": 2, "DZN": 12, "CEN": 100, "GRO": 144, "MIL": 1000}

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
    rounding: str = ""


@cache
def shipped_units() -> Mapping[str, str]:
    """The shipped code list: upper-case code or word -> Rec 20 code. Every Rec 20 code in it stands for itself."""
    listed: dict[str, str] = yaml.safe_load(_CODES.read_text(encoding="utf-8"))
    codes = {code: code for code in (*COUNTS, *PHYSICAL, *listed.values())}
    return codes | {word.upper(): code for word, code in listed.items()}


@cache
def physical_rate(unit: str, wanted: str) -> Fraction | None:
    """How many ``wanted`` one ``unit`` is, both of one dimension (or both counts); None when they are not."""
    if unit == wanted:
        return Fraction(1)
    if unit in COUNTS and wanted in COUNTS:
        return Fraction(COUNTS[unit], COUNTS[wanted])
    if unit not in PHYSICAL or wanted not in PHYSICAL:
        return None
    dimension, size = _measure(PHYSICAL[unit])
    other_dimension, other_size = _measure(PHYSICAL[wanted])
    return size / other_size if dimension == other_dimension else None


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


#: How a rounding may be written, and what each does: ``up`` away from nothing, ``down`` towards it.
ROUNDINGS = {"up": ROUND_UP, "down": ROUND_DOWN, "half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN}


@cache
def rounding_of(text: str) -> tuple[Decimal, str] | None:
    """``up``, ``half_even:2``: to which decimal, and how; None for what is written otherwise."""
    how, _, places = text.strip().lower().partition(":")
    if how not in ROUNDINGS or (places and not (places.isdecimal() and int(places) <= PLACES)):
        return None
    return Decimal(1).scaleb(-int(places or 0)), ROUNDINGS[how]


def times(quantity: str | None, rate: Fraction, rounding: str = "") -> str | None:
    """``quantity`` (decimal text) times ``rate``, as decimal text without needless zeros; None for no number.

    The product is exact, then rounded half to even at the 12th decimal: only a division that does not
    come to an end, or a finer scale than any plant has, loses a digit. ``rounding`` comes after that, so that
    what is whole but for such a loss is not rounded up.
    """
    try:
        amount = Decimal(quantity or "")
        product = _WIDE.divide(_WIDE.multiply(amount, Decimal(rate.numerator)), Decimal(rate.denominator))
        product = product.quantize(_SMALLEST, context=_WIDE)
        if (rule := rounding_of(rounding)) is not None:
            product = product.quantize(rule[0], rounding=rule[1], context=_WIDE)
    except InvalidOperation:
        return None
    if not product.is_finite():
        return None
    text = f"{product:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def find_rounding(unit: str, wanted: str, own: Sequence[Step], general: Sequence[Step]) -> str:
    """What is agreed for the very step between two units, for the item or for all; empty where nothing is."""
    steps = (step for step in (*own, *general) if {step.from_unit, step.to_unit} == {unit, wanted})
    return next((step.rounding for step in steps if step.rounding), "")


@cache
def _registry() -> pint.UnitRegistry[Fraction]:
    import pint

    return pint.UnitRegistry(non_int_type=Fraction)


@cache
def _measure(name: str) -> tuple[frozenset[tuple[str, Fraction]], Fraction]:
    """A unit's dimension (as pairs of base dimension and power) and its size in the dimension's root unit."""
    measure = _registry().parse_expression(name).to_root_units()
    dimension = frozenset((base, Fraction(str(power))) for base, power in measure.dimensionality.items())
    size: Fraction | int = measure.magnitude
    return dimension, Fraction(size)


def _same(unit: str, wanted: str) -> Fraction | None:
    return Fraction(1) if unit == wanted else None


def _both_ways(steps: Sequence[Step]) -> list[Step]:
    return sorted({*steps, *(Step(step.to_unit, step.from_unit, 1 / step.rate, step.rounding) for step in steps)})


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
