"""An HTTP session with one system: credentials, limits, and what its answers mean to us.

Nothing of requests leaves this module. Credentials come from the connection: ``login`` and ``password`` (basic),
``extra.token`` (bearer), ``extra.api_key`` with ``extra.api_key_header`` (a header of its own), or
``extra.token_url`` (OAuth 2, ``connectors.web.tokens``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from connectors.connections import Connection
from connectors.web.answers import SHOWN, as_json, bare, is_passing, seconds_of, told_by, translated
from connectors.web.tokens import AccessTokens
from schemas.errors import ConfigError, PermanentError, TransientError

if TYPE_CHECKING:
    import requests

MOST = 256 << 20  #: bytes an answer may have


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
            return as_json(self.body)
        except ValueError as error:
            begin = self.body[:SHOWN].decode("utf-8", "replace")
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
        self._tokens = AccessTokens(connection) if connection.extra.get("token_url") else None

    def get(
        self, url: str, *, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask for ``url``, which is of this system. An expired token is renewed once.

        Raises TransientError (with ``retry_after`` where the system says so) and PermanentError.
        """
        self._check_origin(url)
        answer = self._asked(url, params, headers)
        if answer.status_code == 401 and self._tokens is not None:
            answer.close()
            self._tokens.forget()
            answer = self._asked(url, params, headers)
        with translated(url):
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
        with translated(url):
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
                    f"{bare(answer.url)} answered more than {MOST >> 20} MB at once", hint="ask for smaller pages"
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
        if self._tokens is not None:
            return {"Authorization": f"Bearer {self._tokens.token()}"}
        return {}

    # -- what goes wrong --------------------------------------------------------------------------------

    def _check_origin(self, url: str) -> None:
        """Credentials go to the connection's own host only, wherever a link in an answer points."""
        here, there = urlsplit(self.base), urlsplit(url)
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            raise PermanentError(
                f"{bare(url)} is not on {here.scheme}://{here.netloc}",
                hint="a link that leads to another host is not followed; name that host in a connection of its own",
            )

    def _refusal(
        self, url: str, status: int, headers: Mapping[str, str], body: bytes
    ) -> TransientError | PermanentError:
        said = told_by(body)
        message = f"{bare(url)} answered {status}" + (f": {said}" if said else "")
        if is_passing(status):
            return TransientError(
                message, retry_after=seconds_of(headers.get("Retry-After"), self._now()), status=status
            )
        if 300 <= status < 400:
            hint = (
                f"it has moved to {bare(headers.get('Location', 'an unnamed place'))}; write that into the connection"
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
    if connection.url:
        return connection.url.rstrip("/")
    secure = connection.type in ("https", "odata", "rest") or connection.schema in ("https",)
    scheme = connection.extra.get("scheme") or ("https" if secure or connection.port == 443 else "http")
    port = f":{connection.port}" if connection.port else ""
    path = connection.schema if connection.schema not in ("http", "https") else ""
    return f"{scheme}://{connection.host}{port}/{path}".rstrip("/")
