"""A standard mapping and what a partner agreed on, laid over one another; and what a format needs to know of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from mappings.formats import BY_WEEKS
from mappings.spec import DocumentAgreement, FieldRule, OnError, Partner
from mappings.spec import Mapping as MappingSpec


def merged(base: MappingSpec, type_: str, agreement: DocumentAgreement, partner: Partner) -> MappingSpec:
    """The standard mapping with a partner's agreement laid over it.

    A field of the agreement takes the place of the standard's; its header names come before the standard's own.
    """
    header = dict(base.layout.header)
    for name, own in agreement.header.items():
        header[name] = [*own, *header.get(name, [])]
    given = {name: getattr(agreement, name) for name in ("sheet", "decimal", "dates", "encoding", "columns", "only")}
    layout = {name: value for name, value in given.items() if value is not None}
    return base.model_copy(
        update={
            "document": type_,
            "fields": {
                name: _in_weeks(rule, partner.weeks) for name, rule in {**base.fields, **agreement.fields}.items()
            },
            "layout": base.layout.model_copy(
                update={"language": partner.language, "weeks": partner.weeks, **layout, "header": header}
            ),
            "key": agreement.key or base.key,
            "whole": agreement.whole or base.whole,
            "line": agreement.line or base.line,
            "tighten": [*base.tighten, *agreement.tighten],
            "relax": [*base.relax, *agreement.relax],
        }
    )


def _in_weeks(rule: FieldRule, weeks: str) -> FieldRule:
    """The rule, its weeks numbered as the partner numbers them."""
    if weeks == "iso" or not BY_WEEKS.intersection(rule.formats):
        return rule
    formats = [f"{one}_{weeks}" if one in BY_WEEKS else one for one in rule.formats]
    return rule.model_copy(update={"format": formats[:-1] if isinstance(rule.format, list) else formats[0]})


def rules_of(spec: MappingSpec) -> list[FieldRule]:
    return [*spec.fields.values(), *([spec.whole] if spec.whole is not None else [])]


def paths_of(rules: Iterable[FieldRule]) -> list[str]:
    paths = [path for rule in rules for path in (*rule.paths, *rule.clocks)]
    return list(dict.fromkeys(paths))


def is_about(problem: str, rule: FieldRule) -> bool:
    return any(repr(path) in problem for path in paths_of([rule]))


def options_of(spec: MappingSpec) -> dict[str, object]:
    """What a format may want to know beyond the paths: the layout, and which paths serve which field.

    ``fields`` is field -> paths; ``required`` names the fields that a document of this type cannot be without.
    """
    layout = spec.layout.model_dump(exclude={"header"})
    fields = {name: rule.paths for name, rule in spec.fields.items() if rule.paths}
    required = [name for name in fields if spec.fields[name].required and spec.fields[name].fallback is None]
    rows = {name: rows for name in ("tighten", "relax") if (rows := getattr(spec, name))}
    return {**layout, "fields": fields, "required": tuple(required), **rows}


def version_of(spec: MappingSpec, codes: Mapping[str, Any], on_error: OnError, timezone: str) -> str:
    unsaid = {name for name in ("whole", "tighten", "relax") if not getattr(spec, name)}
    said = spec.model_dump(mode="json", exclude={"description"} | unsaid)
    if spec.layout.weeks == "iso":
        del said["layout"]["weeks"]
    content = {
        "spec": said,
        "codes": codes,
        "on_error": on_error,
        "timezone": timezone,
    }
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()[:12]
