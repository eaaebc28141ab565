"""The Maildir source: what the contract does not say for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.base import Arrival
from connectors.sources.maildir import MaildirSource


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    for part in ("new", "cur", "tmp"):
        (tmp_path / part).mkdir()
    return tmp_path


def only(source: MaildirSource) -> Arrival:
    (arrival,) = source.arrivals(10)
    return arrival


def test_a_resent_copy_is_the_same_arrival_and_another_text_is_not(maildir: Path) -> None:
    keys = []
    for name, text in (("1", b"one"), ("2", b"one"), ("3", b"two")):
        (maildir / "new" / name).write_bytes(b"Message-ID: <x@y>\r\n\r\n" + text)
        arrival = only(MaildirSource(maildir))
        keys.append(arrival.key)
        MaildirSource(maildir).settle(arrival)
    assert keys[0] == keys[1] != keys[2]
    assert all(key.startswith("<x@y>#") for key in keys)


def test_settled_mail_is_seen(maildir: Path) -> None:
    (maildir / "new" / "1700.host").write_bytes(b"From: a@b\n\nhello")
    source = MaildirSource(maildir)
    source.settle(only(source))
    assert [file.name for file in (maildir / "cur").iterdir()] == ["1700.host:2,S"]


def test_a_message_without_an_id_or_any_header_is_still_told_from_others(maildir: Path) -> None:
    (maildir / "new" / "1").write_bytes(b"\xff\xfe\x00")
    (maildir / "new" / "2").write_bytes(b"")
    assert len({arrival.key for arrival in MaildirSource(maildir).arrivals(10)}) == 2


def test_arrivals_are_named_as_mail(maildir: Path) -> None:
    (maildir / "new" / "1700.host").write_bytes(b"From: a@b\n\nhello")
    assert only(MaildirSource(maildir)).name == "1700.host.eml"
