"""Acknowledgments that come in: what a partner says of an interchange or group of ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ACCEPTED, NOTED, PARTLY, REJECTED = "accepted", "accepted_with_errors", "partly_accepted", "rejected"

#: elements 715 and I17
_OUTCOMES = {"A": ACCEPTED, "E": NOTED, "P": PARTLY}
#: element 110 of an 824
_ADVICE = {"TA": ACCEPTED, "TE": NOTED, "TP": PARTLY, "IA": ACCEPTED, "IE": NOTED, "GA": ACCEPTED, "GE": NOTED}
MOST_DETAILS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A statement about something we sent, known by its ``level`` (interchange, group, set) and control ``number``."""

    kind: str  #: 997, 999, 824, TA1, CONTRL, APERAK
    level: str
    number: int
    outcome: str
    detail: str = ""


def read_set(kind: str, segments: Sequence[Sequence[str]]) -> Iterator[Received]:
    """What a 997, 999 or 824 says. ``segments`` are its own, split into elements, the id first."""
    yield from _advice(segments) if kind == "824" else _functional(kind, segments)


def read_interchange_acknowledgment(elements: Sequence[str]) -> Received | None:
    """What a TA1 says; ``elements`` without the segment id. None for one that names no interchange."""
    control, _, _, code, note = (*elements, *[""] * 5)[:5]
    if not control.isdecimal():
        return None
    detail = "" if note in ("", "000") else f"TA105 {note}"
    return Received(
        kind="TA1", level="interchange", number=int(control), outcome=_OUTCOMES.get(code, REJECTED), detail=detail
    )


def _functional(kind: str, segments: Sequence[Sequence[str]]) -> Iterator[Received]:
    group, verdict, control, details = "", "", "", list[str]()
    for id_, *elements in segments:
        first, second = (*elements, "", "")[:2]
        if id_ == "AK1":
            group = second
        elif id_ == "AK2":
            control = second
        elif id_ in ("AK3", "IK3"):
            code = (*elements, "", "", "", "")[3]
            details.append(f"set {control}: segment {second} {first}" + (f" ({id_}04 {code})" if code else ""))
        elif id_ == "CTX":
            details.append(f"set {control}: context {' '.join(filter(None, elements))}")
        elif id_ in ("AK5", "IK5") and first not in ("A", "E") and not any(f"set {control}:" in one for one in details):
            details.append(
                f"set {control}: " + " ".join((f"{id_}01 {first}", *(code for code in elements[1:] if code)))
            )
        elif id_ == "AK9":
            verdict = first
            details += [f"AK905 {code}" for code in elements[4:] if code]
    if group.isdecimal():
        told = "; ".join(details[:MOST_DETAILS])
        yield Received(
            kind=kind, level="group", number=int(group), outcome=_OUTCOMES.get(verdict, REJECTED), detail=told
        )


def _advice(segments: Sequence[Sequence[str]]) -> Iterator[Received]:
    """Each OTI speaks for itself; what concerns one group is told together, the gravest word first."""
    said: dict[int, list[str]] = {}
    details: dict[int, list[str]] = {}
    current = -1
    for id_, *elements in segments:
        if id_ == "OTI":
            group = (*elements, *[""] * 8)[7]
            current = int(group) if group.isdecimal() else -1
            if current >= 0:
                said.setdefault(current, []).append(_ADVICE.get(elements[0] if elements else "", REJECTED))
        elif id_ == "TED" and current >= 0:
            details.setdefault(current, []).append(" ".join(element for element in elements[:2] if element))
    order = (ACCEPTED, NOTED, PARTLY, REJECTED)
    for group_number, outcomes in said.items():
        told = "; ".join(details.get(group_number, [])[:MOST_DETAILS])
        yield Received(
            kind="824", level="group", number=group_number, outcome=max(outcomes, key=order.index), detail=told
        )
