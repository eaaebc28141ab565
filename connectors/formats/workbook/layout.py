"""What a plan says of the sheets that it reads, in the form in which they are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self, cast

from connectors.formats.workbook.cells import plain
from connectors.formats.workbook.headers import Headings
from schemas.documents import LinePlan
from schemas.lines import KINDS, FieldType

_IDENTIFIERS = frozenset(
    {"item", "partner_item", "order", "shipment", "receipt", "document_number", "lot", "serial", "package", "transport"}
)


def _of_type(*types: FieldType) -> frozenset[str]:
    return frozenset(name for kind in KINDS.values() for name, field in kind.items() if field.type in types)


_NUMBERS = _of_type(FieldType.DECIMAL)
_DATES = _of_type(FieldType.DATE, FieldType.TIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A plan's compiled form: what its headings are, and which paths hold numbers and dates."""

    wanted: tuple[str, ...]  #: every path
    headings: Headings
    sheet: str
    decimal: str
    dates: str
    language: str
    columns: tuple[str, ...]  #: the headers as a person confirmed them; empty where nobody has
    only: Mapping[str, frozenset[str]]  #: by path
    numbers: frozenset[str]
    days: frozenset[str]
    identifiers: frozenset[str]
    weighty: frozenset[str]

    @classmethod
    def of(cls, paths: Iterable[str], options: Mapping[str, object]) -> Self:
        """The layout of a plan with these paths and options, which ``connectors.formats.workbook.reader`` lists."""
        fields = {str(name): tuple(names) for name, names in _mapping(options.get("fields")).items()}
        wanted = tuple(dict.fromkeys(chain(paths, chain.from_iterable(fields.values()))))
        fields = fields or {path: (path,) for path in wanted}
        required = tuple(cast(Sequence[str], options.get("required") or ()))

        def serving(names: frozenset[str]) -> frozenset[str]:
            return frozenset(path for field, alternatives in fields.items() if field in names for path in alternatives)

        numbers = serving(_NUMBERS)
        return cls(
            wanted=wanted,
            headings=Headings.of(wanted, fields, required, numbers),
            sheet=str(options.get("sheet") or "*"),
            decimal=str(options.get("decimal") or "auto"),
            dates=str(options.get("dates") or "auto"),
            language=str(options.get("language") or ""),
            columns=tuple(cast(Sequence[str], options.get("columns") or ())),
            only={
                path: frozenset(map(plain, values))
                for field, values in _mapping(options.get("only")).items()
                for path in fields.get(field, ())
            },
            numbers=numbers,
            days=serving(_DATES),
            identifiers=serving(_IDENTIFIERS),
            weighty=serving(_IDENTIFIERS | _NUMBERS | _DATES | frozenset(required)),
        )


def layout_of(plan: LinePlan) -> Layout:
    """The layout of a plan for workbooks."""
    return cast(Layout, plan.compiled)


def _mapping(given: object) -> Mapping[str, Sequence[str]]:
    return cast(Mapping[str, Sequence[str]], given or {})
