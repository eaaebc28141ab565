"""From a chunk of raw text columns to canonical lines: the small engine that runs a mapping.

Everything works on whole columns; Python sees each distinct value once. What is wrong with a line
becomes a finding, and a finding of severity error parks the line; the other lines go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from mappings.circumstances import Circumstances
from mappings.columns import CLOCK, constant, first_filled, nulls, sent_at, with_clock
from mappings.formats import MARKS, PLAIN_NUMBER, number_format, time_format, usual_formats
from mappings.functions import FUNCTIONS
from mappings.identifiers import misspelt, no_currency, right_digit, wrong_check_digits
from mappings.library import CompiledMapping
from mappings.remembered import fits, is_constant
from mappings.schedules import irreconcilable, one_day, single_quantities, told_beside, windows
from mappings.spec import FieldRule, Lookup
from mappings.values import instant_text
from schemas.documents import LENGTH, LOCATION, OFFSET, ORDINAL, PLACE_SUFFIX
from schemas.findings import Finding, Severity, Stage
from schemas.lines import BUSINESS_TIME, KINDS, FieldType, LineKind

PLACES = (ORDINAL, LOCATION, OFFSET, LENGTH)
UNKNOWN = "UNKNOWN"  #: stands in a lenient reading where a line says nothing of its partner or site

#: What is kept of a value that our own number replaces.
_RAW_BESIDE = {"item": "partner_item", "site": "partner_site"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """Canonical lines, and what is wrong with them.

    ``lines`` has all fields of the mapping's line kind (null where nothing was sent or could be read), then the
    place columns of ``schemas.documents``. Findings carry the line's ordinal; ``faulty`` says which field of which
    line each of them concerns.
    """

    lines: pl.DataFrame
    findings: list[Finding]
    faulty: frozenset[tuple[str, int]]


def apply(chunk: pl.DataFrame, mapping: CompiledMapping, given: Circumstances) -> Applied:
    """The canonical lines of ``chunk``, one for each row."""
    lines = _Lines(chunk, mapping, given)
    looked_up = [name for name, rule in mapping.rules.items() if rule.lookup is not None]
    for name, rule in mapping.rules.items():
        if name not in looked_up:
            lines.read(name, rule)
    lines.assign_partner()
    for name in sorted(looked_up, key=lambda name: name != "partner"):
        lines.look_up(name, mapping.rules[name])
    for name, rule in mapping.rules.items():
        if rule.required:
            lines.require(name, rule)
    lines.judge_keys()
    if mapping.kind in (LineKind.FORECAST, LineKind.CALL_OFF):
        lines.schedule()
    elif mapping.kind in (LineKind.ORDER, LineKind.ORDER_RESPONSE):
        lines.columns |= one_day(lines.columns, chunk.height, given.zone)
    nothing = nulls(chunk.height)
    columns = [lines.columns.get(name, nothing).alias(name) for name in KINDS[mapping.kind]]
    table = chunk.select_seq(*columns, *PLACES)
    kept = table if lines.kept is None else table.filter(lines.kept)
    return Applied(lines=kept, findings=lines.findings, faulty=frozenset(lines.faulty))


#: Field -> code of the finding, which values are wrong, and what is said of them.
_JUDGED: Mapping[str, tuple[str, Callable[[pl.Series], pl.Series], str, Callable[[str], str]]] = {
    "package": (
        "package.check_digit",
        lambda keys: wrong_check_digits("sscc", keys),
        "the check digit of the SSCC {!r} is wrong",
        lambda key: f"{key[:-1]}{right_digit(key)}, if only the last digit is wrong",
    ),
    "currency": (
        "currency.unknown",
        no_currency,
        "{!r} is no currency",
        lambda _: "a code of ISO 4217",
    ),
}


class _Origin(NamedTuple):
    """One alternative of a field: where it stands (None: in the mapping itself), what was sent, how it is read."""

    path: str | None
    sent: pl.Series
    function: str | None
    codes: str | None
    format: str | None


class _Lines:
    """One chunk on its way through a mapping: the columns so far, and what was found wrong."""

    def __init__(self, chunk: pl.DataFrame, mapping: CompiledMapping, given: Circumstances) -> None:
        self.chunk = chunk
        self.mapping = mapping
        self.given = given
        self.columns: dict[str, pl.Series] = {}
        self.findings: list[Finding] = []
        self.kept: pl.Series | None = None  #: which rows are lines, where not all are
        self.faulty: set[tuple[str, int]] = set()  #: field and line
        self._sent = sent_at(chunk, mapping.plan.paths)
        self._number, self._time = usual_formats(mapping.document, mapping.layout)

    # -- one field ------------------------------------------------------------------------------------

    def read(self, name: str, rule: FieldRule) -> None:
        """The field's canonical text: path, const or default, then function, codes and format."""
        type_ = KINDS[self.mapping.kind][name].type
        if type_ is FieldType.DECIMAL:
            self.columns[name] = self._decimals(name, rule)
        elif type_ in (FieldType.DATE, FieldType.TIME):
            self.columns[name] = self._moments(name, rule, type_)
        else:
            self.columns[name] = self._told(name, rule)

    def _told(self, name: str, rule: FieldRule) -> pl.Series:
        """The first origin that is filled; where its code means nothing (``''``), the first that says something."""
        origins = self._origins(rule)
        alike = len({(one.function, one.codes) for one in origins}) < 2
        if alike and not any(one.codes and "" in self.mapping.codes[one.codes].values() for one in origins[:1]):
            sent = first_filled([one.sent for one in origins], self.chunk.height)
            return self._worded(name, rule, sent, origins[0]) if origins else sent
        told = nulls(self.chunk.height)
        for one in origins:
            text = self._worded(name, rule, one.sent.zip_with(told.is_null(), nulls(len(told))), one)
            told = first_filled([told, text.replace("", None)], len(told))
        return told

    def _moments(self, name: str, rule: FieldRule, type_: FieldType) -> pl.Series:
        """Dates and times; where the origins are written in different ways, the first that says one."""
        if not isinstance(rule.format, list):
            text = with_clock(self._told(name, rule), self._clock(rule))
            return self._times(name, rule, text, rule.format, type_)
        told = nulls(self.chunk.height)
        for one in self._origins(rule):
            text = self._worded(name, rule, one.sent.zip_with(told.is_null(), nulls(len(told))), one)
            beside = [self._sent[path] for path in rule.clocks if path in self._sent and rule.beside(path) == one.path]
            text = with_clock(text, first_filled(beside, len(told)) if beside else None)
            told = first_filled([told, self._times(name, rule, text, one.format, type_)], len(told))
        return told

    def _origins(self, rule: FieldRule) -> list[_Origin]:
        """Those that are filled anywhere, in the order in which they are asked; last what stands in for them."""
        asked = zip((*rule.paths, None), rule.functions, rule.code_lists, rule.formats, strict=True)
        return [
            _Origin(path, self._constant(rule.fallback) if path is None else self._sent[path], *how)
            for path, *how in asked
            if (rule.fallback is not None if path is None else path in self._sent)
        ]

    def _constant(self, text: str | None) -> pl.Series:
        return constant(text, self.chunk.height)

    def _clock(self, rule: FieldRule) -> pl.Series | None:
        """The time of day beside the date, where the date came from the path that stands beside the clock's."""
        told: list[pl.Series] = []
        for path in rule.clocks:
            beside = rule.beside(path)
            if path not in self._sent or beside not in self._sent:
                continue
            taken = self._sent[beside].is_not_null()
            for earlier in rule.paths[: rule.paths.index(beside)]:
                if earlier in self._sent:
                    taken &= self._sent[earlier].is_null()
            told.append(self._sent[path].zip_with(taken, nulls(self.chunk.height)))
        return first_filled(told, self.chunk.height) if told else None

    def _worded(self, name: str, rule: FieldRule, text: pl.Series, origin: _Origin) -> pl.Series:
        """Through the function and the code list of its origin."""
        if origin.function is not None:
            text = self._each(name, rule, text, FUNCTIONS[origin.function])
        return text if origin.codes is None else self._coded(name, rule, text, origin.codes)

    def _coded(self, name: str, rule: FieldRule, text: pl.Series, list_: str) -> pl.Series:
        """Codes not in the list stay as sent, with a warning; but a purpose or a required field is not guessed.

        Upper and lower case are the same.
        """
        codes = self.mapping.codes[list_]
        known = {code.lower(): meaning for code, meaning in codes.items()}
        if is_constant(text) and text[0].lower() in known:
            return constant(known[text[0].lower()], len(text))
        same = text.str.to_lowercase()
        coded = same.replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.String)
        coded = coded.alias(text.name)
        if coded.null_count() == text.null_count():
            return coded
        strange = text.is_not_null() & coded.is_null()
        grave = rule.required or name == "purpose"
        self._report(
            "code.unknown",
            name,
            rule,
            strange,
            text,
            severity=Severity.ERROR if grave else Severity.WARNING,
            message=f"{name} {{!r}} is not in the code list {list_}",
            expected=lambda _: _listed(codes),
        )
        return coded if grave else coded.zip_with(~strange, text)

    def _decimals(self, name: str, rule: FieldRule) -> pl.Series:
        """Numbers in canonical form; each path may have a decimal mark of its own."""
        columns: list[pl.Series] = []
        taken: pl.Series | None = None
        for one in self._origins(rule):
            wanted = one.sent if taken is None else one.sent.zip_with(~taken, nulls(self.chunk.height))
            columns.append(self._numbers(name, rule, self._worded(name, rule, wanted, one), self._number_format(one)))
            if not one.sent.null_count():
                break
            taken = one.sent.is_not_null() if taken is None else taken | one.sent.is_not_null()
        return first_filled(columns, self.chunk.height)

    def _number_format(self, origin: _Origin) -> str:
        if origin.format is not None:
            return origin.format
        if origin.path is None:  # the mapping's own words
            return "point"
        mark = self.given.marks.get(origin.path)
        return self._number if mark is None else MARKS[mark]

    def _numbers(self, name: str, rule: FieldRule, text: pl.Series, format: str) -> pl.Series:
        pattern = PLAIN_NUMBER.get(format, "^$")
        if is_constant(text) and fits(pattern, text[0]):
            return text
        plain = text.str.contains(pattern)
        if plain.all():
            return text
        plain = plain.fill_null(True)
        odd = text.zip_with(~plain, nulls(len(text)))
        return text.zip_with(plain, self._each(name, rule, odd, number_format(format)))

    def _times(self, name: str, rule: FieldRule, text: pl.Series, format: str | None, type_: FieldType) -> pl.Series:
        read = time_format(format or self._time)
        zone = self.given.zone

        def convert(written: str) -> str | None:
            day, _, hour = written.partition(CLOCK)
            moment = read(day, hour, zone)
            if moment is None:
                return None
            return moment.date().isoformat() if type_ is FieldType.DATE else instant_text(moment, zone)

        return self._each(name, rule, text, convert)

    def _each(self, name: str, rule: FieldRule, text: pl.Series, convert: Callable[[str], str | None]) -> pl.Series:
        """``convert`` run once for each distinct value; what it refuses is a finding and null."""
        converted: dict[str, str | None] = {}
        refused: dict[str, str] = {}
        same = is_constant(text)
        for value in text.head(1) if same else text.unique().drop_nulls():
            try:
                converted[value] = convert(value)
            except ValueError as error:
                refused[value] = str(error)
        if refused:
            bad = text.is_in(pl.Series(list(refused), dtype=pl.String).implode()).fill_null(False)
            self._report(
                "value.unreadable", name, rule, bad, text, message=f"{name} {{!r}} cannot be read", expected=refused.get
            )
        if not converted:
            return nulls(len(text))
        if same:
            return constant(converted[text[0]], len(text))
        return text.replace_strict(list(converted), list(converted.values()), default=None, return_dtype=pl.String)

    # -- whole lines ----------------------------------------------------------------------------------

    def assign_partner(self) -> None:
        """The document's partner, unless the lines or the mapping name theirs; a mapping's default comes last."""
        rule = self.mapping.rules.get("partner")
        if rule is None or (rule.const is None and not rule.paths):
            default = rule.default if rule is not None else None
            self.columns["partner"] = self._constant(self.given.partner or default)

    def look_up(self, name: str, rule: FieldRule) -> None:
        """Our id for what was sent: the first origin that the master data know wins."""
        if rule.lookup is None or (name == "partner" and name in self.columns):
            return
        origins = [self._worded(name, rule, one.sent, one) for one in self._origins(rule)]
        if rule.fallback is not None and len(origins) > 1:  # it stands in for nothing, not for what nobody knows
            silent = first_filled(origins[:-1], self.chunk.height).is_null()
            origins[-1] = origins[-1].zip_with(silent, nulls(self.chunk.height))
        sent = first_filled(origins, self.chunk.height)
        found = self._known(name, rule.lookup, origins)
        self._keep_beside(name, sent, found)
        unknown = sent.is_not_null() & found.is_null() if found.null_count() else None
        if unknown is not None and unknown.any():
            self._report_unknown(name, rule, rule.lookup, unknown, sent)
            found = found.zip_with(~unknown, sent) if self.given.lenient else found
        self.columns[name] = found

    def _keep_beside(self, name: str, sent: pl.Series, found: pl.Series) -> None:
        """Keep how the partner calls it, where it does not use our own number and has not said so elsewhere."""
        beside = _RAW_BESIDE.get(name)
        if beside is None:
            return
        differs = sent.ne_missing(found)
        theirs = sent if differs.all() else sent.zip_with(differs, nulls(len(sent)))
        own = self.columns.get(beside)
        self.columns[beside] = theirs if own is None else first_filled([own, theirs], len(sent))

    def _known(self, name: str, kind: Lookup, origins: Sequence[pl.Series]) -> pl.Series:
        partner = self._partner_for(name)
        on = first_filled(
            [self.columns[at] for at in BUSINESS_TIME[self.mapping.kind] if at in self.columns], len(partner)
        )
        found = nulls(len(partner))
        for text in origins:
            if not found.null_count():
                break
            if found.null_count() == len(found) and not text.null_count():
                found = self.given.master.look_up(kind.value, partner, text, on)
                continue
            open_ = (found.is_null() & text.is_not_null()).arg_true()
            if len(open_):
                ours = self.given.master.look_up(kind.value, partner[open_], text[open_], on[open_])
                found = found.scatter(open_, ours)
        return found

    def _partner_for(self, name: str) -> pl.Series:
        own = None if name == "partner" else self.columns.get("partner")
        return self._constant(self.given.partner) if own is None else own

    def _report_unknown(self, name: str, rule: FieldRule, kind: Lookup, unknown: pl.Series, sent: pl.Series) -> None:
        partners = dict(zip(sent.filter(unknown), self._partner_for(name).filter(unknown), strict=True))
        slips = unknown & misspelt(kind.value, sent)
        if slips.any():
            self._report_slips(name, rule, slips, sent)
            unknown = unknown & ~slips
        self._report(
            f"{name}.unknown",
            name,
            rule,
            unknown,
            sent,
            stage=Stage.REFERENCE,
            severity=Severity.WARNING if self.given.lenient else Severity.ERROR,
            message=f"{name} {{!r}} is not known",
            expected=lambda value: self.given.suggest(kind.value, partners[value] or "", value),
        )

    def _report_slips(self, name: str, rule: FieldRule, slips: pl.Series, sent: pl.Series) -> None:
        """Nobody knows these, and nobody could: their last digit is not the one that checks."""
        self._report(
            f"{name}.check_digit",
            name,
            rule,
            slips,
            sent,
            stage=Stage.REFERENCE,
            severity=Severity.WARNING if self.given.lenient else Severity.ERROR,
            message=f"{name} {{!r}} is not known, and its check digit is wrong",
            expected=lambda value: f"{value[:-1]}{right_digit(value)}, if only the last digit is wrong",
        )

    def judge_keys(self) -> None:
        """A warning for each SSCC of which the last digit does not check, and each currency that there is not."""
        for name, (code, wrong, message, expected) in _JUDGED.items():
            if name not in self.mapping.rules or self.columns[name].null_count() == self.chunk.height:
                continue
            faulty = wrong(self.columns[name])
            if faulty.any():
                self._report(
                    code,
                    name,
                    self.mapping.rules[name],
                    faulty,
                    self.columns[name],
                    stage=Stage.REFERENCE,
                    severity=Severity.WARNING,
                    message=message,
                    expected=expected,
                )

    def require(self, name: str, rule: FieldRule) -> None:
        """A required field that nothing filled is a finding; one that could not be read has its finding already."""
        if not self.columns[name].null_count():
            return
        lines = self.chunk.get_column(ORDINAL)
        known_faults = [line for field, line in self.faulty if field == name]
        missing = self.columns[name].is_null() & ~lines.is_in(known_faults)
        if not missing.any():
            return
        stand_in = self.given.lenient and name in ("partner", "site")
        self._report(
            f"{name}.missing",
            name,
            rule,
            missing,
            None,
            severity=Severity.WARNING if stand_in else Severity.ERROR,
            message=f"{name} is missing",
            expected=lambda _: _alternatives(rule.paths) or None,
        )
        if stand_in:
            self.columns[name] = self.columns[name].zip_with(~missing, self._constant(UNKNOWN))

    def schedule(self) -> None:
        """Windows and quantities as consumers read them; a quantity that cannot be told is a finding."""
        columns = {name: self.columns.get(name, nulls(self.chunk.height)) for name in KINDS[self.mapping.kind]}
        columns |= windows(columns, self.given.zone)
        if columns["counting"].is_in(["beside", "cumulative"]).any():
            told, self.kept = told_beside(columns)
            columns |= told
        self.columns |= columns
        self._reconcile(columns)
        if not (columns["counting"] == "cumulative").any():
            return
        quantities, cumulatives, untold = single_quantities(columns)
        self.columns["quantity"] = pl.Series(quantities, dtype=pl.String)
        self.columns["cumulative"] = pl.Series(cumulatives, dtype=pl.String)
        if untold:
            self._report(
                "quantity.base_missing",
                "quantity",
                self.mapping.rules["quantity"],
                pl.Series([row in untold for row in range(self.chunk.height)], dtype=pl.Boolean),
                columns["quantity"],
                message="the cumulative quantity {} tells nothing of this line's own",
                expected=lambda _: "the cumulative quantity received or shipped so far",
            )

    def _reconcile(self, columns: dict[str, pl.Series]) -> None:
        """A warning where the cumulative quantity told beside a quantity does not grow by it."""
        wrong = irreconcilable(columns, self.kept)
        if wrong:
            self._report(
                "quantity.cumulative",
                "cumulative",
                self.mapping.rules["quantity"],
                pl.Series([row in wrong for row in range(self.chunk.height)], dtype=pl.Boolean),
                columns["cumulative"],
                severity=Severity.WARNING,
                stage=Stage.BUSINESS,
                message="the cumulative quantity {} is not that of the line before and this quantity",
                expected=lambda _: "cumulative quantities that grow by each quantity",
            )

    def _report(
        self,
        code: str,
        name: str,
        rule: FieldRule,
        where: pl.Series,
        values: pl.Series | None,
        *,
        message: str,
        expected: Callable[[str], str | None],
        severity: Severity = Severity.ERROR,
        stage: Stage = Stage.STRUCTURE,
    ) -> None:
        """A finding for each line of the mask ``where``, at the place of its value where the reader knows it."""
        lines = self.chunk.filter(where)
        sent = [None] * lines.height if values is None else values.filter(where).to_list()
        places = lines.select_seq(
            self._place(rule).alias("place"), *(pl.col(column) for column in (ORDINAL, OFFSET, LENGTH))
        )
        for given, (place, line, offset, length) in zip(sent, places.iter_rows(), strict=True):
            value = None if given is None else given.replace(CLOCK, " ").strip()
            self.faulty.add((name, line))
            self.findings.append(
                Finding(
                    code=code,
                    severity=severity,
                    stage=stage,
                    message=message.format(value),
                    location=place or "",
                    value=value,
                    expected=expected(given or ""),
                    line=line,
                    offset=offset,
                    length=length,
                )
            )

    def _place(self, rule: FieldRule) -> pl.Expr:
        """The place of the first filled path of ``rule`` where the reader noted it, else where it would stand."""
        columns = self.chunk.columns
        paths = [path for path in rule.paths if path + PLACE_SUFFIX in columns]
        noted = [pl.when(pl.col(path).str.strip_chars() != "").then(pl.col(path + PLACE_SUFFIX)) for path in paths]
        return pl.coalesce(*noted, *(path + PLACE_SUFFIX for path in paths), LOCATION)


def _listed(codes: Mapping[str, str], limit: int = 12) -> str:
    """``a code for original, cancel or change: 00, 01, 04``."""
    meanings = [meaning for meaning in dict.fromkeys(codes.values()) if meaning]
    some = ", ".join(list(codes)[:limit]) + (", ..." if len(codes) > limit else "")
    return f"a code for {', '.join(meanings)}: {some}"


_NAMED = 8  #: places of a value that a finding names; a sheet's column may be called a hundred ways


def _alternatives(paths: Sequence[str]) -> str:
    more = f" or {len(paths) - _NAMED} others" if len(paths) > _NAMED else ""
    return " or ".join(paths[:_NAMED]) + more
