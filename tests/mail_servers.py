"""Real mail servers on this machine: IMAP (Dovecot, from Debian) and SMTP (aiosmtpd)."""

from __future__ import annotations

import getpass
import grp
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import imapclient
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope

from connectors.connections import Connection
from tests.certificates import server_certificate

_CONFIG = """
protocols = imap
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
mail_location = maildir:{folder}/mail/%u
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 0
first_valid_gid = 0
default_internal_user = {internal}
default_internal_group = {internal_group}
default_login_user = {login}
ssl = yes
ssl_cert = <{folder}/server.pem
ssl_key = <{folder}/server.key
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2
imap_capability = {capability}
mail_fsync = never
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {folder}/oauth2.conf
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {tls}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service imap {{
  process_limit = 64
}}
service stats {{
  chroot =
}}
"""


class Dovecot:
    """Dovecot on two ports: with TLS, and plain with STARTTLS. Everybody's password is ``open sesame``."""

    def __init__(self, *, capability: str = "", token_url: str = "http://127.0.0.1:9/") -> None:
        program = shutil.which("dovecot", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program, "no dovecot: `.ci/install-debian $(cat .ci/debian-packages-for-tests.txt)` installs it"
        # not pytest's folder: Dovecot serves no mail of root's, and others may not look into that one
        self.folder = folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
        folder.chmod(0o755)
        self.plain, self.tls = free_port(), free_port()
        certificate, key = server_certificate("127.0.0.1")
        (folder / "server.pem").write_bytes(certificate)
        (folder / "server.key").write_bytes(key)
        (folder / "users").write_text("".join(f"{user}:{{PLAIN}}open sesame\n" for user in ("supply", "other")))
        (folder / "oauth2.conf").write_text(
            f"introspection_mode = post\nintrospection_url = {token_url}\nusername_attribute = username\n"
            "active_attribute = active\nactive_value = true\n"
        )
        root = os.geteuid() == 0
        user, group = ("mail", "mail") if root else (getpass.getuser(), grp.getgrgid(os.getgid()).gr_name)
        (folder / "mail").mkdir()
        if root:
            shutil.chown(folder / "mail", user, group)
        (folder / "dovecot.conf").write_text(
            _CONFIG.format(
                folder=folder, user=user, group=group, capability=capability, plain=self.plain, tls=self.tls,
                internal="dovecot" if root else user, internal_group="dovecot" if root else group,
                login="dovenull" if root else user,
            )
        )  # fmt: skip
        self._command = [program, "-F", "-c", str(folder / "dovecot.conf")]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stderr=subprocess.PIPE)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.tls), timeout=1) as connection:
                if connection:
                    return
            assert self.process.poll() is None, (self.process.stderr.read() if self.process.stderr else b"").decode()
            time.sleep(0.02)
        raise AssertionError((self.folder / "log").read_text())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def connection(self, **extra: str) -> Connection:
        """How to log in as ``supply``; ``extra`` adds to or replaces what the connection says."""
        known = {"ca_file": str(self.folder / "server.pem"), **extra}
        port = self.tls if known.get("tls", "implicit") == "implicit" else self.plain
        return Connection(
            conn_id="mail",
            type="imap",
            host="127.0.0.1",
            port=port,
            login="supply",
            password="open sesame",
            extra=known,
        )

    def client(self, user: str = "supply") -> imapclient.IMAPClient:
        """Somebody else who uses the mailbox."""
        client = imapclient.IMAPClient("127.0.0.1", self.plain, ssl=False)
        client.login(user, "open sesame")
        return client

    def append(self, *messages: bytes, folder: str = "INBOX", **options: Any) -> None:
        client = self.client()
        for message in messages:
            client.append(folder, message, **options)
        client.logout()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class MailHost:
    """An SMTP server that keeps what it is given, with TLS and a login (``supply``, ``open sesame``).

    With ``tokens`` (by user) it lets in who shows one: by XOAUTH2, or by OAUTHBEARER where ``way`` says so.
    """

    def __init__(
        self, *, tls: str = "implicit", refuse: str = "", tokens: Mapping[str, str] | None = None, way: str = "XOAUTH2"
    ) -> None:
        self.tokens = tokens
        self.challenged: list[bytes] = []  #: what was answered to a refusal
        self.letters: list[Envelope] = []
        self.refuse = refuse  #: said instead of taking a letter
        self.refuse_recipients: dict[str, str] = {}
        self.tls = tls
        self.folder = Path(tempfile.mkdtemp(prefix="smtp-"))
        certificate, key = server_certificate("127.0.0.1")
        (self.folder / "server.pem").write_bytes(certificate)
        (self.folder / "server.key").write_bytes(key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        options: dict[str, Any] = {
            "authenticator": self._knows, "auth_require_tls": tls == "starttls",
            "tls_context": context if tls == "starttls" else None, "require_starttls": tls == "starttls",
        }  # fmt: skip
        if tokens is not None:
            setattr(self, f"auth_{way}", self._shown)
            options["auth_exclude_mechanism"] = ["LOGIN", "PLAIN"]
        self.port = free_port()
        self.controller = Controller(
            self, hostname="127.0.0.1", port=self.port, ssl_context=context if tls == "implicit" else None,
            **options,
        )  # fmt: skip
        self.controller.start()

    def _knows(self, server: object, session: object, envelope: object, mechanism: str, login: Any) -> AuthResult:
        known = getattr(login, "login", b"") == b"supply" and getattr(login, "password", b"") == b"open sesame"
        return AuthResult(success=known, handled=False)

    async def _shown(self, server: Any, arguments: Sequence[str]) -> AuthResult:
        """XOAUTH2 as Google and Microsoft describe it; OAUTHBEARER of RFC 7628."""
        fields = b64decode(arguments[1]).split(b"\1")
        if arguments[0].upper() == "OAUTHBEARER":
            user = fields[0].removeprefix(b"n,a=").removesuffix(b",").replace(b"=3D", b"=")
            assert b"host=127.0.0.1" in fields
            assert f"port={self.port}".encode() in fields
        else:
            user = fields[0].removeprefix(b"user=")
        assert self.tokens is not None
        if f"auth=Bearer {self.tokens.get(user.decode())}".encode() in fields:
            return AuthResult(success=True, auth_data=user)
        await server.push("334 " + b64encode(b'{"status":"400","schemes":"bearer"}').decode())
        self.challenged.append(b64decode((await server._reader.readline()).strip()))
        return AuthResult(success=False, handled=False)

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, recipient: str, options: Any) -> str:
        if said := self.refuse_recipients.get(recipient):
            return said
        envelope.rcpt_tos.append(recipient)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        if self.refuse:
            return self.refuse
        self.letters.append(envelope)
        return "250 taken"

    def connection(self, **differs: Any) -> Connection:
        extra = {"tls": self.tls, "ca_file": str(self.folder / "server.pem")}
        given = {"host": "127.0.0.1", "port": self.port, "login": "supply", "password": "open sesame", "extra": extra}
        return Connection(conn_id="mail_out", type="smtp", **{**given, **differs})

    def remove(self) -> None:
        self.controller.stop()
        self.controller.loop.close()
        shutil.rmtree(self.folder)
