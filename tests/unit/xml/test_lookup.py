"""Paths into documents: what they may say, and where they look."""

from __future__ import annotations

import pytest

from connectors.formats.xml.paths import BadPath, LineSpec, parse, parse_line
from connectors.registry import formats
from schemas.errors import ConfigError

ORDER = b"""<R><IDOC>
<H><NO>1</NO><D><Q>001</Q><V>header</V></D><BLANK> </BLANK></H>
<L><NO>10</NO><S><Q>8</Q></S><S><Q>4</Q></S><D><Q>002</Q><V>two</V></D><D><Q>001</Q><V/></D>
<D><Q>001</Q><V x="y">one</V></D></L>
<L><NO>20</NO></L>
<TRAILER><NO>99</NO></TRAILER>
</IDOC></R>"""


def values(read, *paths: str, line: str = "L/S | L") -> list[tuple[str | None, ...]]:
    return read(ORDER, "idoc.X", line, paths).rows(*paths)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("Q", ["8", "4", None]),
        ("S/Q", ["8", "4", None]),
        ("L/NO", ["10", "10", "20"]),
        ("NO", ["10", "10", "20"]),
        ("H/NO", ["1", "1", "1"]),
        ("/H/NO", ["1", "1", "1"]),
        ("D[Q='001']/V", ["one", "one", None]),
        ("D[Q='002']/V", ["two", "two", None]),
        ("H/D[Q='001']/V", ["header", "header", "header"]),
        ("D[V/@x='y']/Q", ["001", "001", None]),
        ("D/V[@x='y']", ["one", "one", None]),
        ("D/V/@x", ["y", "y", None]),
        ("a:D[b:Q='002']/c:V", ["two", "two", None]),
        ("L[NO='10']/NO", ["10", "10", None]),
        ("H/BLANK", [None, None, None]),
        ("TRAILER/NO", [None, None, None]),  # stands behind the lines
    ],
)
def test_a_path_looks_outwards_from_the_line(read, path: str, told: list[str | None]) -> None:
    assert values(read, path) == [(value,) for value in told]


def test_what_is_said_beside_a_line_is_joined_to_it_where_one_alone_says_so(read) -> None:
    packed = b"""<R><IDOC><U><L><NO>1</NO></L><L><NO>2</NO></L><L><NO>3</NO></L>
    <P><ID>A</ID><C><NO>1</NO></C></P><P><ID>B</ID><C><NO>2</NO></C></P><P><ID>C</ID><C><NO>9</NO></C><C><NO>2</NO></C></P>
    </U></IDOC></R>"""
    path = "P[C/NO=L/NO]/ID"
    assert read(packed, "idoc.X", "U//L", ["L/NO", path]).rows("L/NO", path) == [("1", "A"), ("2", None), ("3", None)]


def test_each_part_or_the_whole_is_a_line_and_says_where_it_stands(read) -> None:
    found = read(ORDER, "idoc.X", "L/S | L", ["NO"]).table
    assert found["_at"].to_list() == ["/R/IDOC[1]/L[1]/S[1]", "/R/IDOC[1]/L[1]/S[2]", "/R/IDOC[1]/L[2]"]
    spots = [ORDER[row["_offset"] : row["_offset"] + row["_length"]] for row in found.to_dicts()]
    assert spots == [b"<S><Q>8</Q></S>", b"<S><Q>4</Q></S>", b"<L><NO>20</NO></L>"]


def test_only_the_parts_are_lines_where_the_mapping_says_so(read) -> None:
    assert values(read, "Q", line="L//S") == [("8",), ("4",)]


@pytest.mark.parametrize("piece", [1, 7, 64])
def test_pieces_change_nothing(read, piece: int) -> None:
    paths = ["Q", "L/NO", "H/NO", "D[Q='001']/V", "TRAILER/NO"]
    assert read(ORDER, "idoc.X", "L/S | L", paths, piece=piece).table.equals(
        read(ORDER, "idoc.X", "L/S | L", paths).table
    )


def test_comments_and_cdata_do_not_mislead_about_places(read) -> None:
    payload = (
        b"<R><IDOC><!-- <L>no</L> --><L><NO><![CDATA[<L>]]></NO></L><!-- x --><L a='/>'><NO>2</NO></L><L/></IDOC></R>"
    )
    found = read(payload, "idoc.X", "L", ["NO"]).table
    spots = [payload[row["_offset"] : row["_offset"] + row["_length"]] for row in found.to_dicts()]
    assert spots == [b"<L><NO><![CDATA[<L>]]></NO></L>", b"<L a='/>'><NO>2</NO></L>", b"<L/>"]
    assert found["NO"].to_list() == ["<L>", "2", None]


@pytest.mark.parametrize("path", ["", "A//B", "A[", "A[B]", "A/@x/B", "A/2B", "A[='x']", "B/A[C=D]", "A[C=D][E='1']"])
def test_what_is_no_path_is_refused_in_words(path: str) -> None:
    with pytest.raises(BadPath):
        parse(path)


@pytest.mark.parametrize(
    ("line", "spec"),
    [
        ("A/B", LineSpec(("A", "B"))),
        ("A/B/C | A/B", LineSpec(("A", "B"), (("C",), ()))),
        ("A/B//C/D", LineSpec(("A", "B"), (("C", "D"),))),
    ],
)
def test_lines(line: str, spec: LineSpec) -> None:
    assert parse_line(line) == spec


@pytest.mark.parametrize("line", ["", "A | B", "A[X='1']", "A//B | A/B//C"])
def test_what_is_no_line_is_refused(line: str) -> None:
    with pytest.raises(BadPath):
        parse_line(line)


def test_a_mistyped_segment_or_field_is_named_with_its_neighbour() -> None:
    with pytest.raises(ConfigError) as told:
        formats()["idoc"].compile(
            "idoc.ORDERS", "E1EDP01", ["E1CURREF/POSEX", "E1EDP20/WMENGE", "Z1OWN/X", "E1EDP01/NEW"], {}
        )
    there = "which this document does not have there; did you mean"
    assert told.value.problems == (
        f"idoc.ORDERS: path 'E1CURREF/POSEX' names E1CURREF, {there} E1CUREF?",
        f"idoc.ORDERS: path 'E1EDP20/WMENGE' names WMENGE, {there} WMENG?",
    )
