"""Mail on an IMAP server (RFC 9051): each message of a folder is an arrival.

A message that was taken is moved to the folder ``done``, or with ``settle: flag`` stays and gets the keyword
``$Crossdock``. It is known by Message-ID and SHA-256, so that neither a crash nor new numbers (UIDVALIDITY) bring it
twice: each message is fetched once, to a temporary file, before it is named. Reading leaves it unread.
Taking the message apart is the business of ``connectors.formats.mail``, as with the Maildir source.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.parser import BytesHeaderParser
from email.policy import compat32
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from connectors.base import Arrival, State
from connectors.connections import Connections
from connectors.mailbox.login import MailLogin, mail_login
from schemas.configuration import Strict
from schemas.durations import Duration
from schemas.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from imapclient import IMAPClient

KEYWORD = "$Crossdock"  #: on messages that were taken, with ``settle: flag``
PIECE = 1 << 20  #: bytes asked for in one go
_HEAD = 256 * 1024  #: bytes within which a message's headers are looked for
_IN_MEMORY = 4 << 20  #: bytes of a message kept in memory; a larger one lies in a temporary file
_IDLE = 25 * 60.0  #: seconds after which an IDLE is begun anew (RFC 9051, 6.3.13: before 29 minutes)
_POLL = 15.0  #: seconds between two looks where the server has no IDLE


class Options(Strict):
    """``source: {kind: imap, conn_id: mail, folder: INBOX}``."""

    conn_id: str  #: see ``connectors.mailbox.login``
    folder: Annotated[str, Field(min_length=1)] = "INBOX"
    settle: Literal["move", "flag"] = "move"
    done: Annotated[str, Field(min_length=1)] = "Crossdock"  #: where taken messages go; made when it is not there
    timeout: Duration = Field(timedelta(seconds=60), gt=timedelta(0))  #: for connecting and for each answer

    @model_validator(mode="after")
    def _done_is_elsewhere(self) -> Options:
        if self.settle == "move" and self.done == self.folder:
            raise ValueError("done and folder are the same; taken messages would arrive again for ever")
        return self


def open_source(options: Options, *, home: Path, state: State, connections: Connections) -> ImapSource:  # noqa: ARG001
    return ImapSource(mail_login(connections(options.conn_id), "imap"), options)


@dataclass(frozen=True, slots=True)
class _Place:
    """Which message is meant: numbers are good only under their UIDVALIDITY (RFC 9051, 2.3.1.1)."""

    validity: int
    uid: int

    def __str__(self) -> str:
        return f"{self.validity}:{self.uid}"

    @classmethod
    def parse(cls, written: str) -> _Place:
        validity, _, uid = written.partition(":")
        return cls(int(validity), int(uid))


class ImapSource:
    """See the module. Connects when first asked, and again after the connection broke off."""

    def __init__(self, login: MailLogin, options: Options) -> None:
        self._login = login
        self._options = options
        self._client: IMAPClient | None = None
        self._validity = 0
        self._done_is_there = False
        self._fetched: tuple[_Place, IO[bytes]] | None = None
        self._told: frozenset[tuple[int, int]] = frozenset()

    def arrivals(self, limit: int) -> Iterator[Arrival]:
        """Messages not taken yet, oldest first; each is fetched when it is its turn."""
        with self._asking() as client:
            uids = sorted(client.search(self._not_taken))[:limit]
            validity = self._validity
        for uid in uids:
            arrival = self._arrival(_Place(validity, uid))
            if arrival is not None:
                yield arrival

    def fetch(self, arrival: Arrival) -> Iterator[bytes]:
        """The message as the server has it."""
        place = _Place.parse(arrival.metadata["uid"])
        if self._fetched is None or self._fetched[0] != place:
            self._download(place)
        assert self._fetched is not None
        file = self._fetched[1]
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece

    def settle(self, arrival: Arrival) -> None:
        """Move or flag it. One that is gone, or under numbers that no longer hold, is left alone."""
        place = _Place.parse(arrival.metadata["uid"])
        with self._asking() as client:
            if self._validity != place.validity:
                return
            if self._options.settle == "flag":
                client.add_flags([place.uid], [KEYWORD, b"\\Seen"], silent=True)
            else:
                self._move(client, place.uid)

    def wait(self, seconds: float) -> bool:
        """Wait until there is a message that no earlier call told of, by IDLE (RFC 9051, 6.3.13) where the server has
        it; False when none was heard of."""
        with self._asking() as client:
            if self._is_new_there(client):
                return True
            if not client.has_capability("IDLE"):
                return self._look_now_and_then(client, seconds)
            client.idle()
            try:
                client.idle_check(timeout=min(seconds, _IDLE))
            finally:
                client.idle_done()
            return self._is_new_there(client)

    def lies(self) -> bool:
        """Whether there is a message that was not taken yet."""
        with self._asking() as client:
            return bool(client.search(self._not_taken))

    def _is_new_there(self, client: IMAPClient) -> bool:
        """Asked rather than believed: what a server tells between two IDLEs nobody hears."""
        lies = frozenset((self._validity, uid) for uid in client.search(self._not_taken))
        fresh, self._told = lies - self._told, lies
        return bool(fresh)

    def close(self) -> None:
        self._forget()
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                client.logout()
                return
            with suppress(Exception):
                client.shutdown()

    # -- within -----------------------------------------------------------------------------------

    def _arrival(self, place: _Place) -> Arrival | None:
        """None for a message that is gone meanwhile."""
        found = self._download(place)
        if found is None:
            return None
        received_at, digest, head = found
        # compat32 reads headers of any quality without raising
        headers = BytesHeaderParser(policy=compat32).parsebytes(head)
        message_id = " ".join(str(headers.get("Message-ID", "")).split())
        return Arrival(
            key=f"{message_id}#{digest}",
            name=f"{place.validity}-{place.uid}.eml",
            received_at=received_at,
            metadata={
                "uid": str(place),
                "folder": self._options.folder,
                "message_id": message_id,
                "content_type": "message/rfc822",
            },
        )

    def _download(self, place: _Place) -> tuple[datetime, str, bytes] | None:
        """Fetch a message to a temporary file: when it came, its SHA-256, and its first bytes."""
        self._forget()
        with self._asking() as client:
            if self._validity != place.validity:
                raise TransientError(f"{self._place}: the numbers of its messages have changed", hint="looked at again")
            facts = client.fetch([place.uid], ["INTERNALDATE", f"BODY.PEEK[]<0.{PIECE}>"]).get(place.uid)
            if facts is None or (piece := _piece(facts)) is None:
                return None
            file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  # closed by _forget
            self._fetched = place, file
            digest = hashlib.sha256()
            for one in self._pieces(client, place.uid, piece):
                digest.update(one)
                file.write(one)
        file.seek(0)
        return _aware(facts[b"INTERNALDATE"]), digest.hexdigest(), file.read(_HEAD)

    def _pieces(self, client: IMAPClient, uid: int, piece: bytes) -> Iterator[bytes]:
        """The message from its first piece on; one shorter than asked for is the last (RFC 9051, 6.4.5)."""
        at = 0
        while True:
            yield piece
            at += len(piece)
            if len(piece) < PIECE:
                return
            following = _piece(client.fetch([uid], [f"BODY.PEEK[]<{at}.{PIECE}>"]).get(uid, {}))
            if following is None:
                self._forget()
                raise TransientError(f"{self._place}: message {uid} went away while it was read")
            piece = following

    def _move(self, client: IMAPClient, uid: int) -> None:
        """MOVE (RFC 6851) where the server has it; else copied and deleted, in this order."""
        if not self._done_is_there:
            if not client.folder_exists(self._options.done):
                client.create_folder(self._options.done)
            self._done_is_there = True
        if client.has_capability("MOVE"):
            client.move([uid], self._options.done)
            return
        client.copy([uid], self._options.done)
        client.add_flags([uid], [b"\\Deleted"], silent=True)
        if client.has_capability("UIDPLUS"):
            client.uid_expunge([uid])

    def _look_now_and_then(self, client: IMAPClient, seconds: float) -> bool:
        import time

        until = time.monotonic() + seconds
        while True:
            client.noop()
            if self._is_new_there(client):
                return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(left, _POLL))

    @property
    def _not_taken(self) -> list[str]:
        return ["UNDELETED"] if self._options.settle == "move" else ["UNDELETED", "UNKEYWORD", KEYWORD]

    @property
    def _place(self) -> str:
        return f"{self._login.place}/{self._options.folder}"

    @contextmanager
    def _asking(self) -> Iterator[IMAPClient]:
        """The connected client with the folder selected; what goes wrong becomes an error of ours."""
        import ssl

        from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

        try:
            yield self._connected()
        except LoginError as error:
            self._drop()
            hint = f"look at connection {self._login.conn_id!r}"
            raise PermanentError(f"{self._login.place} lets us not in: {_said(error)}", hint=hint) from None
        except ssl.SSLCertVerificationError as error:
            self._drop()
            hint = "extra.ca_file names the authority to believe"
            raise PermanentError(f"{self._login.place}: {error.verify_message}", hint=hint) from None
        except (IMAPClientAbortError, OSError) as error:
            self._drop()
            raise TransientError(f"{self._place}: {_said(error)}") from None
        except IMAPClientError as error:
            self._drop()
            raise PermanentError(f"{self._place}: {_said(error)}", hint="is the folder there, and ours?") from None

    def _connected(self) -> IMAPClient:
        from imapclient import IMAPClient

        if self._client is None:
            login = self._login
            client = IMAPClient(
                login.host,
                login.port,
                ssl=login.tls == "implicit",
                ssl_context=login.context if login.tls == "implicit" else None,
                timeout=self._options.timeout.total_seconds(),
            )
            self._client = client
            if login.tls == "starttls":
                client.starttls(login.context)
            if login.token is not None:
                client.oauth2_login(login.user, login.token())
            else:
                client.login(login.user, login.password)
            self._select(client)
        return self._client

    def _select(self, client: IMAPClient) -> None:
        facts = client.select_folder(self._options.folder)
        self._validity = int(facts[b"UIDVALIDITY"])
        keeps = facts.get(b"PERMANENTFLAGS", ())
        if self._options.settle == "flag" and not {b"\\*", KEYWORD.encode()} & set(keeps):
            raise PermanentError(f"{self._place} keeps no keywords", hint="write `settle: move` into the channel")

    def _drop(self) -> None:
        """The connection is of no use any more, and nor is what came by it last."""
        self._forget()
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                client.shutdown()

    def _forget(self) -> None:
        if self._fetched is not None:
            self._fetched[1].close()
            self._fetched = None


def _piece(answer: Mapping[bytes, Any]) -> bytes | None:
    """The part of the message in the answer to a FETCH."""
    return next((value for name, value in answer.items() if name.startswith(b"BODY[]")), None)


def _aware(moment: datetime) -> datetime:
    """IMAPClient gives local time without a zone."""
    return moment.astimezone(UTC)


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
