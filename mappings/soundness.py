"""What can be wrong with the files of the library although each key of them is allowed: told with its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from mappings.batches import policy_problem
from mappings.checks import RULES
from mappings.formats import number_format, time_format
from mappings.functions import FUNCTIONS
from mappings.headings import MARK, Headings
from mappings.spec import FieldRule, Partner
from mappings.values import zone_of
from schemas.configuration import Key, YamlFile, unknown
from schemas.lines import KINDS, FieldType, LineKind

#: What a document may say of an order as a whole.
OUTRIGHT: Mapping[LineKind, frozenset[str]] = {
    LineKind.ORDER: frozenset({"cancelled"}),
    LineKind.ORDER_RESPONSE: frozenset({"accepted", "rejected", "except"}),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which file something is said, and of which kind of lines."""

    file: YamlFile
    key: Key
    kind: LineKind

    def problem(self, sentence: str, *further: str | int) -> str:
        """The sentence with its place: ``further`` leads from here to the key that it is about."""
        return self.file.problem((*self.key, *further), sentence)


@dataclass(frozen=True, slots=True)
class Words:
    """What rules may name: code lists, and headings with their spellings."""

    codes: Mapping[str, Mapping[str, str]]
    headings: Headings


def faults_of_partner(file: YamlFile, partner: Partner, rival: str | None) -> Iterator[str]:
    """Of a partner's file, but for its documents; ``rival`` is another file of the same partner."""
    if rival is not None:
        yield file.problem(("partner",), f"{partner.partner} is the partner of {rival} already")
    for name in partner.checks:
        if name not in RULES:
            yield file.problem(("checks", name), unknown("check", name, RULES))
    policies = partner.batches.policies if partner.batches is not None else {}
    for name, policy in policies.items():
        if wrong := policy_problem(name, policy):
            yield file.problem(("batches", "policies", name), wrong)
    try:
        zone_of(partner.timezone)
    except ValueError as error:
        yield file.problem(("timezone",), f"expected {error}")


def faults_of_names(place: Place, under: tuple[str, ...], fields: Iterable[str]) -> Iterator[str]:
    """Of names that must be fields of the lines."""
    for index, name in enumerate(fields):
        if name not in KINDS[place.kind]:
            last = name if (*place.key, *under, name) in place.file.lines else index
            yield place.problem(unknown(f"field of {place.kind.value} lines", name, KINDS[place.kind]), *under, last)


def faults_of_fields(place: Place, rules: Mapping[str, FieldRule], words: Words) -> Iterator[str]:
    """Of the rules by which fields are filled."""
    yield from faults_of_names(place, ("fields",), rules)
    for name, rule in rules.items():
        under = ("fields", name)
        for path in rule.paths:
            if path.startswith(MARK) and (heading := path.removeprefix(MARK)) not in words.headings:
                yield place.problem(unknown("heading", heading, words.headings), *under, "path")
        yield from _unknown_lists(place, under, rule, words)
        for function in dict.fromkeys(rule.functions):
            if function is not None and function not in FUNCTIONS:
                yield place.problem(unknown("function", function, FUNCTIONS), *under, "function")
        for format in dict.fromkeys(rule.formats):
            if format is None or name not in KINDS[place.kind]:
                continue
            wrong = _fault_of_format(KINDS[place.kind][name].type, format)
            if wrong:
                yield place.problem(wrong, *under, "format")


def faults_of_whole(place: Place, rule: FieldRule | None, words: Words) -> Iterator[str]:
    """Only orders and their answers speak of an order as a whole, and in a few words."""
    if rule is None:
        return
    if place.kind not in OUTRIGHT:
        yield place.problem(f"{place.kind.value} documents say nothing of an order as a whole", "whole")
        return
    yield from _unknown_lists(place, ("whole",), rule, words)
    said = {rule.fallback} if rule.fallback else set()
    said |= {word for codes in rule.code_lists for word in words.codes.get(codes or "", {}).values() if word}
    for word in sorted(said - OUTRIGHT[place.kind]):
        yield place.problem(unknown("word", word, OUTRIGHT[place.kind]), "whole")


def _unknown_lists(place: Place, under: tuple[str, ...], rule: FieldRule, words: Words) -> Iterator[str]:
    for codes in dict.fromkeys(rule.code_lists):
        if codes is not None and codes not in words.codes:
            yield place.problem(unknown("list", codes, words.codes), *under, "codes")


def _fault_of_format(type_: FieldType, name: str) -> str:
    """Why a field of that type cannot be written so; empty where it can."""
    try:
        if type_ is FieldType.DECIMAL:
            number_format(name)
        elif type_ in (FieldType.DATE, FieldType.TIME):
            time_format(name)
        else:
            raise ValueError("no format: only numbers, dates and times have one")
    except ValueError as error:
        return f"{error}" if str(error).startswith("unknown") else f"expected {error}"
    return ""
