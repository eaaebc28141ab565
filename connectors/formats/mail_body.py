"""A table in the body of a mail: pasted from a spreadsheet, as HTML or as lines with tabs.

What somebody else had written, and the mail only quotes, does not count; in a forwarded mail it does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from lxml import etree

from connectors.formats.workbook.html import data_tables, parsed

_FORWARD = re.compile(r"(?i)\s*(?:fwd?|wg|tr|rv|enc|i|vb|vs|pd)\s*:")
#: What mail programs put around what they quote.
_QUOTED = (
    ".//blockquote",
    ".//*[contains(concat(' ', @class, ' '), ' gmail_quote ')]",
    ".//*[contains(concat(' ', @class, ' '), ' yahoo_quoted ')]",
    ".//*[contains(concat(' ', @class, ' '), ' protonmail_quote ')]",
)
#: What stands in front of it, where all that follows is quoted: Outlook, on the web and on the desk; Thunderbird.
_FROM_HERE = (
    ".//*[@id='divRplyFwdMsg' or @id='appendonsend' or @id='OLK_SRC_BODY_SECTION']",
    ".//div[contains(@style, 'border-top:solid #E1E1E1') or contains(@style, 'border-top:solid #B5C4DF')]",
    ".//*[contains(concat(' ', @class, ' '), ' moz-cite-prefix ')]",
)
_ORIGINAL = re.compile(r"(?i)^\s*-{3,}.*(?:original|urspr|mensaje|message).*-{3,}\s*$|^_{20,}\s*$")
_LEAST_LINES = 2  #: that have two tabs at least: a signature has lines with one


@dataclass(frozen=True, slots=True)
class Body:
    """The table as a document of its own, in UTF-8: ``suffix`` is ``.html`` or ``.tsv``."""

    data: bytes
    suffix: str
    content_type: str


def table_in(pages: Sequence[str], texts: Sequence[str], *, subject: str) -> Body | None:
    """The table in a mail's HTML, else in its plain text; None where there is none."""
    forwarded = _FORWARD.match(subject) is not None
    for page in pages:
        if tables := _tables(page, forwarded):
            return Body(b"<!doctype html><meta charset=utf-8>" + b"".join(tables), ".html", "text/html")
    for text in texts:
        if lines := max(_runs(text, forwarded), key=len, default=()):
            return Body("".join(f"{line}\n" for line in lines).encode("utf-8"), ".tsv", "text/tab-separated-values")
    return None


def _tables(page: str, forwarded: bool) -> list[bytes]:
    root = parsed(page)
    if root is not None and not forwarded:
        for path in _FROM_HERE:
            for element in _found(root, path):
                _cut_from(element)
        for path in _QUOTED:
            for element in _found(root, path):
                _take_out(element)
    tables = data_tables(root)
    for table in tables:
        table.tail = None
    return [etree.tostring(table, method="html", encoding="utf-8") for table in tables]


def _found(root: etree._Element, path: str) -> list[etree._Element]:
    return cast(list[etree._Element], root.xpath(path))


def _cut_from(element: etree._Element) -> None:
    """Take the element out, and all that comes after it."""
    here: etree._Element | None = element
    while here is not None and here.tag not in ("body", "html"):
        for after in list(here.itersiblings()):
            _take_out(after)
        here = here.getparent()
    _take_out(element)


def _take_out(element: etree._Element) -> None:
    parent = element.getparent()
    if parent is not None and element.tag not in ("body", "html"):
        parent.remove(element)


def _is_table(run: Sequence[str]) -> bool:
    return sum(line.count("\t") > 1 for line in run) >= _LEAST_LINES


def _runs(text: str, forwarded: bool) -> Iterator[Sequence[str]]:
    """Lines with tabs that follow each other; blank ones between them are left out."""
    run: list[str] = []
    for line in text.splitlines():
        if not forwarded and _ORIGINAL.match(line):
            break
        own = line[1:].lstrip(" ") if forwarded and line.startswith(">") else line
        if "\t" in own and not own.startswith(">"):
            run.append(own)
        elif own.strip():
            yield run if _is_table(run) else ()
            run = []
    yield run if _is_table(run) else ()
