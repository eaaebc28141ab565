"""ZIP files in mails: opened within bounds, told about where not."""

from __future__ import annotations

import io
import struct
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.formats import zipped
from connectors.formats.zipped import Packed, Unopened, is_zip, unzip


def packed(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_the_files_come_in_order_without_folders_and_bystanders():
    data = packed({
        "May/stock.xlsx": b"PK\x03\x04sheet", "__MACOSX/May/._stock.xlsx": b"x", "May/.DS_Store": b"x",
        "Thumbs.db": b"x", "May/": b"", "notice.edi": b"ISA*",
    })  # fmt: skip
    assert list(unzip(data)) == [
        Packed("stock.xlsx", "May/stock.xlsx", b"PK\x03\x04sheet"),
        Packed("notice.edi", "notice.edi", b"ISA*"),
    ]


def test_a_workbook_is_no_zip_file_of_documents():
    assert not is_zip(packed({"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b""}), "stock.xlsx")
    assert not is_zip(packed({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"}), "stock.ods")
    assert not is_zip(b"a;b;c", "stock.zip")
    assert is_zip(packed({"a.csv": b"a;b"}), "part-2")
    assert is_zip(packed({"a.csv": b"a;b"})[:-20], "broken.zip")


def test_bombs_are_counted_as_they_go_off(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(zipped, "LARGEST", 100_000)
    some = list(unzip(packed({"bomb.csv": b"0" * 5_000_000, "b.csv": b"1" * 60_000, "c.csv": b"2" * 60_000})))
    assert [one.name if isinstance(one, Packed) else str(one) for one in some] == [
        "bomb.csv unpacks to more than there is room for",
        "b.csv",
        "c.csv unpacks to more than there is room for",
    ]
    with pytest.raises(Unopened, match="201 files"):
        list(unzip(packed({f"{number}.csv": b"1" for number in range(201)})))


def test_a_lie_about_the_size_is_not_believed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(zipped, "LARGEST", 1000)
    data = packed({"a.csv": b"0" * 50_000})
    lying = data.replace(struct.pack("<I", 50_000), struct.pack("<I", 10))
    assert lying != data
    (told,) = unzip(lying)
    assert isinstance(told, Unopened)


def test_encrypted_nested_and_damaged_files_are_told_about():
    inner = packed({"a.csv": b"1"})
    (nested,) = unzip(packed({"inner.zip": inner}))
    assert "a ZIP file in a ZIP file" in str(nested)
    data = bytearray(packed({"secret.csv": b"1,2,3"}))
    data[6] |= 1
    data[data.find(b"PK\x01\x02") + 8] |= 1
    (told,) = unzip(bytes(data))
    assert "is encrypted" in str(told)
    with pytest.raises(Unopened, match="no ZIP file"):
        list(unzip(b"PK\x03\x04 and then nothing"))


def test_a_file_without_a_name_is_a_file():
    whole = packed({"a.csv": b"1"}).replace(b"a.csv", b"\0.csv")
    (told,) = unzip(whole)
    assert isinstance(told, Packed)
    assert (told.name, told.data) == ("", b"1")


@given(st.data())
def test_damage_never_raises_anything_else(data: st.DataObject):
    whole = bytearray(packed({"a.csv": b"a;b;c\n" * 20, "b.csv": b"1"}))
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=6)):
        whole[place] = data.draw(st.integers(0, 255))
    with suppress(Unopened):
        list(unzip(bytes(whole)))
