"""The Maildir source: what the contract does not say for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Arrival
from connectors.sources.maildir import MaildirSource
from schemas.errors import PermanentError, TransientError


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


def test_a_used_name_in_cur_is_not_overwritten(maildir: Path) -> None:
    source = MaildirSource(maildir)
    for n in range(3):
        (maildir / "new" / "1700.host").write_bytes(b"From: a@b\n\n%d" % n)
        source.settle(only(source))
    kept = sorted((maildir / "cur").iterdir())
    assert {file.read_bytes()[-1:] for file in kept} == {b"0", b"1", b"2"}
    assert all(file.name.endswith(":2,S") for file in kept)


def test_another_message_that_took_the_name_is_not_settled_away(maildir: Path) -> None:
    source = MaildirSource(maildir)
    (maildir / "new" / "1700.host").write_bytes(b"From: a@b\n\nfirst")
    arrival = only(source)
    (maildir / "new" / "1700.host").write_bytes(b"From: a@b\n\nthe second")
    source.settle(arrival)
    assert b"".join(source.fetch(only(source))).endswith(b"second")


def test_a_message_that_cannot_be_read_is_told_of_after_the_others(maildir: Path) -> None:
    class Closed(MaildirSource):
        """A Maildir whose message 2 belongs to somebody else; root, who may run this, could read it all the same."""

        def _arrival(self, name: str, *stamp: Any) -> Arrival:
            if name == "2":
                raise PermissionError(13, "Permission denied")
            return super()._arrival(name, *stamp)

    for name in "123":
        (maildir / "new" / name).write_bytes(b"From: a@b\n\n" + name.encode())
        os.utime(maildir / "new" / name, (int(name), int(name)))
    arrivals = Closed(maildir).arrivals(10)
    assert [next(arrivals).name, next(arrivals).name] == ["1.eml", "3.eml"]
    with pytest.raises(PermanentError, match="new/2: permission denied"):
        next(arrivals)


def test_a_message_that_is_gone_when_it_is_fetched(maildir: Path) -> None:
    (maildir / "new" / "1700.host").write_bytes(b"From: a@b\n\nhello")
    source = MaildirSource(maildir)
    arrival = only(source)
    (maildir / "new" / "1700.host").unlink()
    with pytest.raises(TransientError, match="is gone"):
        list(source.fetch(arrival))


def test_links_and_folders_are_no_messages(maildir: Path) -> None:
    (maildir / "elsewhere").write_bytes(b"From: a@b\n\nhello")
    (maildir / "new" / "link").symlink_to(maildir / "elsewhere")
    (maildir / "new" / "folder").mkdir()
    assert list(MaildirSource(maildir).arrivals(10)) == []
