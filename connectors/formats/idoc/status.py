"""What became of IDocs, as IDocs: status records (STATUS, SYSTAT01) and the audit of the application (ALEAUD01).

A status record says whether an IDoc could be read (16 or 17, as SAP notes a functional acknowledgment); the audit
whether what it holds is posted (53), posted in part (52) or not (51).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lxml import etree

from connectors.formats.edi.acknowledgments.verdicts import DocumentVerdict
from schemas.documents import InterchangeEnd
from schemas.findings import Severity, Stage

_SENDER_PORT = "CROSSDOCK"
_TEXT = 70  #: characters of a status text
_SHORT = 6  #: characters of E1ADHDR-MESTYP
_MOST_AUDITED = 500  #: IDocs of which one ALEAUD tells
_MOST_TEXTS = 20  #: findings of one IDoc that are told
_READING = frozenset({Stage.TRANSPORT, Stage.SYNTAX, Stage.STRUCTURE})


def report_status(envelope: InterchangeEnd, verdicts: Sequence[DocumentVerdict], number: int, at: datetime) -> bytes:
    """STATUS: one record for each IDoc."""
    root = etree.Element("SYSTAT01")
    idoc = _idoc(root, "STATUS", envelope, number, at)
    for verdict in verdicts:
        texts = _texts(verdict, reading=True)
        readable = not verdict.rejected
        record = {
            "DOCNUM": verdict.control_number,
            "LOGDAT": f"{at:%Y%m%d}",
            "LOGTIM": f"{at:%H%M%S}",
            "STATUS": "16" if readable else "17",
            "STATYP": "S" if readable else "E",
            "STATXT": texts[0] if texts else ("read" if readable else "could not be read"),
        }
        _segment(idoc, "E1STATS", record)
    return _written(root)


def audit(envelope: InterchangeEnd, verdicts: Sequence[DocumentVerdict], number: int, at: datetime) -> bytes:
    """ALEAUD: for each IDoc what became of it, and in words what is wrong; one such IDoc tells of 500 at most."""
    root = etree.Element("ALEAUD01")
    for begin in range(0, max(1, len(verdicts)), _MOST_AUDITED):
        idoc = _idoc(root, "ALEAUD", envelope, number, at)
        _audit(idoc, verdicts[begin : begin + _MOST_AUDITED], at)
    return _written(root)


def _audit(idoc: etree._Element, verdicts: Sequence[DocumentVerdict], at: datetime) -> None:
    for verdict in verdicts:
        # the short field holds types of six letters at most
        short = {"MESTYP": verdict.set} if len(verdict.set) <= _SHORT else {}
        header = _segment(idoc, "E1ADHDR", {**short, "MESTYP_LNG": verdict.set})
        for status, text in _outcome(verdict):
            record = {
                "DOCNUM": verdict.control_number,
                "LOGDAT": f"{at:%Y%m%d}",
                "LOGTIM": f"{at:%H%M%S}",
                "STATUS": status,
                "STATYP": "S" if status == "53" else "E",
                "STATXT": text,
            }
            _segment(header, "E1STATE", record)


def _outcome(verdict: DocumentVerdict) -> list[tuple[str, str]]:
    texts = _texts(verdict, reading=False)
    if verdict.rejected:
        return [("51", text) for text in texts or ["not posted"]]
    return [("52", text) for text in texts] if texts else [("53", "posted")]


def _texts(verdict: DocumentVerdict, *, reading: bool) -> list[str]:
    """What is wrong, in words that fit; ``reading``: only what kept it from being read."""
    told = [
        f"{finding.message} ({finding.location.rpartition('/')[2]})" if finding.location else finding.message
        for finding in verdict.findings
        if finding.severity is Severity.ERROR and (not reading or finding.stage in _READING)
    ]
    return [" ".join(text.split())[:_TEXT] for text in dict.fromkeys(told)][:_MOST_TEXTS]


def _idoc(root: etree._Element, message: str, envelope: InterchangeEnd, number: int, at: datetime) -> etree._Element:
    """One more IDoc in ``root``, empty, from the receiver of ``envelope`` to its sender."""
    head = envelope.interchange
    (us_type, _, us), (their_type, _, them) = head.receiver.partition(":"), head.sender.partition(":")
    idoc = etree.SubElement(root, "IDOC", BEGIN="1")
    control = {
        "TABNAM": "EDI_DC40",
        "DOCNUM": f"{number:016d}",
        "DIRECT": "2",
        "IDOCTYP": str(root.tag),
        "MESTYP": message,
        "SNDPOR": _SENDER_PORT,
        "SNDPRT": us_type or "LS",
        "SNDPRN": us or _SENDER_PORT,
        "RCVPRT": their_type,
        "RCVPRN": them,
        "CREDAT": f"{at:%Y%m%d}",
        "CRETIM": f"{at:%H%M%S}",
    }
    _segment(idoc, "EDI_DC40", control)
    return idoc


def _segment(parent: etree._Element, name: str, fields: dict[str, str]) -> etree._Element:
    segment = etree.SubElement(parent, name, SEGMENT="1")
    for field, value in fields.items():
        etree.SubElement(segment, field).text = "".join(letter for letter in value if letter >= " ")
    return segment


def _written(root: etree._Element) -> bytes:
    return etree.tostring(root.getroottree(), xml_declaration=True, encoding="UTF-8", pretty_print=True)
