"""The feed's API as one of its readers meets it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import requests

from schemas.errors import PermanentError, TransientError

TIMEOUT = 30.0
PAGE = 1000


class Feed:
    """A client of ``crossdock serve`` at ``url``."""

    def __init__(self, url: str, token: str, *, session: requests.Session | None = None) -> None:
        self.url = url
        self._session = session or requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"

    def is_well(self) -> bool:
        """Whether it answers, and its ledger with it."""
        try:
            return self._session.get(f"{self.url}/healthz", timeout=TIMEOUT).ok
        except requests.RequestException:
            return False

    def events(self, *, after: int = 0) -> Iterator[dict[str, Any]]:
        """All CloudEvents after a position, in order.

        Raises TransientError when nobody answers, PermanentError for a refusal.
        """
        while True:
            page = self._page(after)
            if not page["events"]:
                return
            yield from page["events"]
            after = page["next"]

    def end(self, *, after: int = 0) -> int:
        """The position of the last event there is after a position; that position itself where there is none."""
        while (page := self._page(after))["events"]:
            after = page["next"]
        return after

    def _page(self, after: int) -> dict[str, Any]:
        try:
            response = self._session.get(
                f"{self.url}/v1/events", params={"after": after, "limit": PAGE}, timeout=TIMEOUT
            )
        except requests.RequestException as error:
            raise TransientError(f"the feed at {self.url} does not answer: {error}") from error
        if not response.ok:
            raise PermanentError(f"the feed at {self.url} answers {response.status_code}: {response.text[:300]}")
        page: dict[str, Any] = response.json()
        return page
