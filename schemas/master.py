"""Master data: the tables that say who, what and where, and how partners call it.

Each row may also say more (``MASTER_EXTRAS``), above all who answers for it and where it is from. All columns are text.
``valid_from`` and ``valid_to`` are dates (``YYYY-MM-DD``), both inclusive; empty means since ever and until further
notice.
"""

from __future__ import annotations

MASTER_TABLES: dict[str, tuple[str, ...]] = {
    "partners": ("partner", "name", "country", "duns", "gln", "valid_from", "valid_to"),
    "sites": ("site", "name", "country", "gln", "timezone", "valid_from", "valid_to"),
    # base_unit: UN/ECE Recommendation 20; status: active or blocked
    "items": ("item", "description", "base_unit", "status", "valid_from", "valid_to"),
    # what one unit of an item is worth in another: 1 from_unit = factor to_unit; item empty: for all items
    "units": ("item", "from_unit", "to_unit", "factor", "valid_from", "valid_to"),
    # kind: item, site, partner or unit; theirs: the code they use; ours: our id (or Rec 20 code);
    # partner empty: holds for every partner
    "cross_references": ("partner", "kind", "theirs", "ours", "valid_from", "valid_to"),
    # day: a date, or MON to SUN for every such day; working: yes or no. Else Monday to Friday are working days
    "calendars": ("calendar", "day", "working", "name", "valid_from", "valid_to"),
}

#: Columns that a load may have, in this order. ``owner``: who answers for the row; ``source``: where it comes from.
MASTER_EXTRAS: dict[str, tuple[str, ...]] = {
    # incoterms: the terms agreed, as FCA or FCA Hull
    "partners": ("vat", "currency", "incoterms", "calendar", "owner", "source"),
    "sites": ("calendar", "owner", "source"),
    # rounding: up, down or half_even, to so many decimals, as in half_even:2 (see mappings.units)
    "items": ("gtin", "rounding", "owner", "source"),
    "units": ("rounding", "owner", "source"),
    "cross_references": ("owner", "source"),
    "calendars": ("owner", "source"),
}
