"""What answers and failures over HTTP mean to us. Nothing of requests' errors leaves ``translated``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from schemas.errors import PermanentError, TransientError

SHOWN = 300  #: characters of an answer that an error repeats
#: Statuses of the 4xx class that pass by themselves: time-out, locked (WebDAV, as SAP says it), too early, too many.
_PASSING = frozenset({408, 423, 425, 429})


def is_passing(status: int) -> bool:
    """Whether to try again."""
    return status >= 500 or status in _PASSING


def as_json(body: bytes) -> Any:
    """JSON whose numbers are text, every digit kept. Raises ValueError."""
    try:
        return json.loads(body, parse_float=str, parse_int=str)
    except RecursionError as error:
        raise ValueError(str(error)) from None


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Turn errors of requests into ours."""
    import requests

    try:
        yield
    except (
        requests.exceptions.SSLError,
        requests.exceptions.InvalidURL,
        requests.exceptions.MissingSchema,
    ) as error:
        raise PermanentError(f"{bare(url)}: {_plain(error)}", hint="mend the connection") from None
    except requests.exceptions.RequestException as error:
        raise TransientError(f"{bare(url)}: {_plain(error)}", hint="it is tried again") from None


def seconds_of(written: str | None, now: datetime) -> float | None:
    """Seconds to wait by a ``Retry-After`` header, which gives seconds or a date (RFC 9110, 10.2.3); else None."""
    if not written:
        return None
    if written.strip().isdecimal():
        return float(written)
    try:
        moment = parsedate_to_datetime(written)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def told_by(body: bytes) -> str:
    """What an error's body says in words: OData's message, else its beginning."""
    try:
        message: Any = json.loads(body)["error"]["message"]
        text = message["value"] if isinstance(message, dict) else message
    except (ValueError, KeyError, TypeError, RecursionError):
        text = body[: 4 * SHOWN].decode("utf-8", "replace")
    return " ".join(str(text).split())[:SHOWN]


def bare(url: str) -> str:
    """An address without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _plain(error: Exception) -> str:
    """The innermost reason, without object addresses and queries."""
    reason = error
    while reason.__cause__ or reason.__context__:
        reason = reason.__cause__ or reason.__context__  # type: ignore[assignment]
    return f"{type(error).__name__}: {str(reason)[:SHOWN]}" if str(reason) else type(error).__name__
