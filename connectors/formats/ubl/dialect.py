"""How a UBL document introduces itself, and what its head has to have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from lxml import etree

from connectors.formats.ubl.peppol import checked_by_peppol, envelope_of, transaction_of
from connectors.formats.xml.paths import local
from connectors.formats.xml.structure import Structure, structure
from schemas.documents import DocumentStart
from schemas.findings import Finding

NAMESPACE = "urn:oasis:names:specification:ubl:schema:xsd:"
STRUCTURE = Path(__file__).parents[3] / "schemas" / "ubl" / "structure.yaml"
DATA = Path(__file__).parents[3] / "schemas" / "ubl" / "documents.yaml"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a kind of document."""

    line: str
    sender: tuple[str, ...]
    receiver: tuple[str, ...]


@cache
def known_documents() -> Mapping[str, Known]:
    """Those of ``schemas/ubl/documents.yaml``, by name."""
    return {
        name: Known(
            line=given["line"],
            sender=tuple(given["sender"].split("/")),
            receiver=tuple(given["receiver"].split("/")),
        )
        for name, given in yaml.safe_load(DATA.read_text("utf-8")).items()
    }


class UblDialect:
    """connectors.formats.xml.documents.Dialect of the UBL documents called ``names``."""

    def __init__(self, names: Sequence[str]) -> None:
        self.structure: Structure | None = structure(STRUCTURE)
        self.tags: tuple[str, ...] = tuple(f"{{{NAMESPACE}{name}-2}}{name}" for name in names) or ("{-}none",)

    def introduced(self, element: etree._Element, *, complete: bool) -> bool:
        if complete:
            return True
        known = known_documents().get(local(element.tag))
        last = element[-1] if len(element) else None
        return known is not None and last is not None and _name(last) == known.line

    def start(self, element: etree._Element, *, ordinal: int, location: str, offset: int | None) -> DocumentStart:
        name = local(element.tag)
        said = {one: text for one in _SAID if (text := _text(element, (one,)))}
        known = known_documents().get(name)
        envelope = envelope_of(element)
        sender, receiver = (_party(element, known, envelope, side) for side in ("sender", "receiver"))
        peppol = transaction_of(said)
        return DocumentStart(
            ordinal=ordinal,
            type=f"ubl.{name}",
            version=said.get("CustomizationID", "") or said.get("UBLVersionID", ""),
            sender=sender,
            receiver=receiver,
            interchange=envelope.get("envelope.instance", ""),
            control_number=said.get("ID", ""),
            location=location,
            offset=offset,
            attributes={one: text for one, text in said.items() if one != "ID"}
            | envelope
            | ({"peppol": peppol} if peppol else {}),
        )

    def checked(self, element: etree._Element, start: DocumentStart) -> Iterable[Finding]:
        if local(element.tag) in known_documents():
            yield from checked_by_peppol(start)


_SAID = ("ID", "CustomizationID", "ProfileID", "UBLVersionID", "IssueDate", "UUID", "CopyIndicator")


def _party(element: etree._Element, known: Known | None, envelope: Mapping[str, str], side: str) -> str:
    """Who the document says it is from or to, else its envelope."""
    if known is None:
        return envelope.get(f"envelope.{side}", "")
    found = _identity(_descend(element, known.sender if side == "sender" else known.receiver))
    return found or envelope.get(f"envelope.{side}", "")


def _identity(party: etree._Element | None) -> str:
    """``0088:7300010000001``: the endpoint, else the first identification, with its scheme."""
    if party is None:
        return ""
    for way in (("EndpointID",), ("PartyIdentification", "ID")):
        found = _descend(party, way)
        if found is not None and found.text and found.text.strip():
            return f"{found.get('schemeID', '')}:{found.text.strip()}".lstrip(":")
    return ""


def _descend(element: etree._Element | None, way: Sequence[str]) -> etree._Element | None:
    for name in way:
        if element is not None:
            element = next((child for child in element if _name(child) == name), None)
    return element


def _text(element: etree._Element, way: Sequence[str]) -> str:
    found = _descend(element, way)
    return (found.text or "").strip() if found is not None else ""


def _name(element: etree._Element) -> str:
    return local(element.tag) if isinstance(element.tag, str) else ""
