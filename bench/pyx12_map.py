"""A map for pyx12 of a transaction set that it ships none for, written from a grammar of 004010.

So both judge the same file by the same rules: order, requirement, maximum use and repeat, type, length, codes.
Composites, which the measured file has none of, become plain optional text.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.resources import as_file, files
from itertools import count
from pathlib import Path
from xml.etree import ElementTree as ET

from connectors.formats.edi.grammar import UNLIMITED, Element, Grammar, Part, Use

_SHIPPED = ("x12.control.00401.xml", "dataele.xml", "codes.xml")
_FRAME = "997.4010.xml"  #: whose envelope is taken
_OPENED = ("GS01", "GS08", "ISA05", "ISA07", "ISA12", "ST01")


def write_map(folder: Path, set_id: str, grammar: Grammar) -> None:
    """Maps that validate this set by this grammar, and nothing else, in an empty folder."""
    with as_file(files("pyx12") / "map") as shipped:
        for name in (*_SHIPPED, _FRAME):
            shutil.copy(shipped / name, folder / name)
    control, frame = ET.parse(folder / _SHIPPED[0]), ET.parse(folder / _FRAME)
    for element in (*control.iter("element"), *frame.iter("element")):
        closed = element.find("valid_codes")
        if element.get("xid") in _OPENED and closed is not None:
            element.remove(closed)
    control.write(folder / _SHIPPED[0], encoding="utf-8", xml_declaration=True)
    body = next(loop for loop in frame.iter("loop") if loop.get("xid") == "ST_LOOP")
    for loop in body.findall("loop"):
        body.remove(loop)
    trailer = next(segment for segment in body.findall("segment") if segment.get("xid") == "SE")
    body.remove(trailer)
    place = count(100, 10)
    members = grammar.sets[set_id].root.members[:-1]
    for part in members:
        body.append(_part(grammar, part, place))
    _text(trailer, "pos", str(next(place)))
    body.append(trailer)
    frame.write(folder / "set.xml", encoding="utf-8", xml_declaration=True)
    _write_elements(folder / "dataele.xml", grammar)
    index = ET.Element("maps")
    of = ET.SubElement(index, "version", icvn="00401")
    ET.SubElement(of, "map", vriic=grammar.version, fic=grammar.sets[set_id].group, abbr=set_id).text = "set.xml"
    ET.SubElement(of, "map", vriic="", fic="", abbr="X12").text = "x12.control.00401.xml"
    ET.ElementTree(index).write(folder / "maps.xml", encoding="utf-8", xml_declaration=True)


def _text(parent: ET.Element, tag: str, text: str) -> None:
    found = parent.find(tag)
    (ET.SubElement(parent, tag) if found is None else found).text = text


def _part(grammar: Grammar, part: Part, place: Iterator[int]) -> ET.Element:
    at = str(next(place))
    segment = _segment(grammar, part, at)
    if not part.loop:
        return segment
    loop = ET.Element("loop", xid=f"{part.id}_{at}")
    _describe(loop, part.id, part.required, pos=at, repeat=_most(part.most))
    loop.append(segment)
    for member in part.members:
        loop.append(_part(grammar, member, place))
    return loop


def _segment(grammar: Grammar, part: Part, at: str) -> ET.Element:
    spec = grammar.segments[part.id]
    segment = ET.Element("segment", xid=part.id)
    _describe(segment, part.id, part.required or part.loop, pos=at, max_use="1" if part.loop else _most(part.most))
    for note in spec.notes:
        ET.SubElement(segment, "syntax").text = str(note)
    for number, use in enumerate(spec.uses, 1):
        segment.append(_element(f"{part.id}{number:02d}", number, use))
    return segment


def _element(name: str, number: int, use: Use) -> ET.Element:
    element = ET.Element("element", xid=name)
    plain = isinstance(use.element, Element)
    ET.SubElement(element, "data_ele").text = use.element.number if plain else "composite"
    _describe(element, name, use.required, seq=f"{number:02d}")
    if isinstance(use.element, Element) and use.element.codes:
        codes = ET.SubElement(element, "valid_codes")
        for code in sorted(use.element.codes):
            ET.SubElement(codes, "code").text = code
    return element


def _describe(node: ET.Element, name: str, required: bool, **facts: str) -> None:
    ET.SubElement(node, "name").text = name
    ET.SubElement(node, "usage").text = "R" if required else "S"
    for tag, text in facts.items():
        ET.SubElement(node, tag).text = text


def _most(most: int) -> str:
    return ">1" if most == UNLIMITED else str(most)


def _write_elements(path: Path, grammar: Grammar) -> None:
    """Our data elements beside those that are shipped."""
    table = ET.parse(path)
    root = table.getroot()
    ours = {
        use.element.number: use.element
        for spec in grammar.segments.values()
        for use in spec.uses
        if isinstance(use.element, Element)
    }
    for row in [row for row in root.iter("data_ele") if row.get("ele_num") in ours and row.get("ele_num")[:1] != "I"]:  # type: ignore[index]
        root.remove(row)
    for number, element in ours.items():
        if not number.startswith("I"):
            _add(root, number, element.type, element.least, element.most)
    _add(root, "composite", "AN", 1, 80)
    table.write(path, encoding="utf-8", xml_declaration=True)


def _add(root: ET.Element, number: str, type_: str, least: int, most: int) -> None:
    row = {"ele_num": number, "data_type": type_, "min_len": str(least), "max_len": str(most), "name": number}
    ET.SubElement(root, "data_ele", row)
