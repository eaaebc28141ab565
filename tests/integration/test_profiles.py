"""The profiles of Odoo and ERPNext, on tables laid out as theirs; Tryton itself is in test_tryton.py."""
# ruff: noqa: E501 - a table's row stands on one line

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from connectors.connections import Connection
from tests.channel_runs import sound_events

pytestmark = pytest.mark.integration

CHANNELS = """\
channel: erp
partner: OURS
source: {{kind: odbc, conn_id: erp, profile: {0}, timezone: Europe/Berlin, take: [purchase_orders, receipts, stock],
         queries: [{{name: purchase_orders, reconcile: {{every: 0.001s}}}}]}}
---
channel: erp-master
purpose: master_data
source: {{kind: odbc, conn_id: erp, profile: {0}, take: [partners, sites, items, cross_references]}}
"""

ODOO = """
CREATE TABLE res_country (id int, code varchar);
INSERT INTO res_country VALUES (57, 'DE');
CREATE TABLE res_currency (id int, name varchar);
INSERT INTO res_currency VALUES (126, 'EUR');
CREATE TABLE res_partner (id int, name varchar, ref varchar, country_id int, tz varchar, supplier_rank int, active bool);
INSERT INTO res_partner VALUES (1, 'Ravensmoor', NULL, 57, 'Europe/Berlin', 0, true),
    (7, 'Anvilgate Castings', 'ANVILGATE', 57, NULL, 1, true), (8, 'Brightseal Seals', '', 57, NULL, 3, true);
CREATE TABLE uom_uom (id int, name jsonb);
INSERT INTO uom_uom VALUES (1, '{"en_US": "Units", "de_DE": "Einheiten"}'), (3, '{"en_US": "kg"}');
CREATE TABLE product_template (id int, name jsonb, type varchar, uom_id int, active bool);
INSERT INTO product_template VALUES (11, '{"en_US": "Volute casing"}', 'consu', 1, true),
    (12, '{"en_US": "Bronze"}', 'consu', 3, true), (13, '{"en_US": "Freight"}', 'service', 1, true);
CREATE TABLE product_product (id int, product_tmpl_id int, default_code varchar, active bool);
INSERT INTO product_product VALUES (21, 11, 'P10003', true), (22, 12, NULL, true), (23, 13, 'FREIGHT', true);
CREATE TABLE product_supplierinfo (id int, partner_id int, product_id int, product_tmpl_id int, product_code varchar,
    sequence int);
INSERT INTO product_supplierinfo VALUES (1, 7, NULL, 11, 'AG-00104', 1), (2, 8, 22, 12, '', 1);
CREATE TABLE stock_warehouse (id int, code varchar, name varchar, partner_id int, company_id int, active bool);
INSERT INTO stock_warehouse VALUES (1, 'WH', 'Ravensmoor works', 1, 1, true);
CREATE TABLE stock_picking_type (id int, warehouse_id int);
INSERT INTO stock_picking_type VALUES (1, 1);
CREATE TABLE stock_location (id int, complete_name varchar, usage varchar, warehouse_id int);
INSERT INTO stock_location VALUES (4, 'Partners/Vendors', 'supplier', NULL), (8, 'WH/Stock', 'internal', 1);
CREATE TABLE stock_lot (id int, name varchar);
INSERT INTO stock_lot VALUES (5, 'L2601');
CREATE TABLE purchase_order (id int, name varchar, partner_id int, state varchar, company_id int, currency_id int,
    picking_type_id int, date_approve timestamp, date_planned timestamp, create_date timestamp, write_date timestamp);
INSERT INTO purchase_order VALUES
    (1, 'P00001', 7, 'purchase', 1, 126, 1, '2026-03-01 09:00', '2026-04-01 10:00', '2026-03-01 08:00', '2026-03-01 09:00'),
    (2, 'P00002', 8, 'draft', 1, 126, 1, NULL, '2026-04-01 10:00', '2026-03-01 08:00', '2026-03-01 09:00');
CREATE TABLE purchase_order_line (id int, order_id int, product_id int, product_uom int, product_qty numeric,
    price_unit float, display_type varchar, date_planned timestamp, create_date timestamp, write_date timestamp);
INSERT INTO purchase_order_line VALUES
    (31, 1, 21, 1, 336.00, 577.95, NULL, NULL, '2026-03-01 08:00', NULL),
    (32, 1, 22, 3, 476.625, 16.85, NULL, '2026-04-08 10:00', '2026-03-01 08:00', NULL),
    (33, 1, 23, 1, 1, 90, NULL, NULL, '2026-03-01 08:00', NULL),
    (34, 1, NULL, NULL, 0, 0, 'line_note', NULL, '2026-03-01 08:00', NULL),
    (35, 2, 21, 1, 5, 577.95, NULL, NULL, '2026-03-01 08:00', NULL);
CREATE TABLE stock_picking (id int, name varchar, partner_id int, picking_type_id int, date_done timestamp,
    create_date timestamp, write_date timestamp);
INSERT INTO stock_picking VALUES (41, 'WH/IN/00001', 7, 1, '2026-03-20 07:30', '2026-03-01 09:00', '2026-03-20 07:30');
CREATE TABLE stock_move (id int, picking_id int, purchase_line_id int, product_id int, product_uom int, quantity numeric,
    state varchar, location_id int, location_dest_id int, company_id int, create_date timestamp, write_date timestamp);
INSERT INTO stock_move VALUES
    (51, 41, 31, 21, 1, 300, 'done', 4, 8, 1, '2026-03-01 09:00', '2026-03-20 07:30'),
    (52, 41, 32, 22, 3, 100, 'assigned', 4, 8, 1, '2026-03-01 09:00', '2026-03-20 07:30');
CREATE TABLE stock_quant (id int, product_id int, location_id int, lot_id int, quantity float, company_id int,
    create_date timestamp, write_date timestamp);
INSERT INTO stock_quant VALUES (61, 21, 8, 5, 300, 1, '2026-03-20 07:30', NULL), (62, 21, 4, 5, -300, 1, '2026-03-20 07:30', NULL);
"""

ERPNEXT = """
CREATE TABLE `tabCountry` (name varchar(140), code varchar(140));
INSERT INTO `tabCountry` VALUES ('Germany', 'de');
CREATE TABLE `tabSingles` (doctype varchar(140), field varchar(140), value text);
INSERT INTO `tabSingles` VALUES ('System Settings', 'time_zone', 'Europe/Berlin');
CREATE TABLE `tabSupplier` (name varchar(140), supplier_name varchar(140), country varchar(140), disabled int(1));
INSERT INTO `tabSupplier` VALUES ('Anvilgate Castings', 'Anvilgate Castings', 'Germany', 0), ('Brightseal', 'Brightseal Seals', NULL, 0);
CREATE TABLE `tabWarehouse` (name varchar(140), warehouse_name varchar(140), company varchar(140), disabled int(1), is_group int(1));
INSERT INTO `tabWarehouse` VALUES ('Stores - R', 'Stores', 'Ravensmoor', 0, 0), ('All - R', 'All', 'Ravensmoor', 0, 1);
CREATE TABLE `tabItem` (item_code varchar(140), item_name varchar(140), stock_uom varchar(140), disabled int(1), is_stock_item int(1));
INSERT INTO `tabItem` VALUES ('P10003', 'Volute casing', 'Nos', 0, 1), ('P10014', 'Bronze', 'Kg', 0, 1), ('FREIGHT', 'Freight', 'Nos', 0, 0);
CREATE TABLE `tabItem Supplier` (parent varchar(140), supplier varchar(140), supplier_part_no varchar(140));
INSERT INTO `tabItem Supplier` VALUES ('P10003', 'Anvilgate Castings', 'AG-00104');
CREATE TABLE `tabPurchase Order` (name varchar(140), creation datetime(6), modified datetime(6), docstatus int(1), supplier varchar(140),
    company varchar(140), transaction_date date, schedule_date date, currency varchar(140), status varchar(140));
INSERT INTO `tabPurchase Order` VALUES
    ('PUR-ORD-2026-00001', '2026-03-01 08:00', '2026-03-01 09:00:00.123456', 1, 'Anvilgate Castings', 'Ravensmoor', '2026-03-01', '2026-04-01', 'EUR', 'To Receive and Bill'),
    ('PUR-ORD-2026-00002', '2026-03-01 08:00', '2026-03-01 09:00', 0, 'Brightseal', 'Ravensmoor', '2026-03-01', '2026-04-01', 'EUR', 'Draft');
CREATE TABLE `tabPurchase Order Item` (name varchar(140), parent varchar(140), idx int(8), modified datetime(6), item_code varchar(140),
    item_name varchar(140), supplier_part_no varchar(140), schedule_date date, qty decimal(21,9), uom varchar(140),
    rate decimal(21,9), warehouse varchar(140));
INSERT INTO `tabPurchase Order Item` VALUES
    ('a1', 'PUR-ORD-2026-00001', 1, '2026-03-01 08:00', 'P10003', 'Volute casing', 'AG-00104', NULL, 336, 'Nos', 577.95, 'Stores - R'),
    ('a2', 'PUR-ORD-2026-00001', 2, '2026-03-01 08:00', 'P10014', 'Bronze', '', '2026-04-08', 476.625, 'Kg', 16.85, 'Stores - R'),
    ('b1', 'PUR-ORD-2026-00002', 1, '2026-03-01 08:00', 'P10003', 'Volute casing', NULL, NULL, 5, 'Nos', 577.95, 'Stores - R');
CREATE TABLE `tabPurchase Receipt` (name varchar(140), modified datetime(6), docstatus int(1), is_return int(1), supplier varchar(140),
    company varchar(140), posting_date date, posting_time time(6), supplier_delivery_note varchar(140));
INSERT INTO `tabPurchase Receipt` VALUES
    ('MAT-PRE-2026-00001', '2026-03-20 07:30', 1, 0, 'Anvilgate Castings', 'Ravensmoor', '2026-03-20', '08:30', 'LS-4711');
CREATE TABLE `tabPurchase Receipt Item` (name varchar(140), parent varchar(140), idx int(8), modified datetime(6), item_code varchar(140),
    qty decimal(21,9), uom varchar(140), warehouse varchar(140), purchase_order varchar(140), purchase_order_item varchar(140), batch_no varchar(140));
INSERT INTO `tabPurchase Receipt Item` VALUES
    ('r1', 'MAT-PRE-2026-00001', 1, '2026-03-20 07:30', 'P10003', 300, 'Nos', 'Stores - R', 'PUR-ORD-2026-00001', 'a1', 'L2601');
CREATE TABLE `tabBin` (name varchar(140), modified datetime(6), item_code varchar(140), warehouse varchar(140), actual_qty decimal(21,9), stock_uom varchar(140));
INSERT INTO `tabBin` VALUES ('x', '2026-03-20 07:30', 'P10003', 'Stores - R', 300, 'Nos');
"""

Run = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def run_against(installation: Any) -> Callable[[str, Connection], Run]:
    """Makes what runs Crossdock once against a profile's tables and gives the events that were new."""

    def run_against(profile: str, connection: Connection) -> Run:
        for number, text in enumerate(CHANNELS.format(profile).split("---\n")):
            (installation.home / "channels" / f"erp-{number}.yaml").write_text(text)
        (installation.home / "partners" / "ours.yaml").write_text("partner: OURS\ntimezone: Europe/Berlin\n")

        def run() -> list[dict[str, Any]]:
            return sound_events(installation.settings, connection)

        return run

    return run_against


@pytest.fixture
def odoo(postgres: Any) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres.database(), autocommit=True) as db:
        db.execute(ODOO)
        yield db


@pytest.fixture
def erpnext(mariadb: Any) -> Iterator[tuple[Any, str]]:
    name = mariadb.database()
    db = mariadb.administer(*filter(str.strip, ERPNEXT.split(";\n")), database=name)
    yield db, name
    db.close()


def told(events: list[dict[str, Any]]) -> dict[str, tuple[str, str, str]]:
    """Kind, quantity and unit by subject."""
    return {
        event["subject"]: (event["data"]["kind"], event["data"]["quantity"], event["data"]["unit"]) for event in events
    }


def test_odoo(odoo: psycopg.Connection[Any], run_against: Any, odbc_to: Any) -> None:
    run = run_against("odoo", odbc_to(f"postgresql:///{odoo.info.dbname}?host={odoo.info.host}"))
    events = run()
    assert told(events) == {
        "order/ANVILGATE/P00001/31": ("ordered", "336", "C62"),
        "order/ANVILGATE/P00001/32": ("ordered", "476.625", "KGM"),
        "receipt/ANVILGATE/WH%2FIN%2F00001/51": ("received", "300", "C62"),
        "stock/OURS/WH/WH%2FStock/P10003/L2601/available": ("on_hand", "300", "C62"),
    }
    data = {
        event["subject"].partition("/")[0]: event["data"] for event in events if "P00001/32" not in event["subject"]
    }
    assert data["order"]["partner_item"] == "AG-00104"
    assert (data["order"]["price"], data["order"]["currency"]) == ("577.95", "EUR")
    assert data["order"]["due_at"] == "2026-04-01T10:00:00+02:00"
    assert data["receipt"]["references"]["order_line"] == "31"
    odoo.execute("UPDATE purchase_order_line SET product_qty = 300, write_date = '2026-03-02' WHERE id = 31")
    odoo.execute("DELETE FROM purchase_order_line WHERE id = 32")
    odoo.execute("UPDATE purchase_order SET state = 'cancel', write_date = '2026-03-02' WHERE id = 2")
    assert told(run()) == {
        "order/ANVILGATE/P00001/31": ("changed", "300", "C62"),
        "order/ANVILGATE/P00001/32": ("cancelled", "476.625", "KGM"),
        "order/8/P00002/35": ("cancelled", "5", "C62"),
    }
    assert run() == []


def test_erpnext(erpnext: tuple[Any, str], mariadb: Any, run_against: Any) -> None:
    db, name = erpnext
    run = run_against("erpnext", mariadb.connection(name))
    events = run()
    assert told(events) == {
        "order/ANVILGATE-CASTINGS/PUR-ORD-2026-00001/1": ("ordered", "336", "C62"),
        "order/ANVILGATE-CASTINGS/PUR-ORD-2026-00001/2": ("ordered", "476.625", "KGM"),
        "receipt/ANVILGATE-CASTINGS/MAT-PRE-2026-00001/1": ("received", "300", "C62"),
        "stock/OURS/Stores - R//P10003//available": ("on_hand", "300", "C62"),
    }
    data = {event["subject"].partition("/")[0]: event["data"] for event in events if "00001/2" not in event["subject"]}
    assert data["order"]["partner_item"] == "AG-00104"
    assert data["order"]["due_at"] == "2026-04-01T00:00:00+02:00"
    assert data["receipt"]["received_at"] == "2026-03-20T08:30:00+01:00"
    assert data["receipt"]["references"]["lot"] == "L2601"
    assert data["stock"]["counted_at"] == "2026-03-20T07:30:00+01:00"
    db.execute("UPDATE `tabPurchase Order Item` SET qty = 300, modified = '2026-03-02' WHERE name = 'a1'")
    db.execute("DELETE FROM `tabPurchase Order Item` WHERE name = 'a2'")
    db.execute("UPDATE `tabPurchase Receipt` SET docstatus = 2, modified = '2026-03-21'")
    assert told(run()) == {
        "order/ANVILGATE-CASTINGS/PUR-ORD-2026-00001/1": ("changed", "300", "C62"),
        "order/ANVILGATE-CASTINGS/PUR-ORD-2026-00001/2": ("cancelled", "476.625", "KGM"),
        "receipt/ANVILGATE-CASTINGS/MAT-PRE-2026-00001/1": ("received", "0", "C62"),
    }
    assert run() == []
