"""What an XML payload must not do to us, whoever sends it."""

from __future__ import annotations

import http.server
import threading
from pathlib import Path

import psutil
import pytest

from connectors.formats.idoc.dialect import IdocDialect
from connectors.formats.xml.reading import read as read_xml
from connectors.registry import formats
from schemas.documents import LinePlan
from schemas.findings import Finding, Severity

LAUGHS = b"<!DOCTYPE R [<!ENTITY a '" + b"ha" * 50 + b"'>" + b"".join(
    b"<!ENTITY %c '%s'>" % (letter, b"&%c;" % (letter - 1) * 10) for letter in b"bcdefghij"
) + b"]>"  # fmt: skip


class Endless:
    """A stream of ``head`` and then of ``body`` again and again, a gigabyte of it."""

    def __init__(self, head: bytes, body: bytes, size: int = 1 << 30) -> None:
        self._head, self._body, self._left = head, body * (65_536 // len(body)), size
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        data = self._head or self._body
        self._head = b""
        if self.given > self._left:
            return b""
        self.given += len(data)
        return data


class NoPlans:
    def for_document(self, start: object) -> None:
        return None

    def candidates(self, sender: str) -> list[object]:
        return []


class OneLine(NoPlans):
    def for_document(self, start: object) -> LinePlan:
        return formats()["idoc"].compile("idoc.X", "L", ["A"], {})


@pytest.mark.parametrize(
    "payload",
    [
        LAUGHS + b"<R><IDOC><X>&j;</X></IDOC></R>",
        LAUGHS + b"<R><IDOC x='&j;'/></R>",
        b"<?xml version='1.0'?><!-- x -->\n<!DOCTYPE R [<!ENTITY % a SYSTEM 'file:///etc/passwd'> %a;]><R><IDOC/></R>",
        b"<!DOCTYPE R SYSTEM 'a[b' [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><R><IDOC><X>&a;</X></IDOC></R>",
        "<!DOCTYPE R [<!ENTITY a 'b'>]><R><IDOC>&a;</IDOC></R>".encode("utf-16"),
    ],
)
def test_declarations_of_its_own_are_refused_before_anything_is_read(read, payload: bytes) -> None:
    found = read(payload)
    assert found.codes == ["xml.declarations_forbidden"]
    assert not found.starts
    assert found.findings[0].severity is Severity.ERROR


def test_an_external_subset_is_neither_fetched_nor_used(read, tmp_path: Path) -> None:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    (tmp_path / "own.dtd").write_text("<!ENTITY secret 'told'>")
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        for where in (f"http://127.0.0.1:{server.server_port}/own.dtd", (tmp_path / "own.dtd").as_uri()):
            plain = read(f"<!DOCTYPE R SYSTEM '{where}'><R><IDOC><L>1</L></IDOC></R>".encode(), "idoc.X", "L", ["L"])
            assert plain.rows("L") == [("1",)]
            used = read(
                f"<!DOCTYPE R SYSTEM '{where}'><R><IDOC><L>&secret;</L></IDOC></R>".encode(), "idoc.X", "L", ["L"]
            )
            assert "told" not in str(used.items)
            assert used.findings
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert asked == []


ENDLESS = {
    "nesting": (b"<R><IDOC>", b"<a>", "xml.too_deep"),
    "a text": (b"<R><IDOC><a>", b"x", "xml.too_large"),
    "an attribute": (b"<R><IDOC><a b='", b"x", "xml.too_large"),
    "attributes": (b"<R><IDOC><a ", b"b='x' ", "xml."),
    "a name": (b"<R><IDOC><", b"x", "xml.too_large"),
    "a comment": (b"<R><IDOC><!--", b"x> ", "xml.too_large"),
    "CDATA": (b"<R><IDOC><a><![CDATA[", b"x> ", "xml.too_large"),
    "a line": (b"<R><IDOC><EDI_DC40/><E1EDP01>", b"<a>1</a>", "xml.too_large"),
    "a prologue": (b"", b"<!-- x -->", "xml.malformed"),
    "no document": (b"<R>", b"<a>1</a>", "xml.too_large"),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_gigabyte_of_one_thing_is_refused_within_bounded_memory(name: str) -> None:
    head, body, code = ENDLESS[name]
    before = psutil.Process().memory_info().rss
    most = before
    stream = Endless(head, body)
    codes = []
    for item in read_xml(stream, IdocDialect(), NoPlans()):  # type: ignore[arg-type]
        most = max(most, psutil.Process().memory_info().rss)
        if isinstance(item, Finding):
            codes.append(item.code)
    assert any(one.startswith(code) for one in codes)
    assert stream.given < 64 << 20
    assert most - before < 300 << 20


def test_headers_without_end_are_refused_where_lines_are_awaited(read) -> None:
    payload = b"<R><IDOC><EDI_DC40/>" + b"<H><A>1</A></H>" * 120_000
    found = read(payload, "idoc.X", "L", ["A"], piece=1 << 20)
    assert "xml.too_large" in found.codes
    assert not found.ends[0].accepted


def test_many_lines_need_no_more_memory_than_some() -> None:
    stream = Endless(b"<R><IDOC><EDI_DC40/>", b"<L><A>1</A></L>", size=2 << 20)
    before = psutil.Process().memory_info().rss
    most = before
    for _ in read_xml(stream, IdocDialect(), OneLine()):  # type: ignore[arg-type]
        most = max(most, psutil.Process().memory_info().rss)
    assert stream.given > 2 << 20
    assert most - before < 40 << 20


@pytest.mark.parametrize(
    ("payload", "code", "place"),
    [
        (b"<R><IDOC><EDI_DC40/><L>1</L><L>2</X></IDOC></R>", "xml.malformed", "line 1"),
        (b"<R><IDOC><EDI_DC40/><L>1</L>\n<L>&what;</L></IDOC></R>", "xml.entity_undefined", "line 2"),
        (b"<R><IDOC><EDI_DC40/><L>1</L>\n\n<L>\xff</L></IDOC></R>", "xml.encoding_wrong", "line 3"),
        (b"<R><IDOC><EDI_DC40/><L>1</L>", "xml.malformed", "line 1"),
        (b"<?xml version='1.0' encoding='martian'?><R><IDOC><L>1</L></IDOC></R>", "xml.encoding_wrong", "line 1"),
    ],
)
def test_what_was_whole_before_a_fault_is_read_and_the_document_is_not_accepted(
    read, payload: bytes, code: str, place: str
) -> None:
    found = read(payload, "idoc.X", "L", ["L"])
    assert found.rows("L")[:1] in ([("1",)], [])
    (fault,) = [finding for finding in found.findings if finding.severity is Severity.ERROR]
    assert (fault.code, fault.location.startswith(place)) == (code, True)
    assert all(not end.accepted for end in found.ends)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig", "iso-8859-1"])
def test_encodings(read, encoding: str) -> None:
    declared = "" if encoding.startswith("utf") else f"<?xml version='1.0' encoding='{encoding}'?>"
    text = f"{declared}<R><IDOC><EDI_DC40/><L><A>Käfer</A></L></IDOC></R>"
    found = read(text.encode(encoding), "idoc.X", "L", ["A"])
    assert found.rows("A") == [("Käfer",)]
    assert (found.table["_offset"][0] is None) == encoding.startswith("utf-16")
