"""Text that is not ASCII, in files large enough that runs and batches pass it."""

from __future__ import annotations

import pytest

from connectors.formats.edi.edifact import Edifact

TEXTS = {
    "latin-1": [text.encode("latin-1") for text in ("Gehäuse", "Flügel, groß", "plain", "Ø 13", "x" * 34 + "ß")],
    "utf-8": [text.encode() for text in ("Gehäuse", "Flügel, groß", "plain", "ž 13", "ß" * 17, "ß" * 20)],
    "both": ["Gehäuse".encode(), "Gehäuse".encode("latin-1"), b"plain", b"\x80 1", b"\x81"],
    "late": [b"plain"] * 400 + ["Gehäuse".encode()] + [b"plain"] * 9,
}


def orders(texts: list[bytes], items: int = 900) -> bytes:
    rows = [b"UNB+UNOC:3+A:14+B:14+261122:0300+7", b"UNH+1+ORDERS:D:96A:UN", b"BGM+220+PO-1+9", b"DTM+137:20261122:102"]
    for item in range(items):
        text = texts[item % len(texts)]
        rows += [b"LIN+%d++B-%d:EN" % (item, item), b"IMD+F++:::" + text, b"QTY+21:5", b"FTX+AAI+++" + text]
    rows += [b"UNS+S", b"UNT+%d+1" % (len(rows) + 1), b"UNZ+1+7"]
    return b"".join(row + b"'\n" for row in rows)


def ship_notice(texts: list[bytes], items: int = 900) -> bytes:
    rows = [
        b"ISA*00*          *00*          *ZZ*A              *ZZ*B              *261122*0300*U*00401*000000001*0*P*>",
        b"GS*SH*AA*BB*20261122*0300*1*X*004010", b"ST*856*0001", b"BSN*00*S1*20261122*0300", b"HL*1**S", b"HL*2*1*O",
    ]  # fmt: skip
    for item in range(items):
        text = texts[item % len(texts)]
        rows += [b"HL*%d*2*I*0" % (item + 3), b"LIN*%d*VN*V-%d" % (item, item), b"SN1**5*EA", b"PID*F****" + text]
    rows += [b"SE*%d*0001" % (len(rows) - 1), b"GE*1*1", b"IEA*1*000000001"]
    return b"".join(row + b"~\n" for row in rows)


@pytest.mark.parametrize("texts", TEXTS)
@pytest.mark.parametrize("write", [orders, ship_notice])
def test_it_is_read_the_same_however_it_is_passed(texts, write, read) -> None:
    payload = write(TEXTS[texts])
    given = {"of": Edifact} if write is orders else {}
    exact = read(payload, learn=False, block=501, **given)
    assert read(payload, **given).plain == exact.plain
    assert len(exact.lines) == 900


def test_a_guess_is_told_once_and_the_text_is_what_was_meant(read) -> None:
    found = read(ship_notice(TEXTS["late"]))
    assert [finding.code for finding in found.findings] == []
    assert found.lines["PID05"].to_list()[400] == "Gehäuse"
    windows = read(ship_notice([b"plain"] * 400 + [b"Geh\xe4use", b"\x80 5"]))
    assert [finding.code for finding in windows.findings] == ["text.encoding"]
    assert windows.lines["PID05"].to_list()[400:402] == ["Gehäuse", "€ 5"]
