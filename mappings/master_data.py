"""Master data in memory: whose code is ours, and how much is that in our unit, on which day.

``MasterData`` is an immutable picture of the tables of ``schemas.master``. Its answers are made
for whole columns: look-ups cost a binary search over hashed keys, not a scan or a join, so that
small chunks of lines against millions of cross-references stay cheap. The indexes are built on
first use.

Which row answers, when several could:

1. only rows valid on the business date count; ``valid_from`` and ``valid_to`` are both inclusive,
   empty is open, and a date that is not ``YYYY-MM-DD`` makes its row never valid;
2. the partner's own cross-reference beats the general one (empty partner), which beats a value
   that is our own id already, which beats a GTIN or GLN of ours; for units the shipped code list comes last;
3. among overlapping rows the latest ``valid_from`` wins, then the later row of the table.

Codes match as exact text once blanks at both ends are gone; units match in any case as well.
Where a line has no business date, the row that holds until further notice (``valid_to`` open or 9999-12-31) answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache

import polars as pl

from mappings.index import QUERY, ROW, Index, business_days
from mappings.remembered import Remembered, is_constant
from mappings.units import Step, find_rate, find_rounding, shipped_units, times
from schemas.errors import ConfigError
from schemas.master import MASTER_EXTRAS, MASTER_TABLES

#: kind of look-up -> the table and column that hold our own ids
OWN_IDS = {"partner": ("partners", "partner"), "site": ("sites", "site"), "item": ("items", "item")}
KINDS = (*OWN_IDS, "unit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a value became one of our ids: the row that answered, and how long it holds."""

    kind: str
    table: str  #: ``cross_references``, the table of our own ids, or ``codes/unit`` for the shipped list
    partner: str  #: empty: a row that holds for every partner
    theirs: str
    ours: str
    valid_from: str
    valid_to: str


class MasterData:
    """The tables in force. Build it with ``of`` or ``empty``; it never changes afterwards."""

    def __init__(self, tables: Mapping[str, pl.DataFrame]) -> None:
        self._tables = dict(tables)
        self._indexes: dict[str, Index | None] = {}
        self._codes: dict[tuple[str, str], pl.Series] = {}
        self._remembered = Remembered()

    @classmethod
    def of(cls, tables: Mapping[str, pl.DataFrame]) -> MasterData:
        """Take ``tables`` by name; those left out are empty. Raises ConfigError for unknown tables, missing columns."""
        problems = [
            f"{name}: no such master table; known: {', '.join(MASTER_TABLES)}"
            for name in tables
            if name not in MASTER_TABLES
        ]
        problems += [
            f"{name}: column {column} is missing"
            for name, columns in MASTER_TABLES.items()
            if name in tables
            for column in columns
            if column not in tables[name].columns
        ]
        if problems:
            raise ConfigError("master data does not have its shape", problems=tuple(problems))
        return cls(
            {
                name: tables[name].select_seq(pl.col(columns + _used(name, tables)).cast(pl.String).fill_null(""))
                if name in tables
                else pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
                for name, columns in MASTER_TABLES.items()
            }
        )

    @classmethod
    def empty(cls) -> MasterData:
        """No master data at all: only the shipped units are known."""
        return cls.of({})

    def table(self, name: str) -> pl.DataFrame:
        """One table, all columns text without nulls."""
        return self._tables[name]

    # -- identities -------------------------------------------------------------------------------

    def look_up(self, kind: str, partner: pl.Series, values: pl.Series, on: pl.Series | None = None) -> pl.Series:
        """Our id for each of ``values`` as ``partner`` writes them, or null: text, in the order given.

        ``on`` is the business date of each row: ISO text (a time counts by its day), Date or Datetime.
        """
        questions = (values.cast(pl.String), partner.cast(pl.String).fill_null(""), business_days(on, len(values)))
        answer = self._remembered.answer(kind, questions, lambda some: self._ours(kind, *some))
        return answer.alias(values.name)

    def _ours(self, kind: str, values: pl.Series, partner: pl.Series, on: pl.Series) -> pl.Series:
        asked = _asked(kind, partner, values, on)
        ours = pl.Series([None], dtype=pl.String).new_from_index(0, asked.height)
        for index, places, rows in self._answers(kind, asked):
            texts = index.rows[index.answer].gather(rows)
            if len(places) == asked.height:
                return texts
            ours = ours.scatter(places, texts)
        return ours

    def why(self, kind: str, partner: str, value: str, on: str | None = None) -> Explanation | None:
        """The row by which ``look_up`` knows ``value``; None when it does not."""
        day = business_days(pl.Series([on], dtype=pl.String), 1)
        for index, _, rows in self._answers(kind, _asked(kind, pl.Series([partner]), pl.Series([value]), day)):
            found = index.rows.row(rows[0], named=True)
            whole = index.table.row(found[ROW], named=True)
            return Explanation(
                kind=kind,
                table=index.name,
                partner=found.get("partner", ""),
                theirs=found["theirs"],
                ours=found[index.answer],
                valid_from=whole["valid_from"],
                valid_to=whole["valid_to"],
            )
        return None

    def holds(self, kind: str, partner: pl.Series, values: pl.Series) -> pl.Series:
        """Whether any row, valid on whatever day, knows each of ``values`` as its ``partner`` writes it."""
        asked = _asked(kind, partner, values, business_days(None, len(values))).drop("_on")
        known = pl.Series([False]).new_from_index(0, asked.height)
        for name, wanted in _WAYS:
            if (index := self._index(f"{name}:{kind}")) is not None:
                answered = index.find_all(wanted(asked))[QUERY]
                known = known.scatter(answered, True)
        return known

    def _answers(self, kind: str, asked: pl.DataFrame) -> Iterator[tuple[Index, pl.Series, pl.Series]]:
        """Index by index the places in ``asked`` that it is the first to answer, in order, and the rows that do."""
        if kind not in KINDS:
            raise ValueError(f"no such kind of look-up: {kind!r}; known: {', '.join(KINDS)}")
        places = pl.int_range(asked.height, dtype=pl.UInt32, eager=True)
        for name, wanted in _WAYS:
            index = self._index(f"{name}:{kind}")
            if index is None or not asked.height:
                continue
            rows = index.find(wanted(asked))
            if not rows.null_count():
                yield index, places, rows
                return
            hit = rows.is_not_null()
            if hit.any():
                yield index, places.filter(hit), rows.filter(hit)
                asked, places = asked.filter(~hit), places.filter(~hit)

    def nearest(self, kind: str, partner: str, value: str, n: int = 3) -> list[str]:
        """At most ``n`` codes that ``partner`` could have meant by ``value``, best first; for messages only."""
        from rapidfuzz import fuzz, process

        wanted = value.strip()
        choices = self._codes_near(kind, partner, wanted)
        found = process.extract(
            wanted.upper(), choices, processor=str.upper, scorer=fuzz.ratio, score_cutoff=60, limit=n
        )
        return [choice for choice, _, _ in found]

    def _codes_near(self, kind: str, partner: str, wanted: str) -> list[str]:
        """Codes worth comparing with ``wanted``: all of a small table, of a large one those that begin or end alike."""
        begin, end = wanted[:3].upper(), wanted[-3:].upper()
        codes: dict[str, None] = {}
        for known in (self._codes_of(kind, partner.strip()), self._codes_of(kind, ""), self._own_codes(kind)):
            near = known if len(known) <= _SMALL else known.filter(_alike(known, begin, end))
            codes |= dict.fromkeys(near.to_list())
        return list(codes)

    def _codes_of(self, kind: str, partner: str) -> pl.Series:
        """The codes that cross-references have for a partner (empty: for everybody)."""
        if (codes := self._codes.get((kind, partner))) is None:
            mine = (pl.col("kind") == kind) & (pl.col("partner").str.strip_chars() == partner)
            codes = self._tables["cross_references"].filter(mine).get_column("theirs").str.strip_chars()
            self._codes[kind, partner] = codes
        return codes

    def _own_codes(self, kind: str) -> pl.Series:
        if kind == "unit":
            return pl.Series(list(shipped_units()), dtype=pl.String)
        table, column = OWN_IDS[kind]
        return self._tables[table].get_column(column)

    # -- quantities -------------------------------------------------------------------------------

    def convert(
        self, items: pl.Series, quantities: pl.Series, units: pl.Series, on: pl.Series | None = None
    ) -> tuple[pl.Series, pl.Series]:
        """``(base_quantities, base_units)`` of ``quantities`` (decimal text) in ``units`` (Rec 20) of our ``items``.

        A quantity already in the item's unit stays as written, digit by digit. Where the item has no base
        unit that we know, base is as sent. Where no unit was sent, or no conversion leads there, the base
        quantity is null and the base unit says what was wanted.
        Arithmetic is exact; ``mappings.units.times`` says how it is rounded.
        """
        days = business_days(on, len(items))
        questions = (items.cast(pl.String), units.cast(pl.String), days)
        if not any(column.null_count() for column in questions):
            plain = self._remembered.answer("plain", questions, lambda some: self._plain(*some))
            if not plain.null_count():
                return quantities.cast(pl.String), plain
        return self._converted(items, quantities, units, days)

    def _plain(self, items: pl.Series, units: pl.Series, days: pl.Series) -> pl.Series:
        """The unit of each (item, unit, day) whose quantities need no conversion; null where they do."""
        asked = pl.DataFrame({"theirs": items.str.strip_chars(), "_on": days})
        base = self._of_items(asked)["base"]
        return units.zip_with(base.is_null() | (base == units), pl.Series([None], dtype=pl.String))

    def _converted(
        self, items: pl.Series, quantities: pl.Series, units: pl.Series, days: pl.Series
    ) -> tuple[pl.Series, pl.Series]:
        lines = pl.DataFrame(
            {
                "item": items.cast(pl.String).str.strip_chars(),
                "quantity": quantities.cast(pl.String),
                "unit": units.cast(pl.String),
                "_on": days,
            }
        )
        rates, conversions = self._rates(lines.select_seq("item", "unit", "_on").unique(maintain_order=True))
        lines = lines.join(rates, on=["item", "unit", "_on"], how="left", nulls_equal=True, maintain_order="left")
        products = _products(lines.filter(pl.col("rate") >= 0).select_seq("quantity", "rate").unique(), conversions)
        lines = lines.join(products, on=["quantity", "rate"], how="left", maintain_order="left")
        as_sent = pl.col("rate").is_null() & pl.col("unit").is_not_null()
        base_quantity = pl.when(as_sent).then("quantity").otherwise("product")
        converted = lines.select_seq(base_quantity=base_quantity, base_unit=pl.coalesce("base", "unit"))
        return converted.get_column("base_quantity"), converted.get_column("base_unit")

    def _rates(self, asked: pl.DataFrame) -> tuple[pl.DataFrame, list[Conversion]]:
        """Base unit and rate of each (item, unit, day).

        ``rate`` is an index into the list of conversions, -1 where no conversion exists, null where the
        quantity stands as sent.
        """
        told = self._of_items(asked.select_seq("_on", theirs="item"))
        asked = asked.with_columns_seq(told).with_row_index(QUERY)
        differing = asked.filter(pl.col("unit").is_not_null() & (pl.col("unit") != pl.col("base")))
        if differing.is_empty():
            return asked.drop(QUERY).with_columns_seq(rate=pl.lit(None, pl.Int32)), []
        own = self._agreed(differing).rename({"agreed": "own"})
        general = self._agreed(differing.with_columns_seq(item=pl.lit(""))).select_seq("_on", general="agreed")
        differing = differing.join(own, on=["item", "_on"], how="left").join(general, on="_on", how="left")
        cases = differing.select_seq(_CASE).unique(maintain_order=True)
        places: dict[Conversion, int] = {}
        rates = [
            -1 if rate is None else places.setdefault(rate, len(places))
            for rate in map(_agreed_rate, *cases.get_columns())
        ]
        cases = cases.with_columns_seq(rate=pl.Series(rates, dtype=pl.Int32))
        found = differing.join(cases, on=_CASE, how="left", nulls_equal=True).select_seq(QUERY, "rate")
        asked = asked.join(found, on=QUERY, how="left", maintain_order="left")
        return asked.drop(QUERY), list(places)

    def _agreed(self, asked: pl.DataFrame) -> pl.DataFrame:
        """What the units table says for each (item, day): all steps in one text, the later start of a pair winning.

        Many items agree on the same few factors; as text they are told apart, and worked out, only once.
        """
        asked = asked.select_seq("item", "_on").unique(maintain_order=True).with_row_index(QUERY)
        index = self._index("units")
        if index is None:
            return asked.select_seq("item", "_on", agreed=pl.lit(None, pl.String))
        steps = (
            index.find_all(asked)
            .unique([QUERY, "from_unit", "to_unit"], keep="first", maintain_order=True)
            .sort("from_unit", "to_unit")
            .select_seq(QUERY, step=pl.concat_str("from_unit", "to_unit", "factor", "rounding", separator="\t"))
        )
        texts = steps.group_by(QUERY).agg(agreed=pl.col("step").str.join(_SEPARATOR))
        return asked.join(texts, on=QUERY).drop(QUERY)

    # -- indexes ----------------------------------------------------------------------------------

    def _of_items(self, asked: pl.DataFrame) -> pl.DataFrame:
        """``base`` and ``rounding`` of each of ``asked`` (``theirs``, ``_on``), null where the item is not known."""
        index = self._index("own:item")
        if index is None:
            return asked.select_seq(pl.lit(None, pl.String).alias(name) for name in _OF_ITEMS)
        rows = index.find(asked)
        return index.rows.select_seq(pl.col(name).gather(rows) for name in _OF_ITEMS)

    def _index(self, name: str) -> Index | None:
        """By its name in ``_BUILT``, the kind of look-up behind a colon; None where it has no rows."""
        if name not in self._indexes:
            built, _, kind = name.partition(":")
            self._indexes[name] = _BUILT[built](self._tables, kind)
        return self._indexes[name]


#: Extras that answers depend on.
_USED = ("calendar", "gtin", "rounding")
#: Kind of look-up -> the column that holds a GS1 key of our own.
_GS1_COLUMNS = {"item": "gtin", "site": "gln", "partner": "gln"}
_GS1_KEY = r"^(?:[0-9]{8}|[0-9]{12,14})$"
_GTIN = 14
_OF_ITEMS = ("base", "rounding")


def _used(name: str, tables: Mapping[str, pl.DataFrame]) -> tuple[str, ...]:
    return tuple(one for one in MASTER_EXTRAS[name] if one in _USED and one in tables[name].columns)


def _asked(kind: str, partner: pl.Series, values: pl.Series, on: pl.Series) -> pl.DataFrame:
    """Questions as indexes want them; an empty code is none."""
    asked = pl.DataFrame({"partner": partner, "theirs": values, "_on": on}, schema_overrides=_QUESTION)
    asked = asked.with_columns_seq(_normal(kind, pl.col("theirs")))
    if not is_constant(partner) or partner[0] != partner[0].strip():
        asked = asked.with_columns_seq(pl.col("partner").fill_null("").str.strip_chars())
    if asked["theirs"].min() == "":
        asked = asked.with_columns_seq(pl.when(pl.col("theirs") != "").then("theirs").alias("theirs"))
    return asked


_QUESTION = {"partner": pl.String, "theirs": pl.String, "_on": pl.Int32}


# -- how the indexes are built, and what they are asked -------------------------------------------------

_Tables = Mapping[str, pl.DataFrame]


def _cross_references(tables: _Tables, kind: str) -> Index | None:
    keys = {"partner": _PARTNER, "theirs": _normal(kind, pl.col("theirs"))}
    return _references(tables, keys, pl.col("kind") == kind)


def _general(tables: _Tables, kind: str) -> Index | None:
    """Everybody's, which mostly are few."""
    keys = {"theirs": _normal(kind, pl.col("theirs"))}
    return _references(tables, keys, (pl.col("kind") == kind) & (_PARTNER == ""))


_PARTNER = pl.col("partner").str.strip_chars()


def _references(tables: _Tables, keys: Mapping[str, pl.Expr], only: pl.Expr) -> Index | None:
    ours = {"ours": pl.col("ours").str.strip_chars()}
    return Index.over("cross_references", tables["cross_references"], keys, ours, answer="ours", only=only)


def _own(tables: _Tables, kind: str) -> Index | None:
    """Our own ids; of units the codes of the shipped list."""
    if kind == "unit":
        shipped = pl.DataFrame({"theirs": list(shipped_units()), "ours": list(shipped_units().values())})
        always = shipped.with_columns_seq(valid_from=pl.lit(""), valid_to=pl.lit(""))
        return Index.over("codes/unit", always, {"theirs": pl.col("theirs")}, {"ours": pl.col("ours")}, answer="ours")
    table, column = OWN_IDS[kind]
    told = {}
    if kind == "item":
        base = _rec20("base_unit")
        told = {"base": pl.when(base != "").then(base), "rounding": _rounding(tables[table])}
    return Index.over(table, tables[table], {"theirs": pl.col(column).str.strip_chars()}, told)


def _gs1_keys(tables: _Tables, kind: str) -> Index | None:
    """What our own rows say is their GTIN or GLN; None where they cannot say it."""
    if kind not in _GS1_COLUMNS or _GS1_COLUMNS[kind] not in tables[OWN_IDS[kind][0]].columns:
        return None
    table, column = OWN_IDS[kind]
    key = pl.col(_GS1_COLUMNS[kind]).str.strip_chars()
    ours = {"ours": pl.col(column).str.strip_chars()}
    only = key.str.contains(_GS1_KEY)
    return Index.over(table, tables[table], {"theirs": key.str.zfill(_GTIN)}, ours, answer="ours", only=only)


def _units(tables: _Tables, _: str) -> Index | None:
    rows = tables["units"]
    told = {"from_unit": _rec20("from_unit"), "to_unit": _rec20("to_unit"), "factor": pl.col("factor")}
    keys = {"item": pl.col("item").str.strip_chars()}
    return Index.over("units", rows, keys, told | {"rounding": _rounding(rows)}, answer="item")


_BUILT: Mapping[str, Callable[[_Tables, str], Index | None]] = {
    "cross_references": _cross_references, "general": _general, "own": _own, "keys": _gs1_keys, "units": _units,
}  # fmt: skip


def _as_gtin(asked: pl.DataFrame) -> pl.DataFrame:
    """A GTIN is the same with fewer zeros before it; what has another form is none."""
    code = pl.col("theirs")
    return asked.with_columns_seq(theirs=pl.when(code.str.contains(_GS1_KEY)).then(code.str.zfill(_GTIN)))


#: The indexes that are asked for a code one after the other, and what each is asked.
_WAYS: tuple[tuple[str, Callable[[pl.DataFrame], pl.DataFrame]], ...] = (
    ("cross_references", lambda asked: asked),
    ("general", lambda asked: asked),
    ("own", lambda asked: asked),
    ("keys", _as_gtin),
)

_SMALL = 20_000  # codes that are compared one by one for a message
_SEPARATOR = "\x1f"
_CASE = ["unit", "base", "rounding", "own", "general"]
#: A rate, and how what it gives is rounded.
Conversion = tuple[Fraction, str]


def _alike(codes: pl.Series, begin: str, end: str) -> pl.Series:
    upper = codes.str.to_uppercase()
    return upper.str.starts_with(begin) | upper.str.ends_with(end)


def _normal(kind: str, codes: pl.Expr) -> pl.Expr:
    """Codes as they are compared: trimmed; units in upper case."""
    trimmed = codes.str.strip_chars()
    return trimmed.str.to_uppercase() if kind == "unit" else trimmed


def _rec20(column: str) -> pl.Expr:
    """Unit codes of a master table as Rec 20 codes: through the shipped list, else as they stand."""
    code = _normal("unit", pl.col(column))
    known = shipped_units()
    return code.replace(list(known), list(known.values()))


@lru_cache(maxsize=1 << 16)
def _agreed_rate(unit: str, base: str, rounding: str, own: str | None, general: str | None) -> Conversion | None:
    steps = tuple(_steps(own)), tuple(_steps(general))
    rate = find_rate(unit, base, *steps)
    return None if rate is None else (rate, find_rounding(unit, base, *steps) or rounding)


def _steps(agreed: str | None) -> Iterator[Step]:
    """The steps of one text; a factor that is no positive number makes none."""
    for step in agreed.split(_SEPARATOR) if agreed else ():
        from_unit, to_unit, factor, rounding = step.split("\t")
        with suppress(InvalidOperation, ValueError, OverflowError):
            if (rate := Fraction(Decimal(factor.strip()))) > 0:
                yield Step(from_unit, to_unit, rate, rounding)


def _rounding(rows: pl.DataFrame) -> pl.Expr:
    """How quantities are rounded; most tables do not say."""
    return pl.col("rounding") if "rounding" in rows.columns else pl.lit("")


def _products(pairs: pl.DataFrame, conversions: list[Conversion]) -> pl.DataFrame:
    """Each (quantity, rate) with its ``product``; null where the quantity is no number."""
    products = [times(quantity, *conversions[rate]) for quantity, rate in pairs.iter_rows()]
    return pairs.with_columns_seq(product=pl.Series(products, dtype=pl.String))
