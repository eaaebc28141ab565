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

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache

import polars as pl
from rapidfuzz import fuzz, process

from mappings.remembered import Remembered, is_constant
from mappings.units import Step, find_rate, find_rounding, shipped_units, times
from schemas.errors import ConfigError
from schemas.master import MASTER_EXTRAS, MASTER_TABLES

#: kind of look-up -> the table and column that hold our own ids
OWN_IDS = {"partner": ("partners", "partner"), "site": ("sites", "site"), "item": ("items", "item")}
KINDS = (*OWN_IDS, "unit")

_SINCE_EVER, _FOR_EVER = -(2**31), 2**31 - 1  # days since 1970, Int32
_LAST_DAY = 2_932_896  # 9999-12-31, which many an ERP writes for an open end
_QUERY = "_query"


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
        self._indexes: dict[str, _Index] = {}
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
                name: tables[name].select(pl.col(columns + _used(name, tables)).cast(pl.String).fill_null(""))
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
        questions = (values.cast(pl.String), partner.cast(pl.String).fill_null(""), _business_days(on, len(values)))
        answer = self._remembered.answer(kind, questions, lambda some: self._ours(kind, *some))
        return answer.alias(values.name)

    def _ours(self, kind: str, values: pl.Series, partner: pl.Series, on: pl.Series) -> pl.Series:
        return self._resolve(kind, partner, values, on).get_column("ours")

    def why(self, kind: str, partner: str, value: str, on: str | None = None) -> Explanation | None:
        """The row by which ``look_up`` knows ``value``; None when it does not."""
        row = self._resolve(kind, pl.Series([partner]), pl.Series([value]), pl.Series([on], dtype=pl.String)).row(
            0, named=True
        )
        if row["ours"] is None:
            return None
        return Explanation(
            kind=kind, **{name: row[name] for name in ("table", "partner", "theirs", "ours", "valid_from", "valid_to")}
        )

    def holds(self, kind: str, partner: pl.Series, values: pl.Series) -> pl.Series:
        """Whether any row, valid on whatever day, knows each of ``values`` as its ``partner`` writes it."""
        asked = pl.DataFrame({"partner": partner.fill_null("").str.strip_chars(), "theirs": values})
        asked = asked.with_columns(theirs=_normal(kind, pl.col("theirs")))
        codes = self._index(f"cross_references:{kind}").rows.select("partner", "theirs").unique()
        found = [
            owned.join(codes.with_columns(known=True), on=["partner", "theirs"], how="left", maintain_order="left")
            for owned in (asked, asked.with_columns(partner=pl.lit("")))
        ]
        own = pl.Series(list(shipped_units()), dtype=pl.String) if kind == "unit" else self._own_codes(kind)
        known = asked["theirs"].is_in(own.str.strip_chars().implode())
        for table in (*found, self._keyed(kind, asked)):
            known |= table["known"].fill_null(False)
        return known

    def _keyed(self, kind: str, asked: pl.DataFrame) -> pl.DataFrame:
        """``known`` beside what a GTIN or GLN of ours is, on whatever day."""
        if kind not in _GS1_COLUMNS or _GS1_COLUMNS[kind] not in self._tables[OWN_IDS[kind][0]].columns:
            return asked.select(known=pl.lit(False))
        keys = self._index(f"keys:{kind}").rows["theirs"]
        key = pl.col("theirs")
        return asked.select(known=key.str.contains(_GS1_KEY) & key.str.zfill(_GTIN).is_in(keys.implode()))

    def nearest(self, kind: str, partner: str, value: str, n: int = 3) -> list[str]:
        """At most ``n`` codes that ``partner`` could have meant by ``value``, best first; for messages only."""
        wanted = value.strip()
        choices = self._codes_near(kind, partner, wanted)
        found = process.extract(
            wanted.upper(), choices, processor=str.upper, scorer=fuzz.ratio, score_cutoff=60, limit=n
        )
        return [choice for choice, _, _ in found]

    def _resolve(self, kind: str, partner: pl.Series, values: pl.Series, on: pl.Series | None) -> pl.DataFrame:
        """One row a value, in order: the columns of ``Explanation`` but ``kind``, null where nothing answers."""
        if kind not in KINDS:
            raise ValueError(f"no such kind of look-up: {kind!r}; known: {', '.join(KINDS)}")
        asked = pl.DataFrame(
            {
                "partner": partner.cast(pl.String).fill_null("").str.strip_chars(),
                "theirs": values.cast(pl.String),
                "_on": _business_days(on, len(values)),
            }
        )
        asked = asked.with_columns(theirs=_normal(kind, pl.col("theirs"))).with_row_index(_QUERY)
        answers = []
        open_ = asked.filter(pl.col("theirs").is_not_null() & (pl.col("theirs") != ""))
        for ask in (self._partners_own, self._general, self._our_own, self._by_gs1_key):
            answer = ask(kind, open_)
            if answer.height == asked.height:
                return answer
            answers.append(answer)
            open_ = open_.join(answer, on=_QUERY, how="anti", maintain_order="left")
        return asked.select(_QUERY).join(pl.concat(answers), on=_QUERY, how="left", maintain_order="left")

    def _partners_own(self, kind: str, asked: pl.DataFrame) -> pl.DataFrame:
        return self._cross_references(f"cross_references:{kind}", asked.filter(pl.col("partner") != ""))

    def _general(self, kind: str, asked: pl.DataFrame) -> pl.DataFrame:
        return self._cross_references(f"{_GENERAL}:{kind}", asked.with_columns(partner=pl.lit("")))

    def _cross_references(self, index: str, asked: pl.DataFrame) -> pl.DataFrame:
        found = self._index(index).find(asked)
        return found.select(
            _QUERY,
            pl.lit("cross_references").alias("table"),
            "partner",
            "theirs",
            pl.col("ours").str.strip_chars(),
            "valid_from",
            "valid_to",
        )

    def _our_own(self, kind: str, asked: pl.DataFrame) -> pl.DataFrame:
        if kind == "unit":
            codes = shipped_units()
            ours = asked.get_column("theirs").replace_strict(
                list(codes), list(codes.values()), default=None, return_dtype=pl.String
            )
            found = asked.with_columns(ours=ours, valid_from=pl.lit(""), valid_to=pl.lit("")).drop_nulls("ours")
            table = "codes/unit"
        else:
            table = OWN_IDS[kind][0]
            found = self._index(table).find(asked).with_columns(ours=pl.col("theirs"))
        return found.select(
            _QUERY,
            pl.lit(table).alias("table"),
            pl.lit("").alias("partner"),
            "theirs",
            "ours",
            "valid_from",
            "valid_to",
        )

    def _by_gs1_key(self, kind: str, asked: pl.DataFrame) -> pl.DataFrame:
        """What our own rows say is their GTIN or GLN; a GTIN is the same with fewer zeros before it."""
        keys = asked.filter(pl.col("theirs").str.contains(_GS1_KEY)) if kind in _GS1_COLUMNS else asked.clear()
        if keys.is_empty() or _GS1_COLUMNS[kind] not in self._tables[OWN_IDS[kind][0]].columns:
            found, name = asked.clear().with_columns(ours=pl.lit(""), valid_from=pl.lit(""), valid_to=pl.lit("")), ""
        else:
            found = self._index(f"keys:{kind}").find(keys.with_columns(theirs=pl.col("theirs").str.zfill(_GTIN)))
            name = OWN_IDS[kind][0]
        return found.select(
            _QUERY,
            pl.lit(name).alias("table"),
            pl.lit("").alias("partner"),
            "theirs",
            pl.col("ours").str.strip_chars(),
            "valid_from",
            "valid_to",
        )

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
        days = _business_days(on, len(items))
        questions = (items.cast(pl.String), units.cast(pl.String), days)
        if not any(column.null_count() for column in questions):
            plain = self._remembered.answer("plain", questions, lambda some: self._plain(*some))
            if not plain.null_count():
                return quantities.cast(pl.String), plain
        return self._converted(items, quantities, units, days)

    def _plain(self, items: pl.Series, units: pl.Series, days: pl.Series) -> pl.Series:
        """The unit of each (item, unit, day) whose quantities need no conversion; null where they do."""
        asked = pl.DataFrame({"item": items.str.strip_chars(), "unit": units, "_on": days})
        rates, _ = self._rates(asked)
        as_sent = pl.when(pl.col("rate").is_null()).then(pl.coalesce("base", "unit"))
        return rates.select(as_sent.alias("plain")).to_series()

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
        rates, conversions = self._rates(lines.select("item", "unit", "_on").unique(maintain_order=True))
        lines = lines.join(rates, on=["item", "unit", "_on"], how="left", nulls_equal=True, maintain_order="left")
        products = _products(lines.filter(pl.col("rate") >= 0).select("quantity", "rate").unique(), conversions)
        lines = lines.join(products, on=["quantity", "rate"], how="left", maintain_order="left")
        as_sent = pl.col("rate").is_null() & pl.col("unit").is_not_null()
        base_quantity = pl.when(as_sent).then("quantity").otherwise("product")
        converted = lines.select(base_quantity=base_quantity, base_unit=pl.coalesce("base", "unit"))
        return converted.get_column("base_quantity"), converted.get_column("base_unit")

    def _rates(self, asked: pl.DataFrame) -> tuple[pl.DataFrame, list[Conversion]]:
        """Base unit and rate of each (item, unit, day).

        ``rate`` is an index into the list of conversions, -1 where no conversion exists, null where the
        quantity stands as sent.
        """
        asked = asked.with_row_index(_QUERY)
        found = self._index("items").find(asked.with_columns(theirs="item"))
        bases = found.select(_QUERY, _rounding(found), base=_rec20("base_unit"))
        asked = asked.join(bases.filter(pl.col("base") != ""), on=_QUERY, how="left", maintain_order="left")
        differing = asked.filter(pl.col("unit").is_not_null() & (pl.col("unit") != pl.col("base")))
        if differing.is_empty():
            return asked.drop(_QUERY).with_columns(rate=pl.lit(None, pl.Int32)), []
        own = self._agreed(differing).rename({"agreed": "own"})
        general = self._agreed(differing.with_columns(item=pl.lit(""))).select("_on", general="agreed")
        differing = differing.join(own, on=["item", "_on"], how="left").join(general, on="_on", how="left")
        cases = differing.select(_CASE).unique(maintain_order=True)
        places: dict[Conversion, int] = {}
        rates = [
            -1 if rate is None else places.setdefault(rate, len(places))
            for rate in map(_agreed_rate, *cases.get_columns())
        ]
        cases = cases.with_columns(rate=pl.Series(rates, dtype=pl.Int32))
        found = differing.join(cases, on=_CASE, how="left", nulls_equal=True).select(_QUERY, "rate")
        asked = asked.join(found, on=_QUERY, how="left", maintain_order="left")
        return asked.drop(_QUERY), list(places)

    def _agreed(self, asked: pl.DataFrame) -> pl.DataFrame:
        """What the units table says for each (item, day): all steps in one text, the later start of a pair winning.

        Many items agree on the same few factors; as text they are told apart, and worked out, only once.
        """
        asked = asked.select("item", "_on").unique(maintain_order=True).with_row_index(_QUERY)
        steps = (
            self._index("units")
            .find_all(asked)
            .pipe(
                lambda found: found.select(_QUERY, _rec20("from_unit"), _rec20("to_unit"), "factor", _rounding(found))
            )
            .unique([_QUERY, "from_unit", "to_unit"], keep="last", maintain_order=True)
            .sort("from_unit", "to_unit")
            .select(_QUERY, step=pl.concat_str("from_unit", "to_unit", "factor", "rounding", separator="\t"))
        )
        texts = steps.group_by(_QUERY).agg(agreed=pl.col("step").str.join(_SEPARATOR))
        return asked.join(texts, on=_QUERY).drop(_QUERY)

    # -- indexes ----------------------------------------------------------------------------------

    def _index(self, name: str) -> _Index:
        """``items``, ``sites``, ``partners``, ``units``, ``cross_references:<kind>``, or of these the few that are
        everybody's, ``general:<kind>``; built on first use."""
        if (index := self._indexes.get(name)) is None:
            index = self._indexes[name] = self._build(name)
        return index

    def _build(self, name: str) -> _Index:
        if name == "units":
            return _Index.over(self._tables["units"], {"item": pl.col("item").str.strip_chars()})
        table, _, kind = name.partition(":")
        if table == "keys":
            owner, id = OWN_IDS[kind]
            key = pl.col(_GS1_COLUMNS[kind]).str.strip_chars()
            rows = self._tables[owner].filter(key.str.contains(_GS1_KEY)).with_columns(ours=pl.col(id))
            return _Index.over(rows, {"theirs": key.str.zfill(_GTIN)})
        if kind:
            rows = self._tables["cross_references"].filter(pl.col("kind") == kind).drop("kind")
            partner = pl.col("partner").str.strip_chars()
            rows = rows.filter(partner == "") if table == _GENERAL else rows
            return _Index.over(rows, {"partner": partner, "theirs": _normal(kind, pl.col("theirs"))})
        column = MASTER_TABLES[table][0]
        return _Index.over(self._tables[table], {"theirs": pl.col(column).str.strip_chars()})


#: Extras that answers depend on.
_USED = ("calendar", "gtin", "rounding")
#: Kind of look-up -> the column that holds a GS1 key of our own.
_GS1_COLUMNS = {"item": "gtin", "site": "gln", "partner": "gln"}
_GS1_KEY = r"^(?:[0-9]{8}|[0-9]{12,14})$"
_GTIN = 14


def _used(name: str, tables: Mapping[str, pl.DataFrame]) -> tuple[str, ...]:
    return tuple(one for one in MASTER_EXTRAS[name] if one in _USED and one in tables[name].columns)


@dataclass(frozen=True, slots=True)
class _Index:
    """A table sorted by the hash of its key, so that a column of keys is found by binary search.

    The hash only leads to the rows; the key itself is compared before a row counts.
    """

    keys: tuple[str, ...]
    hashes: pl.Series
    ends: pl.Series  #: where the rows of the same hash are over
    rows: pl.DataFrame

    @classmethod
    def over(cls, table: pl.DataFrame, keys: Mapping[str, pl.Expr]) -> _Index:
        rows = (
            table.with_columns(**keys)
            .with_columns(
                _hash=_hash(keys),
                _from=_day("valid_from", when_empty=_SINCE_EVER, when_bad=_FOR_EVER),
                _to=_day("valid_to", when_empty=_FOR_EVER, when_bad=_SINCE_EVER),
            )
            .sort("_hash", "_from", maintain_order=True)
        )
        hashes = rows.get_column("_hash")
        runs = hashes.rle_id().alias("_run").to_frame().with_row_index("_end", offset=1)
        ends = runs.select(pl.col("_end").max().over("_run")).to_series()
        return cls(tuple(keys), hashes, ends, rows.drop("_hash"))

    def find(self, asked: pl.DataFrame) -> pl.DataFrame:
        """The one row that answers each of ``asked`` (columns ``_query``, ``_on`` and the keys), where one does."""
        low, high = self._span(asked)
        held = asked.select("_on", *self.keys)
        answer = pl.Series("_row", [None], pl.UInt32).new_from_index(0, asked.height)
        most = (high - low).max()
        for further in range(most if isinstance(most, int) else 0):  # of several rows that hold the later one answers
            open_ = (low + further < high).arg_true()
            rows = (low + further).gather(open_)
            hold = self._hold(held[open_], rows)
            answer = answer.scatter(open_.filter(hold), rows.filter(hold))
        hit = answer.is_not_null()
        return pl.concat([asked.select(_QUERY).filter(hit), self.rows[answer.filter(hit)]], how="horizontal")

    def find_all(self, asked: pl.DataFrame) -> pl.DataFrame:
        """Every row valid on the day for each of ``asked``, the one that beats the others last."""
        low, high = self._span(asked)
        span = (
            asked.select(_QUERY, "_on", *self.keys)
            .with_columns(_low=low, _high=high)
            .filter(pl.col("_low") < pl.col("_high"))
            .with_columns(_row=pl.int_ranges("_low", "_high"))
            .explode("_row")
        )
        rows = span.get_column("_row")
        hold = self._hold(span, rows)
        return pl.concat([span.select(_QUERY).filter(hold), self.rows[rows.filter(hold)]], how="horizontal")

    def _span(self, asked: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
        """Where the rows begin and end whose hash is that of each of ``asked``."""
        wanted = asked.select(_hash(self.keys)).to_series()
        if not len(self.hashes):
            nowhere = pl.Series("_low", [0], pl.UInt32).new_from_index(0, len(wanted))
            return nowhere, nowhere
        low = self.hashes.search_sorted(wanted, side="left")
        there = low.clip(upper_bound=len(self.hashes) - 1)
        found = self.hashes.gather(there) == wanted
        return low, low.zip_with(~found, self.ends.gather(there))

    def _hold(self, asked: pl.DataFrame, rows: pl.Series) -> pl.Series:
        """Whether each of ``rows`` is really of the key asked for, and valid on the day."""
        found = self.rows.select(pl.col("_from", "_to", *self.keys).gather(rows).name.prefix("_found"))
        right = [pl.col(key) == pl.col(f"_found{key}") for key in self.keys]
        day = (pl.col("_found_from") <= pl.col("_on")) & (pl.col("_on") <= pl.col("_found_to"))
        return pl.concat([asked, found], how="horizontal").select(pl.all_horizontal(*right, day)).to_series()


_GENERAL = "general"
_SMALL = 20_000  # codes that are compared one by one for a message
_SEPARATOR = "\x1f"
_CASE = ["unit", "base", "rounding", "own", "general"]
#: A rate, and how what it gives is rounded.
Conversion = tuple[Fraction, str]


def _hash(keys: Iterable[str]) -> pl.Expr:
    return pl.concat_str(*keys, separator=_SEPARATOR).hash().alias("_hash")


def _alike(codes: pl.Series, begin: str, end: str) -> pl.Series:
    upper = codes.str.to_uppercase()
    return upper.str.starts_with(begin) | upper.str.ends_with(end)


def _normal(kind: str, codes: pl.Expr) -> pl.Expr:
    """Codes as they are compared: trimmed; units in upper case."""
    trimmed = codes.str.strip_chars()
    return trimmed.str.to_uppercase() if kind == "unit" else trimmed


def _day(column: str, *, when_empty: int, when_bad: int) -> pl.Expr:
    text = pl.col(column).str.strip_chars()
    day = text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Int32)
    return pl.when(text == "").then(when_empty).otherwise(day.fill_null(when_bad)).cast(pl.Int32)


def _business_days(on: pl.Series | None, height: int) -> pl.Series:
    """Days since 1970; the last day of all where there is no business date."""
    if on is None:
        return pl.Series([_LAST_DAY], dtype=pl.Int32).new_from_index(0, height)
    if on.dtype == pl.String and is_constant(on):
        return pl.Series([_business_day(on[0])], dtype=pl.Int32).new_from_index(0, height)
    if on.dtype == pl.Int32:
        return on
    day = pl.col(on.name).cast(pl.Date)
    if on.dtype == pl.String:
        day = pl.col(on.name).str.strip_chars().str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    return on.to_frame().select(day.cast(pl.Int32).fill_null(_LAST_DAY)).to_series()


@lru_cache(maxsize=1 << 12)
def _business_day(text: str) -> int:
    """The same of one text: a document has one date mostly."""
    day: int = _business_days(pl.Series([text, None], dtype=pl.String), 2)[0]
    return day


def _rec20(column: str) -> pl.Expr:
    """Unit codes of a master table as Rec 20 codes: through the shipped list, else as they stand."""
    code = _normal("unit", pl.col(column))
    known = shipped_units()
    return code.replace(list(known), list(known.values())).alias(column)


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


def _rounding(found: pl.DataFrame) -> pl.Expr:
    """How quantities are rounded; most tables do not say."""
    return (pl.col("rounding") if "rounding" in found.columns else pl.lit("")).alias("rounding")


def _products(pairs: pl.DataFrame, conversions: list[Conversion]) -> pl.DataFrame:
    """Each (quantity, rate) with its ``product``; null where the quantity is no number."""
    products = [times(quantity, *conversions[rate]) for quantity, rate in pairs.iter_rows()]
    return pairs.with_columns(product=pl.Series(products, dtype=pl.String))
