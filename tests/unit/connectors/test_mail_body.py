"""Tables in the body of a mail: pasted as HTML or with tabs, and told from what is only quoted."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from typing import Any

import polars as pl
import pytest

from connectors.formats import mail
from connectors.formats.mail import Attachment
from connectors.formats.workbook import Workbook
from connectors.formats.workbook.html import open_html
from connectors.formats.workbook.unreadable import Unreadable
from schemas.documents import LOCATION, DocumentEnd, DocumentStart, LineChunk, LinePlan
from schemas.findings import Finding, Severity

TABLE = """<table><tr><td>Part no.</td><td>Qty</td></tr><tr><td>0017</td><td>12,5</td></tr>
<tr><td>A-2</td><td>3<br>pcs</td></tr></table>"""
#: As Outlook writes what is pasted out of Excel, between layout tables and with a signature.
_CELLS = TABLE.replace("<td>", "<td nowrap><p class=MsoNormal><span>")
OUTLOOK = f"""<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><style><!-- td {{x: y}} --></style></head>
<body><p>Hello,</p><table width="100%"><tr><td><p>the stock:</p>{_CELLS}
</td></tr></table><table><tr><td><img src="cid:logo"></td><td>Ana, Acme</td></tr></table></body></html>"""


def unpacked(made: EmailMessage) -> tuple[list[Attachment], list[Finding]]:
    items = list(mail.unpack(io.BytesIO(made.as_bytes())))
    found = [item for item in items if isinstance(item, Finding) and item.severity is not Severity.INFO]
    return [item for item in items if isinstance(item, Attachment)], found


def message(text: str = "Hello", page: str = "", subject: str = "Stock: week 12") -> EmailMessage:
    made = EmailMessage()
    for name, value in {"From": "ana@acme.example", "Message-ID": "<1@acme.example>", "Subject": subject}.items():
        made[name] = value
    made.set_content(text)
    if page:
        made.add_alternative(page, subtype="html")
    return made


class Plans:
    def __init__(self) -> None:
        fields = {"item": ("Part no.",), "quantity": ("Qty",), "site": ("Plant",)}
        options: Mapping[str, Any] = {"fields": fields, "required": ("item", "quantity"), "sheet": "Stock*"}
        self.plans = [Workbook().compile("workbook.stock", "", (), options)]

    def for_document(self, start: DocumentStart) -> LinePlan | None:
        raise AssertionError("a workbook does not name its document")

    def candidates(self, sender: str) -> Sequence[LinePlan]:
        return self.plans


def read(one: Attachment) -> tuple[list[tuple[Any, ...]], list[Finding]]:
    assert Workbook().recognises(one.data[:4096], one.name)
    items = list(Workbook().read(io.BytesIO(one.data), name=one.name, plans=Plans(), metadata=one.metadata))
    tables = [item.table.select("Part no.", "Qty", LOCATION) for item in items if isinstance(item, LineChunk)]
    return pl.concat(tables).rows() if tables else [], [item for item in items if isinstance(item, Finding)]


ROWS = [("0017", "12,5", "A2"), ("A-2", "3 pcs", "A3")]


def test_a_table_pasted_as_html_is_a_sheet_of_its_own():
    (pasted,), found = unpacked(message(page=OUTLOOK))
    assert found == []
    assert (pasted.name, pasted.content_type, pasted.metadata["part"]) == ("Stock week 12.html", "text/html", "2")
    assert pasted.metadata["body"] == "table"
    assert pasted.key == f"<1@acme.example>#2#{pasted.sha256}"
    assert read(pasted)[0] == ROWS


def test_lines_with_tabs_are_a_sheet_too():
    text = "Hi,\r\n\r\nour stock:\r\nPart no.\tQty\tNote\r\n0017\t12,5\t\r\n\r\nA-2\t3 pcs\tx\r\n\r\nBest\r\n\tAna\r\n"
    (pasted,), found = unpacked(message(text))
    assert found == []
    assert (pasted.name, pasted.data.decode()) == (
        "Stock week 12.tsv",
        "Part no.\tQty\tNote\n0017\t12,5\t\nA-2\t3 pcs\tx\n",
    )
    assert read(pasted)[0] == ROWS


@pytest.mark.parametrize("charset", ["cp1252", "utf-8", "cp932"])
def test_whatever_charset_the_mail_has(charset: str):
    made = EmailMessage()
    made["From"] = "ana@acme.example"
    word = "在庫" if charset == "cp932" else "Größe"
    made.set_content(f"Part no.\tQty\tUnit\n{word}\t5\tEA\n", charset=charset)
    (pasted,), _ = unpacked(made)
    assert word in pasted.data.decode("utf-8")


QUOTES = [
    f"<p>Thanks</p><blockquote>{TABLE}</blockquote>",
    f"<p>Thanks</p><div class='x gmail_quote y'>{TABLE}</div>",
    f"<p>Thanks</p><div><div id='divRplyFwdMsg'>From: Us</div><div>{TABLE}</div></div>",
    f"<div><p>Thanks</p><div><div style='border:none;border-top:solid #E1E1E1 1.0pt'>From: Us</div></div>{TABLE}</div>",
    f"<p>Thanks</p><p class='moz-cite-prefix'>On Monday</p><div>{TABLE}</div>",
]


@pytest.mark.parametrize("page", QUOTES)
def test_what_is_only_quoted_does_not_count(page: str):
    sheets, found = unpacked(message(page=f"<body>{page}</body>", subject="Re: Stock"))
    assert sheets == []
    assert [one.code for one in found] == ["mail.nothing_attached"]
    (pasted,), _ = unpacked(message(page=f"<body>{page}</body>", subject="WG: Stock"))
    assert read(pasted)[0] == ROWS


def test_quoted_lines_do_not_count_either():
    table = "Part no.\tQty\tUnit\n0017\t12,5\tEA\n"
    quoted = f"Thanks\n> {table}> {table}-----Original Message-----\n{table}"
    assert unpacked(message(quoted, subject="Re: Stock"))[0] == []
    assert unpacked(message(f"Hello\n\n{table}"))[0] != []
    assert unpacked(message("Regards\nTel:\t+49 30 1\nFax:\t+49 30 2\nMobile:\t+49 170 3\n", subject="Stock"))[0] == []


def test_a_document_that_is_attached_comes_before_the_body():
    made = message(page=OUTLOOK)
    made.add_attachment(b"Part no.;Qty\n1;2\n", maintype="text", subtype="csv", filename="stock.csv")
    assert [one.name for one in unpacked(made)[0]] == ["stock.csv"]
    made = message(page=OUTLOOK)
    made.add_attachment(b"%PDF-1.7 letter", maintype="application", subtype="pdf", filename="letter.pdf")
    assert [one.name for one in unpacked(made)[0]] == ["letter.pdf", "Stock week 12.html"]


def test_a_sheet_with_the_disposition_inline_is_attached_like_any_other():
    made = message()
    made.add_attachment(
        b"Part no.;Qty\n1;2\n", maintype="text", subtype="plain", filename="stock.csv", disposition="inline"
    )
    assert [(one.name, one.data) for one in unpacked(made)[0]] == [("stock.csv", b"Part no.;Qty\n1;2\n")]


def test_a_table_that_is_no_document_is_for_a_person():
    page = "<table><tr><td>Where</td><td>What</td></tr><tr><td>D17</td><td>wrong</td></tr></table>"
    (pasted,), _ = unpacked(message(page=page))
    assert [(one.code, one.severity) for one in read(pasted)[1]] == [("workbook.body_passed_over", Severity.WARNING)]
    lacking = "<table><tr><td>Part no.</td><td>Plant</td></tr><tr><td>1</td><td>N1</td></tr></table>"
    (pasted,), _ = unpacked(message(page=lacking))
    assert [(one.code, one.location) for one in read(pasted)[1]] == [("workbook.header_incomplete", "A1")]


def test_spans_and_several_tables():
    page = b"""<meta charset='iso-8859-1'><table><tr><th rowspan=2>Part no.</th><th colspan=2>Qty</th></tr>
    <tr><th>free</th><th>held</th></tr><tr><td>\xc4-1</td><td>1</td><td>2</td></tr></table>""" + TABLE.encode()
    first, second = open_html(io.BytesIO(page))
    assert not isinstance(first, Finding)
    assert not isinstance(second, Finding)
    assert [first.name, second.name] == ["Table 1", "Table 2"]
    assert first.merged == [((0, 0), (1, 0)), ((0, 1), (0, 2))]
    (batch,) = first.batches(10)
    assert batch.rows == [["Part no.", "Qty", ""], ["", "free", "held"], ["Ä-1", "1", "2"]]


@pytest.mark.parametrize(
    "evil",
    [
        b"<table>" + b"<tr><td colspan=1000 rowspan=999999999>x<td>y" * 20_000,
        b"<table><tr><td>" * 100_000,
        b"<html>" + b"<div>" * 1_000_000,
        b"<html>",
    ],
    ids=["spans", "nested", "deep", "empty"],
)
def test_bombs_and_nothing_are_refused_in_bounded_time(evil: bytes):
    with pytest.raises(Unreadable):
        list(open_html(io.BytesIO(evil)))


def test_a_page_that_is_called_xls_is_read():
    items = list(
        Workbook().read(
            io.BytesIO(f"<html><body>{TABLE}</body></html>".encode()), name="stock.xls", plans=Plans(), metadata={}
        )
    )
    assert [item.lines for item in items if isinstance(item, DocumentEnd)] == [2]
