"""OAuth 2 access tokens by client credentials or by refresh token (RFC 6749, 4.4 and 6), each used until it ends.

In a connection's ``extra``: ``token_url``, ``scope``, ``refresh_token``, and ``client_id`` with ``client_secret`` (sent
in the form); without these ``login`` and ``password`` are the client's (sent as basic authentication, 2.3.1).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from connectors.connections import Connection
from connectors.web.answers import as_json, bare, is_passing, seconds_of, translated
from schemas.errors import PermanentError, TransientError

if TYPE_CHECKING:
    import requests

_MARGIN = 60.0  #: seconds before its end in which a token is no longer used
_DEFAULT_LIFE = 300.0  #: seconds, of a token that does not say
_TIMEOUTS = (10.0, 30.0)  #: seconds, for connecting and for the answer
_FORM = ("client_id", "client_secret", "refresh_token", "scope")


class AccessTokens:
    """The tokens of one connection. ``clock`` tells seconds."""

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection = connection
        self._url = connection.extra["token_url"]
        self._clock = clock
        self._token = ""
        self._until = 0.0

    def token(self) -> str:
        """The token in force. Raises TransientError when the token server is away, PermanentError when it refuses."""
        if not self._token or self._clock() >= self._until:
            self._ask()
        return self._token

    def forget(self) -> None:
        """The token was refused: the next is a new one."""
        self._token = ""

    def _ask(self) -> None:
        import requests

        connection = self._connection
        given = {name: value for name in _FORM if (value := connection.extra.get(name))}
        form = {"grant_type": "refresh_token" if "refresh_token" in given else "client_credentials", **given}
        basic = None if "client_id" in given else (connection.login, connection.password)
        with translated(self._url), requests.Session() as session:
            session.trust_env = False  # no credentials out of a .netrc
            answer = session.post(self._url, data=form, auth=basic, timeout=_TIMEOUTS, allow_redirects=False)
        self._take(answer)

    def _take(self, answer: requests.Response) -> None:
        place = bare(self._url)
        if is_passing(answer.status_code):
            wait = seconds_of(answer.headers.get("Retry-After"), datetime.now(UTC))
            raise TransientError(f"{place} answered {answer.status_code}", retry_after=wait)
        try:
            told = as_json(answer.content)
        except ValueError:
            told = None
        given = told if isinstance(told, dict) else {}
        if answer.status_code != 200 or not given.get("access_token"):
            reason = given.get("error_description") or given.get("error") or f"it answered {answer.status_code}"
            raise PermanentError(
                f"{place} gives no token: {str(reason)[:200]}",
                hint=f"mend the credentials of connection {self._connection.conn_id}",
            )
        self._token = str(given["access_token"])
        life = str(given.get("expires_in", ""))
        lasts = float(life) if life.replace(".", "", 1).isdigit() else _DEFAULT_LIFE
        self._until = self._clock() + max(0.0, lasts - _MARGIN)
