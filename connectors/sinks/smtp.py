"""Mail to partners (RFC 5321): letters as they were written, other files as attachments.

A file that is called ``.eml`` is a letter: it goes to the address in its To header. Any other file, and a batch of
events, goes to ``to`` as an attachment. A letter counts as delivered when the server has taken it for its
recipient; with the same file again comes the same Message-ID, so that a mail program shows it once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import getaddresses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, field_validator

from connectors.base import Outbox, Sink
from connectors.connections import Connections
from connectors.mailbox.letter import Enclosure, Letter, address, kind_of
from connectors.mailbox.login import MailLogin, mail_login
from connectors.sinks.files import batch_file, plain_name
from schemas.configuration import Strict
from schemas.durations import Duration
from schemas.errors import ConfigError, PermanentError, TransientError

if TYPE_CHECKING:
    import smtplib


class Options(Strict):
    """``sink: {kind: smtp, conn_id: mail_out, sender: "Supply <supply@us.example>"}``."""

    conn_id: str  #: see ``connectors.mailbox.login``
    sender: Annotated[str, Field(min_length=3)]  #: who letters are from; answers come back there
    to: Annotated[str, Field(min_length=3)] | None = None  #: where files go that are no letters
    timeout: Duration = Field(timedelta(seconds=60), gt=timedelta(0))  #: for connecting and for each answer

    @field_validator("sender", "to")
    @classmethod
    def _is_an_address(cls, given: str | None) -> str | None:
        try:
            if given is not None:
                address(given)
        except ConfigError as error:
            raise ValueError(error.message) from None
        return given


def open_sink(options: Options, *, home: Path, connections: Connections) -> SmtpSink:  # noqa: ARG001
    return SmtpSink(mail_login(connections(options.conn_id), "smtp"), options)


class SmtpSink(Sink, Outbox):
    """See the module. Connects when there is something to send."""

    def __init__(self, login: MailLogin, options: Options) -> None:
        self._login = login
        self._options = options
        self._server: smtplib.SMTP | None = None

    def deliver(self, events: Sequence[bytes]) -> None:
        """Mail the batch as one file of JSON Lines. Raises as ``put`` does."""
        if events:
            self.put(*batch_file(events, ()))

    def put(self, name: str, data: bytes) -> None:
        """Send a letter, or a file in one. Raises TransientError or PermanentError: nobody has got it."""
        plain_name(name)
        if name.endswith(".eml"):
            self._send(_recipient(name, data), data)
            return
        if self._options.to is None:
            raise ConfigError(f"{name} is no letter, and the outlet names nobody to send it to", hint="write `to:`")
        letter = Letter(
            sender=self._options.sender,
            to=self._options.to,
            subject=name,
            text=f"{name} is attached.\n",
            enclosures=[Enclosure(name, data, kind_of(name))],
        )
        self._send(address(self._options.to).addr_spec, letter.write(datetime.now(UTC)))

    def close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            with suppress(Exception):
                server.quit()
                return
            server.close()

    def _send(self, recipient: str, message: bytes) -> None:
        with self._talking(recipient) as server:
            server.sendmail(address(self._options.sender).addr_spec, [recipient], message)

    @contextmanager
    def _talking(self, recipient: str) -> Iterator[smtplib.SMTP]:
        """The connected server; what goes wrong becomes an error of ours: 4yz replies may pass (RFC 5321, 4.2.1)."""
        import smtplib
        import ssl

        place = self._login.place
        try:
            yield self._connected()
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()), (550, b""))
            self._reset()
            raise _refusal(f"{place} does not take {recipient}", code, said) from None
        except smtplib.SMTPAuthenticationError as error:
            self._drop()
            if 400 <= error.smtp_code < 500:
                raise TransientError(f"{place}: {_said(error.smtp_error)}") from None
            hint = f"look at connection {self._login.conn_id!r}"
            raise PermanentError(f"{place} lets us not in: {_said(error.smtp_error)}", hint=hint) from None
        except smtplib.SMTPResponseException as error:
            self._reset() if error.smtp_code not in (421, -1) else self._drop()
            raise _refusal(place, error.smtp_code, error.smtp_error) from None
        except ssl.SSLCertVerificationError as error:
            self._drop()
            raise PermanentError(
                f"{place}: {error.verify_message}", hint="extra.ca_file names whom to believe"
            ) from None
        except smtplib.SMTPNotSupportedError as error:
            self._drop()
            raise PermanentError(
                f"{place}: {error}", hint="extra of the connection may be wrong: tls, or OAuth 2"
            ) from None
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            raise TransientError(f"{place}: {_said(str(error)) or type(error).__name__}") from None

    def _connected(self) -> smtplib.SMTP:
        import smtplib

        login, seconds = self._login, self._options.timeout.total_seconds()
        if self._server is not None:
            with suppress(smtplib.SMTPException, OSError):
                if self._server.noop()[0] == 250:
                    return self._server
            self._drop()
        server: smtplib.SMTP
        if login.tls == "implicit":
            server = smtplib.SMTP_SSL(login.host, login.port, timeout=seconds, context=login.context)
        else:
            server = smtplib.SMTP(login.host, login.port, timeout=seconds)
        self._server = server
        if login.tls == "starttls":
            server.starttls(context=login.context)
        server.ehlo_or_helo_if_needed()
        if login.token is not None:
            _show_token(server, login, login.token())
        elif login.user:
            server.login(login.user, login.password)
        return server

    def _reset(self) -> None:
        """The server said no; the connection may serve on."""
        import smtplib

        if self._server is not None:
            try:
                self._server.rset()
            except (smtplib.SMTPException, OSError):
                self._drop()

    def _drop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            with suppress(Exception):
                server.close()


def _show_token(server: smtplib.SMTP, login: MailLogin, token: str) -> None:
    """Log in by OAuth 2, in the way that the server offers: XOAUTH2, or OAUTHBEARER (RFC 7628, 3.1)."""
    import smtplib

    offered = server.esmtp_features.get("auth", "").upper().split()
    user = login.user.replace("=", "=3D").replace(",", "=2C")
    ways = {
        "XOAUTH2": (f"user={login.user}\1auth=Bearer {token}\1\1", ""),
        "OAUTHBEARER": (f"n,a={user},\1host={login.host}\1port={login.port}\1auth=Bearer {token}\1\1", "\1"),
    }
    way = next((one for one in ways if one in offered), None)
    if way is None:
        raise smtplib.SMTPNotSupportedError(f"it offers neither {' nor '.join(ways)}, which a token needs")
    first, refused = ways[way]
    # a challenge is the server's refusal; it waits for an empty answer before it says so
    server.auth(way, lambda challenge=None: first if challenge is None else refused)


def _recipient(name: str, message: bytes) -> str:
    """The one address of a letter's To header."""
    headers = BytesHeaderParser(policy=compat32).parsebytes(message[: 256 << 10])
    found = [bare for _, bare in getaddresses([str(headers.get("To", ""))]) if "@" in bare]
    if len(found) != 1:
        raise PermanentError(f"{name} is to {len(found)} addresses", hint="a letter has one")
    return address(found[0]).addr_spec


def _refusal(story: str, code: int, said: bytes | str) -> TransientError | PermanentError:
    told = f"{story}: {code} {_said(said)}"
    if 400 <= code < 500 or code == -1:
        return TransientError(told, hint="the letter is offered again")
    return PermanentError(told, hint="the server will not take this letter; see what it says")


def _said(text: bytes | str) -> str:
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return " ".join(plain.split())[:300]
