"""IDocs answered by IDocs, through the dock: what was read, what was posted, and to whom it is told."""

from __future__ import annotations

import io

import pytest
from lxml import etree

from connectors.formats.idoc import Idoc
from crossdock.dock import Dock
from schemas.documents import DocumentStart

PARTNER = """\
partner: ACME
identities: {idoc: "LS:ACMECLNT200"}
documents:
  idoc.DESADV:
    fields: {item: E1EDL24/MATNR, site: {const: BER}, unit: {const: EA}}
acknowledge: {functional: status, application: aleaud, within: 30m, to: sap}
"""
OUTBOX = "outlet: sap\ncarries: documents\nsink: {kind: folder, path: outbox}\n"


@pytest.fixture
def dock(installation) -> Dock:
    (installation.home / "partners" / "acme.yaml").write_text(PARTNER)
    (installation.home / "outlets" / "sap.yaml").write_text(OUTBOX)
    with Dock.open(installation.settings) as opened:
        yield opened


def delivery(number: int, *quantities: str, message: str = "DESADV") -> str:
    items = "".join(
        f"<E1EDL24><POSNR>{n:06}</POSNR><MATNR>P-{n}</MATNR><LFIMG>{quantity}</LFIMG></E1EDL24>"
        for n, quantity in enumerate(quantities, 1)
    )
    control = (
        f"<EDI_DC40><DOCNUM>{number:016}</DOCNUM><IDOCTYP>DELVRY07</IDOCTYP><MESTYP>{message}</MESTYP>"
        "<SNDPRT>LS</SNDPRT><SNDPRN>ACMECLNT200</SNDPRN><RCVPRT>KU</RCVPRT><RCVPRN>RAVENSMOOR</RCVPRN></EDI_DC40>"
    )
    return f"<IDOC BEGIN='1'>{control}<E1EDL20><VBELN>{number}</VBELN>{items}</E1EDL20></IDOC>"


def test_each_idoc_is_told_whether_it_was_read_and_posted(dock: Dock) -> None:
    documents = delivery(1, "5"), delivery(2, "5", "many"), delivery(3, "5", message="ZOWN")
    (dock.settings.home / "in" / "1.xml").write_text(f"<DELVRY07>{''.join(documents)}</DELVRY07>")
    done = dock.run()
    assert done.responded.sent == {"STATUS": 1, "ALEAUD": 1}
    answers = {path.name: path.read_bytes() for path in (dock.settings.home / "outbox").iterdir()}
    assert sorted(answers) == ["ACME-ALEAUD-000000002.xml", "ACME-STATUS-000000001.xml"]
    status = etree.fromstring(answers["ACME-STATUS-000000001.xml"])
    assert [(one.findtext("DOCNUM"), one.findtext("STATUS")) for one in status.iter("E1STATS")] == [
        (f"{1:016}", "16"),
        (f"{2:016}", "16"),
        (f"{3:016}", "17"),
    ]
    audit = etree.fromstring(answers["ACME-ALEAUD-000000002.xml"])
    told = [(one.findtext("DOCNUM"), one.findtext("STATUS")) for one in audit.iter("E1STATE")]
    assert told == [(f"{1:016}", "53"), (f"{2:016}", "52"), (f"{3:016}", "51")]
    types = [(one.findtext("MESTYP"), one.findtext("MESTYP_LNG")) for one in audit.iter("E1ADHDR")]
    assert types == [("DESADV", "DESADV"), ("DESADV", "DESADV"), ("ZOWN", "ZOWN")]
    texts = [one.findtext("STATXT") for one in audit.iter("E1STATE")]
    assert texts[1] == "quantity 'many' cannot be read (E1EDL24[2])"
    assert dock.run().responded.sent == {}


def test_an_answer_goes_back_to_where_the_idoc_came_from(dock: Dock) -> None:
    (dock.settings.home / "in" / "1.xml").write_text(f"<DELVRY07>{delivery(1, '5')}</DELVRY07>")
    dock.run()
    for path in (dock.settings.home / "outbox").iterdir():
        items = Idoc().read(io.BytesIO(path.read_bytes()), name=path.name, plans=NoPlans(), metadata={})
        (start,) = [item for item in items if isinstance(item, DocumentStart)]
        assert (start.sender, start.receiver) == ("KU:RAVENSMOOR", "LS:ACMECLNT200")
        assert start.type in ("idoc.STATUS", "idoc.ALEAUD")


def test_one_audit_tells_of_five_hundred_idocs_at_most(dock: Dock) -> None:
    documents = "".join(delivery(number, "5") for number in range(1, 502))
    (dock.settings.home / "in" / "1.xml").write_text(f"<DELVRY07>{documents}</DELVRY07>")
    assert dock.run().responded.sent == {"STATUS": 1, "ALEAUD": 1}
    audit = etree.parse(dock.settings.home / "outbox" / "ACME-ALEAUD-000000002.xml")
    assert [len(one.findall("E1ADHDR")) for one in audit.iter("IDOC")] == [500, 1]


class NoPlans:
    def for_document(self, start: DocumentStart) -> None:
        return None

    def candidates(self, sender: str) -> list[object]:
        return []
