"""The folder source: what the contract does not say for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from connectors.base import Arrival
from connectors.sources.folder import FolderSource
from schemas.errors import PermanentError, TransientError

NOON = 1_700_000_000


def put(folder: Path, name: str, content: bytes = b"x", age: int = 100) -> Path:
    path = folder / name
    path.write_bytes(content)
    os.utime(path, (NOON - age, NOON - age))
    return path


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def source(inbox: Path, **options: object) -> FolderSource:
    return FolderSource(inbox, **{"done": inbox / "done", "quiet": 10, "clock": lambda: NOON, **options})  # type: ignore[arg-type]


def only(source: FolderSource) -> Arrival:
    (arrival,) = source.arrivals(10)
    return arrival


@pytest.mark.parametrize(
    "name",
    [".hidden", "a.part", "a.TMP", "a.filepart", "~$stock.xlsx", "a~", "a.crdownload", "_tmpa", "a.lock", "a.partial"],
)
def test_unfinished_names_are_left_alone(inbox: Path, name: str) -> None:
    put(inbox, name)
    assert list(source(inbox).arrivals(10)) == []


def test_a_file_is_complete_once_it_was_left_alone(inbox: Path) -> None:
    put(inbox, "old", age=10)
    put(inbox, "young", age=9)
    assert only(source(inbox)).name == "old"


def test_patterns_ignore_case(inbox: Path) -> None:
    for name in ("a.EDI", "b.x12", "c.txt"):
        put(inbox, name)
    names = {arrival.name for arrival in source(inbox, patterns=("*.edi", "*.X12")).arrivals(10)}
    assert names == {"a.EDI", "b.x12"}


def test_folders_and_links_are_no_arrivals(inbox: Path, tmp_path: Path) -> None:
    (inbox / "folder").mkdir()
    (inbox / "link").symlink_to(put(tmp_path, "outside"))
    assert list(source(inbox).arrivals(10)) == []


def test_with_a_marker_only_marked_files_are_complete(inbox: Path) -> None:
    put(inbox, "a.edi", age=100)
    put(inbox, "b.edi", age=1)
    put(inbox, "b.edi.ok", b"", age=0)
    marked = source(inbox, marker=".ok")
    arrival = only(marked)
    assert arrival.name == "b.edi"
    marked.settle(arrival)
    assert sorted(path.name for path in inbox.iterdir()) == ["a.edi", "done"]


def test_a_marker_older_than_its_file_is_of_an_earlier_file(inbox: Path) -> None:
    put(inbox, "a.edi.ok", b"", age=50)
    put(inbox, "a.edi", age=20)
    assert list(source(inbox, marker=".ok").arrivals(10)) == []


def test_a_file_that_grows_while_it_is_read_is_not_taken(inbox: Path) -> None:
    path = put(inbox, "a", b"x" * 3_000_000)
    pieces = source(inbox).fetch(only(source(inbox)))
    next(pieces)
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(TransientError, match="changed while it was read"):
        list(pieces)


def test_a_file_replaced_between_listing_and_reading_is_not_taken(inbox: Path) -> None:
    put(inbox, "a", b"first")
    arrival = only(source(inbox))
    put(inbox, "a", b"second", age=50)
    with pytest.raises(TransientError):
        list(source(inbox).fetch(arrival))


def test_a_newer_file_of_the_same_name_is_not_settled_away(inbox: Path) -> None:
    put(inbox, "a", b"first")
    arrival = only(source(inbox))
    put(inbox, "a", b"second", age=50)
    source(inbox).settle(arrival)
    assert (inbox / "a").read_bytes() == b"second"
    assert only(source(inbox)).key != arrival.key


def test_the_same_name_twice_overwrites_nothing(inbox: Path) -> None:
    for n in range(3):
        put(inbox, "stock.csv", b"%d" % n)
        source(inbox).settle(only(source(inbox)))
    kept = sorted((inbox / "done").iterdir())
    assert {path.read_bytes() for path in kept} == {b"0", b"1", b"2"}
    assert all(path.suffix == ".csv" for path in kept)


def test_a_crash_between_the_two_steps_of_a_move_is_mended(inbox: Path) -> None:
    path = put(inbox, "a", b"content")
    arrival = only(source(inbox))
    (inbox / "done").mkdir()
    os.link(path, inbox / "done" / "a")
    source(inbox).settle(arrival)
    assert [file.name for file in (inbox / "done").iterdir()] == ["a"]
    assert not path.exists()


def test_the_folder_for_settled_files_may_lie_elsewhere(inbox: Path, tmp_path: Path) -> None:
    put(inbox, "a")
    elsewhere = source(inbox, done=tmp_path / "archive" / "2026")
    elsewhere.settle(only(elsewhere))
    assert (tmp_path / "archive" / "2026" / "a").exists()


def test_a_folder_we_may_not_read_is_permanent(tmp_path: Path) -> None:
    file = put(tmp_path, "inbox")
    with pytest.raises(PermanentError, match="is not there"):
        list(source(file).arrivals(10))
