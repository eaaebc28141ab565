"""What a source remembers between runs, in memory."""

from __future__ import annotations


class MemoryState(dict[str, str]):
    """connectors.base.State over a dict."""

    def set(self, key: str, value: str) -> None:
        self[key] = value
