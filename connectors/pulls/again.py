"""From where to pull again, where rows committed after more than the overlap lie.

Whoever compares keys with what was pulled asks for it. The source does it at its next run.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from connectors.base import State


class _Asked(msgspec.Struct):
    since: str
    at: str


def ask_again(state: State, query: str, since: str, moment: datetime) -> None:
    """Let the next pull of ``query`` begin at ``since``, a watermark as payloads write it. ``moment``: of the keys."""
    state.set(f"again.{query}", msgspec.json.encode(_Asked(since, moment.isoformat())).decode())


def again(state: State, query: str) -> str | None:
    """From where the next pull is to begin, if it is asked for and not done."""
    asked = state.get(f"again.{query}")
    if not asked or asked == state.get(f"again_done.{query}"):
        return None
    return msgspec.json.decode(asked, type=_Asked).since


def done(state: State, query: str) -> dict[str, str]:
    """What is to be remembered once what is asked for by now is settled."""
    asked = state.get(f"again.{query}")
    return {f"again_done.{query}": asked} if asked else {}
