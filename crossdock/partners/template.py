"""Templates: a workbook made for one partner and document, which reads back without findings once it is filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from connectors.formats.workbook.template import Column, Words, template
from crossdock.partners.language import Language, language
from mappings.headings import Headings
from mappings.library import CompiledMapping
from mappings.spec import FieldRule, Partner
from schemas.errors import ConfigError
from schemas.lines import KINDS, FieldType

if TYPE_CHECKING:
    from crossdock.ledger import Ledger
    from mappings.master_data import MasterData

#: Fields that only repeat what another column says.
_REPEATS = {"document_number": "shipment", "partner_item": "item"}
#: Documents that say something of order lines, and the fields that an open line fills in.
_OF_ORDERS: Mapping[str, Mapping[str, str]] = {
    "workbook.order_response": {"quantity": "quantity", "due_at": "due_at"},
    "workbook.ship_notice": {"ordered_quantity": "quantity"},
    "workbook.production_status": {},
}
_OFFERED = 5_000  #: at most so many items, sites or units in a drop-down


def make_template(
    partner: Partner, mapping: CompiledMapping, *, master: MasterData, lines: Sequence[Mapping[str, Any]]
) -> bytes:
    """The workbook. ``lines`` are open order lines, as data of their events."""
    words = language(partner.language)
    fields = _fields(mapping)
    if not fields:
        raise ConfigError(f"{mapping.document} has no columns that a template could have")
    columns = [_column(name, partner, mapping, master, words) for name in fields]
    filled = [_filled(line, mapping, fields, master, partner) for line in lines if mapping.document in _OF_ORDERS]
    title = words.documents.get(mapping.document.partition(".")[2], mapping.document.partition(".")[2])
    said = words.template
    return template(
        _sheet_name(mapping, title),
        columns,
        filled,
        Words(
            error=said["error"], not_offered=said["not_offered"], no_number=said["no_number"], no_date=said["no_date"]
        ),
    )


def open_order_lines(ledger: Ledger, partner: str) -> list[Mapping[str, Any]]:
    """The partner's order lines as the feed knows them now, cancelled ones left out; data of their newest events."""
    newest: dict[str, Mapping[str, Any]] = {}
    after = 0
    while page := ledger.events(after=after, limit=1000, stream="demand"):
        after = page[-1].position
        for event in page:
            if event.partner == partner and event.subject.startswith("order/"):
                newest[event.subject] = {**msgspec.json.decode(event.data), "kind": event.kind}
    return [line for _, line in sorted(newest.items()) if line["kind"] != "cancelled"]


def _fields(mapping: CompiledMapping) -> dict[str, FieldRule]:
    """The fields that get a column: those that are read from a column of their own."""
    fields: dict[str, FieldRule] = {}
    taken: set[str] = set()
    for name, rule in mapping.rules.items():
        header = _header(rule)
        if header is None or header in taken or _REPEATS.get(name) in mapping.rules:
            continue
        taken.add(header)
        fields[name] = rule
    return fields


def _header(rule: FieldRule) -> str | None:
    return next((path for path in rule.paths if not path.startswith("@")), None)


def _sheet_name(mapping: CompiledMapping, title: str) -> str:
    """A name that the agreed pattern takes."""
    pattern = mapping.layout.sheet
    return title if pattern == "*" else pattern.replace("*", "").strip() or title


def _column(name: str, partner: Partner, mapping: CompiledMapping, master: MasterData, words: Language) -> Column:
    rule = mapping.rules[name]
    type_ = KINDS[mapping.kind][name].type
    kind = "number" if type_ is FieldType.DECIMAL else "date" if type_ in (FieldType.DATE, FieldType.TIME) else "text"
    label = words.fields.get(name, name)
    return Column(
        header=_worded(rule, partner, mapping),
        kind=kind,  # type: ignore[arg-type]
        required=rule.required,
        hint=f"{label[:1].upper()}{label[1:]}. {words.template['required'] if rule.required else ''}".strip(),
        offers=_offers(name, rule, partner.partner, mapping, master),
        strict=name in ("site",),
    )


def _worded(rule: FieldRule, partner: Partner, mapping: CompiledMapping) -> str:
    """The partner's own header where one is agreed, else the first one in its language, else the first."""
    agreement = partner.documents.get(mapping.document)
    own = {word for names in (agreement.header.values() if agreement else ()) for word in names}
    paths = [path for path in rule.paths if not path.startswith("@")]
    if (agreed := next((path for path in paths if path in own), None)) is not None:
        return agreed
    spoken = _spoken(partner.language)
    return next((path for path in paths if path in spoken), paths[0])


def _spoken(code: str) -> frozenset[str]:
    from crossdock.settings import Settings
    from mappings.headings import read_headings_of

    headings: Headings = read_headings_of(Settings.from_environment({}).mappings.parent / "headings", code)
    return frozenset(word for words in headings.values() for word in words)


def _offers(name: str, rule: FieldRule, partner: str, mapping: CompiledMapping, master: MasterData) -> tuple[str, ...]:
    """What a drop-down lists: the partner's own numbers before ours; the words of a code list."""
    if rule.codes and name != "purpose":
        meanings: dict[str, str] = {}
        for one in rule.code_lists:
            for word, meaning in mapping.codes.get(one or "", {}).items():
                meanings.setdefault(meaning, word)
        return tuple(word for meaning, word in meanings.items() if meaning)
    if rule.lookup is None:
        return ()
    references = master.table("cross_references").to_dicts()
    theirs = [row["theirs"] for row in references if row["kind"] == rule.lookup.value and row["partner"] == partner]
    general = [row["theirs"] for row in references if row["kind"] == rule.lookup.value and not row["partner"]]
    ours = {"item": ("items", "item"), "site": ("sites", "site")}.get(rule.lookup.value)
    known = [row[ours[1]] for row in master.table(ours[0]).to_dicts()] if ours else general or ["EA", "KG", "M"]
    return tuple(dict.fromkeys([*theirs, *known] if rule.lookup.value != "item" else theirs or known))[:_OFFERED]


def _filled(
    line: Mapping[str, Any],
    mapping: CompiledMapping,
    fields: Iterable[str],
    master: MasterData,
    partner: Partner,
) -> list[object]:
    references = line.get("references", {})
    known: dict[str, object] = {
        "order": references.get("order"),
        "order_line": references.get("order_line"),
        "item": _theirs(master, "item", partner.partner, line["item"]),
        "site": _theirs(master, "site", partner.partner, line["site"]),
        "unit": line["unit"],
        "description": line.get("description"),
        "price": Decimal(line["price"]) if line.get("price") else None,
        "currency": line.get("currency"),
    }
    for field, source in _OF_ORDERS[mapping.document].items():
        value = line.get(source)
        known[field] = None if value is None else Decimal(value) if field.endswith("quantity") else _day(value)
    return [known.get(name) for name in fields]


def _theirs(master: MasterData, kind: str, partner: str, ours: str) -> str:
    """How the partner calls what we call ``ours``; ours, where nothing else is known."""
    rows = master.table("cross_references").to_dicts()
    return next(
        (row["theirs"] for row in rows if (row["kind"], row["partner"], row["ours"]) == (kind, partner, ours)), ours
    )


def _day(instant: str) -> date:
    return date.fromisoformat(instant[:10])
