"""The rules as data: ``schemas/visibility.yaml``, or the file that ``CROSSDOCK_VISIBILITY`` names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from pydantic import Field, model_validator

from mappings.spec import Tier
from schemas.configuration import Problem, Strict, faults, read_yaml, unknown
from schemas.durations import Duration
from schemas.errors import ConfigError
from schemas.events import DATA_OF, DemandKind, InventoryKind, ShipmentKind, Stream


class Audience(StrEnum):
    """Who asks. A supplier is always the supplier of one partner."""

    PLANNER = "planner"
    BUYER = "buyer"
    QUALITY = "quality"
    INTEGRATION = "integration"
    SUPPLIER = "supplier"


AUDIENCES = tuple(audience.value for audience in Audience)
KINDS: Mapping[Stream, tuple[str, ...]] = {
    Stream.DEMAND: tuple(DemandKind),
    Stream.SHIPMENT: tuple(ShipmentKind),
    Stream.INVENTORY: tuple(InventoryKind),
}
#: Optional fields of each stream's data: what can be taken off an event and leave it sound.
OPTIONAL: Mapping[Stream, frozenset[str]] = {
    stream: frozenset(
        field.name for field in msgspec.structs.fields(model) if not field.required and field.name != "references"
    )
    for stream, model in DATA_OF.items()
}
#: Fields that also stand in the subject, where nobody could hide them: such an event is shown whole or not at all.
IN_SUBJECT = frozenset({"location", "stock_status", "starts_at", "ends_at", "due_at", "ship_by"})

Named = Literal["all"] | list[str]


class Sums(Strict):
    """Kinds that are added up over a period of the calendar: a month, or a week from Monday."""

    kinds: list[str]
    by: Literal["week", "month"]
    horizon: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(days=3650)


class Sight(Strict):
    """What is seen of one stream."""

    kinds: Named = []
    shows: list[str] | None = None  #: only these optional fields; None: all but ``hides``
    hides: list[str] = []
    commitments: Named = "all"
    horizon: Annotated[Duration, Field(gt=timedelta(0))] | None = None
    sums: Sums | None = None
    our_stock: bool = False  #: a supplier is told how much of its items we have, item by item and site by site

    def sees(self, kind: str) -> bool:
        return self.kinds == "all" or kind in self.kinds

    def commits(self, commitment: str) -> bool:
        """An order, which needs no word for it, is as firm as can be."""
        return self.commitments == "all" or not commitment or commitment in self.commitments

    @model_validator(mode="after")
    def _hides_what_can_be_hidden(self) -> Sight:
        if self.shows is not None and self.hides:
            raise ValueError("says either what it shows or what it hides")
        if vain := IN_SUBJECT.intersection(self.hides):
            raise ValueError(f"cannot hide {', '.join(sorted(vain))}: it stands in the subject; leave the kind out")
        return self


class Sights(Strict):
    """What is seen, stream by stream; a stream that is not named is not seen."""

    demand: Sight | None = None
    shipment: Sight | None = None
    inventory: Sight | None = None

    def of(self, stream: str) -> Sight | None:
        """Raises ValueError for a stream that is none."""
        return {"demand": self.demand, "shipment": self.shipment, "inventory": self.inventory}[Stream(stream)]


class Insight(Sights):
    """What one of our own audiences sees. ``firewall``: of suppliers, only what the firewall lets through."""

    firewall: bool = False


class Kept(Strict):
    """What of a stream the firewall keeps."""

    kinds: list[str] = []
    commitments: list[str] = []


class Firewall(Strict):
    """What suppliers share of how they work, which those who negotiate with them are not shown."""

    demand: Kept = Kept()
    shipment: Kept = Kept()
    inventory: Kept = Kept()
    fields: list[str] = []

    def of(self, stream: str) -> Kept:
        return {"demand": self.demand, "shipment": self.shipment, "inventory": self.inventory}[Stream(stream)]


class Rules(Strict):
    """The whole file. Every audience of ours and every tier has to be spoken of."""

    house: list[str]
    audiences: dict[str, Insight]
    firewall: Firewall = Firewall()
    tiers: dict[str, Sights]

    def of_audience(self, audience: Audience) -> Insight:
        return self.audiences[audience.value]

    def of_tier(self, tier: Tier) -> Sights:
        return self.tiers[tier.value]


#: The rules that are shipped.
SHIPPED = Path(__file__).resolve().parent.parent.parent / "schemas" / "visibility.yaml"


def load_rules(path: Path = SHIPPED) -> Rules:
    """The rules in ``path``. Raises ConfigError with every problem at once, each with its line."""
    file, problems = read_yaml(path)
    if not problems:
        found = list(faults(Rules, file.content))
        if not found:
            rules = Rules.model_validate(file.content)
            found = list(_problems(rules))
            if not found:
                return rules
        problems = file.told(found)
    raise ConfigError(f"{path.name} cannot be used", problems=tuple(problems))


def _problems(rules: Rules) -> Iterator[Problem]:
    """What the models cannot see: words that name nothing, and audiences or tiers that nobody spoke of."""
    ours = [audience.value for audience in Audience if audience is not Audience.SUPPLIER]
    for under, given, known in (("audiences", rules.audiences, ours), ("tiers", rules.tiers, [*Tier])):
        for name in given:
            if name not in known:
                yield Problem((under, name), unknown(under[:-1], name, known))
        for name in known:
            if name not in given:
                yield Problem((under,), f"{name} is missing: say what is seen there, if only nothing: {name}: {{}}")
    for under, sets in (("audiences", rules.audiences), ("tiers", rules.tiers)):
        for name, sights in sets.items():
            for stream in Stream:
                if (sight := sights.of(stream)) is not None:
                    yield from _of_sight((under, name, stream.value), stream, sight)
    optional = frozenset().union(*OPTIONAL.values())
    yield from _words(("firewall", "fields"), rules.firewall.fields, optional - IN_SUBJECT)
    for stream in Stream:
        yield from _words(("firewall", stream.value, "kinds"), rules.firewall.of(stream).kinds, KINDS[stream])


def _of_sight(key: tuple[str, ...], stream: Stream, sight: Sight) -> Iterator[Problem]:
    kinds = [] if sight.kinds == "all" else sight.kinds
    yield from _words((*key, "kinds"), kinds, KINDS[stream])
    yield from _words((*key, "shows"), sight.shows or [], OPTIONAL[stream])
    yield from _words((*key, "hides"), sight.hides, OPTIONAL[stream])
    if sight.sums is not None:
        yield from _words((*key, "sums", "kinds"), sight.sums.kinds, KINDS[stream])
        if doubled := [kind for kind in sight.sums.kinds if sight.sees(kind)]:
            yield Problem((*key, "sums"), f"{', '.join(doubled)}: shown one by one and added up; choose")


def _words(
    key: tuple[str, ...], given: list[str], known: Mapping[str, object] | frozenset[str] | tuple[str, ...]
) -> Iterator[Problem]:
    for index, word in enumerate(given):
        if word not in known:
            yield Problem((*key, index), unknown(key[-1].rstrip("s"), word, known))
