-- The ERP of plant 1. Quantities, prices and factors are decimal text: SQLite has no exact decimal type.
-- Times are UTC.
CREATE TABLE company_code (company TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE plant (
    plant TEXT PRIMARY KEY, company TEXT NOT NULL REFERENCES company_code, name TEXT NOT NULL, short_name TEXT NOT NULL,
    country TEXT NOT NULL, time_zone TEXT NOT NULL, gln TEXT NOT NULL);
CREATE TABLE storage_location (
    plant TEXT NOT NULL REFERENCES plant, location TEXT NOT NULL, PRIMARY KEY (plant, location)) WITHOUT ROWID;
CREATE TABLE business_partner (
    number TEXT PRIMARY KEY, role TEXT NOT NULL CHECK (role IN ('vendor', 'own company')), search_term TEXT NOT NULL,
    name TEXT NOT NULL, country TEXT NOT NULL, duns TEXT NOT NULL, gln TEXT NOT NULL, created_on TEXT NOT NULL);
CREATE TABLE business_partner_site (
    number TEXT NOT NULL REFERENCES business_partner, site TEXT PRIMARY KEY, their_name TEXT NOT NULL, name TEXT NOT NULL,
    country TEXT NOT NULL, time_zone TEXT NOT NULL, gln TEXT NOT NULL);
CREATE TABLE plant_alias (
    number TEXT NOT NULL REFERENCES business_partner, alias TEXT NOT NULL, plant TEXT NOT NULL REFERENCES plant,
    PRIMARY KEY (number, alias)) WITHOUT ROWID;
CREATE TABLE unit_of_measure (unit TEXT PRIMARY KEY, iso_code TEXT NOT NULL, name TEXT NOT NULL);
CREATE TABLE business_partner_unit (
    number TEXT NOT NULL REFERENCES business_partner, their_unit TEXT NOT NULL,
    unit TEXT NOT NULL REFERENCES unit_of_measure, PRIMARY KEY (number, their_unit)) WITHOUT ROWID;
CREATE TABLE material (
    material TEXT PRIMARY KEY, description TEXT NOT NULL, base_unit TEXT NOT NULL REFERENCES unit_of_measure,
    blocked INTEGER NOT NULL DEFAULT 0, created_on TEXT NOT NULL);
CREATE TABLE material_unit (
    material TEXT NOT NULL REFERENCES material, unit TEXT NOT NULL REFERENCES unit_of_measure,
    base_units TEXT NOT NULL, PRIMARY KEY (material, unit)) WITHOUT ROWID;
CREATE TABLE purchasing_info (
    vendor TEXT NOT NULL REFERENCES business_partner, material TEXT NOT NULL REFERENCES material,
    vendor_material TEXT NOT NULL, net_price TEXT NOT NULL, currency TEXT NOT NULL, valid_from TEXT NOT NULL,
    PRIMARY KEY (vendor, material)) WITHOUT ROWID;
CREATE TABLE po_header (
    po TEXT PRIMARY KEY, company TEXT NOT NULL, vendor TEXT NOT NULL REFERENCES business_partner,
    currency TEXT NOT NULL, ordered_on TEXT NOT NULL);
CREATE TABLE po_item (
    po TEXT NOT NULL REFERENCES po_header, item INTEGER NOT NULL, material TEXT NOT NULL, short_text TEXT NOT NULL,
    vendor_material TEXT NOT NULL, plant TEXT NOT NULL REFERENCES plant, unit TEXT NOT NULL, net_price TEXT NOT NULL,
    PRIMARY KEY (po, item)) WITHOUT ROWID;
CREATE TABLE po_schedule (
    po TEXT NOT NULL, item INTEGER NOT NULL, schedule INTEGER NOT NULL, quantity TEXT NOT NULL, due_on TEXT NOT NULL,
    revision INTEGER NOT NULL, deletion_flag TEXT NOT NULL, changed_at TEXT NOT NULL,
    PRIMARY KEY (po, item, schedule), FOREIGN KEY (po, item) REFERENCES po_item) WITHOUT ROWID;
CREATE TABLE goods_receipt (
    receipt TEXT PRIMARY KEY, vendor TEXT NOT NULL REFERENCES business_partner, delivery_note TEXT NOT NULL,
    received_at TEXT NOT NULL, posted_at TEXT NOT NULL);
CREATE TABLE goods_receipt_item (
    receipt TEXT NOT NULL REFERENCES goods_receipt, item INTEGER NOT NULL, po TEXT NOT NULL, po_item INTEGER NOT NULL,
    material TEXT NOT NULL, plant TEXT NOT NULL, quantity TEXT NOT NULL, unit TEXT NOT NULL, batch TEXT NOT NULL,
    remark TEXT NOT NULL, PRIMARY KEY (receipt, item)) WITHOUT ROWID;
CREATE TABLE stock_balance (
    plant TEXT NOT NULL, location TEXT NOT NULL, material TEXT NOT NULL, batch TEXT NOT NULL, quantity TEXT NOT NULL,
    unit TEXT NOT NULL, stock_type TEXT NOT NULL, counted_at TEXT NOT NULL,
    PRIMARY KEY (plant, location, material, batch)) WITHOUT ROWID;

-- What the integration may read.
CREATE VIEW integration_purchase_orders AS
SELECT s.po AS order_no, s.item AS line_no, s.schedule AS schedule_no, h.vendor AS supplier_id, i.material AS item_no,
       i.vendor_material AS supplier_item_no, i.short_text AS description, i.plant AS plant, s.quantity AS quantity,
       i.unit AS unit, i.net_price AS unit_price, h.currency AS currency, h.ordered_on AS ordered_on, s.due_on AS due_on,
       CASE WHEN s.deletion_flag = 'L' THEN 'cancelled' WHEN s.revision > 0 THEN 'changed' ELSE 'open' END AS status,
       s.changed_at AS changed_at
FROM po_schedule AS s JOIN po_item AS i ON i.po = s.po AND i.item = s.item JOIN po_header AS h ON h.po = s.po;
CREATE VIEW integration_receipts AS
SELECT i.receipt AS receipt_no, i.item AS line_no, i.po AS order_no, i.po_item AS order_line_no, h.vendor AS supplier_id,
       i.material AS item_no, i.plant AS plant, i.quantity AS quantity, i.unit AS unit, h.received_at AS received_at,
       h.delivery_note AS shipment_no, i.batch AS lot_no, i.remark AS condition, h.posted_at AS changed_at
FROM goods_receipt_item AS i JOIN goods_receipt AS h ON h.receipt = i.receipt;
CREATE VIEW integration_stock AS
SELECT plant, location, material AS item_no, batch AS lot_no, quantity, unit, stock_type AS stock_status, counted_at
FROM stock_balance;
CREATE VIEW integration_partners AS
SELECT search_term AS partner, name, country, duns, gln, created_on AS valid_from, '' AS valid_to FROM business_partner;
CREATE VIEW integration_sites AS
SELECT short_name AS site, name, country, gln, time_zone AS timezone, '2020-01-01' AS valid_from, '' AS valid_to FROM plant
UNION ALL SELECT site, name, country, gln, time_zone, '2020-01-01', '' FROM business_partner_site;
CREATE VIEW integration_items AS
SELECT m.material AS item, m.description, u.iso_code AS base_unit, CASE m.blocked WHEN 0 THEN 'active' ELSE 'blocked' END AS status,
       m.created_on AS valid_from, '' AS valid_to
FROM material AS m JOIN unit_of_measure AS u ON u.unit = m.base_unit;
CREATE VIEW integration_units AS
SELECT c.material AS item, f.iso_code AS from_unit, t.iso_code AS to_unit, c.base_units AS factor, '' AS valid_from, '' AS valid_to
FROM material_unit AS c JOIN material AS m ON m.material = c.material
JOIN unit_of_measure AS f ON f.unit = c.unit JOIN unit_of_measure AS t ON t.unit = m.base_unit;
CREATE VIEW integration_calendars AS
SELECT 'RAVENSMOOR' AS calendar, '2026-04-03' AS day, 'no' AS working, 'Good Friday' AS name, '' AS valid_from, '' AS valid_to
UNION ALL SELECT 'RAVENSMOOR', '2026-04-06', 'no', 'Easter Monday', '', ''
UNION ALL SELECT 'RAVENSMOOR', '2026-08-03', 'no', 'Works holiday', '', ''
UNION ALL SELECT 'GULLHAVEN', '2026-05-25', 'no', 'Memorial Day', '', '';
CREATE VIEW integration_cross_references AS
SELECT p.search_term AS partner, 'item' AS kind, i.vendor_material AS theirs, i.material AS ours, i.valid_from, '' AS valid_to
FROM purchasing_info AS i JOIN business_partner AS p ON p.number = i.vendor
UNION ALL SELECT '', 'partner', number, search_term, created_on, '' FROM business_partner
UNION ALL SELECT '', 'site', plant, short_name, '', '' FROM plant
UNION ALL SELECT '', 'site', gln, short_name, '', '' FROM plant
UNION ALL SELECT p.search_term, 'site', s.their_name, s.site, '', ''
FROM business_partner_site AS s JOIN business_partner AS p ON p.number = s.number
UNION ALL SELECT p.search_term, 'site', a.alias, t.short_name, '', ''
FROM plant_alias AS a JOIN plant AS t ON t.plant = a.plant JOIN business_partner AS p ON p.number = a.number
UNION ALL SELECT '', 'unit', unit, iso_code, '', '' FROM unit_of_measure
UNION ALL SELECT p.search_term, 'unit', b.their_unit, u.iso_code, '', ''
FROM business_partner_unit AS b JOIN business_partner AS p ON p.number = b.number JOIN unit_of_measure AS u ON u.unit = b.unit;
