"""Zipped attachments: the documents in a ZIP file, within bounds that a bomb does not get past."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_FILES = 200
LARGEST = 256 << 20  #: bytes unpacked, of all files together
_PIECE = 1 << 20
#: What packing programs add that nobody sent: folders, and what macOS and Windows keep beside files.
_PASSED_OVER = re.compile(r"(?:^|/)(?:__MACOSX/|\.|Thumbs\.db$|desktop\.ini$)|/$")


class Unopened(ValueError):
    """Why a ZIP file, or a file in it, is not opened."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A file that was in a ZIP file. ``name`` is without its folder, ``path`` with it."""

    name: str
    path: str
    data: bytes = field(repr=False)


def is_zip(data: bytes, name: str) -> bool:
    """Whether this is a ZIP file of documents: workbooks are ZIP files too, and are documents themselves."""
    if not data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return False
    if name.lower().endswith(".zip"):
        return True
    try:
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    except (zipfile.BadZipFile, ValueError):
        return False
    return not {"[Content_Types].xml", "mimetype"} & set(names)


def unzip(data: bytes) -> Iterator[Packed | Unopened]:
    """The files, in their order; an Unopened for each that cannot be had. Raises Unopened for the whole."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = [one for one in archive.infolist() if not _PASSED_OVER.search(one.filename)]
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise Unopened(f"it is no ZIP file that can be opened: {error}") from None
    if len(members) > MOST_FILES:
        raise Unopened(f"it holds {len(members)} files, more than {MOST_FILES}")
    left = LARGEST
    for member in members:
        try:
            content = _content(archive, member, left)
        except Unopened as error:
            yield error
            continue
        left -= len(content)
        yield Packed(re.split(r"[/\\]", member.filename)[-1][:200], member.filename[:500], content)


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    """Its bytes, counted as they are unpacked: what the directory says of sizes may be a lie."""
    if member.flag_bits & 1:
        raise Unopened(f"{member.filename[:200]} is encrypted")
    pieces, size = [], 0
    name = member.filename[:200]
    try:
        with archive.open(member) as file:
            while piece := file.read(_PIECE):
                size += len(piece)
                if size > most:
                    break
                pieces.append(piece)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, ValueError) as error:
        raise Unopened(f"{name} cannot be unpacked: {error}") from None
    if size > most:
        raise Unopened(f"{name} unpacks to more than there is room for")
    content = b"".join(pieces)
    if content.startswith(b"PK\x03\x04") and member.filename.lower().endswith(".zip"):
        raise Unopened(f"{name} is a ZIP file in a ZIP file")
    return content
