"""Events to an HTTP receiver, as CloudEvents in any of the three content modes.

``batched`` (the default): one POST a batch, the body a JSON array of events (CloudEvents HTTP Protocol Binding 1.0.2,
section 3.3). ``structured``: one POST an event, the body the event (3.2). ``binary``: one POST an event, its attributes
in ``ce-`` headers and its data in the body (3.1). Any 2xx status takes what was posted; any other leaves it with us.

Every POST has an ``Idempotency-Key`` that is the same when the same events come again. A connection whose extra has a
``signing_secret`` gets each one signed as Standard Webhooks says: ``webhook-id``, ``webhook-timestamp`` and
``webhook-signature`` (``v1,`` and the base64 of HMAC-SHA256 over ``id.timestamp.body``).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec
from pydantic import Field, model_validator

from connectors.base import Sink
from connectors.connections import Connection, Connections
from connectors.web.answers import seconds_of
from schemas.configuration import Strict
from schemas.durations import Duration
from schemas.errors import ConfigError, CrossdockError, PermanentError, RefusedError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

#: Statuses of the 4xx class that another try can turn into a success.
_PASSING = frozenset({408, 421, 425, 429})
#: Statuses that speak of what was posted, not of us or of the address.
_REFUSING = frozenset({400, 406, 409, 410, 413, 422})
_SHOWN = 300  #: characters of the receiver's answer that an error repeats


class Options(Strict):
    """``sink: {kind: http, url: https://hub.example/events}`` or ``{kind: http, conn_id: hub}``."""

    url: Annotated[str, Field(pattern=r"^https?://[^/]+")] | None = None
    conn_id: str | None = None  #: where login (basic) or ``extra.token`` (bearer) come from, and the URL unless given
    mode: Literal["batched", "structured", "binary"] = "batched"
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
    secret = b""
    if options.conn_id is not None:
        connection = connections(options.conn_id)
        url = url or _url_of(connection)
        secret = signing_key(connection.extra.get("signing_secret", ""))
        if token := connection.extra.get("token"):
            session.headers["Authorization"] = f"Bearer {token}"
        elif connection.login:
            session.auth = (connection.login, connection.password)
    assert url is not None
    timeouts = options.connect_timeout.total_seconds(), options.timeout.total_seconds()
    return HttpSink(url, session, timeouts=timeouts, mode=options.mode, secret=secret)


class Message(NamedTuple):
    """One POST: its body, its headers, and the id under which the receiver knows it again."""

    body: bytes
    headers: Mapping[str, str]
    id: str


class HttpSink:
    """See the module. ``timeouts`` are for connecting and for each wait on the answer, in seconds."""

    def __init__(
        self,
        url: str,
        session: requests.Session,
        *,
        timeouts: tuple[float, float] = (10.0, 60.0),
        mode: str = "batched",
        secret: bytes = b"",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._url = url
        self._place = _without_secrets(url)
        self._session = session
        self._timeouts = timeouts
        self._message = {"structured": structured, "binary": binary}.get(mode)
        self._secret = secret
        self._now = now

    def deliver(self, events: Sequence[bytes]) -> None:
        """POST the batch, or each event of it.

        Raises TransientError (with ``retry_after`` where the receiver says so), RefusedError where it will not
        have these events, PermanentError; ``taken`` then says how many events it took before.
        """
        if self._message is None:
            if events:
                self._post(batched(events))
            return
        for taken, event in enumerate(events):
            try:
                self._post(self._message(event))
            except CrossdockError as error:
                error.details["taken"] = taken
                raise

    def close(self) -> None:
        self._session.close()

    def _post(self, message: Message) -> None:
        headers = {**message.headers, "Idempotency-Key": f'"{message.id}"', **self._signature(message)}
        with _translated(self._place, self._url):
            # a redirected POST would turn into a GET, so a redirect is refused instead
            answer = self._session.post(
                self._url,
                data=message.body,
                headers=headers,
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            )
            try:
                if 200 <= answer.status_code < 300:
                    return
                said = answer.raw.read(4 * _SHOWN, decode_content=True).decode("utf-8", "replace")
            finally:
                answer.close()
        raise self._refusal(answer.status_code, answer.headers, said)

    def _signature(self, message: Message) -> Mapping[str, str]:
        if not self._secret:
            return {}
        stamp = str(int(self._now().timestamp()))
        return {
            "webhook-id": message.id,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{signature(self._secret, message.id, stamp, message.body)}",
        }

    def _refusal(self, status: int, headers: Mapping[str, str], said: str) -> TransientError | PermanentError:
        story = " ".join(said.split())[:_SHOWN]
        message = f"{self._place} answered {status}" + (f": {story}" if story else "")
        if status >= 500 or status in _PASSING:
            wait = seconds_of(headers.get("Retry-After"), self._now())
            return TransientError(message, retry_after=wait, hint="the batch is offered again")
        if status in _REFUSING:
            return RefusedError(
                message, hint="the receiver will not take these events; see what it says", status=status
            )
        if 300 <= status < 400:
            hint = f"it has moved to {headers.get('Location', 'an unnamed place')}; write that into the outlet"
        elif status in (401, 403):
            hint = "give the outlet's connection the right credentials"
        else:
            hint = "the receiver will not take this batch; see what it says"
        return PermanentError(message, hint=hint, status=status)


class _Told(msgspec.Struct):
    """Of an event, what a message needs to know."""

    id: str
    data: msgspec.Raw = msgspec.Raw(b"null")


_told = msgspec.json.Decoder(_Told)


def batched(events: Sequence[bytes]) -> Message:
    """One message for all: its id is made of theirs."""
    ids = "\n".join([_told.decode(event).id for event in events])
    headers = {"Content-Type": "application/cloudevents-batch+json; charset=utf-8"}
    return Message(b"[%b]" % b",".join(events), headers, hashlib.sha256(ids.encode()).hexdigest()[:32])


def structured(event: bytes) -> Message:
    return Message(event, {"Content-Type": "application/cloudevents+json; charset=utf-8"}, _told.decode(event).id)


def binary(event: bytes) -> Message:
    """Attributes as headers: printable ASCII but for ``"`` and ``%``, the rest percent-encoded (section 3.1.3.2)."""
    attributes: dict[str, object] = msgspec.json.decode(event)
    told = _told.decode(event)
    kind = attributes.pop("datacontenttype", "application/json")
    attributes.pop("data", None)
    headers = {f"ce-{name}": quote(str(value), safe=_PLAIN) for name, value in attributes.items()}
    return Message(bytes(told.data), {**headers, "Content-Type": str(kind)}, told.id)


_PLAIN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


def signing_key(secret: str) -> bytes:
    """The key a secret stands for: ``whsec_`` before base64, or any text. Empty for none. Raises ConfigError."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        raise ConfigError("signing_secret begins with whsec_, but no base64 follows") from None


def signature(key: bytes, id: str, stamp: str, body: bytes) -> str:
    """HMAC-SHA256 over ``id.stamp.body``, base64 (Standard Webhooks)."""
    return base64.b64encode(hmac.digest(key, f"{id}.{stamp}.".encode() + body, "sha256")).decode()


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
    if connection.url:
        return connection.url
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
