"""The made-up company and what it trades: fixed for a seed, consistent across its files."""

from itertools import islice

import pytest

from crossdock.simulate.company import (
    ANVILGATE,
    COPPERLINE,
    EASTERBY,
    NORTH,
    PLANTS,
    SOUTH,
    SUPPLIERS,
    Company,
    check_digit,
    gln,
    sscc,
)
from crossdock.simulate.trade import order_lines, receipts, shipments, stock, supplier_stock


@pytest.fixture(scope="module")
def company() -> Company:
    return Company.make(7, 60)


@pytest.mark.parametrize(
    ("body", "digit"),
    [("629104150021", "3"), ("400638133393", "1"), ("37610425002123456", "9"), ("000000000000", "0")],
)
def test_check_digit_is_gs1s(body: str, digit: str) -> None:
    assert check_digit(body) == digit


def test_keys_have_their_lengths() -> None:
    assert len(gln(42)) == 13
    assert len(sscc(1001, 999_999_999)) == 18


def test_addresses_are_example_domains() -> None:
    for supplier in SUPPLIERS:
        assert not supplier.email or supplier.email.endswith(".example")


def test_items_and_their_numbers_are_unique(company: Company) -> None:
    assert len({item.number for item in company.items}) == len(company.items)
    assert len({(item.supplier.partner, item.theirs) for item in company.items}) == len(company.items)


def test_a_stream_is_the_same_each_time(company: Company) -> None:
    assert list(order_lines(company, NORTH, 300)) == list(order_lines(company, NORTH, 300))
    assert list(stock(company, NORTH, 50)) == list(stock(company, NORTH, 50))


def test_another_seed_trades_otherwise(company: Company) -> None:
    other = Company.make(8, 60)
    assert list(order_lines(other, NORTH, 100)) != list(order_lines(company, NORTH, 100))


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.site)
def test_order_lines_are_as_many_as_asked_and_have_keys_of_their_own(company: Company, plant: object) -> None:
    assert plant in (NORTH, SOUTH)
    lines = list(order_lines(company, plant, 400))  # type: ignore[arg-type]
    assert len({(line.order, line.line, line.schedule) for line in lines}) == len(lines) == 400


def test_only_what_was_ordered_is_shipped_and_only_once(company: Company) -> None:
    ordered = {(line.order, line.line, line.schedule): line for line in order_lines(company, NORTH, 600)}
    shipped = [line for one in shipments(company, NORTH, 600, (ANVILGATE,)) for line in one.lines]
    keys = [(line.of.order, line.of.line, line.of.schedule) for line in shipped]
    assert len(set(keys)) == len(keys) > 50
    for key, line in zip(keys, shipped, strict=True):
        assert ordered[key] == line.of
        assert line.of.status != "cancelled"
        assert line.of.item.supplier is ANVILGATE


def test_a_suppliers_shipments_do_not_depend_on_the_others(company: Company) -> None:
    alone = list(shipments(company, NORTH, 900, (COPPERLINE,)))
    among = [one for one in shipments(company, NORTH, 900, SUPPLIERS) if one.supplier is COPPERLINE]
    assert alone == among


def test_a_package_holds_lines_of_one_shipment_and_one_order(company: Company) -> None:
    holds: dict[str, set[tuple[str, str]]] = {}
    for plant in PLANTS:
        for one in shipments(company, plant, 900, (COPPERLINE,)):
            for line in one.lines:
                holds.setdefault(line.package, set()).add((one.number, line.of.order))
    assert holds
    assert all(len(inside) == 1 for inside in holds.values())


def test_receipts_follow_their_shipments(company: Company) -> None:
    numbers = {one.number for one in shipments(company, SOUTH, 900, SUPPLIERS)}
    received = list(receipts(company, SOUTH, 900))
    assert received
    assert {receipt.shipment.number for receipt in received} <= numbers
    for receipt in received:
        assert len(receipt.lines) == len(receipt.shipment.lines)
        for line in receipt.lines:
            assert (line.condition == "short") == (line.quantity < line.of.quantity)


def test_stock_lists_have_the_rows_asked_for(company: Company) -> None:
    lists = list(supplier_stock(company, EASTERBY, 45))
    assert sum(len(rows) for _, rows in lists) == 45
    assert [day for day, _ in lists] == sorted({day for day, _ in lists})


def test_the_first_lines_cost_nothing_of_the_last(company: Company) -> None:
    assert len(list(islice(order_lines(company, NORTH, 10**9), 10))) == 10
