"""Reduced schemas: what must or may stand in the elements that are looked into, and of what form it is.

A schema names elements; what it does not name is free. It is checked subtree by subtree, as documents arrive, so that
memory holds one line. The data stand in ``schemas/ubl/structure.yaml`` and ``schemas/cxml/structure.yaml``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from lxml import etree

from connectors.formats.xml.paths import local
from schemas.findings import Finding, Severity, Stage

_BOUNDS = {"!": (1, 1), "+": (1, None), "?": (0, 1), "*": (0, None)}
_PART = re.compile(r"(?P<name>[A-Za-z]\w*)(?P<often>[!+?*])(?:\s+(?P<form>\S+))?")
_ZONE = r"(?:Z|[+-]\d\d:\d\d)?"
_DAY = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
#: form -> its pattern, and what is expected in words
_FORMS = {
    "filled": (r".+", "some text"),
    "decimal": (r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)", "a decimal number with a point"),
    "whole": (r"\d+", "a whole number"),
    "date": (_DAY + _ZONE, "a date as 2026-03-30"),
    "moment": (rf"{_DAY}(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?{_ZONE})?", "a date, or a moment as 2026-03-30T08:00:00Z"),
    "indicator": (r"true|false|0|1", "true or false"),
}


@dataclass(frozen=True, slots=True)
class Form:
    """How a text is written."""

    matches: Callable[[str], object]
    expected: str


@dataclass(frozen=True, slots=True)
class Part:
    """A child or an attribute: how often it stands there, and for an attribute how it is written."""

    least: int
    most: int | None
    form: Form | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """What one kind of element is like."""

    holds: Mapping[str, Part]
    says: Mapping[str, Part]
    text: Form | None


@dataclass(frozen=True, slots=True)
class Structure:
    """A reduced schema. ``format`` begins the codes of what is found."""

    format: str
    elements: Mapping[str, Shape]
    documents: frozenset[str]  #: names of elements that stand in no other: what they lack is an error

    def of_head(self, element: etree._Element, location: str, until: etree._Element | None) -> Iterator[Finding]:
        """What is wrong with an element before its child ``until``, the first that is checked by itself."""
        shape = self.elements.get(local(element.tag))
        if shape is not None:
            yield from self._of_attributes(element, shape, location)
            yield from self._of_children(element, shape, location, until)

    def of_unit(self, element: etree._Element, location: str) -> Iterator[Finding]:
        """What is wrong with a complete element, and with what is in it."""
        shape = self.elements.get(local(element.tag))
        if shape is None:
            return
        if shape.text is not None and not shape.text.matches((element.text or "").strip()):
            yield self._value(element, location, element.text or "", shape.text)
        if shape.says:
            yield from self._of_attributes(element, shape, location)
        if shape.holds:
            yield from self._of_children(element, shape, location)

    def _of_attributes(self, element: etree._Element, shape: Shape, location: str) -> Iterator[Finding]:
        for name, part in shape.says.items():
            text = element.get(name)
            if text is None:
                if part.least:
                    yield self._missing(element, f"{location}/@{name}", f"@{name}")
            elif part.form is not None and not part.form.matches(text.strip()):
                yield self._value(element, f"{location}/@{name}", text, part.form)

    def _of_children(
        self, element: etree._Element, shape: Shape, location: str, until: etree._Element | None = None
    ) -> Iterator[Finding]:
        counts: dict[str, int] = {}
        for child in element:
            if child is until:
                counts.setdefault(local(until.tag), 0)
                break
            tag = child.tag
            if tag.__class__ is not str or (name := local(tag)) not in shape.holds:
                continue
            counts[name] = number = counts.get(name, 0) + 1
            part = shape.holds[name]
            if part.most is not None and number == part.most + 1:
                yield self._repeated(child, f"{location}/{name}[{number}]", name)
            if name in self.elements:
                single = part.most == 1 and number == 1
                yield from self.of_unit(child, f"{location}/{name}" if single else f"{location}/{name}[{number}]")
        for name, part in shape.holds.items():
            if part.least and name not in counts:
                yield self._missing(element, f"{location}/{name}", name)

    def _missing(self, element: etree._Element, place: str, name: str) -> Finding:
        holder = local(element.tag)
        severity = Severity.ERROR if holder in self.documents else Severity.WARNING
        return self._finding("element_missing", severity, f"{holder} has no {name}", element, place, expected=name)

    def _repeated(self, element: etree._Element, place: str, name: str) -> Finding:
        what = f"{name} stands there more than once; the first counts"
        return self._finding("element_repeated", Severity.WARNING, what, element, place, expected=f"one {name}")

    def _value(self, element: etree._Element, place: str, text: str, form: Form) -> Finding:
        what = f"{place.rpartition('/')[2]} is not {form.expected}"
        return self._finding(
            "value_invalid", Severity.ERROR, what, element, place, expected=form.expected, value=text.strip()[:80]
        )

    def _finding(
        self,
        code: str,
        severity: Severity,
        message: str,
        element: etree._Element,
        place: str,
        *,
        expected: str,
        value: str | None = None,
    ) -> Finding:
        line = f", line {element.sourceline}" if element.sourceline else ""
        return Finding(
            code=f"{self.format}.{code}",
            severity=severity,
            stage=Stage.STRUCTURE,
            message=message,
            location=f"{place}{line}",
            value=value,
            expected=expected,
        )


@cache
def structure(path: Path) -> Structure:
    """The schema of a file; its folder says of which format it is."""
    given = yaml.safe_load(path.read_text("utf-8"))["elements"]
    shapes = {
        name: Shape(
            holds=_parts(told.get("holds", "")), says=_parts(told.get("says", "")), text=_form(told.get("text", ""))
        )
        for name, told in given.items()
    }
    held = {name for shape in shapes.values() for name in shape.holds}
    return Structure(path.parent.name, shapes, frozenset(shapes) - held)


def _parts(written: str) -> dict[str, Part]:
    parts = {}
    for text in filter(None, (one.strip() for one in written.split(","))):
        match = _PART.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is no part: write it as Name! or name? form")
        least, most = _BOUNDS[match["often"]]
        parts[match["name"]] = Part(least, most, _form(match["form"] or ""))
    return parts


def _form(name: str) -> Form | None:
    if not name:
        return None
    if "|" in name:
        words = frozenset(name.split("|"))
        return Form(words.__contains__, f"one of {', '.join(sorted(words))}")
    pattern, expected = _FORMS[name]
    return Form(re.compile(pattern, re.DOTALL).fullmatch, expected)
