"""What a sound element looks like, as regular expressions.

The judge says exactly what is wrong; a pattern only says, at the speed of C, that nothing is. A
value that a pattern accepts has no fault; one that it refuses is for the judge to look at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby

from connectors.formats.edi.delimiters import Delimiters
from connectors.formats.edi.grammar import Composite, Element, Segment
from connectors.formats.edi.judge import judge_segment

#: code lists up to this size are spelled out in the pattern, longer ones are looked up
SPELLED_CODES = 24

_DAY_OF_MONTH = (
    "(?:(?:0[13578]|1[02])(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)(?:0[1-9]|[12][0-9]|30)|02(?:0[1-9]|1[0-9]|2[0-8]))"
)
_LEAP_TWO = "(?:[02468][048]|[13579][26])"
_LONG_DATE = f"(?:(?!0000)[0-9]{{4}}{_DAY_OF_MONTH}|(?:[0-9]{{2}}(?!00){_LEAP_TWO}|(?!0000){_LEAP_TWO}00)0229)"
_SHORT_DATE = f"(?:[0-9]{{2}}{_DAY_OF_MONTH}|{_LEAP_TWO}0229)"
_TIME = ("(?:[01][0-9]|2[0-3])[0-5][0-9]", "[0-5][0-9]", "[0-9]", "[0-9]")


def element_pattern(element: Element, delimiters: Delimiters) -> str:
    """A pattern that accepts only faultless values of ``element``; code lists longer than SPELLED_CODES not checked."""
    least, most, kind = element.least, element.most, element.type
    if element.codes is not None and len(element.codes) <= SPELLED_CODES:
        return spelled(element.codes)
    if kind[0] == "N":
        return f"-?[0-9]{{{least},{most}}}+"
    if kind == "R":
        whole = f"[0-9]{{{least},{most}}}+(?![.E])"
        return f"-?(?:{whole}|(?=[0-9.]{{{least + 1},{most + 1}}}+(?![0-9.E]))[0-9]*+\\.[0-9]*+)"
    if kind == "DT":
        return _LONG_DATE if least == 8 else _SHORT_DATE if most == 6 else f"(?:{_LONG_DATE}|{_SHORT_DATE})"
    if kind == "TM":
        return _time_pattern(least, most)
    if kind == "n":
        mark = "".join(re.escape(c) for c in delimiters.decimal)
        whole = f"[0-9]{{{least},{most}}}+(?![{mark}])"
        return f"-?(?:{whole}|(?=[0-9{mark}]{{{least + 1},{most + 1}}}+(?![0-9{mark}]))[0-9]++[{mark}][0-9]++)"
    text = _plain_text(delimiters, digits=kind != "a", foreign=least == 1)
    return f"{text}{{{least},{most}}}+"


def spelled(codes: Iterable[str]) -> str:
    """A pattern that accepts just these codes."""
    return "(?:" + "|".join(re.escape(code) for code in sorted(codes, key=lambda code: (-len(code), code))) + ")"


@lru_cache(maxsize=64)
def _plain_text(delimiters: Delimiters, *, digits: bool, foreign: bool) -> str:
    """The printable characters that mean nothing else; ``foreign`` ones too, which may take several bytes each, so
    that only a value of any length may hold them. A class of few ranges: a negated one that reaches beyond Latin-1
    takes ``re`` a hundred times as long to compile."""
    service = "".join(_service(delimiters))
    codes = (*range(0x20, 0x7F), *(range(0x80, 0x100) if foreign else ()))
    wanted = (chr(c) for c in codes if chr(c) not in service and (digits or not chr(c).isdigit()))
    runs = [[c for _, c in run] for _, run in groupby(enumerate(wanted), lambda pair: ord(pair[1]) - pair[0])]
    return "[" + "".join(f"{re.escape(run[0])}-{re.escape(run[-1])}" for run in runs) + "]"


def _service(delimiters: Delimiters) -> tuple[str, ...]:
    return (
        delimiters.element,
        delimiters.component,
        delimiters.segment,
        delimiters.repetition,
        delimiters.release,
    )


def _time_pattern(least: int, most: int) -> str:
    """HHMM, HHMMSS, HHMMSSD and HHMMSSDD, as far as the lengths allow."""
    sizes = {4: 1, 6: 2, 7: 3, 8: 4}
    allowed = ["".join(_TIME[:pieces]) for size, pieces in sizes.items() if least <= size <= most]
    return "(?:" + "|".join(reversed(allowed)) + ")" if allowed else "(?!)"


class SegmentCheck:
    """A quick test whether a segment's elements are all sound: each against its pattern, and which are filled
    against the mandatory positions and syntax notes (remembered for each combination met)."""

    def __init__(self, spec: Segment, delimiters: Delimiters) -> None:
        self._spec = spec
        self._delimiters = delimiters
        self._tests = [(1 << i, *_test(use.element, delimiters)) for i, use in enumerate(spec.uses)]
        self._filled: dict[int, bool] = {}

    def accepts(self, elements: Sequence[str]) -> bool:
        """True when nothing is wrong. ``elements`` includes the segment id at index 0."""
        if len(elements) > len(self._tests) + 1:
            return False
        filled = 0
        for value, (bit, match, codes) in zip(elements[1:], self._tests, strict=False):
            if value:
                filled |= bit
                if match is None or not match(value) or (codes is not None and value not in codes):
                    return False
        known = self._filled.get(filled)
        return self._judge_filled(filled) if known is None else known

    def _judge_filled(self, filled: int) -> bool:
        """Whether exactly these positions may be filled; the values do not matter."""
        sample = [self._spec.id] + ["?" if filled >> i & 1 else "" for i in range(len(self._tests))]
        about_presence = ("element.missing", "element.condition", "element.exclusive")
        sound = not any(
            fault.code in about_presence and not fault.component
            for fault in judge_segment(self._spec, sample, self._delimiters)
        )
        self._filled[filled] = sound
        return sound


def _test(element: Element | Composite, delimiters: Delimiters):  # type: ignore[no-untyped-def]
    if isinstance(element, Composite):
        return None, None
    return re.compile(element_pattern(element, delimiters)).fullmatch, long_codes(element)


def long_codes(element: Element) -> frozenset[str] | None:
    """The element's codes where they are too many for its pattern."""
    return element.codes if element.codes is not None and len(element.codes) > SPELLED_CODES else None
