"""Delimited text (.csv, .tsv) as one sheet: encoding, delimiter and quote are found out, never assumed."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import islice
from typing import BinaryIO

from connectors.formats.workbook.sheets import Batch, Merged
from connectors.formats.workbook.unreadable import Unreadable
from schemas.findings import Finding, Severity, Stage

DELIMITERS = (";", "\t", ",", "|")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LONGEST_LINE = 1 << 20  #: characters
_PIECE = 1 << 20
_SAMPLE = 64  #: records that tell the delimiter


class TextSheet:
    """The one sheet of a delimited text file."""

    name = ""
    first_column = 0
    merged: Sequence[Merged] = ()
    hidden_rows: Sequence[int] = ()
    faulty = False
    since: date | None = None
    named = False

    def __init__(self, stream: BinaryIO, encoding: str, delimiter: str, quote: str, skip: int) -> None:
        self._stream = stream
        self._encoding = encoding
        self._dialect = {"delimiter": delimiter, "quotechar": quote, "doublequote": True, "strict": False}
        self._skip = skip
        self.delimiter = delimiter

    def batches(self, size: int) -> Iterator[Batch]:
        """Raises Unreadable where a record is no record any more, such as after a quote that never closes."""
        lines = _Lines(self._stream, self._encoding)
        reader = csv.reader(lines, **self._dialect)  # type: ignore[arg-type]
        number = 0
        while True:
            rows, offsets, lengths = [], [], []
            start = lines.offset
            try:
                for row in islice(reader, size):
                    rows.append(row)
                    offsets.append(start)
                    lengths.append(lines.offset - start)
                    start = lines.offset
            except (csv.Error, UnicodeError) as error:
                if rows:
                    yield Batch(range(number + 1, number + len(rows) + 1), rows, offsets, lengths)
                raise Unreadable(
                    "workbook.row_unreadable",
                    f"the text cannot be split into rows from here on: {error}",
                    location=f"row {number + len(rows) + 1}",
                ) from None
            if not rows:
                return
            begin = self._skip if number == 0 else 0
            numbers = range(number + 1 + begin, number + len(rows) + 1)
            if numbers:
                yield Batch(numbers, rows[begin:], offsets[begin:], lengths[begin:])
            number += len(rows)


class _Lines:
    """Lines as text, newlines kept; ``offset`` is the byte just past the last line handed out."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        stream.seek(0)
        self._text = io.TextIOWrapper(_Unclosed(stream), encoding, newline="")
        self._measured = {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}.get(encoding, encoding)
        self.offset = {"utf-8-sig": 3, "utf-16": 2, "utf-32": 4}.get(encoding, 0)

    def __del__(self) -> None:
        self._text.detach()  # a text wrapper that is let go of complains of its stream, which is the caller's

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._text.readline(_LONGEST_LINE)
        if not line:
            raise StopIteration
        self.offset += len(line) if line.isascii() and self._measured in _ONE_BYTE else len(line.encode(self._measured))
        return line


_ONE_BYTE = frozenset({"utf-8", "cp1252", "ascii", "latin-1"})


class _Unclosed(io.BufferedReader):
    """A buffer whose end does not close the payload's stream."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)  # type: ignore[arg-type]

    def close(self) -> None:
        self.detach()


def open_text(stream: BinaryIO, encodings: Sequence[str] = ()) -> Iterator[TextSheet | Finding]:
    """The file as its one sheet, after a finding when its encoding had to be guessed.

    ``encodings`` are those a partner agreed on. Raises Unreadable for what is not text.
    """
    encoding, guessed = _encoding(stream, encodings)
    stream.seek(0)
    head = stream.read(1 << 18).decode(encoding, "replace")
    if "\0" in head:
        raise Unreadable(
            "workbook.not_text", "the file holds zero bytes: it is no delimited text", expected=".csv or .xlsx"
        )
    if guessed:
        yield Finding(
            code="workbook.encoding_guessed",
            severity=Severity.WARNING,
            stage=Stage.TRANSPORT,
            message=f"the text is not UTF-8; it was read as {encoding}",
            value=encoding,
            expected="UTF-8, or an encoding in the partner's file",
        )
    announced = head.split("\n", 1)[0].strip().lower()
    skip = 1 if announced.startswith("sep=") and len(announced) == 5 else 0
    lines = head.splitlines(keepends=True)[skip:]
    quote = "'" if '"' not in head and head.count("'") > 2 * len(lines) else '"'
    delimiter = announced[4] if skip else _delimiter(lines, quote)
    yield TextSheet(stream, encoding, delimiter, quote, skip)


def looks_delimited(head: bytes) -> bool:
    """Whether bytes without a telling name are delimited text: several lines split into equally many fields."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        text = head[: error.start].decode("utf-8")
        if len(text) < len(head) - 4:
            text = head.decode("cp1252", "replace")
    if "\0" in text or text.lstrip("\ufeff \t\r\n")[:1] in ("", "<", "{", "["):
        return False
    lines = text.splitlines(keepends=True)[:-1][:_SAMPLE]
    return len(lines) >= 2 and any(_steadiness(lines, delimiter, '"')[0] >= 0.8 for delimiter in DELIMITERS)


def _encoding(stream: BinaryIO, agreed: Sequence[str]) -> tuple[str, bool]:
    """The encoding of the whole stream, and whether it is a guess."""
    stream.seek(0)
    head = stream.read(4)
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            if not _decodes(stream, encoding):
                raise Unreadable("workbook.not_text", f"the text begins as {encoding} but is not", expected="UTF-8")
            return encoding, False
    plain = _decodes(stream, "utf-8")
    if plain and not _is_ascii(stream):
        return "utf-8", False  # no other encoding is it by accident
    if fitting := [encoding for encoding in agreed if _decodes(stream, encoding)]:
        return fitting[0], False
    if plain:
        return "utf-8", False
    return _guessed(stream), True


def _is_ascii(stream: BinaryIO) -> bool:
    stream.seek(0)
    return all(piece.isascii() for piece in iter(lambda: stream.read(_PIECE), b""))


_KANA = re.compile("[\u3041-\u30fe]")
_HAN = re.compile("[\u4e00-\u9fff]")
_HEAD = 1 << 16  #: bytes that a guess looks at
_PAIRS = 0.6  #: of what is not ASCII, how much are Chinese characters in text that is Chinese


def _guessed(stream: BinaryIO) -> str:
    """The likeliest encoding of text that says nothing of it: UTF-16, Japanese, Chinese, else Western."""
    stream.seek(0)
    head = stream.read(_HEAD)
    zeroes = [head[start::2].count(0) for start in (0, 1)]
    if max(zeroes) > len(head) // 5 and _decodes(stream, wide := "utf-16-be" if zeroes[0] > zeroes[1] else "utf-16-le"):
        return wide
    if _decodes(stream, "cp932") and _KANA.search(_decoded(head, "cp932")):
        return "cp932"
    if _decodes(stream, "gb18030"):
        strange = [character for character in _decoded(head, "gb18030") if not character.isascii()]
        if len(_HAN.findall("".join(strange))) >= _PAIRS * len(strange) and _usual_pairs(head):
            return "gb18030"
    return next(encoding for encoding in ("cp1252", "latin-1") if _decodes(stream, encoding))


def _decoded(head: bytes, encoding: str) -> str:
    return head.decode(encoding, "ignore")


def _usual_pairs(head: bytes) -> bool:
    """Whether bytes beyond ASCII come in pairs as those of GB 2312 do; accents of Western letters stand alone."""
    runs = re.findall(rb"[\x80-\xff]+", head if len(head) < _HEAD else head[:-4])
    paired = sum(len(run) for run in runs if len(run) % 2 == 0 and all(byte >= 0xA1 for byte in run))
    return paired >= _PAIRS * sum(map(len, runs))


def _decodes(stream: BinaryIO, encoding: str) -> bool:
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
        stream.seek(0)
        while piece := stream.read(_PIECE):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except (UnicodeError, LookupError):
        return False
    return True


def _delimiter(lines: Sequence[str], quote: str) -> str:
    return max(DELIMITERS, key=lambda delimiter: _steadiness(lines[:_SAMPLE], delimiter, quote))


def _steadiness(lines: Sequence[str], delimiter: str, quote: str) -> tuple[float, int]:
    """How large a part of the records has the commonest number of fields, and that number; (0, 1) for one field."""
    widths: Counter[int] = Counter()
    try:
        for record in csv.reader(lines, delimiter=delimiter, quotechar=quote):
            if any(record):
                widths[len(record)] += 1
    except csv.Error:
        return 0.0, 1
    # titles and remarks have one field; what the table itself does is what counts
    tabular = Counter({width: count for width, count in widths.items() if width > 1})
    if not tabular:
        return 0.0, 1
    width, count = tabular.most_common(1)[0]
    return count / sum(widths.values()), width
