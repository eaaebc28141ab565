"""An HTTP session with one system: credentials, limits, and what its answers mean to us.

Nothing of requests leaves this module. Credentials come from the connection: ``login`` and ``password`` (basic),
``extra.token`` (bearer), ``extra.api_key`` with ``extra.api_key_header`` (a header of its own), or
``extra.token_url`` (OAuth 2 client credentials, RFC 6749 4.4, with ``login`` and ``password`` as id and secret).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from connectors.connections import Connection
from schemas.errors import ConfigError, PermanentError, TransientError

if TYPE_CHECKING:
    import requests

MOST = 256 << 20  #: bytes an answer may have
_EARLY = timedelta(seconds=30)  #: so long before its end a token is no longer used
_SHOWN = 300  #: characters of an answer that an error repeats
#: Statuses of the 4xx class that pass by themselves: time-out, locked (WebDAV, as SAP says it), too early, too many.
_PASSING = frozenset({408, 423, 425, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the system said. ``not_modified``: what was asked for is as it was."""

    url: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    not_modified: bool = False

    def json(self) -> Any:
        """The body as JSON whose numbers are text, every digit kept. Raises PermanentError where it is none."""
        try:
            return json.loads(self.body, parse_float=str, parse_int=str)
        except (ValueError, RecursionError) as error:
            begin = self.body[:_SHOWN].decode("utf-8", "replace")
            raise PermanentError(
                f"{self.url} answered something that is no JSON: {error}: {begin}",
                hint="is this the address of the service itself?",
            ) from None


class WebSession:
    """A session with the system behind ``connection``.

    ``timeouts`` are for connecting and for each wait, in seconds.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        timeouts: tuple[float, float] = (10.0, 120.0),
        headers: Mapping[str, str] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        import requests

        self.base = base_url(connection)
        self._connection = connection
        self._timeouts = timeouts
        self._now = now
        self._session = requests.Session()
        self._session.trust_env = False  # no credentials out of a .netrc
        self._session.headers.update({"User-Agent": "crossdock", "Accept-Encoding": "gzip, deflate", **(headers or {})})
        self._token = ""
        self._token_ends = datetime.min.replace(tzinfo=UTC)

    def get(
        self, url: str, *, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask for ``url``, which is of this system. An expired token is renewed once.

        Raises TransientError (with ``retry_after`` where the system says so) and PermanentError.
        """
        self._check_origin(url)
        answer = self._asked(url, params, headers)
        if answer.status_code == 401 and self._connection.extra.get("token_url"):
            answer.close()
            self._token = ""
            answer = self._asked(url, params, headers)
        with self._translated(url):
            try:
                body = self._read(answer)
            finally:
                answer.close()
        if answer.status_code == 304:
            return Answer(url, b"", dict(answer.headers), not_modified=True)
        if answer.status_code != 200:
            raise self._refusal(url, answer.status_code, answer.headers, body)
        return Answer(url, body, dict(answer.headers))

    def close(self) -> None:
        """Idempotent."""
        self._session.close()

    def _asked(
        self, url: str, params: Mapping[str, str] | None, headers: Mapping[str, str] | None
    ) -> requests.Response:
        with self._translated(url):
            return self._session.get(
                url,
                params=dict(params or {}),
                headers={**(headers or {}), **self._credentials()},
                auth=self._basic(),
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            )

    def _read(self, answer: requests.Response) -> bytes:
        parts, size = [], 0
        for part in answer.iter_content(1 << 20):
            parts.append(part)
            size += len(part)
            if size > MOST:
                raise PermanentError(
                    f"{_bare(answer.url)} answered more than {MOST >> 20} MB at once", hint="ask for smaller pages"
                )
        return b"".join(parts)

    # -- who we are -------------------------------------------------------------------------------------

    def _basic(self) -> tuple[str, str] | None:
        connection = self._connection
        other = any(connection.extra.get(name) for name in ("token", "token_url", "api_key"))
        return (connection.login, connection.password) if connection.login and not other else None

    def _credentials(self) -> dict[str, str]:
        extra = self._connection.extra
        if token := extra.get("token"):
            return {"Authorization": f"Bearer {token}"}
        if key := extra.get("api_key"):
            return {extra.get("api_key_header", "X-API-Key"): key}
        if extra.get("token_url"):
            return {"Authorization": f"Bearer {self._bearer()}"}
        return {}

    def _bearer(self) -> str:
        """The token in force; a new one where it has run out."""
        if self._token and self._now() < self._token_ends - _EARLY:
            return self._token
        connection = self._connection
        url = connection.extra["token_url"]
        form = {"grant_type": "client_credentials"}
        if scope := connection.extra.get("scope"):
            form["scope"] = scope
        with self._translated(url):
            answer = self._session.post(
                url,
                data=form,
                auth=(connection.login, connection.password),
                timeout=self._timeouts,
                allow_redirects=False,
            )
        if answer.status_code in (400, 401, 403):
            raise PermanentError(
                f"{_bare(url)} gives no token: it answered {answer.status_code}",
                hint=f"mend login and password of connection {connection.conn_id}",
            )
        if answer.status_code != 200:
            raise self._refusal(url, answer.status_code, answer.headers, answer.content)
        told = Answer(_bare(url), answer.content).json()
        token = told.get("access_token") if isinstance(told, dict) else None
        if not isinstance(token, str) or not token:
            raise PermanentError(f"{_bare(url)} answered without an access_token")
        lifetime = str(told.get("expires_in", ""))
        self._token = token
        self._token_ends = self._now() + timedelta(seconds=int(lifetime) if lifetime.isdigit() else 300)
        return token

    # -- what goes wrong --------------------------------------------------------------------------------

    def _check_origin(self, url: str) -> None:
        """Credentials go to the connection's own host only, wherever a link in an answer points."""
        here, there = urlsplit(self.base), urlsplit(url)
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            raise PermanentError(
                f"{_bare(url)} is not on {here.scheme}://{here.netloc}",
                hint="a link that leads to another host is not followed; name that host in a connection of its own",
            )

    @contextmanager
    def _translated(self, url: str) -> Iterator[None]:
        import requests

        try:
            yield
        except (
            requests.exceptions.SSLError,
            requests.exceptions.InvalidURL,
            requests.exceptions.MissingSchema,
        ) as error:
            raise PermanentError(f"{_bare(url)}: {_plain(error)}", hint="mend the connection") from None
        except requests.exceptions.RequestException as error:
            raise TransientError(f"{_bare(url)}: {_plain(error)}", hint="it is tried again") from None

    def _refusal(
        self, url: str, status: int, headers: Mapping[str, str], body: bytes
    ) -> TransientError | PermanentError:
        said = told_by(body)
        message = f"{_bare(url)} answered {status}" + (f": {said}" if said else "")
        if status >= 500 or status in _PASSING:
            return TransientError(
                message, retry_after=seconds_of(headers.get("Retry-After"), self._now()), status=status
            )
        if 300 <= status < 400:
            hint = (
                f"it has moved to {_bare(headers.get('Location', 'an unnamed place'))}; write that into the connection"
            )
        elif status in (401, 403):
            hint = f"mend the credentials of connection {self._connection.conn_id}, or what it may read"
        else:
            hint = "mend the query, or the address in the connection"
        return PermanentError(message, hint=hint, status=status)


def base_url(connection: Connection) -> str:
    """``https://host:port/path`` of a connection. Raises ConfigError where it names no host."""
    if not connection.host:
        raise ConfigError(f"connection {connection.conn_id!r} names no host", hint="write it as https://host:port/path")
    if "://" in connection.host:
        return connection.host.rstrip("/")
    secure = connection.type in ("https", "odata", "rest") or connection.schema in ("https",)
    scheme = connection.extra.get("scheme") or ("https" if secure or connection.port == 443 else "http")
    port = f":{connection.port}" if connection.port else ""
    path = connection.schema if connection.schema not in ("http", "https") else ""
    return f"{scheme}://{connection.host}{port}/{path}".rstrip("/")


def seconds_of(written: str | None, now: datetime) -> float | None:
    """What a Retry-After header says, in seconds (RFC 9110 10.2.3); None where it says nothing that can be read."""
    if not written:
        return None
    if written.strip().isdigit():
        return float(written.strip())
    try:
        return max(0.0, (parsedate_to_datetime(written) - now).total_seconds())
    except (ValueError, TypeError):
        return None


def told_by(body: bytes) -> str:
    """What an error's body says in words: OData's message, else its beginning."""
    try:
        message: Any = json.loads(body)["error"]["message"]
        text = message["value"] if isinstance(message, dict) else message
    except (ValueError, KeyError, TypeError, RecursionError):
        text = body[: 4 * _SHOWN].decode("utf-8", "replace")
    return " ".join(str(text).split())[:_SHOWN]


def _bare(url: str) -> str:
    """An address without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _plain(error: Exception) -> str:
    """The innermost reason, without object addresses and queries."""
    reason = error
    while reason.__cause__ or reason.__context__:
        reason = reason.__cause__ or reason.__context__  # type: ignore[assignment]
    return f"{type(error).__name__}: {str(reason)[:_SHOWN]}" if str(reason) else type(error).__name__
