"""Master data: the tables that say who, what and where, and how partners call it.

All columns are text. ``valid_from`` and ``valid_to`` are dates (``YYYY-MM-DD``), both inclusive;
empty means since ever and until further notice.
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
}
