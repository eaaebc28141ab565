"""CONTRL and APERAK that come in: what a partner says of an interchange or message of ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.formats.edi.acknowledgments.contrl import ACKNOWLEDGED, RECEIVED
from connectors.formats.edi.acknowledgments.received import ACCEPTED, MOST_DETAILS, NOTED, PARTLY, REJECTED, Received
from connectors.formats.edi.edifact.scan import ScannedSegment

#: data elements 1225 and 1001 of an APERAK that refuses
_NOT_ACCEPTED, _ERROR_MESSAGE = "27", "313"
_INTERCHANGE, _MESSAGE = ("ACE",), ("ACW", "AGO")  #: data element 1153: which of ours it speaks of


def read_message(kind: str, segments: Sequence[ScannedSegment]) -> Iterator[Received]:
    """What a CONTRL or APERAK says. ``segments`` are its own, UNH and UNT left out or not."""
    yield from _syntax(segments) if kind == "CONTRL" else _application(segments)


def _syntax(segments: Sequence[ScannedSegment]) -> Iterator[Received]:
    """The whole interchange's verdict: of its messages some, all or none may have been rejected."""
    reference, action = "", ""
    messages: list[str] = []
    details: list[str] = []
    for segment in segments:
        if segment.tag == "UCI":
            reference, action = _at(segment, 1), _at(segment, 4)
            details += _fault(segment, 5, f"UCI {action}")
        elif segment.tag == "UCF":
            details += _fault(segment, 5, f"group {_at(segment, 1)}")
            if _at(segment, 4) not in (ACKNOWLEDGED, RECEIVED):
                messages.append(_at(segment, 4))
        elif segment.tag == "UCM":
            messages.append(_at(segment, 3))
            details += _fault(segment, 4, f"message {_at(segment, 1)}")
        elif segment.tag == "UCS":
            details.append(f"segment {_at(segment, 1)}" + (f" (0085 {_at(segment, 2)})" if _at(segment, 2) else ""))
        elif segment.tag == "UCD":
            details.append(f"element {_at(segment, 2)} (0085 {_at(segment, 1)})")
    if not reference.isdecimal():
        return
    refused = [code for code in messages if code not in (ACKNOWLEDGED, RECEIVED)]
    if action not in (ACKNOWLEDGED, RECEIVED) or (refused and len(refused) == len(messages)):
        outcome = REJECTED
    elif refused:
        outcome = PARTLY
    else:
        outcome = NOTED if details else ACCEPTED
    if action == RECEIVED and not details:
        details.append("received, not judged")
    yield Received(
        kind="CONTRL", level="interchange", number=int(reference), outcome=outcome,
        detail="; ".join(details[:MOST_DETAILS]),
    )  # fmt: skip


def _application(segments: Sequence[ScannedSegment]) -> Iterator[Received]:
    """It speaks of one message, known by that or by its interchange."""
    refused, references, details = False, dict[str, str](), list[str]()
    errors, heading = 0, True
    for segment in segments:
        if segment.tag == "BGM":
            refused = _at(segment, 1) == _ERROR_MESSAGE or _at(segment, 3) == _NOT_ACCEPTED
        elif segment.tag == "RFF" and heading:
            references.setdefault(_at(segment, 1), _at(segment, 1, 2))
        elif segment.tag == "ERC":
            heading = False
            errors += 1
            details.append(f"ERC {_at(segment, 1)}")
        elif segment.tag == "FTX" and details and not heading:
            details[-1] = (
                f"{details[-1]} {' '.join(filter(None, segment.elements[3]))}"
                if len(segment.elements) > 3
                else details[-1]
            )
    outcome = REJECTED if refused else NOTED if errors else ACCEPTED
    for level, qualifiers in (("set", _MESSAGE), ("interchange", _INTERCHANGE)):
        number = next((references[one] for one in qualifiers if references.get(one, "").isdecimal()), "")
        if number:
            told = "; ".join(details[:MOST_DETAILS])
            yield Received(kind="APERAK", level=level, number=int(number), outcome=outcome, detail=told)
            return


def _at(segment: ScannedSegment, position: int, component: int = 1) -> str:
    """A component, both counted from 1; empty where there is none."""
    element = segment.elements[position - 1] if position <= len(segment.elements) else ()
    return element[component - 1] if component <= len(element) else ""


def _fault(segment: ScannedSegment, position: int, what: str) -> list[str]:
    """0085 and 0013 of UCI, UCF or UCM, if it has any."""
    code, tag = _at(segment, position), _at(segment, position + 1)
    return [f"{what}: 0085 {code}" + (f" in {tag}" if tag else "")] if code else []
