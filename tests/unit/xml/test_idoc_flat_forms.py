"""Every message type is read as a flat file like as XML: the golden IDocs, written by the layouts of their segments."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from lxml import etree

from connectors.formats.idoc.definitions import CONTROL, FRAME, Definition, Field, by_message, frame
from connectors.registry import formats
from crossdock.master.idocs import read_idocs
from crossdock.settings import Settings
from crossdock.translation import Context, compile_with, gathered, translate_stream
from mappings.library import Library
from mappings.master_data import MasterData

GOLDEN = Path(__file__).parents[2] / "golden"
#: all but one whose sender has segments of its own
CASES = sorted(path for path in GOLDEN.glob("cases/idoc.*/*/input.xml") if path.parent.name != "own_segments")
#: what the layouts do not reach, because it stands behind fields whose length differs by release
BEYOND = {"E1BP2017_GM_ITEM_CREATE/LINE_ID"}


@functools.cache
def context(case: Path) -> Context:
    settings = Settings.from_environment({})
    partners = case.parent / "partners"
    tables = {path.stem: pl.read_csv(path, infer_schema=False) for path in (GOLDEN / "master").glob("*.csv")}
    library = Library.load(
        settings.mappings, partners if partners.is_dir() else settings.partners, compile=compile_with(formats())
    )
    return Context(library=library, master=MasterData.of(tables), formats=formats())


def events(content: bytes, case: Path) -> list[dict[str, Any]]:
    """What the IDocs say, without where it stands."""
    metadata = {"received_at": "2026-04-01T06:00:00+00:00"}
    stream = io.BytesIO(content)
    told = gathered(translate_stream(stream, payload="0" * 64, name="idoc", metadata=metadata, context=context(case)))
    said = [json.loads(data) for data in told.events["data"]]
    for one in said:
        del one["lineage"]
    return [
        {"subject": subject, "time": time, **one}
        for subject, time, one in zip(told.events["subject"], told.events["time"], said, strict=True)
    ]


def written(idocs: etree._Element, *, beyond: set[str]) -> Iterator[str]:
    """The records of a flat file; elements that no layout reaches go to ``beyond`` and out of the tree."""
    for idoc in idocs.iter("IDOC"):
        control = idoc.find(CONTROL)
        assert control is not None
        family = by_message(control.findtext("MESTYP", ""))
        assert family is not None
        yield filled(control, frame(CONTROL), beyond)
        for child in idoc.iterchildren(etree.Element):
            if child is not control:
                yield from records(child, family, 1, beyond)


def records(segment: etree._Element, family: Definition, level: int, beyond: set[str]) -> Iterator[str]:
    tag = str(segment.tag)
    layout = family.segments[tag]
    said = {"SEGNAM": f"E2{tag[2:]}001", "MANDT": "100", "HLEVEL": f"{level:02}"}
    begin = "".join(f"{said.get(field.name, ''):{field.length}}" for field in frame(FRAME))
    yield begin + filled(segment, layout.fields, beyond)
    for child in segment.iterchildren(etree.Element):
        if child.tag in family.segments:
            yield from records(child, family, level + 1, beyond)


def filled(segment: etree._Element, fields: tuple[Field, ...], beyond: set[str]) -> str:
    known = {field.name for field in fields}
    for child in segment.iterchildren(etree.Element):
        if not len(child) and child.tag not in known:
            beyond.add(f"{segment.tag}/{child.tag}")
            segment.remove(child)
        elif child.tag in ("WERKS", "PLANT"):
            child.text = "1000"  # SAP's own plants have four characters
    texts = [(segment.findtext(field.name, ""), field.length) for field in fields]
    assert all(len(text) <= length for text, length in texts)
    return "".join(f"{text:{length}}" for text, length in texts)


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parts[-3]}/{path.parts[-2]}")
@pytest.mark.parametrize("end", ["\r\n", ""], ids=["lines", "by_length"])
def test_a_flat_file_says_the_same_as_xml(case: Path, end: str) -> None:
    tree = etree.parse(case).getroot()
    beyond: set[str] = set()
    lines = list(written(tree, beyond=beyond))
    assert beyond <= BEYOND
    if not end:
        lines = [line.ljust(524 if line.startswith(CONTROL) else 1063) for line in lines]
    expected = events(etree.tostring(tree), case)
    assert expected
    assert events("".join(line + end for line in lines).encode(), case) == expected


MATMAS = """<MATMAS05><IDOC><EDI_DC40><TABNAM>EDI_DC40</TABNAM><DOCNUM>1</DOCNUM><IDOCTYP>MATMAS05</IDOCTYP>
<MESTYP>MATMAS</MESTYP><SNDPRN>S4</SNDPRN></EDI_DC40><E1MARAM><MATNR>000000000000010003</MATNR><MEINS>PCE</MEINS>
<E1MAKTM><SPRAS>D</SPRAS><MAKTX>Spiralgehaeuse</MAKTX><SPRAS_ISO>DE</SPRAS_ISO></E1MAKTM>
<E1MAKTM><SPRAS>E</SPRAS><MAKTX>Volute casing</MAKTX><SPRAS_ISO>EN</SPRAS_ISO></E1MAKTM></E1MARAM>
<E1MARAM><MATNR>P-7</MATNR><LVORM>X</LVORM></E1MARAM></IDOC></MATMAS05>"""
CREMAS = """<CREMAS05><IDOC><EDI_DC40><TABNAM>EDI_DC40</TABNAM><DOCNUM>2</DOCNUM><IDOCTYP>CREMAS05</IDOCTYP>
<MESTYP>CREMAS</MESTYP><SNDPRN>S4</SNDPRN></EDI_DC40><E1LFA1M><LIFNR>0000100117</LIFNR><LAND1>US</LAND1>
<NAME1>Anvilgate Castings Inc.</NAME1></E1LFA1M></IDOC></CREMAS05>"""


@pytest.mark.parametrize("xml", [MATMAS, CREMAS], ids=["MATMAS", "CREMAS"])
def test_master_data_too(xml: str) -> None:
    expected = read_idocs(io.BytesIO(xml.encode()), "a.xml")
    flat = "".join(f"{line}\n" for line in written(etree.fromstring(xml), beyond=set()))
    found = read_idocs(io.BytesIO(flat.encode()), "a.txt")
    assert expected.rows is not None
    assert found.rows is not None
    assert found.rows.height > 0
    assert (found.table, found.rows.rows(), found.findings) == (expected.table, expected.rows.rows(), ())
