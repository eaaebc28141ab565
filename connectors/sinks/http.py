"""Events to an HTTP receiver, as CloudEvents in the batched content mode.

One POST a batch: ``Content-Type: application/cloudevents-batch+json``, the body a JSON array of
events (CloudEvents HTTP Protocol Binding 1.0.2, section 3.3). Any 2xx status takes the batch; any
other leaves all of it with us. A receiver knows an event that comes again by its ``id``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from connectors.base import Sink
from connectors.connections import Connection, Connections
from schemas.configuration import Strict
from schemas.durations import Duration
from schemas.errors import ConfigError, PermanentError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

#: Statuses of the 4xx class that another try can turn into a success.
_PASSING = frozenset({408, 421, 425, 429})
_SHOWN = 300  #: characters of the receiver's answer that an error repeats


class Options(Strict):
    """``sink: {kind: http, url: https://hub.example/events}`` or ``{kind: http, conn_id: hub}``."""

    url: Annotated[str, Field(pattern=r"^https?://[^/]+")] | None = None
    conn_id: str | None = None  #: where login (basic) or ``extra.token`` (bearer) come from, and the URL unless given
    headers: Mapping[str, str] = {}
    connect_timeout: Duration = Field(timedelta(seconds=10), gt=timedelta(0))
    timeout: Duration = Field(timedelta(seconds=60), gt=timedelta(0))  #: between two bytes of the answer

    @model_validator(mode="after")
    def _has_a_receiver(self) -> Options:
        if self.url is None and self.conn_id is None:
            raise ValueError("needs url or conn_id")
        return self


def open_sink(options: Options, *, home: Path, connections: Connections) -> Sink:  # noqa: ARG001
    import requests

    session = requests.Session()
    session.headers.update(options.headers)
    url = options.url
    if options.conn_id is not None:
        connection = connections(options.conn_id)
        url = url or _url_of(connection)
        if token := connection.extra.get("token"):
            session.headers["Authorization"] = f"Bearer {token}"
        elif connection.login:
            session.auth = (connection.login, connection.password)
    assert url is not None
    timeouts = options.connect_timeout.total_seconds(), options.timeout.total_seconds()
    return HttpSink(url, session, timeouts=timeouts)


class HttpSink:
    """See the module. ``timeouts`` are for connecting and for each wait on the answer, in seconds."""

    def __init__(
        self,
        url: str,
        session: requests.Session,
        *,
        timeouts: tuple[float, float] = (10.0, 60.0),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._url = url
        self._place = _without_secrets(url)
        self._session = session
        self._timeouts = timeouts
        self._now = now

    def deliver(self, events: Sequence[bytes]) -> None:
        """POST the batch. Raises TransientError (with ``retry_after`` where the receiver says so) or PermanentError."""
        if not events:
            return
        body = b"[" + b",".join(events) + b"]"
        headers = {"Content-Type": "application/cloudevents-batch+json; charset=utf-8"}
        with _translated(self._place, self._url):
            # a redirected POST would turn into a GET, so a redirect is refused instead
            answer = self._session.post(
                self._url, data=body, headers=headers, timeout=self._timeouts, allow_redirects=False, stream=True
            )
            try:
                if 200 <= answer.status_code < 300:
                    return
                said = answer.raw.read(4 * _SHOWN, decode_content=True).decode("utf-8", "replace")
            finally:
                answer.close()
        raise self._refusal(answer.status_code, answer.headers, said)

    def close(self) -> None:
        self._session.close()

    def _refusal(self, status: int, headers: Mapping[str, str], said: str) -> TransientError | PermanentError:
        story = " ".join(said.split())[:_SHOWN]
        message = f"{self._place} answered {status}" + (f": {story}" if story else "")
        if status >= 500 or status in _PASSING:
            wait = retry_after(headers.get("Retry-After"), self._now())
            return TransientError(message, retry_after=wait, hint="the batch is offered again")
        if 300 <= status < 400:
            hint = f"it has moved to {headers.get('Location', 'an unnamed place')}; write that into the outlet"
        elif status in (401, 403):
            hint = "give the outlet's connection the right credentials"
        elif status == 413:
            hint = "make the outlet's batch smaller"
        else:
            hint = "the receiver will not take this batch; see what it says"
        return PermanentError(message, hint=hint, status=status)


def retry_after(written: str | None, now: datetime) -> float | None:
    """Seconds to wait by a ``Retry-After`` header, which gives seconds or a date (RFC 9110, 10.2.3), else None."""
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


@contextmanager
def _translated(place: str, url: str) -> Iterator[None]:
    import urllib3
    from requests import RequestException

    try:
        yield
    except RequestException as error:
        raise as_ours(error, place, url) from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise TransientError(f"{place}: the answer broke off: {type(error).__name__}") from None


def as_ours(error: Exception, place: str, url: str = "") -> TransientError | PermanentError | ConfigError:
    """The error of ours that an error of requests means. What ``url`` hides (login, query) is blotted out of it."""
    from requests import exceptions as theirs

    story = f"{place}: {_reason(error)}"
    parts = urlsplit(url)
    for secret in (parts.netloc.rpartition("@")[0], parts.query):
        story = story.replace(secret, "***") if secret else story
    match error:
        case theirs.SSLError():
            return PermanentError(story, hint="its certificate is not trusted here")
        case theirs.Timeout() | theirs.ConnectionError() | theirs.ChunkedEncodingError() | theirs.RetryError():
            return TransientError(story)
        case theirs.ContentDecodingError() | theirs.StreamConsumedError() | theirs.JSONDecodeError():
            return TransientError(story, hint="the receiver's answer cannot be read")
        case theirs.InvalidHeader() | theirs.InvalidProxyURL() | theirs.InvalidURL():
            return ConfigError(story, hint="mend the outlet")
        case theirs.InvalidSchema() | theirs.MissingSchema() | theirs.URLRequired():
            return ConfigError(story, hint="the url must begin with https:// or http://")
        case _:
            return PermanentError(story)


def _reason(error: Exception) -> str:
    cause = error.args[0] if error.args else error
    return str(getattr(cause, "reason", None) or error) or type(error).__name__


def _url_of(connection: Connection) -> str:
    if not connection.host:
        raise ConfigError(f"connection {connection.conn_id!r} has no host", hint="or write the url into the outlet")
    if "://" in connection.host:
        return connection.host
    scheme, path = connection.type, connection.schema
    if path in ("http", "https"):  # Airflow's HTTP connections keep the scheme in the schema
        scheme, path = path, ""
    if scheme not in ("http", "https"):
        raise ConfigError(
            f"connection {connection.conn_id!r} is of type {connection.type}", hint="make it http or https"
        )
    port = f":{connection.port}" if connection.port else ""
    return f"{scheme}://{connection.host}{port}/{path or connection.extra.get('path', '').lstrip('/')}"


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
