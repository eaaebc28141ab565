"""What the walks through an X12 and an EDIFACT payload share: finding the next interchange, taking segments outside
documents, noticing doubles, and keeping what was learned; all in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from connectors.formats.edi.body import LONGEST_SEGMENT
from connectors.formats.edi.delimiters import Delimiters
from connectors.formats.edi.machine import Machine, Plan
from connectors.formats.edi.runs import Learner
from connectors.formats.edi.tape import Tape
from schemas.documents import LinePlan

MOST_REMEMBERED = 100_000  #: keys kept to notice doubles
MOST_LEARNERS = 100  #: kinds of documents of which is kept what was learned
_SHOWN = 80  #: characters of skipped text
_BLANK = "\xef\xbb\xbf \t\r\n\0\x1a\x0c"  #: nothing to speak of: a byte order mark, blanks, padding


@dataclass(frozen=True, slots=True)
class Passed:
    """What was passed over on the way to the next interchange: where it began, and its first visible characters."""

    offset: int
    text: str
    found: bool  #: whether there is an interchange; the tape is left at it, else at the end


def seek(tape: Tape, find: Callable[[str, int], int], longest: int) -> Passed:
    """Go to what ``find`` finds, of which ``longest`` characters are enough to tell it."""
    begin, skipped = tape.offset, ""
    while (at := find(tape.text, tape.at)) < 0:
        skipped = _passed(tape, max(tape.at, len(tape.text) - longest), skipped)
        if not tape.more():
            return Passed(begin, _passed(tape, len(tape.text), skipped), found=False)
    return Passed(begin, _passed(tape, at, skipped), found=True)


def _passed(tape: Tape, to: int, so_far: str) -> str:
    text = tape.raw(to - tape.at) if len(so_far) < _SHOWN else ""
    tape.at = to
    return (so_far + text)[:_SHOWN] if so_far else text.lstrip(_BLANK)[:_SHOWN]


@dataclass(frozen=True, slots=True)
class Loose:
    """A segment outside any document: its text, where it begins in the window, whether it was terminated."""

    raw: str
    start: int
    complete: bool


def next_segment(tape: Tape, delimiters: Delimiters) -> Loose | None:
    """The next segment, without what may stand before it; None at the end. The tape is left behind it."""
    while (end := tape.text.find(delimiters.segment, tape.at)) < 0 and len(tape.text) - tape.at < LONGEST_SEGMENT:
        if not tape.more():
            break
    complete = end >= 0
    if not complete:
        end = len(tape.text)
    raw = tape.text[tape.at : end].lstrip(delimiters.blanks)
    start = end - len(raw)
    if not complete:
        raw = raw.rstrip(delimiters.blanks)
    tape.at = end + len(delimiters.segment) if complete else end
    return Loose(raw, start, complete) if raw or complete else None


class Remembered:
    """Keys that were met, as many as are kept."""

    def __init__(self) -> None:
        self._keys: set[Hashable] = set()

    def met(self, key: Hashable) -> bool:
        """Whether the key was met before; from now on it was."""
        known = key in self._keys
        if len(self._keys) < MOST_REMEMBERED:
            self._keys.add(key)
        return known


class Learners:
    """What was learned from one document serves the next of its kind in the payload; the oldest kinds are forgotten."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._kept: dict[Hashable, tuple[Learner, LinePlan | None]] = {}

    def of(
        self, kind: Hashable, tape: Tape, delimiters: Delimiters, wanted: LinePlan | None, plan: Callable[[], Plan]
    ) -> Learner:
        """The learner of documents of this kind; ``plan`` makes theirs."""
        suffix = tape.following("\r\n", 2) if delimiters.segment not in "\r\n" else ""
        key = (kind, delimiters, suffix, id(wanted))
        if key not in self._kept:
            if len(self._kept) >= MOST_LEARNERS:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = Learner(Machine(plan()), delimiters, suffix, enabled=self._enabled), wanted
        return self._kept[key][0]
