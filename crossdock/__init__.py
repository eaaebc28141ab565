"""Crossdock: orders, receipts and ship notices from anywhere, as one kind of event.

``translate`` is the library's front door: bytes in, tables of lines, events and findings out,
with no ledger and no configuration beyond the shipped mappings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crossdock.translation import Translation, translate

__all__ = ["Translation", "translate"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in __all__:
        from crossdock import translation

        return getattr(translation, name)
    raise AttributeError(f"module 'crossdock' has no attribute {name!r}")
