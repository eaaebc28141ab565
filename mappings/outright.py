"""What the head of a document says of an order outright, that is of lines which the document does not name.

A cancellation of a whole order, an answer that accepts or rejects it without detail, an answer that names nothing but
its exceptions: which lines that concerns, only the ledger knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec
import polars as pl

from mappings.apply import PLACES, apply
from mappings.circumstances import Circumstances
from mappings.library import CompiledMapping
from mappings.normalise import SUBJECT_ESCAPES
from schemas.documents import LENGTH, LOCATION, OFFSET, ORDINAL, DocumentStart
from schemas.findings import Finding
from schemas.lines import LineKind

_FIELDS = ("partner", "order", "document_number", "document_time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outright:
    """``word``: cancelled, accepted, rejected, or ``except`` where all are accepted but for those that are named."""

    kind: LineKind
    word: str
    partner: str
    order: str
    number: str | None = None  #: the document's own
    time: str | None = None
    waits: bool = False  #: nothing was known of the order

    @property
    def key(self) -> str:
        """Partner and order as they stand in subjects."""
        return order_key(self.partner, self.order)

    @property
    def becomes(self) -> str:
        """What becomes of each line that is meant."""
        return "accepted" if self.word == "except" else self.word

    @property
    def beside_lines(self) -> bool:
        """Whether it concerns the lines that are not named also where some are."""
        return self.word in ("cancelled", "except")


_ESCAPES = str.maketrans(SUBJECT_ESCAPES)


def order_key(partner: str, order: str) -> str:
    """``ACME/4500017``, as it stands in subjects."""
    return f"{partner.translate(_ESCAPES)}/{order.translate(_ESCAPES)}"


def said_outright(
    head: Mapping[str, str], start: DocumentStart, mapping: CompiledMapping, given: Circumstances
) -> tuple[Outright | None, list[Finding]]:
    """What the head says, and what is wrong with how it says it; None where it says nothing of the kind."""
    word = _word(head, mapping)
    if not word:
        return None, []
    rules = {name: mapping.rules[name] for name in _FIELDS if name in mapping.rules}
    row = {path: pl.Series([head.get(path)], dtype=pl.String) for path in mapping.plan.paths}
    places = {ORDINAL: 0, LOCATION: start.location, OFFSET: start.offset, LENGTH: None}
    types = {LOCATION: pl.String}
    row |= {name: pl.Series([places[name]], dtype=types.get(name, pl.Int64)) for name in PLACES}
    applied = apply(pl.DataFrame(row), replace(mapping, rules=rules), given)
    findings = [msgspec.structs.replace(finding, line=None) for finding in applied.findings]
    said = applied.lines.row(0, named=True)
    if not said["partner"] or not said["order"]:
        return None, findings
    return (
        Outright(
            kind=mapping.kind,
            word=word,
            partner=said["partner"],
            order=said["order"],
            number=said["document_number"],
            time=said["document_time"],
        ),
        findings,
    )


def _word(head: Mapping[str, str], mapping: CompiledMapping) -> str:
    rule = mapping.whole
    if rule is None:
        return ""
    for path, codes in zip(rule.paths, rule.code_lists, strict=False):
        text = head.get(path, "").strip()
        known = {code.lower(): word for code, word in mapping.codes[codes].items()} if codes else {text.lower(): text}
        if text and (word := known.get(text.lower(), "")):
            return word
    return rule.fallback or ""
