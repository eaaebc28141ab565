"""What others wrote is never carried on as something a spreadsheet program would run.

A text that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return may be taken for a
formula, here or once it is saved as .csv. An apostrophe in front makes it text everywhere; our own
reader takes it away again, so that a value survives the way there and back.
"""

from __future__ import annotations

import re
from typing import Any

_RISKY = ("=", "+", "-", "@", "\t", "\r")
_HARMLESS = re.compile(r"[-+]?[0-9][0-9.,'\u2019 \u00a0\u202f]*(?:[eE][-+]?[0-9]+)?%?|-+")
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")  #: what XML 1.0 cannot hold


def neutral(text: str) -> str:
    """``text`` so that no spreadsheet program takes it for a formula; numbers and dashes stay as they are."""
    text = _UNWRITABLE.sub("\ufffd", text)
    return f"'{text}" if text.startswith(_RISKY) and not _HARMLESS.fullmatch(text) else text


def as_sent(text: str) -> str:
    """``text`` without the apostrophe that ``neutral`` put in front."""
    return text[1:] if text.startswith("'") and neutral(text[1:]) == text else text


def disarm(book: Any) -> None:
    """Take out of an openpyxl workbook whatever reaches outside of it or runs: links, macros, formulas as text.

    Expects a workbook loaded with ``data_only``, in which formulas have become their values.
    """
    book.vba_archive = None
    book._external_links = []
    for names in (book.defined_names, *(sheet.defined_names for sheet in book.worksheets)):
        for name in [name for name, defined in names.items() if "[" in (defined.attr_text or "")]:
            del names[name]
    for sheet in book.worksheets:
        sheet.legacy_drawing = None
        validations = sheet.data_validations
        validations.dataValidation = [
            one for one in validations.dataValidation if "[" not in f"{one.formula1}{one.formula2}"
        ]
        for row in sheet.iter_rows():
            for cell in row:
                _disarm_cell(cell)


def _disarm_cell(cell: Any) -> None:
    value = cell.value
    if value is None:
        return
    if cell.hyperlink is not None and (cell.hyperlink.target or cell.hyperlink.id):
        cell.hyperlink = None
    if isinstance(value, str) and cell.data_type != "e":
        safe = neutral(str(value))
        if safe != value:
            cell.value = safe
        cell.data_type = "s"
