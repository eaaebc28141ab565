"""How an IDoc introduces itself: by its control record EDI_DC40, whichever way it is written."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lxml import etree

from connectors.formats.idoc.definitions import CONTROL, by_type
from connectors.formats.xml.paths import local
from connectors.formats.xml.structure import Structure
from schemas.documents import DocumentStart
from schemas.findings import Finding, Severity, Stage

DOCUMENT = "IDOC"
_NEEDED = ("DOCNUM", "IDOCTYP", "MESTYP", "SNDPRN")  #: what an IDoc cannot be told apart without
_STRANGE = re.compile(r"[^A-Za-z0-9_]")


class IdocDialect:
    """connectors.formats.xml.documents.Dialect of IDocs."""

    tags: tuple[str, ...] = (f"{{*}}{DOCUMENT}",)
    structure: Structure | None = None  #: what is mandatory differs by agreement

    def introduced(self, element: etree._Element, *, complete: bool) -> bool:
        control = _control(element)
        return complete or (control is not None and control.getnext() is not None)

    def start(self, element: etree._Element, *, ordinal: int, location: str, offset: int | None) -> DocumentStart:
        said = control_of(element)
        basic = said.get("IDOCTYP", "") or _root_type(element)
        extension = said.get("CIMTYP", "")
        return DocumentStart(
            ordinal=ordinal,
            type=f"idoc.{_message(said, basic)}",
            version=f"{basic}/{extension}" if extension else basic,
            sender=party(said, "SND"),
            receiver=party(said, "RCV"),
            control_number=said.get("DOCNUM", ""),
            interchange=said.get("REFINT", ""),
            group=said.get("REFGRP", ""),
            test=said.get("TEST", "") == "X",
            location=location,
            offset=offset,
            attributes={f"control.{name}": value for name, value in said.items()},
        )

    def checked(self, element: etree._Element, start: DocumentStart) -> Iterable[Finding]:
        said = control_of(element)
        missing = [name for name in _NEEDED if name not in said]
        if _control(element) is None:
            yield _unsaid(start, "idoc.control_missing", "the IDoc has no control record", CONTROL)
        elif missing:
            what = f"the control record does not say {' and '.join(missing)}"
            yield _unsaid(start, "idoc.control_incomplete", what, ", ".join(_NEEDED))


def _unsaid(start: DocumentStart, code: str, message: str, expected: str) -> Finding:
    return Finding(
        code=code,
        severity=Severity.WARNING,
        stage=Stage.STRUCTURE,
        message=message,
        location=start.location,
        expected=expected,
        offset=start.offset,
    )


def control_of(element: etree._Element) -> dict[str, str]:
    """The filled fields of an IDoc's control record."""
    control = _control(element)
    fields = () if control is None else control
    return {local(field.tag): text for field in fields if (text := (field.text or "").strip())}


def party(said: dict[str, str], side: str) -> str:
    """``LS:SAPPEN``: type and number of the sender (``SND``) or the receiver (``RCV``); empty where none is named."""
    number = said.get(f"{side}PRN", "")
    return f"{said.get(f'{side}PRT', '')}:{number}" if number else ""


def _control(element: etree._Element) -> etree._Element | None:
    return next((child for child in element if local(child.tag).startswith("EDI_DC")), None)


def _message(said: dict[str, str], basic: str) -> str:
    """The message type; where none is named, the one that the basic type carries first."""
    named = _STRANGE.sub("_", said.get("MESTYP", ""))
    if named:
        return named
    family = by_type(basic)
    return family.messages[0] if family else _STRANGE.sub("_", basic) or "unknown"


def _root_type(element: etree._Element) -> str:
    parent = element.getparent()
    return local(parent.tag) if parent is not None else ""
