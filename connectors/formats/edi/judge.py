"""Whether a segment's elements are what the standard allows (X12.5, X12.6).

The judge says everything that is wrong with one segment at once, as ``Fault`` values that know
the code of data element 723 (AK403) but not where in the file the segment stands.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connectors.formats.edi.delimiters import Delimiters
from connectors.formats.edi.grammar import Composite, Element, Note, Segment, Use
from schemas.findings import Severity

_INTEGER = re.compile(r"-?\d+")
_DECIMAL = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:E-?\d+)?")
_DIGIT = re.compile(r"\d")
_TIME = re.compile(r"(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d(?:\d{1,2})?)?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a segment. ``position`` and ``component`` count from 1; 0 is the whole segment or element."""

    code: str  #: ours, as in Finding.code
    ak403: str
    position: int
    component: int
    value: str
    message: str
    expected: str
    number: str = ""  #: data element reference number
    trigger: int = 0  #: the position whose value makes it so, by a syntax note; in the same composite where it is one
    severity: Severity = Severity.ERROR


def judge_segment(spec: Segment, elements: Sequence[str], delimiters: Delimiters) -> Iterator[Fault]:
    """All faults of a segment. ``elements`` includes the segment id at index 0."""
    uses = spec.uses
    values = elements[1:]
    for position, use in enumerate(uses, 1):
        value = values[position - 1] if position <= len(values) else ""
        if value:
            yield from _judge_use(use, value, position, delimiters)
        elif use.required:
            yield _missing(use, position)
    extra = next((place for place in range(len(uses) + 1, len(values) + 1) if values[place - 1]), 0)
    if extra:
        yield Fault(
            "element.too_many", "3", extra, 0, values[extra - 1],
            f"{spec.id} ends with element {len(uses):02d}", f"at most {len(uses)} elements",
        )  # fmt: skip
    for note in spec.notes:
        yield from _judge_note(note, values, uses, 0)


def _missing(use: Use, position: int, component: int = 0) -> Fault:
    name = "" if isinstance(use.element, Composite) else use.element.name
    return Fault(
        "element.missing",
        "1",
        position,
        component,
        "",
        f"{name or 'the element'} is mandatory",
        name,
        use.element.number,
    )


def _judge_use(use: Use, value: str, position: int, delimiters: Delimiters) -> Iterator[Fault]:
    everywhere = use.repeat > 1 or delimiters.release  # X12 repeats only what may be; in EDIFACT the mark is reserved
    repeats = value.split(delimiters.repetition) if delimiters.repetition and everywhere else [value]
    if len(repeats) > use.repeat:
        yield Fault(
            "element.too_many_repetitions", "12", position, 0, value,
            f"{len(repeats)} repetitions", f"at most {use.repeat}", use.element.number,
        )  # fmt: skip
    for repeat in repeats[: use.repeat]:
        if isinstance(use.element, Composite):
            yield from _judge_composite(use.element, repeat, position, delimiters)
        else:
            yield from judge_value(use.element, repeat, position, 0, delimiters)


def _judge_composite(composite: Composite, value: str, position: int, delimiters: Delimiters) -> Iterator[Fault]:
    values = value.split(delimiters.component) if delimiters.component else [value]
    for component, use in enumerate(composite.uses, 1):
        piece = values[component - 1] if component <= len(values) else ""
        if piece:
            yield from judge_value(composite.element(component - 1, values), piece, position, component, delimiters)
        elif use.required and not piece:
            yield _missing(use, position, component)
    if len(values) > len(composite.uses) and any(values[len(composite.uses) :]):
        yield Fault(
            "element.too_many_components", "3", position, len(composite.uses) + 1, value,
            f"{len(values)} components", f"at most {len(composite.uses)}", composite.number,
        )  # fmt: skip
    for note in composite.notes:
        yield from _judge_note(note, values, composite.uses, position)


def judge_value(element: Element, value: str, position: int, component: int, delimiters: Delimiters) -> Iterator[Fault]:
    """The faults of one filled simple element."""

    def fault(code: str, ak403: str, message: str, expected: str, severity: Severity = Severity.ERROR) -> Fault:
        return Fault(code, ak403, position, component, value, message, expected, element.number, severity=severity)

    kind = element.type
    size = len(value)
    if kind[0] == "N" or kind == "R":
        shape = _INTEGER if kind[0] == "N" else _DECIMAL
        if not shape.fullmatch(value):
            number = "a whole number" if kind[0] == "N" else "a decimal number"
            yield fault("element.character", "6", f"{element.name} is not {number}", number)
            return
        size = sum(c.isdigit() for c in value.partition("E")[0])
    elif kind == "n":
        problem = _number_fault(value, delimiters.decimal)
        if problem:
            yield fault(*problem)
            return
        size = sum(c.isdigit() for c in value)
    elif kind == "a" and _DIGIT.search(value):
        yield fault("element.character", "6", f"{element.name} holds a digit", "letters")
    elif kind != "B" and _CONTROL.search(value):
        yield fault("element.character", "6", f"{element.name} holds a control character", "printable characters")
    elif delimiters.component and delimiters.component in value and kind != "B" and element.number != "I15":
        yield fault(
            "element.component_separator", "6", f"{element.name} holds the component separator",
            "a simple element", Severity.WARNING,
        )  # fmt: skip
    if kind == "DT" and size in (6, 8) and not element.least <= size <= element.most and is_date(value):
        wanted = "CCYYMMDD" if element.least == 8 else "YYMMDD"
        code, ak403 = ("element.too_short", "4") if size < element.least else ("element.too_long", "5")
        yield fault(code, ak403, f"{element.name} is written with {size} digits", wanted, Severity.WARNING)
        return
    if size < element.least:
        yield fault("element.too_short", "4", f"{element.name} is too short", f"at least {element.least} characters")
        return
    if size > element.most:
        yield fault("element.too_long", "5", f"{element.name} is too long", f"at most {element.most} characters")
        return
    if kind == "DT" and not is_date(value):
        yield fault("element.date", "8", f"{element.name} is not a date", "YYMMDD" if element.most == 6 else "CCYYMMDD")
    elif kind == "TM" and not _TIME.fullmatch(value):
        yield fault("element.time", "9", f"{element.name} is not a time of day", "HHMM, HHMMSS or HHMMSSDD")
    elif element.codes is not None and value not in element.codes:
        severity, among = (Severity.ERROR, "") if element.whole else (Severity.WARNING, " among those that are known")
        yield fault("element.code", "7", f"{element.name} has no such code{among}", _listed(element.codes), severity)


def _number_fault(value: str, marks: str) -> tuple[str, str, str, str] | None:
    """What is wrong with a number of EDIFACT (ISO 9735, 10): code, AK403, message, expected."""
    whole, *decimals = re.split(f"[{re.escape(marks)}]", value.removeprefix("-"))
    if len(decimals) > 1 or not all(part.isascii() and part.isdigit() for part in (whole, *decimals) if part):
        return "element.character", "6", f"'{value[:40]}' is not a number", f"digits and one of {' '.join(marks)}"
    if not whole or "" in decimals:
        return "element.decimal", "6", "digits are needed on both sides of a decimal mark", "as in 0.5"
    return None


def is_date(value: str) -> bool:
    """Whether this is YYMMDD or CCYYMMDD of a day that exists."""
    if len(value) not in (6, 8) or not (value.isascii() and value.isdigit()):
        return False
    year, month, day = int(value[:-4]), int(value[-4:-2]), int(value[-2:])
    if not 1 <= month <= 12 or (len(value) == 8 and year == 0):
        return False
    return 1 <= day <= calendar.monthrange(year if len(value) == 8 else 2000 + year, month)[1]


def _listed(codes: frozenset[str]) -> str:
    shown = sorted(codes)
    return ", ".join(shown[:12]) + (f" and {len(shown) - 12} more" if len(shown) > 12 else "")


def _judge_note(note: Note, values: Sequence[str], uses: Sequence[Use], position: int) -> Iterator[Fault]:
    """X12.6 3.5.5: paired, required, exclusion, conditional, list conditional."""
    filled = [p <= len(values) and values[p - 1] != "" for p in note.positions]
    names = ", ".join(f"{p:02d}" for p in note.positions)
    missing = [p for p, there in zip(note.positions, filled, strict=True) if not there]
    trigger = next((p for p, there in zip(note.positions, filled, strict=True) if there), 0)

    def fault(place: int, message: str, code: str = "element.condition", ak403: str = "2") -> Fault:
        spot = (position, place) if position else (place, 0)
        number = uses[place - 1].element.number
        return Fault(code, ak403, *spot, "", message, f"syntax note {note}", number, trigger)

    if note.kind == "P" and any(filled) and missing:
        yield from (fault(p, f"of elements {names} all or none are needed") for p in missing)
    elif note.kind == "R" and not any(filled):
        yield fault(note.positions[0], f"one of elements {names} is needed")
    elif note.kind == "E" and sum(filled) > 1:
        extra = [p for p, there in zip(note.positions, filled, strict=True) if there][1]
        yield fault(extra, f"only one of elements {names} may be used", "element.exclusive", "10")
    elif note.kind == "C" and filled[0] and missing:
        yield from (fault(p, f"with element {note.positions[0]:02d} element {p:02d} is needed") for p in missing)
    elif note.kind == "L" and filled[0] and not any(filled[1:]):
        yield fault(note.positions[1], f"with element {note.positions[0]:02d} one of the others of {names} is needed")
