"""What an XML payload may not do to us: blow up, read files, call out, nest without end.

The parser loads no DTD, expands no entity and opens no connection; a document that declares entities of
its own is not even begun. What libxml2 itself refuses (256 levels, a text of 10 MB) is said in our words.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO

from lxml import etree

from schemas.findings import Finding, Severity, Stage

PIECE = 1 << 16  #: bytes handed to the parser at once
_PROLOGUE = 1 << 18  #: bytes in which the root element has to begin

_WIDE = {
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
    b"<\0": "utf-16-le",
    b"\0<": "utf-16-be",
}
#: What may stand in front of the root element.
_BEFORE_ROOT = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE(?:[^\[>\"']|\"[^\"]*\"|'[^']*')*>)*", re.DOTALL
)
_OWN_DECLARATIONS = re.compile(rb"<!DOCTYPE(?:[^\[>\"']|\"[^\"]*\"|'[^']*')*\[")
_UNFINISHED = re.compile(rb"<!--|<\?|<!D|<!$|<$|<!-$")


def parser(**options: object) -> etree.XMLPullParser:
    """A parser that is fed piece by piece and reaches for nothing beyond what it is fed."""
    return etree.XMLPullParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        **options,  # type: ignore[arg-type]
    )


def pieces(stream: BinaryIO) -> Iterator[bytes]:
    """The payload in pieces of bounded size."""
    while piece := stream.read(PIECE):
        yield piece


def wide_encoding(head: bytes) -> str:
    """The encoding of a payload whose letters are two bytes wide; empty for all others."""
    return next((name for mark, name in _WIDE.items() if head.startswith(mark)), "")


def narrowed(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Text of an encoding whose letters are two bytes wide, as UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for chunk in chunks:
        yield decoder.decode(chunk).lstrip("\ufeff").encode()


def prologue_fault(head: bytes) -> Finding | None:
    """Why a payload that begins with ``head`` is not parsed at all; None where nothing stands against it."""
    if match := _OWN_DECLARATIONS.match(head, _root_at(head)):
        return fault(
            "xml.declarations_forbidden",
            "the document declares entities or elements of its own (an internal DTD subset), by which it could "
            "blow up or read files; it is kept, but not read",
            offset=match.start(),
            expected="a document without an internal DTD subset",
        )
    return None


def root_missing(head: bytes) -> bool:
    """Whether the root element has not begun in ``head``, which is all there is or too much to wait for."""
    return _root_at(head) >= len(head) or _UNFINISHED.match(head, _root_at(head)) is not None


def prologue(chunks: Iterator[bytes]) -> bytes:
    """As much of the payload as holds all that stands before the root element; bounded."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= _PROLOGUE or not root_missing(head) or prologue_fault(head) is not None:
            break
    return head


def _root_at(head: bytes) -> int:
    match = _BEFORE_ROOT.match(head)
    return match.end() if match else 0


#: Only a warning where a DTD that is not fetched might define it; its text would be lost all the same.
_UNDEFINED = re.compile(r"Entity '.*' not defined")
#: What libxml2 says -> our code, and what was expected.
_LIMITS = (
    (re.compile(r"(?i)excessive depth|depth.*exceed|nesting"), "xml.too_deep", "elements nested at most 256 deep"),
    (
        re.compile(r"(?i)huge|buffer size limit|limit.*exceed|too (long|big|large)|amplification"),
        "xml.too_large",
        "texts, names and attributes of at most 10 MB",
    ),
    (
        re.compile(r"(?i)entity|entities"),
        "xml.entity_undefined",
        "no entities but &amp; &lt; &gt; &quot; and &apos;",
    ),
    (
        re.compile(r"(?i)encoding|not proper utf-8|invalid (byte|bytes|character)|input is not"),
        "xml.encoding_wrong",
        "bytes of the encoding that the document names",
    ),
)


def syntax_finding(parser: etree.XMLPullParser, error: etree.XMLSyntaxError | None = None) -> Finding | None:
    """What the parser met that it cannot read on from, in our words; None where it met nothing."""
    log = parser.feed_error_log
    fatal = next((entry for entry in log if entry.level_name == "FATAL" or _UNDEFINED.search(entry.message)), None)
    if fatal is not None:
        said, line, column = fatal.message, fatal.line, fatal.column
    elif error is not None:
        said = error.msg
        line, column = error.position
    else:
        return None
    said = " ".join(str(said or "").split()) or "the document ends before its root element"
    code, expected = next(
        ((code, expected) for pattern, code, expected in _LIMITS if pattern.search(said)),
        ("xml.malformed", "well-formed XML"),
    )
    return fault(
        code,
        f"the XML cannot be read further: {said}",
        location=f"line {line}, column {column}" if line else "",
        expected=expected,
    )


def fault(
    code: str, message: str, *, location: str = "", offset: int | None = None, expected: str | None = None
) -> Finding:
    """A syntax error of the payload."""
    return Finding(
        code=code,
        severity=Severity.ERROR,
        stage=Stage.SYNTAX,
        message=message,
        location=location,
        offset=offset,
        expected=expected,
    )
