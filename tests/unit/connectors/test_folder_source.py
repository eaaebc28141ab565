"""The folder source: what the contract does not say for it."""

from __future__ import annotations

import errno
import os
from pathlib import Path, PosixPath
from typing import Any

import pytest

from connectors import registry
from connectors.base import Arrival
from connectors.sources.folder import FolderSource, Stamp, move, stamps
from connectors.sources.names import Wanted, kept_as, moment
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


def source(
    inbox: Path, *, patterns: tuple[str, ...] = ("*",), marker: str | None = None, **options: Any
) -> FolderSource:
    usual = {"done": inbox / "done", "quiet": 10, "clock": lambda: NOON, "pause": lambda _: pytest.fail("waited")}
    return FolderSource(inbox, **{**usual, "wanted": Wanted(patterns, marker), **options})


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
    put(inbox, "a", b"content")
    arrival = only(source(inbox))
    (inbox / "done").mkdir()
    (inbox / "done" / "a").touch()  # the name was taken, and then there was nobody to move the file
    source(inbox).settle(arrival)
    assert [(file.name, file.read_bytes()) for file in (inbox / "done").iterdir()] == [("a", b"content")]
    assert list(source(inbox).arrivals(10)) == []


class Replacing(PosixPath):
    """A path whose sender writes it anew in the very moment before it is renamed, and once more after that."""

    contents: tuple[bytes, ...]

    def replace(self, target: Any) -> Any:
        first, *rest = self.contents
        put(self.parent, self.name, first, age=50)
        result = Path(self).replace(target)
        for content in rest:
            put(self.parent, self.name, content, age=20)
        return result


@pytest.mark.parametrize("contents", [(b"second",), (b"second", b"third")])
def test_a_file_replaced_in_the_moment_it_is_moved_is_not_lost(inbox: Path, contents: tuple[bytes, ...]) -> None:
    stamp = Stamp.at(put(inbox, "a", b"first"))
    (inbox / "done").mkdir()
    path = Replacing(inbox / "a")
    path.contents = contents
    move(path, stamp, inbox / "done", kept_as("a", NOON))
    assert (inbox / "a").read_bytes() == contents[-1]
    assert only(source(inbox)).name == "a"


class Failing(PosixPath):
    """A path that cannot be renamed."""

    def replace(self, target: Any) -> Any:
        raise OSError(errno.EXDEV, "Invalid cross-device link")


def test_a_move_to_another_file_system_is_for_a_person_and_leaves_no_trace(inbox: Path) -> None:
    stamp = Stamp.at(put(inbox, "a"))
    (inbox / "done").mkdir()
    with pytest.raises(PermanentError, match="same file system"):
        move(Failing(inbox / "a"), stamp, inbox / "done", kept_as("a", NOON))
    assert (inbox / "a").exists()
    assert list((inbox / "done").iterdir()) == []


def test_a_full_folder_of_settled_files_is_for_a_person(inbox: Path) -> None:
    stamp = Stamp.at(put(inbox, "a"))
    (inbox / "done").mkdir()
    put(inbox / "done", "a")
    with pytest.raises(PermanentError, match="too many files named like a"):
        move(inbox / "a", stamp, inbox / "done", ["a"])
    assert (inbox / "a").exists()


@pytest.mark.parametrize("done", ["inbox", "./inbox/", "inbox/x/.."])
def test_settled_files_cannot_stay_where_they_are(done: str) -> None:
    (problem,) = registry.problems_in_source({"kind": "folder", "path": "inbox", "done": done})
    assert "the same folder" in problem.sentence


def test_a_file_from_the_future_is_taken_once_two_looks_find_it_unchanged(inbox: Path) -> None:
    put(inbox, "steady", age=-400_000_000)
    put(inbox, "growing", age=-1)
    put(inbox, "young", age=1)
    pauses = []

    def meanwhile(seconds: float) -> None:
        pauses.append(seconds)
        put(inbox, "growing", b"more", age=-2)

    assert only(source(inbox, pause=meanwhile)).name == "steady"
    assert pauses == [10]


def test_a_clock_set_back_delays_no_file(inbox: Path) -> None:
    put(inbox, "a", age=0)
    set_back = source(inbox, clock=lambda: NOON - 86_400, pause=lambda _: None)
    assert only(set_back).name == "a"


def test_a_time_that_no_calendar_knows_is_a_time_all_the_same() -> None:
    assert moment(2**39).year == 9999
    assert next(iter(kept_as("a", 2**39))) == "a"


def test_files_that_vanish_while_one_looks_are_no_trouble(inbox: Path) -> None:
    put(inbox, "a")
    upload = put(inbox, "upload")
    with os.scandir(inbox) as listing:
        entries = list(listing)
    upload.unlink()
    assert stamps(entries) == {"a": Stamp.at(inbox / "a")}


def test_a_file_that_is_gone_when_it_is_fetched_is_no_fault_of_the_configuration(inbox: Path) -> None:
    path = put(inbox, "a")
    arrival = only(source(inbox))
    path.unlink()
    with pytest.raises(TransientError, match="a is gone"):
        list(source(inbox).fetch(arrival))


def test_a_name_in_another_character_set_is_taken_and_can_be_spoken_of(inbox: Path) -> None:
    name = os.fsdecode("Größe.edi".encode("latin-1"))
    path = put(inbox, name, b"content")
    arrival = only(source(inbox))
    assert b"".join(source(inbox).fetch(arrival)) == b"content"
    source(inbox).settle(arrival)
    assert (inbox / "done" / name).exists()
    with pytest.raises(TransientError) as told:
        list(source(inbox).fetch(arrival))
    assert r"Gr\xf6\xdfe.edi is gone" in str(told.value)
    assert not path.exists()


def test_a_marker_is_known_in_any_case_and_goes_with_its_file(inbox: Path) -> None:
    put(inbox, "A.EDI", age=100)
    put(inbox, "A.EDI.OK", b"", age=90)
    marked = source(inbox, marker=".ok")
    arrival = only(marked)
    marked.settle(arrival)
    assert [path.name for path in inbox.iterdir()] == ["done"]


def test_a_marker_that_came_for_the_next_file_stays(inbox: Path) -> None:
    put(inbox, "a.edi", b"first", age=100)
    put(inbox, "a.edi.ok", b"", age=90)
    marked = source(inbox, marker=".ok")
    arrival = only(marked)
    marked.settle(arrival)
    put(inbox, "a.edi", b"second", age=50)
    put(inbox, "a.edi.ok", b"", age=40)
    marked.settle(arrival)
    assert b"".join(marked.fetch(only(marked))) == b"second"


def test_the_folder_for_settled_files_may_lie_elsewhere(inbox: Path, tmp_path: Path) -> None:
    put(inbox, "a")
    elsewhere = source(inbox, done=tmp_path / "archive" / "2026")
    elsewhere.settle(only(elsewhere))
    assert (tmp_path / "archive" / "2026" / "a").exists()


def test_a_file_where_the_folder_for_settled_ones_should_be_is_named(inbox: Path, tmp_path: Path) -> None:
    put(inbox, "a")
    in_the_way = put(tmp_path, "settled")
    blocked = source(inbox, done=in_the_way)
    with pytest.raises(PermanentError, match="settled is a file, but should be a folder"):
        blocked.settle(only(blocked))
    assert (inbox / "a").exists()


def test_a_folder_we_may_not_read_is_permanent(tmp_path: Path) -> None:
    file = put(tmp_path, "inbox")
    with pytest.raises(PermanentError, match="is not there"):
        list(source(file).arrivals(10))


def test_how_long_a_young_file_is_still_to_rest(inbox: Path) -> None:
    assert source(inbox).ripe_in() == 0
    put(inbox, "old", age=100)
    assert source(inbox).ripe_in() == 0
    put(inbox, "young", age=7)
    put(inbox, "younger", age=4)
    put(inbox, "not-ours.part", age=0)
    put(inbox, "of-tomorrow", age=-86_400)
    assert source(inbox).ripe_in() == 6
    assert source(inbox, marker=".done").ripe_in() == 0
