"""Of what events speak, by their keys alone: a pull of keys makes subjects and no events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import polars as pl

from mappings.library import CompiledMapping
from mappings.normalise import KEY_OF, subjects
from schemas.documents import ORDINAL, PLACE_SUFFIX
from schemas.findings import Finding

SUBJECT = "subject"  #: column beside the lines of a pull of keys
UNSURE = "unsure"  #: column: a part of the key could not be looked up, so the subject may be another


def keyed(mapping: CompiledMapping) -> CompiledMapping:
    """As much of ``mapping`` as makes a subject."""
    names = key_fields(mapping)
    rules = {name: rule.model_copy(update={"required": False}) for name, rule in mapping.rules.items() if name in names}
    paths = tuple(dict.fromkeys(path for rule in rules.values() for path in rule.paths))
    return replace(mapping, rules=rules, plan=replace(mapping.plan, paths=paths, compiled=None))


def key_fields(mapping: CompiledMapping) -> tuple[str, ...]:
    """The fields of the business key, in the order in which the subject has them."""
    return tuple(mapping.key or KEY_OF[mapping.kind])


def with_subjects(
    lines: pl.DataFrame, mapping: CompiledMapping, causes: Mapping[int, str], *, partly: bool = False
) -> pl.DataFrame:
    """The lines with their subjects; ``causes`` says which have a fault. ``partly``: what a key lacks is unknown."""
    if partly:
        lines = lines.with_columns_seq(pl.col("line").fill_null(""))
    unsure = lines[ORDINAL].is_in(list(causes)).alias(UNSURE)
    return lines.with_columns_seq(subjects(lines, mapping).alias(SUBJECT), unsure)


def told_by_itself(mapping: CompiledMapping) -> list[int]:
    """The places in a subject, from 1, of what is not looked up: it is the same whatever the master data say."""
    names = key_fields(mapping)
    return [
        place
        for place, name in enumerate(names, 1)
        if (rule := mapping.rules.get(name)) is not None and rule.lookup is None and rule.paths
    ]


def unsure_lines(
    chunk: pl.DataFrame, mapping: CompiledMapping, faulty: Iterable[tuple[str, int]], found: Iterable[Finding]
) -> frozenset[int]:
    """Lines whose key cannot be told: a field of it is ``faulty``, or the reader ``found`` a fault where it stands.

    ``chunk`` are the lines as read, numbered from 1 in their order.
    """
    names = key_fields(mapping)
    unsure = {line for name, line in faulty if name in names}
    places = {path + PLACE_SUFFIX for name in names if name in mapping.rules for path in mapping.rules[name].paths}
    known = [chunk[column] for column in places if column in chunk.columns]
    faults = {(one.line, one.location) for one in found if one.line is not None and one.location}
    return frozenset(unsure | {line for line, place in faults if any(column[line - 1] == place for column in known)})
