"""How fast an IDoc in XML becomes the lines of a mapping, beside lxml's bare ``iterparse`` over the same file."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from lxml import etree

from bench.measure import Benchmark, Measurement, Run, in_child
from connectors.formats.idoc import Idoc
from crossdock.translation import standard_context
from schemas.documents import DocumentStart, LineChunk, LinePlan

SIZE = 40_000_000
SMALL = 4_000_000

_CONTROL = (
    '<EDI_DC40 SEGMENT="1"><TABNAM>EDI_DC40</TABNAM><MANDT>100</MANDT><DOCNUM>0000000000{number:06}</DOCNUM>'
    "<IDOCTYP>ORDERS05</IDOCTYP><MESTYP>ORDERS</MESTYP><SNDPRT>LS</SNDPRT><SNDPRN>RVMCLNT100</SNDPRN></EDI_DC40>"
    '<E1EDK01 SEGMENT="1"><CURCY>USD</CURCY><BELNR>45000{number:05}</BELNR></E1EDK01>'
    '<E1EDK03 SEGMENT="1"><IDDAT>012</IDDAT><DATUM>20260327</DATUM></E1EDK03>'
    '<E1EDKA1 SEGMENT="1"><PARVW>LF</PARVW><PARTN>ANVILGATE</PARTN><NAME1>Anvilgate Castings</NAME1></E1EDKA1>'
)
#: An item as a purchasing system writes it: fields, conditions, taxes, two schedule lines, identification, a text.
_ITEM = (
    '<E1EDP01 SEGMENT="1"><POSEX>{line:05}</POSEX><PSTYP>0</PSTYP><KZABS>X</KZABS><MENGE>{quantity}.000</MENGE>'
    "<MENEE>PCE</MENEE><BMNG2>{quantity}.000</BMNG2><PMENE>PCE</PMENE><VPREI>84.50</VPREI><PEINH>1</PEINH>"
    "<NETWR>1014.00</NETWR><NTGEW>15.000</NTGEW><GEWEI>KGM</GEWEI><MATKL>00107</MATKL><BPUMN>1</BPUMN><BPUMZ>1</BPUMZ>"
    "<WERKS>RAVENSMOOR</WERKS>"
    '<E1EDP02 SEGMENT="1"><QUALF>001</QUALF><BELNR>4500017170</BELNR><ZEILE>{line:05}</ZEILE></E1EDP02>'
    '<E1EDP03 SEGMENT="1"><IDDAT>011</IDDAT><DATUM>20260327</DATUM></E1EDP03>'
    '<E1EDP04 SEGMENT="1"><MWSKZ>V1</MWSKZ><MSATZ>19.000</MSATZ><MWSBT>192.66</MWSBT></E1EDP04>'
    '<E1EDP05 SEGMENT="1"><ALCKZ>+</ALCKZ><KSCHL>PB00</KSCHL><BETRG>1014.00</BETRG><KRATE>84.50</KRATE>'
    "<UPRBS>1</UPRBS><MEAUN>PCE</MEAUN><KOEIN>USD</KOEIN></E1EDP05>"
    '<E1EDP20 SEGMENT="1"><WMENG>8.000</WMENG><EDATU>20260420</EDATU><EZEIT>000000</EZEIT></E1EDP20>'
    '<E1EDP20 SEGMENT="1"><WMENG>4.000</WMENG><EDATU>20260504</EDATU><EZEIT>000000</EZEIT></E1EDP20>'
    '<E1EDP19 SEGMENT="1"><QUALF>001</QUALF><IDTNR>P10003</IDTNR><KTEXT>Volute casing DN13</KTEXT></E1EDP19>'
    '<E1EDP19 SEGMENT="1"><QUALF>002</QUALF><IDTNR>AG-00104</IDTNR></E1EDP19>'
    '<E1EDPT1 SEGMENT="1"><TDID>F01</TDID><TSSPRAS>E</TSSPRAS><TSSPRAS_ISO>EN</TSSPRAS_ISO>'
    '<E1EDPT2 SEGMENT="1"><TDLINE>Castings free of sand, with certificate 3.1</TDLINE><TDFORMAT>*</TDFORMAT></E1EDPT2>'
    "</E1EDPT1></E1EDP01>"
)


def orders(size: int = SIZE, *, items: int = 500) -> Iterator[bytes]:
    """IDocs of ``items`` items each, about ``size`` bytes of them."""
    yield b"<?xml version='1.0' encoding='UTF-8'?><ORDERS05>"
    written = number = 0
    while written < size:
        number += 1
        body = "".join(_ITEM.format(line=10 * line, quantity=12 + line % 7) for line in range(1, items + 1))
        block = f'<IDOC BEGIN="1">{_CONTROL.format(number=number)}{body}</IDOC>'.encode()
        written += len(block)
        yield block
    yield b"</ORDERS05>"


def read_idoc(path: str) -> Generator[None, None, int]:
    """Lines of the standard mapping of ORDERS; the mapping is made ready before the clock starts."""
    plan = standard_context().library.standard["idoc.ORDERS"].plan
    yield
    with Path(path).open("rb") as stream:
        items = Idoc().read(stream, name=path, plans=_OnePlan(plan), metadata={})
        return sum(item.table.height for item in items if isinstance(item, LineChunk))


def bare_iterparse(path: str) -> int:
    """Elements, each forgotten as soon as it has come."""
    count = 0
    for _, element in etree.iterparse(path):
        count += 1
        element.clear()
    return count


class _OnePlan:
    """connectors.base.Plans with a single plan."""

    def __init__(self, plan: LinePlan) -> None:
        self.plan = plan

    def for_document(self, start: DocumentStart) -> LinePlan:  # noqa: ARG002
        return self.plan

    def candidates(self, sender: str) -> list[LinePlan]:  # noqa: ARG002
        return []


def against_iterparse() -> Iterator[Measurement]:
    """The rate beside the peer's, and whether memory grows with the file.

    By the least processor time of five rounds: neither waits for anything, and what others do on the machine
    makes a round slower, never faster.
    """
    with _file_of(SIZE) as large, _file_of(SMALL) as small:
        rounds = [(_timed("read_idoc", large), _timed("bare_iterparse", large)) for _ in range(5)]
        little = _timed("read_idoc", small)
    ours, bare = (min(runs, key=lambda run: run.cpu) for runs in zip(*rounds, strict=True))
    megabytes = SIZE / 1e6
    yield Measurement(
        name="xml.idoc_lines",
        value=megabytes / ours.cpu,
        unit="MB/s",
        peer="lxml iterparse",
        peer_value=megabytes / bare.cpu,
        ratio=bare.cpu / ours.cpu,
        floor=0.5,
    )
    yield Measurement(
        name="xml.idoc_memory",
        value=ours.grown_mb - little.grown_mb,
        unit="MB more for ten times the file",
        limit=40.0,
    )


def _timed(function: str, path: str) -> Run:
    return in_child("bench.xml", function, {"path": path})


@contextmanager
def _file_of(size: int) -> Iterator[str]:
    """A file of IDocs that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.xml"
        with path.open("wb") as stream:
            stream.writelines(orders(size))
        yield str(path)


BENCHMARKS: dict[str, Benchmark] = {"xml.idoc": against_iterparse}
