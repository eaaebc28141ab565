"""From a chunk of raw text columns to canonical lines: the small engine that runs a mapping.

Everything works on whole columns; Python sees each distinct value once. What is wrong with a line
becomes a finding, and a finding of severity error parks the line; the other lines go on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import polars as pl

from mappings.formats import layout_formats, number_format, time_format
from mappings.functions import FUNCTIONS
from mappings.library import CompiledMapping
from mappings.master_data import MasterData
from mappings.spec import FieldRule, Lookup
from mappings.values import instant_text
from schemas.documents import LENGTH, LOCATION, OFFSET, ORDINAL, PLACE_SUFFIX
from schemas.findings import Finding, Severity, Stage
from schemas.lines import BUSINESS_TIME, KINDS, FieldType

PLACES = (ORDINAL, LOCATION, OFFSET, LENGTH)

#: What is kept of a value that our own number replaces.
_RAW_BESIDE = {"item": "partner_item", "site": "partner_site"}

#: Suggestions cost a search through all codes; a document full of unknown items gets this many.
_SUGGESTIONS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What holds for all lines of a document and stands in none of them.

    ``lenient``: what cannot be looked up is a warning, and the value as sent stands in for ours.
    """

    partner: str
    master: MasterData
    zone: ZoneInfo
    lenient: bool = False
    suggestions: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def suggest(self, kind: str, partner: str, value: str) -> str:
        """What may have been meant by an unknown ``value``, or what is expected in general."""
        general = f"{'an' if kind[0] in 'aeiou' and kind != 'unit' else 'a'} {kind} of the master data or a cross-reference to it"
        asked = (kind, partner, value)
        if asked not in self.suggestions:
            if len(self.suggestions) >= _SUGGESTIONS:
                return general
            near = self.master.nearest(kind, partner, value)
            self.suggestions[asked] = f"{general}; near: {', '.join(near)}" if near else general
        return self.suggestions[asked]


def apply(chunk: pl.DataFrame, mapping: CompiledMapping, given: Circumstances) -> tuple[pl.DataFrame, list[Finding]]:
    """The canonical lines of ``chunk``, one for each row, and what is wrong with them.

    Columns: all fields of the mapping's line kind (null where nothing was sent or could be read),
    then the place columns of ``schemas.documents``. Findings carry the line's ordinal.
    """
    lines = _Lines(chunk, mapping, given)
    for name, rule in mapping.rules.items():
        if rule.lookup is None and name != "partner":
            lines.columns[name] = lines.read(name, rule)
    lines.fill()
    for name in ("partner", "site", "item", "unit"):
        lines.identify(name)
    lines.require()
    nothing = pl.lit(None, dtype=pl.String)
    fields = [lines.columns.get(name, nothing) for name in KINDS[mapping.kind]]
    columns = [column.alias(name) for column, name in zip(fields, KINDS[mapping.kind], strict=True)]
    return chunk.select(*columns, *PLACES), lines.findings


class _Lines:
    """One chunk on its way through a mapping: the columns so far, and what was found wrong."""

    def __init__(self, chunk: pl.DataFrame, mapping: CompiledMapping, given: Circumstances) -> None:
        self.chunk = chunk
        self.mapping = mapping
        self.given = given
        self.columns: dict[str, pl.Series] = {}
        self.findings: list[Finding] = []
        self.number, self.time = layout_formats(mapping.layout, mapping.document)

    # -- reading values -----------------------------------------------------------------------------

    def read(self, name: str, rule: FieldRule) -> pl.Series:
        """The field's canonical text: path, const or default, then function, codes and format."""
        alternatives = self.alternatives(rule)
        text = _first(alternatives, self.chunk.height)
        if rule.function is not None:
            text = self.each(name, rule, text, FUNCTIONS[rule.function])
        text = self.coded(name, rule, text)
        match KINDS[self.mapping.kind][name].type:
            case FieldType.DECIMAL:
                return self.numbers(name, rule, text)
            case FieldType.DATE | FieldType.TIME as type_:
                clock = self.raw(rule.clock) if rule.clock else None
                if clock is not None and alternatives:
                    clock = clock.zip_with(alternatives[0].is_not_null(), _nulls(len(clock)))
                return self.times(name, rule, text, clock, type_)
            case _:
                return text

    def raw(self, path: str) -> pl.Series:
        """What stood at ``path``, trimmed, blank as null."""
        if path not in self.chunk.columns:
            return _nulls(self.chunk.height)
        text = self.chunk.get_column(path).str.strip_chars()
        return text.to_frame().select(pl.when(pl.first() != "").then(pl.first())).to_series()

    def alternatives(self, rule: FieldRule) -> list[pl.Series]:
        """One column for each origin of the rule, in the order in which they are asked."""
        columns = [self.raw(path) for path in rule.paths]
        return columns + [
            pl.repeat(text, self.chunk.height, dtype=pl.String, eager=True)
            for text in (rule.const, rule.default)
            if text is not None
        ]

    def each(self, name: str, rule: FieldRule, text: pl.Series, convert: Callable[[str], str | None]) -> pl.Series:
        """``convert`` run once for each distinct value; what it refuses is a finding and null."""
        converted, refused = _converted(text.unique().drop_nulls().to_list(), convert)
        self._refuse(name, rule, text, refused)
        return _replaced(text, converted)

    def coded(self, name: str, rule: FieldRule, text: pl.Series) -> pl.Series:
        """Through the rule's code list. An unknown code stays as sent, with a warning; a purpose cannot be guessed."""
        if rule.codes is None:
            return text
        codes = self.mapping.codes[rule.codes]
        known = pl.Series(list(codes), dtype=pl.String)
        strange = text.is_not_null() & ~text.is_in(known.implode())
        grave = name == "purpose" or rule.required
        for row in strange.arg_true():
            self.report(
                "code.unknown",
                row,
                rule,
                severity=Severity.ERROR if grave else Severity.WARNING,
                message=f"{name} {text[row]!r} is not in the code list {rule.codes}",
                value=text[row],
                expected=_listed(codes),
            )
        return (
            text.replace(list(codes), list(codes.values())).set(strange, None)
            if grave
            else text.replace(list(codes), list(codes.values()))
        )

    def numbers(self, name: str, rule: FieldRule, text: pl.Series) -> pl.Series:
        format = rule.format or self.number
        plain = (
            text.str.contains(_PLAIN_NUMBER[format])
            if format in _PLAIN_NUMBER
            else pl.repeat(False, len(text), eager=True)
        )
        odd = text.filter(~plain).unique().drop_nulls().to_list()
        if not odd:
            return text
        converted, refused = _converted(odd, number_format(format))
        self._refuse(name, rule, text, refused)
        return text.zip_with(plain.fill_null(True), _replaced(text, converted))

    def times(
        self, name: str, rule: FieldRule, text: pl.Series, clock: pl.Series | None, type_: FieldType
    ) -> pl.Series:
        read = time_format(rule.format or self.time)
        zone = self.given.zone

        def convert(day: str, hour: str) -> str:
            moment = read(day, hour, zone)
            return moment.date().isoformat() if type_ is FieldType.DATE else instant_text(moment, zone)

        if clock is None or clock.null_count() == len(clock):
            return self.each(name, rule, text, lambda day: convert(day, ""))
        joined = (text + "\x1f" + clock.fill_null("")).rename(name)
        converted, refused = _converted(
            joined.unique().drop_nulls().to_list(), lambda both: convert(*both.split("\x1f"))
        )
        self._refuse(name, rule, joined, refused)
        return _replaced(joined, converted)

    def _refuse(self, name: str, rule: FieldRule, text: pl.Series, refused: Mapping[str, str]) -> None:
        """A finding for every line whose value is among ``refused`` (value -> what was expected)."""
        if not refused:
            return
        bad = text.is_in(pl.Series(list(refused), dtype=pl.String).implode())
        for row in bad.fill_null(False).arg_true():
            value = text[row].replace("\x1f", " ").strip()
            self.report(
                "value.unreadable",
                row,
                rule,
                message=f"{name} {value!r} cannot be read",
                value=value,
                expected=refused[text[row]],
            )

    # -- whole lines ----------------------------------------------------------------------------------

    def fill(self) -> None:
        """A line without a number of its own takes its place in the document."""
        place = self.chunk.get_column(ORDINAL).cast(pl.String)
        own = self.columns.get("line")
        self.columns["line"] = place if own is None else own.zip_with(own.is_not_null(), place)

    def identify(self, name: str) -> None:
        """Look ``name`` up in the master data: the first alternative that is known wins."""
        rule = self.mapping.rules.get(name)
        if name == "partner" and (rule is None or not rule.paths):
            fixed = (rule.const if rule else None) or self.given.partner or (rule.default if rule else None)
            self.columns["partner"] = pl.repeat(fixed, self.chunk.height, dtype=pl.String, eager=True)
            return
        if rule is None or rule.lookup is None:
            if rule is not None and name == "partner":
                self.columns[name] = self.read(name, rule)
            return
        function = FUNCTIONS[rule.function] if rule.function else None
        alternatives = [
            self.coded(name, rule, self.each(name, rule, text, function) if function else text)
            for text in self.alternatives(rule)
        ]
        sent = _first(alternatives, self.chunk.height)
        beside = _RAW_BESIDE.get(name)
        if beside is not None and beside not in self.mapping.rules:
            self.columns[beside] = sent
        self.columns[name] = self._known(name, rule, rule.lookup, alternatives, sent)

    def _known(
        self, name: str, rule: FieldRule, kind: Lookup, alternatives: list[pl.Series], sent: pl.Series
    ) -> pl.Series:
        nobody = _nulls(self.chunk.height)
        partner = self.columns.get("partner", nobody) if name != "partner" else nobody
        on = _first(
            [self.columns[time] for time in BUSINESS_TIME[self.mapping.kind] if time in self.columns], self.chunk.height
        )
        found = _nulls(self.chunk.height)
        for text in alternatives:
            open_ = (found.is_null() & text.is_not_null()).arg_true()
            if len(open_):
                ours = self.given.master.look_up(
                    kind.value, partner.gather(open_), text.gather(open_), on.gather(open_)
                )
                found = found.scatter(open_, ours)
        unknown = sent.is_not_null() & found.is_null()
        for row in unknown.arg_true():
            self.report(
                f"{name}.unknown",
                row,
                rule,
                stage=Stage.REFERENCE,
                severity=Severity.WARNING if self.given.lenient else Severity.ERROR,
                message=f"{name} {sent[row]!r} is not known",
                value=sent[row],
                expected=self.given.suggest(kind.value, partner[row] or "", sent[row]),
            )
        return found.zip_with(found.is_not_null(), sent) if self.given.lenient else found

    def require(self) -> None:
        """A required field that nothing filled is a finding."""
        for name, rule in self.mapping.rules.items():
            if not rule.required:
                continue
            seen = {finding.line for finding in self.findings}
            for row in self.columns[name].is_null().arg_true():
                if self.chunk[ORDINAL][row] not in seen or not any(self.raw(path)[row] for path in rule.paths):
                    self.report(
                        f"{name}.missing",
                        row,
                        rule,
                        message=f"{name} is missing",
                        expected=" or ".join(rule.paths) or None,
                    )

    def report(
        self,
        code: str,
        row: int,
        rule: FieldRule,
        *,
        message: str,
        severity: Severity = Severity.ERROR,
        stage: Stage = Stage.STRUCTURE,
        value: str | None = None,
        expected: str | None = None,
    ) -> None:
        """Note a finding on the line in ``row``, at the place of the value itself where the reader knows it."""
        here = self.chunk.row(row, named=True)
        filled = next((path for path in rule.paths if (here.get(path) or "").strip()), "")
        self.findings.append(
            Finding(
                code=code,
                severity=severity,
                stage=stage,
                message=message,
                location=here.get(filled + PLACE_SUFFIX) or here[LOCATION] or "",
                value=value,
                expected=expected,
                line=here[ORDINAL],
                offset=here[OFFSET],
                length=here[LENGTH],
            )
        )


#: What is canonical already when written in this format, and needs no reading.
_PLAIN_NUMBER = {
    "point": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$",
    "comma": r"^-?(0|[1-9][0-9]*)$",
    "auto": r"^-?(0|[1-9][0-9]*)(\.([0-9]{1,2}|[0-9]{4,}))?$",
}


def _nulls(height: int) -> pl.Series:
    return pl.repeat(None, height, dtype=pl.String, eager=True)


def _first(columns: list[pl.Series], height: int) -> pl.Series:
    """Row by row the first of ``columns`` that is filled."""
    if not columns:
        return _nulls(height)
    frame = pl.DataFrame({str(index): column for index, column in enumerate(columns)})
    return frame.select(pl.coalesce(pl.all())).to_series()


def _converted(values: list[str], convert: Callable[[str], str | None]) -> tuple[dict[str, str | None], dict[str, str]]:
    """What each value becomes, and, of those that cannot be read, what was expected."""
    converted: dict[str, str | None] = {}
    refused: dict[str, str] = {}
    for value in values:
        try:
            converted[value] = convert(value)
        except ValueError as error:
            refused[value] = str(error)
    return converted, refused


def _replaced(text: pl.Series, by: Mapping[str, str | None]) -> pl.Series:
    if not by:
        return _nulls(len(text))
    return text.replace_strict(list(by), list(by.values()), default=None, return_dtype=pl.String)


def _listed(codes: Mapping[str, str], limit: int = 12) -> str:
    some = [f"{code} ({meaning})" for code, meaning in list(codes.items())[:limit]]
    return ", ".join(some) + (", ..." if len(codes) > limit else "")
