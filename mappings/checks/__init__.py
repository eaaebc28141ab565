"""Business checks: what one event says, held against what is known already.

On top of syntax and references: a ship notice against the order, a receipt against the ship notice. Each rule is a
small function over columns, has a name, and is switched on in a partner's file (``checks:``) or by the partner's tier.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from mappings.calendars import Calendar
from mappings.checks.rule import RULES, Agreed, Limits, Rule, judge, offences
from mappings.checks.rules import __name__ as _rules_are_registered
from mappings.spec import Check, Partner, Tier
from mappings.values import zone_of
from schemas.findings import Severity

__all__ = ["RULES", "TIERS", "Agreed", "Limits", "Rule", "agreed", "judge", "offences"]

assert _rules_are_registered

_SENSE = {"ship_notice.arrival": Check(), "stock.negative": Check()}

#: What is checked of partners of a tier whose file says nothing else.
TIERS: Mapping[Tier, Mapping[str, Check]] = {
    Tier.STRATEGIC: _SENSE,
    Tier.PREFERRED: _SENSE,
    Tier.TRANSACTIONAL: {},
}


def agreed(
    partner: Partner | None,
    now: datetime,
    calendar: Calendar | None = None,
    of_sites: Mapping[str, Calendar] = MappingProxyType({}),
) -> list[Agreed]:
    """The rules that hold for a partner, each with what an offence counts for and what is tolerated.

    Days are worked as ``calendar`` says; where there is none, as those of the sites do.
    """
    if partner is None:
        return []
    checks = {**TIERS[partner.tier], **partner.checks}
    return [
        (
            RULES[name],
            Severity(check.severity),
            Limits(
                over=check.over,
                under=check.under,
                days=check.days,
                now=now,
                calendar=calendar,
                of_sites=of_sites,
                zone=zone_of(partner.timezone),
            ),
        )
        for name, check in checks.items()
        if check.severity != "off"
    ]
