"""A name in the archive stands for whole, intact content, whatever happens."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.archive import Archive, create
from schemas.errors import CrossdockError, PermanentError, TransientError

CONTENT = b"ISA*00*          *" * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "deep" / "archive")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunks=st.lists(st.binary(max_size=300), max_size=6))
def test_what_is_written_is_read_back(archive: Archive, chunks: list[bytes]) -> None:
    content = b"".join(chunks)
    stored = archive.write(chunks)
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    assert stored.size == len(content)
    with archive.open(stored.sha256) as file:
        assert file.read() == content
    assert archive.verify(stored.sha256)


def test_content_lies_in_sharded_folders_read_only(archive: Archive) -> None:
    archive.write([CONTENT])
    assert files(archive.root) == [f"{SHA256[:2]}/{SHA256[2:4]}/{SHA256}"]
    assert archive.path(SHA256).stat().st_mode & 0o222 == 0


def test_content_that_is_there_is_not_written_again(archive: Archive) -> None:
    archive.write([CONTENT])
    before = archive.path(SHA256).stat()
    archive.write([CONTENT[:7], CONTENT[7:]])
    after = archive.path(SHA256).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert len(files(archive.root)) == 1


def damage(archive: Archive) -> None:
    path = archive.path(SHA256)
    path.chmod(0o640)
    path.write_bytes(b"X" + CONTENT[1:])


def test_damage_is_found_when_reading(archive: Archive) -> None:
    archive.write([CONTENT])
    damage(archive)
    assert not archive.verify(SHA256)
    with pytest.raises(PermanentError, match=r"damaged.*restore"):
        archive.open(SHA256)


def test_what_is_being_read_can_be_checked_beside_it(archive: Archive) -> None:
    archive.write([CONTENT])
    with archive.unchecked(SHA256) as file:
        assert file.read(10) == CONTENT[:10]
        archive.require_intact(file, SHA256)
        assert file.read() == CONTENT[10:]
    damage(archive)
    with archive.unchecked(SHA256) as file, pytest.raises(PermanentError, match="damaged"):
        archive.require_intact(file, SHA256)


def test_damaged_content_that_comes_again_is_mended(archive: Archive) -> None:
    archive.write([CONTENT])
    damage(archive)
    archive.write([CONTENT])
    assert archive.verify(SHA256)
    assert len(files(archive.root)) == 1


def test_what_is_not_there_is_a_permanent_error(archive: Archive) -> None:
    assert not archive.verify(SHA256)
    for read in (archive.open, lambda sha256: archive.read_range(sha256, 0, 1)):
        with pytest.raises(PermanentError, match="missing"):
            read(SHA256)


@pytest.mark.parametrize(("offset", "length"), [(0, 5), (10, 0), (1790, 10), (1795, 50), (5000, 10)])
def test_a_range_is_as_in_the_bytes(archive: Archive, offset: int, length: int) -> None:
    archive.write([CONTENT])
    assert archive.read_range(SHA256, offset, length) == CONTENT[offset : offset + length]


@pytest.mark.parametrize(
    "name", ["", "../../etc/passwd", SHA256.upper(), SHA256[:-1], SHA256 + "0", SHA256[:-1] + "\n"]
)
def test_only_a_sha256_is_a_name(archive: Archive, name: str) -> None:
    for use in (archive.path, archive.open, archive.verify, lambda name: archive.read_range(name, 0, 1)):
        with pytest.raises(ValueError, match="not a SHA-256"):
            use(name)


def test_a_range_does_not_go_backwards(archive: Archive) -> None:
    archive.write([CONTENT])
    with pytest.raises(ValueError, match="no such range"):
        archive.read_range(SHA256, -1, 5)


class FullDisk(io.FileIO):
    """Takes ``room`` bytes, in small bites, and then has no space left."""

    def __init__(self, path: Path, *, room: int, error: int = errno.ENOSPC) -> None:
        super().__init__(path, "xb")
        self._room = room
        self._error = error

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        if not self._room:
            raise OSError(self._error, os.strerror(self._error))
        taken = super().write(data[: min(self._room, 100)])
        self._room -= taken
        return taken


@pytest.mark.parametrize(
    ("error", "ours", "hint"),
    [
        (errno.ENOSPC, PermanentError, "free space"),
        (errno.EDQUOT, PermanentError, "quota"),
        (errno.EIO, PermanentError, "disk is healthy"),
        (errno.EROFS, PermanentError, "belongs to this user"),
        (errno.EMFILE, TransientError, "passes"),
        (errno.ESTALE, TransientError, "passes"),
    ],
)
def test_a_failing_disk_leaves_nothing_behind(
    tmp_path: Path, error: int, ours: type[CrossdockError], hint: str
) -> None:
    archive = Archive(tmp_path, opener=lambda path: FullDisk(path, room=1000, error=error))
    with pytest.raises(ours, match=hint):
        archive.write([CONTENT])
    assert files(tmp_path) == []


def test_a_disk_that_takes_little_bites_is_fed_to_the_end(tmp_path: Path) -> None:
    archive = Archive(tmp_path, opener=lambda path: FullDisk(path, room=10_000))
    assert archive.write([CONTENT]).sha256 == SHA256
    assert archive.verify(SHA256)


def test_a_file_that_cannot_even_be_made(tmp_path: Path) -> None:
    def refuse(path: Path) -> BinaryIO:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with pytest.raises(PermanentError, match="Permission denied"):
        Archive(tmp_path, opener=refuse).write([CONTENT])
    assert files(tmp_path) == []


def test_a_root_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("not a folder")
    with pytest.raises(PermanentError):
        Archive(tmp_path / "archive").write([CONTENT])


class SourceBroke(Exception):
    """Raised by the chunks, not by the archive."""


def test_an_error_of_the_source_goes_through_and_leaves_nothing(archive: Archive) -> None:
    def chunks() -> Iterator[bytes]:
        yield CONTENT
        raise SourceBroke

    with pytest.raises(SourceBroke):
        archive.write(chunks())
    assert files(archive.root) == []


def test_nothing_has_its_final_name_before_it_is_whole_and_flushed(tmp_path: Path) -> None:
    """Seen from the write and from the flush, the archive holds only a temporary name."""
    seen: list[list[str]] = []

    class Watched(io.FileIO):
        def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
            seen.append(files(tmp_path))
            return super().write(data)

        def fileno(self) -> int:
            seen.append(files(tmp_path))
            return super().fileno()

    Archive(tmp_path, opener=lambda path: Watched(path, "xb")).write([CONTENT[:9], CONTENT[9:]])
    assert len(seen) >= 3
    assert all(len(names) == 1 and names[0].startswith("incoming/") for names in seen)
    assert files(tmp_path) == [f"{SHA256[:2]}/{SHA256[2:4]}/{SHA256}"]


def test_many_writers_of_the_same_content_leave_one(archive: Archive) -> None:
    threads = [threading.Thread(target=archive.write, args=([CONTENT],)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert archive.verify(SHA256)
    assert len(files(archive.root)) == 1


def test_the_temporary_name_is_the_openers_to_make(tmp_path: Path) -> None:
    made: list[Path] = []

    def noting(path: Path) -> BinaryIO:
        made.append(path)
        return create(path)

    Archive(tmp_path, opener=noting).write([CONTENT])
    assert [path.parent.name for path in made] == ["incoming"]
    assert not made[0].exists()
