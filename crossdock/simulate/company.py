"""The demo company: Ravensmoor Pump Works, which does not exist, its two plants, six suppliers and items.

Nothing here names anybody real: addresses end in ``.example``, GS1 keys begin with 952 (the prefix
GS1 keeps for examples) and D-U-N-S numbers with zeroes.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

COMPANY = "Ravensmoor Pump Works"
TODAY = date(2026, 3, 31)  #: the demo's own day: nothing in it was written later
FIRST_ORDER = date(2026, 1, 5)
GS1_PREFIX = "952"


def check_digit(digits: str) -> str:
    """The GS1 check digit of the digits before it: weights 3 and 1 from the right (GS1 General Specifications, 7.9)."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def gln(number: int) -> str:
    """A 13-digit Global Location Number of the demo prefix."""
    body = f"{GS1_PREFIX}{number:09d}"
    return body + check_digit(body)


def sscc(company: int, serial: int) -> str:
    """An 18-digit SSCC: extension digit 0, demo prefix, four digits for the company, serial, check digit."""
    body = f"0{GS1_PREFIX}{company:04d}{serial:09d}"
    return body + check_digit(body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place where goods are wanted or lie. ``code`` is what the ERPs call it."""

    site: str
    code: str
    name: str
    country: str
    timezone: str
    gln: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplier:
    """A supplier: ``number`` is the ERP's vendor number, ``share`` its part of all order lines.

    ``numbering`` is how it numbers its own items, ``units`` how it writes a unit (Recommendation 20
    code to its own word), ``yard`` its own stocking place where it reports stock.
    """

    partner: str
    number: str
    name: str
    country: str
    timezone: str
    share: float
    key: int  #: the four digits in its GS1 keys
    numbering: str
    carrier: tuple[str, str] = ("", "")  #: SCAC, name
    isa: str = ""  #: identity in ISA06, qualifier ZZ
    email: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    yard: Site | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An item of ours and what its one supplier calls it. ``carton`` is how many base units a carton holds."""

    number: str
    description: str
    base_unit: str
    supplier: Supplier
    theirs: str
    price: Decimal
    carton: int | None


NORTH = Site(site="RAVENSMOOR", code="1000", name="Ravensmoor", country="GB", timezone="Europe/London", gln=gln(1000))
SOUTH = Site(site="GULLHAVEN", code="2000", name="Gullhaven", country="US", timezone="America/New_York", gln=gln(2000))
PLANTS = (NORTH, SOUTH)
OURSELVES = "RAVENSMOOR"  #: our own company as a partner: plant 1's ERP
SOUTH_PARTNER = "RAVENSMOOR-GULLHAVEN"  #: plant 2's old ERP, which sends copies of what it orders and receives
SOUTH_ISA = "RVMGULLHAVEN"
HUB_ISA = "RVMCROSSDOCK"  #: who everybody sends to
HUB_GLN = NORTH.gln  #: in EDIFACT

ANVILGATE = Supplier(
    partner="ANVILGATE",
    number="101001",
    name="Anvilgate Castings Inc.",
    country="US",
    timezone="America/New_York",
    share=0.30,
    key=1001,
    numbering="AG-{:05d}",
    carrier=("TWFL", "Tidewater Freight Lines"),
    isa="ANVILGATE",
)
BRIGHTSEAL = Supplier(
    partner="BRIGHTSEAL",
    number="101002",
    name="Brightseal Mechanical Seals Co.",
    country="US",
    timezone="America/Chicago",
    share=0.25,
    key=1002,
    numbering="BS/{:04d}-R",
    carrier=("MLKN", "Milestone Carriers"),
    isa="BRIGHTSEALCO",
)
COPPERLINE = Supplier(
    partner="COPPERLINE",
    number="101003",
    name="Copperline Motors Ltd.",
    country="GB",
    timezone="Europe/London",
    share=0.15,
    key=1003,
    numbering="CLM{:04d}X",
    carrier=("", "Pennywhistle Haulage"),
    email="despatch@copperline.example",
    units={"EA": "pcs", "XCT": "carton", "KGM": "kg", "MTR": "m"},
)
DREHWERK = Supplier(
    partner="DREHWERK",
    number="101004",
    name="Drehwerk Ostheim GmbH",
    country="DE",
    timezone="Europe/Berlin",
    share=0.10,
    key=1004,
    numbering="DW.{:03d}.0",
    email="lager@drehwerk-ostheim.example",
    units={"EA": "Stk", "XCT": "Karton", "KGM": "kg", "MTR": "m"},
    yard=Site(
        site="DREHWERK-OSTHEIM",
        code="Lager Ostheim",
        name="Drehwerk Ostheim, finished goods",
        country="DE",
        timezone="Europe/Berlin",
        gln=gln(4001),
    ),
)
EASTERBY = Supplier(
    partner="EASTERBY",
    number="101005",
    name="Easterby Bearings plc",
    country="GB",
    timezone="Europe/London",
    share=0.10,
    key=1005,
    numbering="EB {:04d}",
    email="stock@easterby.example",
    units={"EA": "each", "XCT": "ctn", "KGM": "kg", "MTR": "m"},
    yard=Site(
        site="EASTERBY-DEPOT",
        code="Main depot",
        name="Easterby Bearings, main depot",
        country="GB",
        timezone="Europe/London",
        gln=gln(5001),
    ),
)
FENWICK = Supplier(
    partner="FENWICK",
    number="101006",
    name="Fenwick Fasteners",
    country="GB",
    timezone="Europe/London",
    share=0.10,
    key=1006,
    numbering="F{:03d}",
    carrier=("HMBL", "Humblebee Parcels"),
    email="orders@fenwick-fasteners.example",
)
SUPPLIERS = (ANVILGATE, BRIGHTSEAL, COPPERLINE, DREHWERK, EASTERBY, FENWICK)

#: What each supplier makes: name, base unit, lowest and highest price, pieces in a carton (0: never in cartons).
_RANGES: Mapping[str, tuple[tuple[str, str, int, int, int], ...]] = {
    "ANVILGATE": (
        ("Volute casing, cast iron, DN{n}", "EA", 180, 640, 0),
        ("Bearing bracket size {n}", "EA", 90, 260, 0),
        ("Impeller blank, bronze, {n} mm", "KGM", 11, 19, 0),
    ),
    "BRIGHTSEAL": (
        ("Mechanical seal, single, {n} mm", "EA", 45, 210, 6),
        ("O-ring FKM {n} x 3.5", "EA", 1, 4, 100),
        ("Gland packing, graphite, {n} mm", "MTR", 6, 22, 0),
    ),
    "COPPERLINE": (
        ("Motor IE4, frame {n}", "EA", 310, 2400, 0),
        ("Winding wire, {n} um", "KGM", 12, 17, 0),
        ("Terminal box, size {n}", "EA", 14, 38, 12),
    ),
    "DREHWERK": (("Pump shaft, 1.4021, {n} mm", "EA", 75, 420, 0), ("Shaft sleeve {n} mm", "EA", 22, 64, 10)),
    "EASTERBY": (("Deep groove bearing 62{n}", "EA", 6, 58, 20), ("Angular contact bearing 73{n}", "EA", 24, 130, 10)),
    "FENWICK": (("Hexagon bolt A4 M{n} x 60", "EA", 1, 3, 50), ("Stud bolt B7 M{n}", "EA", 2, 6, 25)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """Everything that does not move: made once for a seed, then only read."""

    seed: int
    items: tuple[Item, ...]
    items_of: Mapping[str, tuple[Item, ...]]  #: by partner

    @classmethod
    def make(cls, seed: int, items: int) -> Company:
        """A company with at least ``items`` items, shared out among the suppliers by their part of the orders."""
        chance = random.Random(f"{seed}:items")  # noqa: S311  a made-up company needs no secrets
        made: list[Item] = []
        items_of: dict[str, tuple[Item, ...]] = {}
        for supplier in SUPPLIERS:
            count = max(8, round(items * supplier.share))
            items_of[supplier.partner] = tuple(
                _item(chance, supplier, number=len(made) + place, place=place) for place in range(count)
            )
            made.extend(items_of[supplier.partner])
        return cls(seed=seed, items=tuple(made), items_of=items_of)

    def chance(self, purpose: str) -> random.Random:
        """A stream of chance of its own for ``purpose``, the same at each call."""
        return random.Random(f"{self.seed}:{purpose}")  # noqa: S311


def _item(chance: random.Random, supplier: Supplier, *, number: int, place: int) -> Item:
    ranges = _RANGES[supplier.partner]
    name, base_unit, low, high, carton = ranges[place % len(ranges)]
    return Item(
        number=f"P{10_000 + number}",
        description=name.format(n=10 + place),
        base_unit=base_unit,
        supplier=supplier,
        theirs=supplier.numbering.format(place + 101),
        price=Decimal(chance.randint(low * 100, high * 100)).scaleb(-2),
        carton=carton or None,
    )
