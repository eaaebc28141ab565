"""Nothing leaves before it has been read: each answer by our own reader, TA1, 997 and 999 of 004010 and 005010 by pyx12
too.

pyx12 is somebody else's reading of X12.20, so that a mistake of ours is not confirmed by itself. Its
997 map is made for health care: it lists those functional groups, transaction sets, versions and
identity qualifiers only, and takes a component separator for text. ``Pyx12`` works with a copy of
the map folder in which these lists are open.
"""

from __future__ import annotations

import io
import logging
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Protocol
from xml.etree import ElementTree as ET

from connectors.formats.edi.edifact.reader import read_edifact
from connectors.formats.edi.reader import read_interchanges
from connectors.formats.edi.tape import Tape
from schemas.documents import DocumentStart, InterchangeEnd, LinePlan
from schemas.errors import PermanentError
from schemas.findings import Finding, Severity

#: lists of the shipped maps that hold what is used in health care
_CLOSED_LISTS = (
    *("ISA05", "ISA07", "ISA12", "GS08", "ST03", "AK101", "AK103", "AK201", "AK203"),
    *("AK905", "AK906", "AK907", "AK908", "AK909"),
)


@dataclass(frozen=True, slots=True)
class _Map:
    """What pyx12 knows of one acknowledgment: by which release, in which envelopes, in which files."""

    set: str
    release: str
    interchanges: tuple[str, ...]
    file: str
    envelope: str


_MAPS = (
    _Map("997", "004010", ("00401", "00402"), "997.4010.xml", "x12.control.00401.xml"),
    _Map("999", "005010", ("00501",), "999.5010.xml", "x12.control.00501.xml"),
)


class Refused(PermanentError):
    """A referee does not accept an answer; it stays unsent and listed. ``complaints`` say why, one sentence each."""

    def __init__(self, message: str, *, complaints: tuple[str, ...] = (), hint: str = "", **details: Any) -> None:
        super().__init__(message, hint=hint, **details)
        self.complaints = complaints


class Referee(Protocol):
    """Somebody who reads an answer before it is sent."""

    def judge(self, answer: bytes) -> None:
        """Raises Refused for an answer that must not leave."""
        ...


class Referees:
    """Several, asked in turn."""

    def __init__(self, referees: Sequence[Referee]) -> None:
        self._referees = referees

    def judge(self, answer: bytes) -> None:
        for referee in self._referees:
            referee.judge(answer)


def referees() -> Referees:
    """All we have: our own reader, then pyx12."""
    return Referees((OurReader(), Pyx12()))


class _NoPlans:
    """Nothing is wanted of what is read; it is judged and passed over."""

    def for_document(self, start: DocumentStart) -> LinePlan | None:  # noqa: ARG002
        return None

    def candidates(self, sender: str) -> Sequence[LinePlan]:  # noqa: ARG002
        return ()


#: ISA05 or ISA07 has a code that is in no list
_UNLISTED_QUALIFIERS = {("interchange.element.code", "005"), ("interchange.element.code", "007")}


class OurReader:
    """Reads the answer as we would read anybody's: not one error, and no version or set we do not know. But a qualifier
    that no list has is the partner's own, by which they know themselves or us, and is repeated to them.
    """

    def judge(self, answer: bytes) -> None:
        read = read_interchanges if answer.startswith(b"ISA") else read_edifact
        items = list(read(Tape(io.BytesIO(answer)), _NoPlans()))
        found = (item for item in items if isinstance(item, Finding) and item.severity is Severity.ERROR)
        errors = [one for one in found if (one.code, one.standard.get("TA105")) not in _UNLISTED_QUALIFIERS]
        ends = [item for item in items if isinstance(item, InterchangeEnd)]
        if errors:
            raise _refused("our own reader", [f"{one.location}: {one.message}" for one in errors])
        if len(ends) != 1 or ends[0].length != len(answer):
            raise _refused("our own reader", [f"it is not one interchange of {len(answer)} bytes"])


class Pyx12:
    """Holds a 997 of version 004010 and a 999 of 005010, with or without an industry's suffix, and a TA1 in an envelope
    of either, against pyx12's maps.

    All else it passes by.
    """

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._releases: set[tuple[_Map, str]] = set()
        self._lock = threading.Lock()

    def judge(self, answer: bytes) -> None:
        found = _map_of(answer)
        if found is None:
            return
        import pyx12.params
        import pyx12.x12n_document
        from pyx12.errors import EngineError, X12Error

        folder = self._prepared(found)
        with _listening() as said:
            try:
                accepted = pyx12.x12n_document.x12n_document(
                    pyx12.params.ParamsBase(), io.StringIO(_text(answer)), None, None, map_path=str(folder)
                )
            except (X12Error, EngineError, AssertionError, LookupError, ValueError, AttributeError) as error:
                raise _refused("pyx12", [*said, f"{type(error).__name__}: {error}"]) from error
        if not accepted:
            raise _refused("pyx12", said or ["it gives no reason"])

    def _prepared(self, wanted: tuple[_Map, str]) -> Path:
        """The folder of maps, in which the map is registered for that release."""
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="crossdock-pyx12-"))
                weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
                _copy_maps(self._folder)
            if wanted not in self._releases:
                self._releases.add(wanted)
                _write_index(self._folder, self._releases)
            return self._folder


def _copy_maps(folder: Path) -> None:
    own = [name for one in _MAPS for name in (one.file, one.envelope)]
    with as_file(files("pyx12") / "map") as shipped:
        for name in ("maps.xml", "dataele.xml", "codes.xml", *own):
            shutil.copy(shipped / name, folder / name)
    for name in own:
        tree = ET.parse(folder / name)  # noqa: S314 - a file of an installed package
        for element in tree.iter("element"):
            closed = element.find("valid_codes")
            if element.get("xid") in _CLOSED_LISTS and closed is not None:
                element.remove(closed)
            if element.get("xid") == "ST03":
                element.find("usage").text = "S"  # type: ignore[union-attr]  # a 999 by no implementation guide has none
        for loop in tree.iter("loop"):
            if loop.get("xid") == "GS_LOOP":
                loop.find("usage").text = "S"  # type: ignore[union-attr]  # a TA1 may be all there is
        tree.write(folder / name, encoding="utf-8", xml_declaration=True)
    elements = ET.parse(folder / "dataele.xml")  # noqa: S314
    for element in elements.iter("data_ele"):
        if element.get("ele_num") in ("I15", "I65"):
            element.set("data_type", "B")  # a separator may be any character
    elements.write(folder / "dataele.xml", encoding="utf-8", xml_declaration=True)


def _write_index(folder: Path, releases: Iterable[tuple[_Map, str]]) -> None:
    """``maps.xml``: the map for each release under each envelope version."""
    root = ET.Element("maps")
    known = sorted(releases, key=lambda pair: (pair[0].set, pair[1]))
    for one in _MAPS:
        for version in one.interchanges:
            under = ET.SubElement(root, "version", icvn=version)
            for own, release in known:
                if own is one:
                    ET.SubElement(under, "map", vriic=release, fic="FA", abbr=one.set).text = one.file
            ET.SubElement(under, "map", vriic="", fic="", abbr="X12").text = one.envelope
    unfinished = folder / "maps.xml.new"
    ET.ElementTree(root).write(unfinished, encoding="utf-8", xml_declaration=True)
    unfinished.replace(folder / "maps.xml")


def _map_of(answer: bytes) -> tuple[_Map, str] | None:
    """The map that pyx12 has for this interchange, and its GS08; None for any other."""
    items = list(read_interchanges(Tape(io.BytesIO(answer)), _NoPlans()))
    starts = [item for item in items if isinstance(item, DocumentStart)]
    if not starts:
        versions = {item.interchange.version for item in items if isinstance(item, InterchangeEnd)}
        return next(((one, one.release) for one in _MAPS if versions & {*one.interchanges}), None)
    release, version = starts[0].attributes["release"], starts[0].attributes["interchange_version"]
    for one in _MAPS:
        if all(start.type == f"x12.{one.set}" for start in starts) and version in one.interchanges:
            return (one, release) if release.startswith(one.release) else None
    return None


def _text(answer: bytes) -> str:
    """As characters: pyx12 takes each delimiter for one."""
    try:
        return answer.decode("utf-8")
    except UnicodeDecodeError:
        return answer.decode("latin-1")


@contextmanager
def _listening() -> Iterator[list[str]]:
    """What pyx12 says in its log meanwhile, instead of on the terminal."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger, listener = logging.getLogger("pyx12"), Listener(logging.WARNING)
    before = logger.propagate
    logger.addHandler(listener)
    logger.propagate = False
    try:
        yield said
    finally:
        logger.removeHandler(listener)
        logger.propagate = before


def _refused(who: str, complaints: Sequence[str]) -> Refused:
    shown = "; ".join(complaints[:3]) + (f"; and {len(complaints) - 3} more" if len(complaints) > 3 else "")
    return Refused(
        f"{who} does not accept the answer: {shown}",
        complaints=tuple(complaints),
        hint="it stays unsent; mend what makes it so, and let it be made again",
    )
