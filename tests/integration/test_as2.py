"""AS2 with another maker's implementation at the other end, through `crossdock serve` over real HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.as2.journal import Journal
from connectors.connections import Connection
from connectors.sinks import as2 as sink
from schemas.errors import PermanentError
from tests.certificates import NOW, identity, key_pem, ours, pem

pytestmark = pytest.mark.integration

DOCUMENT = (
    b"ISA*00*          *00*          *ZZ*ANVILGATE      *ZZ*RAVENSMOOR     *261122*1200*U*00401*000000001*0*P*>~" * 40
)
OWN = {"name": "RAVENSMOOR", "conn_id": "as2"}


def peer(what: str, folder: Path) -> list[Any]:
    run = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("as2_peer.py")), what, str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout) if run.stdout else []


@pytest.fixture
def facts(tmp_path: Path) -> Callable[..., Path]:
    """Writes what the other end knows; the folder of it."""

    def write(**differs: Any) -> Path:
        us, them = identity("us"), identity("them")
        folder = tmp_path / "theirs"
        folder.mkdir(exist_ok=True)
        known = {
            "us": "RAVENSMOOR", "them": "ANVILGATE", "their_key": key_pem(them) + pem(them), "our_certificate": pem(us),
        }  # fmt: skip
        (folder / "facts.json").write_text(json.dumps(known | differs))
        (folder / "document").write_bytes(DOCUMENT)
        return folder

    return write


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of a `crossdock serve` with an AS2 channel; its home is ``tmp_path / "home"``."""
    us, them = identity("us"), identity("them")
    home, channels = tmp_path / "home", tmp_path / "channels"
    for folder in (home, channels):
        folder.mkdir()
    (home / "anvilgate.pem").write_text(pem(them))
    (channels / "as2-in.yaml").write_text(
        "channel: as2-in\nsource:\n  kind: as2\n  path: inbox\n  own: {name: RAVENSMOOR, conn_id: as2}\n"
        "  partners:\n    - {name: ANVILGATE, certificates: [anvilgate.pem], legacy: true}\n"
    )
    connection = {"conn_type": "as2", "extra": {"private_key": key_pem(us), "certificate": pem(us)}}
    environment = os.environ | {
        "CROSSDOCK_HOME": str(home), "CROSSDOCK_CHANNELS": str(channels), "CROSSDOCK_TOKEN": "correct-horse-battery",
        "AIRFLOW_CONN_AS2": json.dumps(connection),
    }  # fmt: skip
    program = [str(Path(sys.executable).with_name("crossdock")), "serve", "--port", "0"]
    with subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield line.split("console at ")[1].split(";")[0]
        process.terminate()


@pytest.mark.parametrize(
    "options",
    [
        {"sign": True, "encrypt": True, "enc_alg": "aes_256_cbc", "mdn_mode": "SYNC", "mdn_digest_alg": "sha256"},
        {"sign": True, "encrypt": True, "compress": True, "mdn_mode": "SYNC", "mdn_digest_alg": "sha512"},
        {"sign": True, "encrypt": True, "enc_alg": "aes_128_cbc", "digest_alg": "sha512", "mdn_mode": "SYNC",
         "mdn_digest_alg": "sha1", "sign_alg": "rsassa_pss", "key_enc_alg": "rsaes_oaep"},
    ],
)  # fmt: skip
def test_their_message_is_taken_and_they_believe_our_receipt(served, facts, tmp_path, options):
    folder = facts(options=options)
    peer("build", folder)
    headers = json.loads((folder / "headers.json").read_text())
    for _ in range(2):  # the second time as if they had not heard the first answer
        answer = requests.post(f"{served}/as2/as2-in", data=(folder / "body").read_bytes(), headers=headers, timeout=20)
        assert answer.status_code == 200
        (folder / "answerheaders.json").write_text(json.dumps(dict(answer.headers)))
        (folder / "answerbody").write_bytes(answer.content)
        assert peer("receipt", folder) == ["processed", None]
    (file,) = (tmp_path / "home" / "inbox").glob("*-o.edi")
    assert file.read_bytes() == DOCUMENT


def test_nobody_else_gets_in(served):
    asked = {"AS2-From": "NOBODY", "AS2-To": "RAVENSMOOR", "Message-ID": "<1@x>"}
    assert requests.post(f"{served}/as2/as2-in", data=b"x", headers=asked, timeout=20).status_code == 403
    assert requests.post(f"{served}/as2/elsewhere", data=b"x", headers=asked, timeout=20).status_code == 404
    assert requests.post(f"{served}/v1/events", data=b"x", headers=asked, timeout=20).status_code == 401


@pytest.fixture
def theirs(facts) -> Iterator[Any]:
    """Their server: what is posted there goes to the other maker's implementation; its receipt is the answer."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            folder: Path = self.server.folder  # type: ignore[attr-defined]
            (folder / "headers.json").write_text(json.dumps(dict(self.headers)))
            (folder / "body").write_bytes(body)
            peer("parse", folder)
            later = "Receipt-Delivery-Option" in self.headers
            answer = b"" if later else (folder / "answerbody").read_bytes()
            self.send_response(200)
            for name, value in ({} if later else json.loads((folder / "answerheaders.json").read_text())).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.folder = facts()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def open_sink(server: Any, home: Path, **differs: Any) -> sink.As2Sink:
    given = {
        "url": f"http://127.0.0.1:{server.server_port}/as2",
        "own": OWN,
        "partner": {"name": "ANVILGATE", "certificates": [pem(identity("them"))]},
        **differs,
    }
    return sink.open_sink(sink.Options.model_validate(given), home=home, connections=lambda _: ours(identity("us")))


@pytest.mark.parametrize(
    "options",
    [{}, {"compress": True, "sign": "sha-512", "encrypt": "aes-128"}, {"encrypt": "none"}, {"sign": "none"}],
)
def test_they_take_our_message_and_we_believe_their_receipt(theirs, tmp_path, options):
    with_sink = open_sink(theirs, tmp_path, **options)
    with_sink.put("997-1.edi", DOCUMENT)
    with_sink.close()
    assert (theirs.folder / "payload").read_bytes() == DOCUMENT
    (sent,) = Journal(tmp_path / "as2").all_sent()
    assert (sent.name, sent.disposition, sent.refused) == ("997-1.edi", "processed", False)


def test_what_they_refuse_is_an_error_and_remembered(theirs, tmp_path):
    wrong = {"name": "ANVILGATE", "certificates": [pem(identity("later", days=900)), pem(identity("them"))]}
    with_sink = open_sink(theirs, tmp_path, partner=wrong)  # encrypted for the one that lasts longest, which they lack
    with pytest.raises(PermanentError, match=r"did not take 997-1[.]edi: error: decryption-failed"):
        with_sink.put("997-1.edi", DOCUMENT)
    with_sink.close()
    assert [one.name for one in sink.sent_late(Journal(tmp_path / "as2"), NOW)] == ["997-1.edi"]


def test_their_later_receipt_comes_back_to_us(served, theirs, tmp_path):
    """We send with an asynchronous receipt; what they made of it is posted to our station."""
    home = tmp_path / "home"
    with_sink = open_sink(theirs, home, receipt="async", receipt_url=f"{served}/as2/as2-in")
    with_sink.put("997-1.edi", DOCUMENT)
    with_sink.close()
    (sent,) = Journal(home / "as2").all_sent()
    assert sent.answered_at is None
    headers = json.loads((theirs.folder / "answerheaders.json").read_text())
    body = (theirs.folder / "answerbody").read_bytes()
    assert requests.post(f"{served}/as2/as2-in", data=body, headers=headers, timeout=20).status_code == 200
    (sent,) = Journal(home / "as2").all_sent()
    assert sent.disposition == "processed"


def test_a_connection_shows_no_key():
    assert "PRIVATE" not in repr(ours(identity("us")))
    assert isinstance(ours(identity("us")), Connection)
