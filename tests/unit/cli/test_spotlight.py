from __future__ import annotations

import io
import zipfile
from pathlib import Path

import openpyxl
import pytest
from rich.console import Console, RenderableType

from connectors.archive import Archive
from crossdock.views.spotlight import raw_source, raw_view, spot_of, visible, workbook_row

ISA = b"ISA*00*          *00*          *ZZ*ACMEINC        *ZZ*HUB            *260101*1200*U*00401*000000001*0*P*>~"
BODY = b"GS*PO*ACMEINC*HUB*20260101*1200*1*X*004010~ST*850*0001~BEG*00*SA*4500001**20260101~PO1*1*12*EA~SE*4*0001~"


def plain(renderable: RenderableType, width: int = 100) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


def test_edi_is_shown_a_segment_a_line_with_the_spot_marked(archive: Archive) -> None:
    content = ISA + BODY
    stored = archive.write([content])
    offset = content.index(b"PO1*")

    shown = plain(raw_view(spot_of(archive, stored.sha256, offset, len(b"PO1*1*12*EA~"))), width=160).splitlines()

    assert [line.split() for line in shown if line.startswith(">")] == [[">", str(offset), "PO1*1*12*EA~"]]
    assert shown[0].rstrip().endswith(ISA.decode())
    assert shown[-1].split() == [str(content.index(b"SE*4")), "SE*4*0001~"]


def test_every_byte_around_the_spot_is_shown_once_at_its_own_offset(archive: Archive) -> None:
    content = ISA.replace(b"~", b"\n") + BODY.replace(b"~", b"\n")
    stored = archive.write([content])
    offset = content.index(b"BEG")

    shown = plain(raw_view(spot_of(archive, stored.sha256, offset, 5)), width=200).splitlines()

    for line in shown:
        at, text = line[1:].strip().split(maxsplit=1)
        assert content[int(at) :].startswith(text.encode())
    assert "".join(line[1:].strip().split(maxsplit=1)[1] for line in shown).encode() == content.replace(b"\n", b"")


def test_an_odd_terminator_is_found_in_an_isa_that_lost_its_padding(archive: Archive) -> None:
    content = b"ISA|00||00||ZZ|ACME|ZZ|HUB|260101|1200|U|00401|1|0|P|^\x1cGS|PO|A|B\x1cST|850|1\x1cSE|2|1\x1c"
    stored = archive.write([content])

    shown = plain(raw_view(spot_of(archive, stored.sha256, content.index(b"ST|"), len(b"ST|850|1\x1c"))))

    assert "ST|850|1\\x1c" in shown
    assert len(shown.splitlines()) == 4


def test_the_surroundings_of_a_large_payload_begin_and_end_with_a_whole_line(archive: Archive) -> None:
    lines = [f'["4500001", "{number}"]\n'.encode() for number in range(5000)]
    content = b"".join(lines)
    stored = archive.write([content])
    offset = content.index(lines[2500])

    shown = plain(raw_view(spot_of(archive, stored.sha256, offset, len(lines[2500])))).splitlines()

    assert [line.split(maxsplit=2)[1:] for line in shown if line.startswith(">")] == [
        [str(offset), '["4500001", "2500"]']
    ]
    assert all(line.endswith('"]') and '["' in line for line in shown)
    assert 20 < len(shown) < 60


def test_what_cannot_be_printed_is_made_visible() -> None:
    assert visible(b"M\xfcller\x07\n", b"\n") == "Müller\\x07"
    assert visible("Käse\t1".encode(), b"\n") == "Käse\\x091"


def workbook() -> io.BytesIO:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Stock list"
    sheet.append(["Brightseal, weekly stock"])
    sheet.append([])
    sheet.append(["Part", "Qty", "Remark"])
    sheet.append(["BS-9", 12, None])
    sheet.append(["BS-10", "twelve", "recount"])
    stream = io.BytesIO()
    book.save(stream)
    stream.seek(0)
    return stream


def test_a_cell_is_shown_with_its_row_under_the_headers() -> None:
    row = workbook_row(workbook(), "Stock list!B5")

    assert row is not None
    assert (row.title, row.marked) == ("sheet Stock list, row 5", "B5")
    assert row.cells == (("A5", "Part", "BS-10"), ("B5", "Qty", "twelve"), ("C5", "Remark", "recount"))


@pytest.mark.parametrize("location", ["Stock list!B99", "Other!A1", "segment 41", ""])
def test_a_place_that_is_no_cell_gives_no_row(location: str) -> None:
    assert workbook_row(workbook(), location) is None


def test_the_marked_cell_stands_out_without_colour(archive: Archive) -> None:
    stored = archive.write([workbook().read()])

    shown = plain(raw_source(archive, stored.sha256, "Stock list!B5", None, None))

    assert "> B5" in shown
    assert "twelve" in shown
    assert "Qty" in shown


def test_a_pulled_row_is_shown_by_its_columns(archive: Archive) -> None:
    header = b'{"query": "stock", "columns": ["item", "plant", "lot", "quantity"]}\n'
    row = b'["P-100", "N1", null, "12.5"]\n'
    stored = archive.write([header, b'["P-099", "N1", null, "1"]\n', row])

    shown = plain(raw_source(archive, stored.sha256, "row 2", len(header) + 27, len(row)))

    assert [line.split() for line in shown.splitlines()[-3:]] == [
        ["item", "P-100"],
        ["plant", "N1"],
        ["quantity", "12.5"],
    ]


def test_a_workbook_that_is_too_large_to_be_looked_at_is_not_opened() -> None:
    cell = '<table:table-cell table:number-columns-repeated="1000" office:value-type="float" office:value="1"/>'
    rows = f'<table:table-row table:number-rows-repeated="1000000">{cell}</table:table-row>'
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    content = f'<office:document-content {names}><table:table table:name="S">{rows}</table:table>'
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        parts.writestr("content.xml", f"{content}</office:document-content>")

    assert workbook_row(file, "S!A1") is None
