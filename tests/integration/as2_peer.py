"""Another maker's AS2 at the other end: pyas2lib, in a process of its own because of its licence (GPL).

``python as2_peer.py build <folder>`` reads ``facts.json`` and ``document`` there and writes ``headers.json`` and
``body`` of a message; ``receipt`` reads the answer to it and prints what it says; ``parse`` reads a message
that came (``headers.json``, ``body``), writes the ``payload`` and the receipt to give.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any


def as2() -> Any:
    """pyas2lib's module. What it stands on takes no OpenSSL whose patch number has two digits for a version."""
    real: Any = re.search

    def search(pattern: Any, text: Any, flags: int = 0) -> Any:
        known = isinstance(pattern, str)
        return real(pattern.replace(r"\d\.\d\.\d[a-z]*", r"\d\.\d\.\d+[a-z]*") if known else pattern, text, flags)

    re.search = search
    try:
        from pyas2lib import as2 as module
    finally:
        re.search = real
    return module


def main(what: str, folder: Path) -> None:
    library = as2()
    facts = json.loads((folder / "facts.json").read_text())
    them = library.Organization(
        as2_name=facts["them"], sign_key=facts["their_key"].encode(), sign_key_pass=None,
        decrypt_key=facts["their_key"].encode(), decrypt_key_pass=None,
        mdn_url=facts.get("mdn_url"), domain="anvilgate.example",
    )  # fmt: skip
    us = library.Partner(
        as2_name=facts["us"], verify_cert=facts["our_certificate"].encode(),
        encrypt_cert=facts["our_certificate"].encode(), **facts.get("options", {}),
    )  # fmt: skip
    message = library.Message(sender=them, receiver=us)
    match what:
        case "build":
            content_type = "application/edi-x12"
            message.build((folder / "document").read_bytes(), filename="o.edi", content_type=content_type)
            write(folder, message.headers, message.content)
            (folder / "sent.json").write_text(json.dumps([message.message_id, message.mic and message.mic.decode()]))
        case "receipt":
            message.message_id, mic = json.loads((folder / "sent.json").read_text())
            message.mic = mic.encode()
            status, detail = library.Mdn().parse(raw(folder, "answer"), lambda *_: message)
            print(json.dumps([status, detail]))
        case "parse":
            came = library.Message()
            status, error, receipt = came.parse(raw(folder, ""), lambda _: them, lambda _: us, lambda *_: False)
            if status == "processed":
                (folder / "payload").write_bytes(came.payload.get_payload(decode=True))
            write(folder, receipt.headers if receipt else {}, receipt.content if receipt else b"", "answer")
            print(json.dumps([status, str(error[0]) if error and error[0] else None]))


def write(folder: Path, headers: Any, body: bytes, prefix: str = "") -> None:
    (folder / f"{prefix}headers.json").write_text(json.dumps({name: str(value) for name, value in headers.items()}))
    (folder / f"{prefix}body").write_bytes(body)


def raw(folder: Path, prefix: str) -> bytes:
    headers = json.loads((folder / f"{prefix}headers.json").read_text())
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return head.encode() + b"\r\n" + (folder / f"{prefix}body").read_bytes()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
