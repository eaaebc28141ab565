"""The rules of one installation: its file, its partners' tiers, its master data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from crossdock.visibility.rules import Audience, load_rules
from crossdock.visibility.view import View, Viewer, Visibility

if TYPE_CHECKING:
    from connectors.outlet import Outlet
    from crossdock.ledger import Ledger
    from crossdock.settings import Settings
    from mappings.library import Library
    from mappings.spec import Tier


def visibility_of(settings: Settings, library: Callable[[], Library], ledger: Ledger) -> Visibility:
    """Who sees what in this installation, by the ``library`` of the moment. Raises ConfigError for a faulty file.

    A supplier supplies the items that master data has a number of theirs for.
    """

    def tier(partner: str, day: date) -> Tier | None:
        known = library().partners.get(partner)
        return None if known is None else known.tier_on(day)

    return Visibility(load_rules(settings.visibility), tier=tier, supplies=_supplied(ledger))


def view_of(outlet: Outlet, settings: Settings, library: Callable[[], Library], ledger: Ledger) -> View | None:
    """What the outlet's receiver may see; None: everything. Raises as ``visibility_of`` and ``Visibility.view`` do."""
    if outlet.sees is None:
        return None
    viewer = Viewer(audience=Audience(outlet.sees.audience), partner=outlet.sees.partner, name=outlet.outlet)
    return visibility_of(settings, library, ledger).view(viewer)


def _supplied(ledger: Ledger) -> Callable[[str], frozenset[str]]:
    """The items of a partner by the cross-references in force, read anew when master data changes."""
    known: dict[str, frozenset[str]] = {}
    read_at: list[str] = []

    def supplied(partner: str) -> frozenset[str]:
        version = ledger.master_version()
        if read_at != [version]:
            known.clear()
            read_at[:] = [version]
            references = ledger.master().get("cross_references")
            if references is not None:
                ours = references.filter((pl.col("kind") == "item") & (pl.col("partner") != ""))
                for name, items in ours.group_by("partner").agg("ours").iter_rows():
                    known[name] = frozenset(items)
        return known.get(partner, frozenset())

    return supplied
