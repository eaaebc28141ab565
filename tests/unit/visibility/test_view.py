"""What each audience and tier sees, said once in words; and that nothing ever leaks, whatever the rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.ledger import StoredEvent
from crossdock.visibility import AUDIENCES, View, Viewer, Visibility
from crossdock.visibility.rules import (
    IN_SUBJECT,
    KINDS,
    OPTIONAL,
    Audience,
    Firewall,
    Insight,
    Sight,
    Sights,
    load_rules,
)
from crossdock.visibility.view import period_of
from mappings.spec import Partner, Tier
from schemas.errors import PermanentError
from schemas.events import DATA_OF, Stream

from .conftest import HOUSE, NOW, PARTNERS, TIERS, event, every_event

Make = Callable[[str], View]
WHO = [*(audience for audience in AUDIENCES if audience != "supplier"), *TIERS]


def seen(view: View, *, stream: str | None = None) -> set[tuple[str, str]]:
    """Kind and partner of the events that are seen."""
    return {(one.kind, one.partner) for one in view.events(every_event()) if stream in (None, one.stream)}


def fields(view: View, stream: str, kind: str, partner: str, **differs: Any) -> set[str]:
    """The optional fields of such an event that are seen."""
    shown = view.event(event(stream, kind, partner, **differs))
    assert shown is not None
    return set(json.loads(shown.data)) & OPTIONAL[Stream(stream)]


def test_integration_sees_every_byte(view: Make) -> None:
    assert view("integration").sees_everything
    assert list(view("integration").events(every_event())) == every_event()


def test_planners_see_everything_but_prices(view: Make) -> None:
    assert len(list(view("planner").events(every_event()))) == len(every_event())
    assert fields(view("planner"), "demand", "ordered", "FENWICK") == OPTIONAL[Stream.DEMAND] - {"price", "currency"}


def test_quality_follows_goods_not_plans(view: Make) -> None:
    assert view("quality").streams == ("shipment", "inventory")
    assert seen(view("quality"), stream="demand") == set()


def test_the_firewall_keeps_suppliers_stock_and_capacity_from_who_negotiates(view: Make) -> None:
    buyer = view("buyer")
    stock = {(kind, partner) for kind, partner in seen(buyer, stream="inventory") if kind != "received"}
    assert stock == {(kind, HOUSE) for kind in ("on_hand", "issued", "adjusted", "cancelled")}
    assert buyer.event(event("demand", "forecast", "ANVILGATE", commitment="capacity")) is None
    assert buyer.event(event("demand", "forecast", HOUSE, commitment="capacity")) is not None
    kept = set(load_rules().firewall.fields)
    assert fields(buyer, "demand", "ordered", "ANVILGATE") == OPTIONAL[Stream.DEMAND] - kept
    assert fields(buyer, "demand", "ordered", HOUSE) == OPTIONAL[Stream.DEMAND]
    assert [one.ours for one in buyer.stock(every_event())] == [True]
    assert {one.ours for one in view("planner").stock(every_event())} == {True, False}


@pytest.mark.parametrize(
    ("partner", "demand"),
    [
        ("FENWICK", {"ordered", "changed", "cancelled", "confirmed"}),
        ("BRIGHTSEAL", {"ordered", "changed", "cancelled", "confirmed", "called_off"}),
        ("ANVILGATE", {"ordered", "changed", "cancelled", "confirmed", "called_off"}),
    ],
)
def test_a_supplier_sees_its_own_as_far_as_its_tier_goes(view: Make, partner: str, demand: set[str]) -> None:
    assert seen(view(partner), stream="demand") == {(kind, partner) for kind in demand}
    assert {who for _, who in seen(view(partner))} == {partner}


def test_forecasts_are_added_up_by_month_or_week_and_end_at_the_horizon(view: Make) -> None:
    days = [date(2026, 3, 2), date(2026, 3, 8), date(2026, 3, 31), date(2026, 10, 1), date(2028, 1, 1)]
    plans = [
        event("demand", "forecast", partner, position=n, due_at=f"{day}T00:00:00Z", base_quantity=f"{n}.5")
        for n, (partner, day) in enumerate(((p, d) for p in PARTNERS for d in days), start=1)
    ]
    assert view("FENWICK").sums(plans) == []
    monthly = view("BRIGHTSEAL").sums(plans)
    assert [(one.starts, one.quantity, one.events) for one in monthly] == [(date(2026, 3, 1), Decimal("22.5"), 3)]
    weekly = view("ANVILGATE").sums(plans)
    assert [(str(one.starts), one.events) for one in weekly] == [
        ("2026-03-02", 2),
        ("2026-03-30", 1),
        ("2026-09-28", 1),
    ]
    assert {one.partner for one in weekly} == {"ANVILGATE"}


def test_what_nobody_wants_or_the_firewall_keeps_is_in_no_sum(view: Make) -> None:
    told = {"due_at": "2026-03-02T00:00:00Z", "base_quantity": "5"}
    plans = [
        event("demand", "forecast", "ANVILGATE", position=n, commitment=commitment, **told)
        for n, commitment in enumerate(("capacity", "usage", "planned", "firm"), start=1)
    ]
    assert [one.quantity for one in view("ANVILGATE").sums(plans)] == [Decimal(10)]
    sums = {"kinds": ["forecast"], "by": "month", "horizon": "365d"}
    insight = Insight.model_validate({"demand": {"kinds": [], "sums": sums}, "firewall": True})
    wall = Firewall.model_validate({"demand": {"commitments": ["planned"]}})
    walled = View(Viewer(audience=Audience.BUYER), insight, now=NOW, house=frozenset([HOUSE]), firewall=wall)
    assert [one.quantity for one in walled.sums(plans)] == [Decimal(5)]


@pytest.mark.parametrize("word", ["due_at", "ship_by", "ship_from", "starts_at", "ends_at"])
def test_a_horizon_holds_whichever_word_says_when(word: str) -> None:
    insight = Insight.model_validate({"demand": {"kinds": "all", "horizon": "10d"}})
    short = View(Viewer(audience=Audience.PLANNER), insight, now=NOW)
    without: dict[str, Any] = dict.fromkeys(("due_at", "ship_by", "ship_from", "starts_at", "ends_at"))
    for days, is_seen in ((9, True), (11, False)):
        at = f"{NOW + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
        assert (short.event(event("demand", "ordered", "ANVILGATE", **without | {word: at})) is not None) is is_seen


def test_only_a_strategic_supplier_is_told_our_stock_of_what_it_supplies(view: Make) -> None:
    shelves = [
        event(
            "inventory",
            "on_hand",
            HOUSE,
            position=n,
            item=item,
            location=f"A-{n}",
            counted_at=f"2026-03-0{n}T00:00:00Z",
        )
        for n, item in enumerate(("P-100", "P-100", "P-999"), start=1)
    ]
    [stock] = view("ANVILGATE").stock(shelves)
    assert (stock.item, stock.quantity, stock.ours, stock.counted_at) == ("P-100", 24, True, "2026-03-01T00:00:00Z")
    assert view("BRIGHTSEAL").stock(shelves) == view("FENWICK").stock(shelves) == []
    assert list(view("ANVILGATE").events(shelves)) == []


def test_the_oldest_of_counts_added_up_is_the_earliest_whatever_zone_it_is_told_in(view: Make) -> None:
    told = ("2026-03-01T23:00:00-05:00", "2026-03-02T01:00:00Z", "2026-03-02T03:00:00+01:00")
    shelves = [
        event("inventory", "on_hand", HOUSE, position=n, location=f"A-{n}", counted_at=at)
        for n, at in enumerate(told, start=1)
    ]
    [stock] = view("planner").stock(shelves)
    assert (stock.quantity, stock.counted_at) == (36, "2026-03-02T01:00:00Z")


def test_a_partner_is_raised_from_a_day_on_by_one_line(visibility: Visibility) -> None:
    partner = Partner.model_validate({"partner": "FENWICK", "tier_from": {"2026-07-01": "preferred"}})
    assert partner.tier_on(date(2026, 6, 30)) is Tier.TRANSACTIONAL
    assert partner.tier_on(date(2026, 7, 1)) is Tier.PREFERRED
    later = {"2026-07-01": "preferred", "2027-01-01": "strategic", "2028-01-01": "transactional"}
    graduated = partner.model_copy(update={"tier_from": {date.fromisoformat(d): Tier(t) for d, t in later.items()}})
    assert [graduated.tier_on(date(year, 6, 1)).value for year in (2026, 2027, 2028)] == [
        "transactional",
        "strategic",
        "transactional",
    ]


def test_nobody_is_the_supplier_of_an_unknown_partner(visibility: Visibility) -> None:
    with pytest.raises(PermanentError, match="no partner 'NOBODY'"):
        visibility.view(Viewer(audience=Audience.SUPPLIER, partner="NOBODY"))
    for audience, partner in (("supplier", ""), ("planner", "FENWICK")):
        with pytest.raises(ValueError, match="supplier"):
            Viewer(audience=Audience(audience), partner=partner)


def test_documents_and_findings_of_others_are_none_of_a_suppliers(view: Make) -> None:
    row = {"partner": "FENWICK", "document": "d1", "mapping": "m", "attributes": {"secret": "x"}, "payload_id": 3}
    assert view("FENWICK").document(row) == {"partner": "FENWICK", "document": "d1"}
    assert view("BRIGHTSEAL").document(row) is view("BRIGHTSEAL").finding(row) is None
    assert view("planner").document(row) == row


@pytest.mark.parametrize("who", WHO)
def test_what_is_shown_still_keeps_the_contract(view: Make, who: str) -> None:
    shown = list(view(who).events(every_event()))
    assert shown
    for one in shown:
        assert one.cloud_event()


names = st.sampled_from


@st.composite
def sights(draw: Any, stream: Stream) -> Sight | None:
    """Any sound rule for a stream."""
    optional = sorted(OPTIONAL[stream])
    kinds = draw(st.one_of(st.just("all"), st.lists(names(KINDS[stream]), unique=True)))
    shown = draw(st.one_of(st.none(), st.lists(names(optional), unique=True)))
    hidden = [] if shown is not None else draw(st.lists(names(sorted(set(optional) - IN_SUBJECT)), unique=True))
    commitments = draw(st.one_of(st.just("all"), st.lists(names(["firm", "planned"]), unique=True)))
    horizon = draw(st.one_of(st.none(), st.integers(1, 40).map(lambda days: timedelta(days=days))))
    if draw(st.booleans()):
        return None
    return Sight(kinds=kinds, shows=shown, hides=hidden, commitments=commitments, horizon=horizon)


@given(data=st.data(), partner=names(sorted(TIERS)), walled=st.booleans(), ours=st.booleans())
def test_no_rule_lets_through_what_it_withholds(data: Any, partner: str, walled: bool, ours: bool) -> None:
    given = {stream.value: data.draw(sights(stream)) for stream in Stream}
    rules = load_rules()
    firewall = rules.firewall if walled and ours else None
    viewer = Viewer(audience=Audience.BUYER) if ours else Viewer(audience=Audience.SUPPLIER, partner=partner)
    insight = Insight(**given, firewall=walled) if ours else Sights(**given)
    view = View(viewer, insight, now=NOW, house=frozenset(rules.house), firewall=firewall)
    by_id = {one.id: one for one in every_event()}
    shown = list(view.events(by_id.values()))
    assert [one.id for one in shown] == [one.id for one in by_id.values() if view.sees(one)]
    for one in shown:
        sight = given[one.stream]
        assert sight is not None
        assert sight.sees(one.kind)
        assert one.stream != "demand" or sight.commits("firm")
        assert ours or one.partner == partner
        told, original = json.loads(one.data), json.loads(by_id[one.id].data)
        changes = told.pop("changes", [])
        assert {name: original[name] for name in told} == told
        assert all(one in original["changes"] for one in changes)
        hidden = OPTIONAL[Stream(one.stream)] - set(sight.shows) if sight.shows is not None else set(sight.hides)
        if firewall and one.partner != HOUSE:
            assert one.kind not in firewall.of(one.stream).kinds
            hidden |= set(firewall.fields)
        whole = one.cloud_event().decode()
        assert not hidden & set(told)
        assert not [name for name in hidden if f'"mark-of-{name}"' in whole]
        if not ours:
            assert "channel-of-theirs" not in whole
        begins = (original.get(name) for name in ("due_at", "ship_by", "starts_at", "ends_at"))
        if sight.horizon is not None and any(begins):
            assert sight.horizon >= timedelta(days=15)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_periods(day: date) -> None:
    assert period_of(day, "week").weekday() == 0
    assert timedelta(0) <= day - period_of(day, "week") < timedelta(days=7)
    assert period_of(day, "month") == day.replace(day=1)


def test_every_optional_field_is_one_that_a_model_can_miss() -> None:
    for stream, model in DATA_OF.items():
        assert OPTIONAL[stream] <= set(model.__struct_fields__)
        assert not OPTIONAL[stream] & {"partner", "item", "site", "quantity", "lineage", "references", "kind"}


def test_an_event_taken_apart_is_the_same_event(view: Make) -> None:
    original = event("demand", "ordered", "FENWICK")
    shown = view("FENWICK").event(original)
    assert isinstance(shown, StoredEvent)
    assert (shown.id, shown.position, shown.subject, shown.sequence) == (
        original.id,
        original.position,
        original.subject,
        original.sequence,
    )
