"""The rules, kind by kind of line."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from mappings.checks.rule import Limits, beyond, instants, on_closed_days, rule, tolerated

# -- ship notices and confirmations against the order, receipts against the ship notice ----------------


@rule("ship_notice.order_unknown", "no order {order} / {order_line} is known", beside="order", value="order")
@rule("order_response.order_unknown", "no order {order} / {order_line} is known", beside="order", value="order")
def order_unknown(table: pl.DataFrame, limits: Limits) -> pl.Series:  # noqa: ARG001
    """What is shipped or confirmed was ordered."""
    return ~table["is_known"] & table["order"].is_not_null()


@rule(
    "ship_notice.order_closed",
    "order {order} / {order_line} is cancelled",
    beside="order",
    value="order",
    expected="known_kind",
)
@rule(
    "order_response.order_closed",
    "order {order} / {order_line} is cancelled",
    beside="order",
    value="order",
    expected="known_kind",
)
def order_closed(table: pl.DataFrame, limits: Limits) -> pl.Series:  # noqa: ARG001
    """What is shipped or confirmed has not been cancelled."""
    return table["known_kind"] == "cancelled"


@rule(
    "ship_notice.item",
    "item {item} is shipped, {known_item} was ordered",
    beside="order",
    value="item",
    expected="known_item",
)
@rule(
    "order_response.item",
    "item {item} is confirmed, {known_item} was ordered",
    beside="order",
    value="item",
    expected="known_item",
)
@rule(
    "receipt.item",
    "item {item} is received, {known_item} was announced",
    beside="shipment",
    value="item",
    expected="known_item",
)
def other_item(table: pl.DataFrame, limits: Limits) -> pl.Series:  # noqa: ARG001
    """The item shipped or confirmed is the one ordered, the item received the one announced."""
    return table["item"] != table["known_item"]


@rule(
    "ship_notice.site",
    "shipped to {site}, ordered for {known_site}",
    beside="order",
    value="site",
    expected="known_site",
)
def other_site(table: pl.DataFrame, limits: Limits) -> pl.Series:  # noqa: ARG001
    """The goods go where they were ordered for."""
    return table["site"] != table["known_site"]


@rule(
    "ship_notice.unit",
    "shipped in {unit}, ordered in {known_unit}",
    beside="order",
    value="unit",
    expected="known_unit",
)
@rule(
    "order_response.unit",
    "confirmed in {unit}, ordered in {known_unit}",
    beside="order",
    value="unit",
    expected="known_unit",
)
@rule(
    "receipt.unit",
    "received in {unit}, announced in {known_unit}",
    beside="shipment",
    value="unit",
    expected="known_unit",
)
def other_unit(table: pl.DataFrame, limits: Limits) -> pl.Series:  # noqa: ARG001
    """The unit is that of the order or the announcement, so that nobody has to convert."""
    return table["unit"] != table["known_unit"]


@rule(
    "ship_notice.over",
    "with {base_quantity} {base_unit} of this shipment {shipped} are shipped, {known_base_quantity} were ordered",
    beside="order",
    value="shipped",
    expected="known_base_quantity",
)
def over_shipped(table: pl.DataFrame, limits: Limits) -> pl.Series:
    """No more is shipped than ordered, all shipments together, but for the tolerance ``over`` (per cent)."""
    same = table["base_unit"] == table["known_base_unit"]
    return same & beyond(table["shipped"], table["known_base_quantity"], limits.over)


@rule(
    "ship_notice.under",
    "{shipped_in_all} {base_unit} are shipped so far, {known_base_quantity} were ordered",
    beside="order",
    value="shipped_in_all",
    expected="known_base_quantity",
)
def under_shipped(table: pl.DataFrame, limits: Limits) -> pl.Series:
    """No less is shipped than ordered, all shipments so far together, but for the tolerance ``under`` (per cent)."""
    same = table["base_unit"] == table["known_base_unit"]
    return same & beyond(table["known_base_quantity"], table["shipped_in_all"], limits.under)


@rule(
    "ship_notice.repeated",
    "shipment {shipment} was announced before, by another document",
    beside="itself",
    value="shipment",
    expected="known_document",
)
def shipment_repeated(table: pl.DataFrame, limits: Limits) -> pl.Series:  # noqa: ARG001
    """A shipment number is used once; a correction says that it is one."""
    again = (table["kind"] == "notified") & (table["known_kind"] == "notified")
    return again & (table["document"] != table["known_document"])


@rule(
    "ship_notice.future",
    "shipped at {shipped_at}, which is still to come",
    value="shipped_at",
    reads=("shipped_at",),
)
def ships_in_the_future(table: pl.DataFrame, limits: Limits) -> pl.Series:
    """Goods that are said to have left have left, but for ``days``."""
    return instants(table["shipped_at"]) > limits.now + timedelta(days=limits.days)


@rule(
    "ship_notice.arrival",
    "arrives at {arrives_at}, before it leaves at {shipped_at}",
    value="arrives_at",
    expected="shipped_at",
    reads=("arrives_at", "shipped_at"),
)
def arrives_before_leaving(table: pl.DataFrame, limits: Limits) -> pl.Series:  # noqa: ARG001
    """Goods arrive after they leave."""
    return instants(table["arrives_at"]) < instants(table["shipped_at"])


@rule(
    "ship_notice.closed_day",
    "arrives at {arrives_at}, a day on which nobody works",
    value="arrives_at",
    by_calendar=True,
)
def arrives_on_a_closed_day(table: pl.DataFrame, limits: Limits) -> pl.Series:
    """Goods arrive on a working day of the partner's calendar, else of the site's."""
    return on_closed_days(table["arrives_at"], table["site"], limits)


# -- receipts, against the ship notice ----------------------------------------------------------------


@rule("receipt.shipment_unknown", "no shipment {shipment} was announced", beside="shipment", value="shipment")
def shipment_unknown(table: pl.DataFrame, limits: Limits) -> pl.Series:  # noqa: ARG001
    """What is received was announced."""
    return ~table["is_known"] & table["shipment"].is_not_null()


@rule(
    "receipt.quantity",
    "{base_quantity} {base_unit} are received, {known_base_quantity} were announced",
    beside="shipment",
    value="base_quantity",
    expected="known_base_quantity",
)
@rule(
    "order_response.quantity",
    "{base_quantity} {base_unit} are confirmed, {known_base_quantity} were ordered",
    beside="order",
    value="base_quantity",
    expected="known_base_quantity",
)
def received_otherwise(table: pl.DataFrame, limits: Limits) -> pl.Series:
    """As much arrives as was announced, or is confirmed as was ordered, but for ``over`` and ``under`` (per cent)."""
    same = table["base_unit"] == table["known_base_unit"]
    more = beyond(table["base_quantity"], table["known_base_quantity"], limits.over)
    return same & (more | beyond(table["known_base_quantity"], table["base_quantity"], limits.under))


# -- confirmations, against the order -----------------------------------------------------------------


@rule(
    "order_response.date",
    "{due_at} is promised, {known_due_at} is wanted",
    beside="order",
    value="due_at",
    expected="known_due_at",
    by_calendar=True,
)
def confirmed_late(table: pl.DataFrame, limits: Limits) -> pl.Series:
    """The promise is not later than what is wanted, but for ``days``. Earlier is on or before, and right."""
    return instants(table["due_at"]) > tolerated(table["known_due_at"], table["site"], limits)


@rule(
    "order_response.closed_day",
    "{due_at} is promised, a day on which nobody works",
    value="due_at",
    by_calendar=True,
)
def promised_for_a_closed_day(table: pl.DataFrame, limits: Limits) -> pl.Series:
    """What is promised comes on a working day of the partner's calendar, else of the site's."""
    return on_closed_days(table["due_at"], table["site"], limits)


@rule(
    "order_response.price",
    "the price {price} is confirmed, {known_price} was ordered at",
    beside="order",
    value="price",
    expected="known_price",
)
def confirmed_dearer(table: pl.DataFrame, limits: Limits) -> pl.Series:
    """The price is not higher than ordered at, but for the tolerance ``over`` (per cent)."""
    return beyond(table["price"], table["known_price"], limits.over)


# -- forecasts, against the last release ----------------------------------------------------------------


@rule(
    "forecast.cumulative",
    "the cumulative quantity {cumulative} was {known_cumulative} before",
    beside="itself",
    value="cumulative",
    expected="known_cumulative",
)
def cumulative_backwards(table: pl.DataFrame, limits: Limits) -> pl.Series:
    """A cumulative quantity never goes backwards."""
    return beyond(table["known_cumulative"], table["cumulative"], limits.over)


@rule(
    "forecast.frozen",
    "{base_quantity} {base_unit} within the frozen zone were {known_base_quantity}",
    beside="itself",
    value="base_quantity",
    expected="known_base_quantity",
)
def frozen_changed(table: pl.DataFrame, limits: Limits) -> pl.Series:
    """Within ``days`` from now the quantity of a window stays as it was released last."""
    begins = instants(table["due_at"].zip_with(table["due_at"].is_not_null(), table["starts_at"]))
    changed = table["base_quantity"] != table["known_base_quantity"]
    return changed & (begins <= limits.now + timedelta(days=limits.days))


@rule(
    "forecast.past",
    "the window ends at {ends_at}, which is past",
    value="ends_at",
    expected="time",
    reads=("ends_at", "time"),
)
def window_past(table: pl.DataFrame, limits: Limits) -> pl.Series:
    """A forecast is about what is still to come when it is made, but for ``days``."""
    return instants(table["ends_at"]) + timedelta(days=limits.days) <= instants(table["time"])


@rule(
    "forecast.horizon",
    "what is wanted from {starts_at}, or at {due_at}, is not within the schedule's horizon, "
    "{horizon_starts_at} to {horizon_ends_at}",
    value="starts_at",
    expected="horizon_ends_at",
    reads=("starts_at", "due_at", "horizon_starts_at", "horizon_ends_at"),
)
def beyond_horizon(table: pl.DataFrame, limits: Limits) -> pl.Series:
    """What a schedule speaks of begins within the horizon that its head names, but for ``days`` on either side."""
    begins = instants(table["due_at"].zip_with(table["due_at"].is_not_null(), table["starts_at"]))
    room = timedelta(days=limits.days)
    early = begins < instants(table["horizon_starts_at"]) - room
    return early | (begins >= instants(table["horizon_ends_at"]) + room)


# -- stock ----------------------------------------------------------------------------------------------


@rule("stock.negative", "the stock is {quantity} {unit}", value="quantity", reads=("quantity",))
def stock_negative(table: pl.DataFrame, limits: Limits) -> pl.Series:  # noqa: ARG001
    """Nobody has less than nothing."""
    return table["quantity"].str.starts_with("-") & table["quantity"].str.contains("[1-9]")


@rule(
    "stock.older",
    "counted at {time}, but the count of {known_time} is known",
    beside="itself",
    value="time",
    expected="known_time",
)
def stock_older(table: pl.DataFrame, limits: Limits) -> pl.Series:  # noqa: ARG001
    """A count is newer than the one it takes the place of."""
    return instants(table["time"]) < instants(table["known_time"])
