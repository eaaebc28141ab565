"""The shape of a mapping file and of a partner file.

These models say what may stand in ``mappings/standard/*.yaml`` and ``mappings/partners/*.yaml``.
Loading them, with all mistakes reported at once, is ``mappings.library``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from schemas.durations import Duration
from schemas.lines import LineKind


class Strict(BaseModel):
    """No unknown keys, no silent conversions, immutable once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class OnError(StrEnum):
    """What an error brings down: its own line, its document, the functional group, the interchange."""

    PARK_LINES = "park_lines"
    REJECT_DOCUMENT = "reject_document"
    REJECT_GROUP = "reject_group"
    REJECT_INTERCHANGE = "reject_interchange"


class Tier(StrEnum):
    """How close a partner is: what is shared with it and required of it."""

    STRATEGIC = "strategic"
    PREFERRED = "preferred"
    TRANSACTIONAL = "transactional"


class Lookup(StrEnum):
    """The master tables a value can be looked up in."""

    PARTNER = "partner"
    ITEM = "item"
    SITE = "site"
    UNIT = "unit"


class FieldRule(Strict):
    """Where a canonical field comes from, and what is done to it, in this order.

    ``path`` (the first alternative that is filled), else ``const``, else ``default``; then ``codes``
    (a list in mappings/codes), ``format`` (how a date or number is written), ``lookup``. Of ``function``, ``codes``
    and ``format`` there may be one for each alternative, where they are not to be read alike.
    ``clock`` is a second path with the time of day for a date, or with the code that says how it is written
    (``edifact``); it goes with the alternative of the same segment (``DTM[002]02`` and ``DTM[002]03``), else with
    the first. There may be one for each alternative.
    ``function`` names a Python function registered with ``mappings.functions``. ``required`` makes
    an empty result a finding.
    """

    path: str | list[str] | None = None
    const: str | None = None
    default: str | None = None
    codes: str | list[str] | None = None
    format: str | list[str] | None = None
    clock: str | list[str] | None = None
    lookup: Lookup | None = None
    function: str | list[str | None] | None = None
    required: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        """All alternatives, in order."""
        return () if self.path is None else (self.path,) if isinstance(self.path, str) else tuple(self.path)

    @property
    def code_lists(self) -> tuple[str | None, ...]:
        """The code list of each alternative and, last, of what stands in for them."""
        return self._each(self.codes)

    @property
    def formats(self) -> tuple[str | None, ...]:
        """How each alternative is written and, last, what stands in for them."""
        return self._each(self.format)

    @property
    def functions(self) -> tuple[str | None, ...]:
        """The function of each alternative and, last, of what stands in for them."""
        return self._each(self.function)

    def _each(self, said: str | Sequence[str | None] | None) -> tuple[str | None, ...]:
        if said is None or isinstance(said, str):
            return (said,) * (len(self.paths) + 1)
        more = len(self.paths) - len(said)  # headers that a partner's file puts before are read as the first is
        return (*[said[0]] * more, *said, said[-1])

    @property
    def clocks(self) -> tuple[str, ...]:
        """All second paths."""
        return () if self.clock is None else (self.clock,) if isinstance(self.clock, str) else tuple(self.clock)

    def beside(self, clock: str) -> str:
        """The alternative whose time of day stands at ``clock``."""
        return next((path for path in self.paths if path[:-2] == clock[:-2]), self.paths[0])

    @property
    def fallback(self) -> str | None:
        """What stands in where no path is filled."""
        return self.const if self.const is not None else self.default

    @model_validator(mode="before")
    @classmethod
    def _spelled_out(cls, entry: object) -> object:
        """In YAML a bare path, or a list of alternatives, is short for ``{path: ...}``."""
        return {"path": entry} if isinstance(entry, str | list) else entry

    @model_validator(mode="after")
    def _has_an_origin(self) -> FieldRule:
        if self.path is None and self.const is None and self.default is None:
            raise ValueError("needs one of path, const or default")
        for name, said in (("codes", self.codes), ("format", self.format), ("function", self.function)):
            if isinstance(said, list) and len(said) != len(self.paths):
                raise ValueError(f"{name} names {len(said)} for {len(self.paths)} paths")
        return self


class Layout(Strict):
    """How a workbook is laid out and written."""

    sheet: str = "*"  #: glob over sheet names
    header: dict[str, list[str]] = {}  #: canonical field -> column headers that may carry it; adds to the mapping's own
    decimal: Literal[".", ",", "auto"] = "auto"
    dates: Literal["dmy", "mdy", "ymd", "auto"] = "auto"
    encoding: str | None = None
    weeks: Literal["iso", "us"] = "iso"  #: from Monday (ISO 8601), or from Sunday, week 1 holding January 1st
    language: str | None = None  #: whose habits hold where a column does not tell decimal mark or order of dates
    columns: list[str] = []  #: all headers as a person confirmed them; what differs later is said
    only: dict[str, list[str]] = {}  #: canonical field -> values of the rows that count; other rows are not read


class Mapping(Strict):
    """How one document type becomes canonical lines: ``mappings/standard/<name>.yaml``."""

    document: Annotated[str, Field(pattern=r"^[a-z0-9]+\.[A-Za-z0-9_]+$")]
    kind: LineKind
    description: str = ""
    line: str = ""  #: the loop that makes one line, in the format's notation
    identity: list[str] = ["document_number", "purpose", "document_time"]  #: fields that tell one document from another
    key: list[str] = []  #: fields of the business key; empty: the line kind's own
    fields: dict[str, FieldRule]
    #: what the head says of an order's lines that the document does not name: cancelled, accepted or rejected;
    #: ``except`` where it names those only that are not accepted as they are
    whole: FieldRule | None = None
    layout: Layout = Layout()
    tighten: list[str] = []  #: rows by which a partner's document is judged more strictly than its standard says
    relax: list[str] = []  #: rows by which it may differ from its standard


class DocumentAgreement(Strict):
    """What a partner's file says about one document type: the standard mapping, and what differs."""

    extends: str | None = None  #: ``standard/x12_856``; by default the standard mapping of that document type
    on_error: OnError | None = None  #: where it differs from the partner's
    line: str = ""  #: what makes one line, where it is not what the standard mapping says
    fields: dict[str, FieldRule] = {}
    whole: FieldRule | None = None
    tighten: list[str] = []  #: EDI: ``need REF``, ``max N1 10``, ``codes BEG01 00 05`` (docs/add-a-partner.md)
    relax: list[str] = []  #: EDI: ``free CTT``, ``length REF02 60``, ``after BEG: NTE O 9``
    key: list[str] = []
    sheet: str | None = None
    header: dict[str, list[str]] = {}
    decimal: Literal[".", ",", "auto"] | None = None
    dates: Literal["dmy", "mdy", "ymd", "auto"] | None = None
    encoding: str | None = None
    columns: list[str] | None = None
    only: dict[str, list[str]] | None = None


class Identities(Strict):
    """By which names a partner appears at the door."""

    x12: list[str] = []  #: ``qualifier:id`` of ISA05/06, as in ``ZZ:ACMEINC``
    edifact: list[str] = []
    idoc: list[str] = []  #: ``type:number`` of SNDPRT and SNDPRN, as in ``LS:SUPPLIER1``
    ubl: list[str] = []  #: ``scheme:id`` of the seller's or the buyer's endpoint, as in ``0088:7300010000001``
    cxml: list[str] = []  #: ``domain:identity`` of the sender's credential, as in ``DUNS:123456789``
    email: list[str] = []  #: addresses; ``*@acme.example`` stands for a whole domain

    @field_validator("*", mode="before")
    @classmethod
    def _one_is_a_list(cls, given: object) -> object:
        return [given] if isinstance(given, str) else given


class InSequence(StrEnum):
    """What an interchange out of order, or one after a gap, brings on."""

    PROCESS = "process"  #: nothing
    WARN = "warn"  #: a finding
    REJECT = "reject"  #: a finding, and none of its documents is used


#: Answers that tell of master data and sense; the others tell of syntax.
APPLICATION_ANSWERS = ("824", "APERAK", "workbook")


class Acknowledge(Strict):
    """Which answers a partner is owed, how soon, and by which outlet they leave."""

    functional: Literal[997, 999, "contrl", "status"] | None = None
    application: Literal[824, "aperak", "aleaud", "workbook"] | None = None
    within: Duration = timedelta(minutes=30)
    #: an outlet that carries documents; or one for each, as in ``{application: workbook-outbox}``
    to: str | dict[Literal["functional", "application"], str] = "edi-outbox"
    expect: Duration = timedelta(hours=24)  #: how soon the partner acknowledges what we send

    def outlet(self, kind: str) -> str:
        """By which outlet an answer of this kind leaves."""
        level: Literal["functional", "application"] = "application" if kind in APPLICATION_ANSWERS else "functional"
        return self.to if isinstance(self.to, str) else self.to.get(level, "edi-outbox")

    @property
    def outlets(self) -> tuple[str, ...]:
        """All that are named."""
        return (self.to,) if isinstance(self.to, str) else tuple(self.to.values())


class Check(Strict):
    """How a business check is taken. In a partner's file a bare severity is short for ``{severity: ...}``."""

    severity: Literal["off", "info", "warning", "error"] = "warning"  #: error: the line waits
    over: Annotated[Decimal, Field(ge=0)] = Decimal(0)  #: per cent tolerated above
    under: Annotated[Decimal, Field(ge=0)] = Decimal(0)  #: per cent tolerated below
    days: Annotated[int, Field(ge=0)] = 0  #: days tolerated, or days that a zone lasts

    @model_validator(mode="before")
    @classmethod
    def _spelled_out(cls, entry: object) -> object:
        return {"severity": entry} if isinstance(entry, str) else entry


class Batches(Strict):
    """What is expected of a partner's batches: from where on one is unlike those before, and what follows."""

    fewer: Annotated[int, Field(ge=0, le=100)] = 50  #: a document has less than so many per cent of the usual lines
    times: Annotated[int, Field(ge=2)] = 10  #: the median quantity is more than so many times the usual
    #: what follows where an expectation is not met, by its code: ``unknown_items: warn``
    policies: dict[str, Literal["stop", "park", "warn", "off"]] = {}

    @model_validator(mode="before")
    @classmethod
    def _off_is_a_word(cls, entry: object) -> object:
        """In YAML a bare ``off`` is no."""
        if isinstance(entry, dict) and isinstance(policies := entry.get("policies"), dict):
            said = {name: "off" if policy is False else policy for name, policy in policies.items()}
            return {**entry, "policies": said}
        return entry


class Partner(Strict):
    """One trading partner: ``mappings/partners/<id>.yaml``, the one file that onboards it."""

    partner: Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9_-]*$")]
    name: str = ""
    tier: Tier = Tier.TRANSACTIONAL
    tier_from: dict[date, Tier] = {}  #: raised or lowered, each from that day on: ``2026-07-01: strategic``
    language: str = "en"
    timezone: str = "UTC"
    weeks: Literal["iso", "us"] = "iso"  #: how it numbers weeks; us: from Sunday, week 1 holding January 1st
    calendar: str = ""  #: of the master data, or a country's: DE, DE-BY; days of tolerance are then working days
    identities: Identities = Identities()
    on_error: OnError = OnError.PARK_LINES  #: of all documents that do not say otherwise
    documents: dict[str, DocumentAgreement] = {}
    acknowledge: Acknowledge | None = None
    batches: Batches | None = None  #: what is expected of its batches; without it, nothing
    checks: dict[str, Check] = {}  #: business checks by name; they come over those of the tier
    control_numbers: InSequence = InSequence.PROCESS  #: also how a gap in their interchange numbers is taken

    def tier_on(self, day: date) -> Tier:
        """The tier that holds on ``day``."""
        begun = [since for since in self.tier_from if since <= day]
        return self.tier_from[max(begun)] if begun else self.tier
