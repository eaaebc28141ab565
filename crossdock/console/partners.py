"""The Partners pages: who they are, what they send and how well, what they are owed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from crossdock.console.workplace import Workplace
from crossdock.ledger.parked import Waiting
from crossdock.ledger.searching import Only, PartnerFacts
from mappings.spec import Partner

DOCUMENTS = 20

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One partner in the list. ``partner`` is its file (None: it has none), ``facts`` what it sent (None: nothing)."""

    name: str
    partner: Partner | None
    tier: str
    facts: PartnerFacts | None
    quiet: bool

    @property
    def clean(self) -> str:
        """The share of documents that were clean as they came, ``98.5 %``; empty where nothing came."""
        if self.facts is None or not self.facts.documents:
            return ""
        return f"{100 * self.facts.clean / self.facts.documents:.1f} %"


def standings(place: Workplace, now: datetime | None = None) -> list[Standing]:
    """All partners that have a file or have sent something."""
    now = now or datetime.now(UTC)
    facts = place.service.ledger.searching.partners()
    files = place.library().partners
    return [_standing(name, files.get(name), facts.get(name), now) for name in sorted({*files, *facts})]


def _standing(name: str, partner: Partner | None, facts: PartnerFacts | None, now: datetime) -> Standing:
    return Standing(
        name=name,
        partner=partner,
        tier=str(partner.tier_on(now.date()) or "") if partner is not None else "",
        facts=facts,
        quiet=facts is not None and facts.is_quiet(now),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerPage:
    """Everything about one partner."""

    standing: Standing
    waiting: int  #: lines
    types: Sequence[Row]
    clocks: Sequence[Row]  #: of the answers it is promised
    documents: Sequence[Row]
    file: str  #: its file as it is written; empty where it has none


def partner_page(place: Workplace, name: str) -> PartnerPage | None:
    """None for a partner nobody knows."""
    standing = next((one for one in standings(place) if one.name == name), None)
    if standing is None:
        return None
    ledger = place.service.ledger
    return PartnerPage(
        standing=standing,
        waiting=sum(cause["lines"] for cause in ledger.parked_causes(only=Waiting(partner=name))),
        types=ledger.searching.types(name),
        clocks=[row for row in ledger.answer_summary() if row["partner"] == name],
        documents=ledger.searching.documents(only=Only(partner=name), limit=DOCUMENTS),
        file=_file(place, name) if standing.partner is not None else "",
    )


def _file(place: Workplace, name: str) -> str:
    """The file that says ``partner: NAME``."""
    import re

    for path in sorted(place.partners.glob("*.yaml")):
        text = path.read_text(encoding="utf-8", errors="replace")
        if re.search(rf"(?m)^partner:\s*[\"']?{re.escape(name)}[\"']?\s*(?:#.*)?$", text):
            return text
    return ""
