"""Where elements stand in the bytes, however these come in, and whatever stands between them."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from connectors.formats.xml.places import Places

ELEMENTS = (
    b"<A/>", b"<A />", b"<A></A>", b"<A>text</A>", b'<A n="1">text</A >', b'<A n="a>b/">text</A>', b"<A><B>1</B></A>",
    b"<A><!-- </A> --></A>", b"<A><![CDATA[</A>]]></A>", b"<A><?what </A>?></A>", b"<p:A>text</p:A>", b"<A><AB/></A>",
    b"<A\n>text</A\n>",
)  # fmt: skip
BETWEEN = (b"", b"\n", b"<B>1</B>", b"<AB>1</AB>", b"<!-- <A>no</A> -->", b"<![CDATA[<A>no</A>]]>", b"<?what <A>?>")


@given(
    st.lists(st.tuples(st.sampled_from(BETWEEN), st.sampled_from(ELEMENTS)), max_size=12), st.lists(st.integers(1, 40))
)
@example([(b"", b"<A/>"), (b"", b"<A>text</A>")], [])
@example([(b"<!-- <A>no</A> -->", b"<A>text</A>")], [1, 1])
def test_elements_are_found_in_order(parts: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    payload, expected = b"<?xml version='1.0'?><R>", []
    for between, element in parts:
        payload += between
        expected.append((len(payload), len(element)))
        payload += element
    payload += b"</R>"
    places, at = Places(), 0
    for cut in (*cuts, len(payload)):
        places.fed(payload[at : at + cut])
        at += cut
    assert places.start("R") == payload.index(b"<R>")
    assert [places.span("A") for _ in parts] == expected
    assert places.span("A") == (None, None)
