"""cXML: order requests, confirmations, ship notices and product activity.

A document is of type ``cxml.<its request or message>`` (``cxml.ShipNoticeRequest``). The header stands around it and is
within reach of its paths: ``Header/From/Credential/Identity``. Paths are those of ``connectors.formats.xml.paths``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from lxml import etree

from connectors.base import Plans, ReadItem
from connectors.formats.xml.compiling import compiled
from connectors.formats.xml.paths import local
from connectors.formats.xml.reading import read
from connectors.formats.xml.root import head_text, root_of
from connectors.formats.xml.structure import Structure, structure
from schemas.documents import DocumentStart, LinePlan
from schemas.findings import Finding, Severity, Stage

ROOT = "cXML"
STRUCTURE = Path(__file__).parents[2] / "schemas" / "cxml" / "structure.yaml"
#: What stands in a Request or a Message; those without a mapping are reported by name.
DOCUMENTS = (
    *("OrderRequest", "ConfirmationRequest", "ShipNoticeRequest", "ProductActivityMessage", "StatusUpdateRequest"),
    *("ReceiptRequest", "OrderStatusRequest", "InvoiceDetailRequest", "MasterAgreementRequest"),
    *("PunchOutSetupRequest", "PunchOutOrderMessage", "QuoteRequest", "QuoteMessage", "CatalogUploadRequest"),
    *("ProductReplenishmentMessage", "ComponentConsumptionRequest", "QualityNotificationRequest", "ProfileRequest"),
    *("TransportRequest", "AuthRequest", "GetPendingRequest", "ApprovalRequest", "PaymentRemittanceRequest"),
)  # fmt: skip


class Cxml:
    """See the module."""

    name = "cxml"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002
        root = root_of(head)
        return (root is not None and root.name == ROOT) or f"<{ROOT}" in head_text(head)[:4096]

    def compile(self, type: str, line: str, paths: Iterable[str], options: Mapping[str, object]) -> LinePlan:
        """Raises ConfigError for a line and for paths that are none."""
        return compiled(type, line, paths, options)

    def read(self, stream: BinaryIO, *, name: str, plans: Plans, metadata: Mapping[str, str]) -> Iterator[ReadItem]:  # noqa: ARG002
        yield from read(stream, CxmlDialect(), plans)


class CxmlDialect:
    """connectors.formats.xml.documents.Dialect of cXML."""

    tags: tuple[str, ...] = tuple(f"{{*}}{name}" for name in DOCUMENTS)

    def __init__(self) -> None:
        self.structure: Structure | None = structure(STRUCTURE)

    def introduced(self, element: etree._Element, *, complete: bool) -> bool:  # noqa: ARG002
        return True  # all that is said of it stands in front of it

    def start(self, element: etree._Element, *, ordinal: int, location: str, offset: int | None) -> DocumentStart:
        around = element.getparent()
        root = element.getroottree().getroot()
        return DocumentStart(
            ordinal=ordinal,
            type=f"cxml.{local(element.tag)}",
            version=root.get("version", ""),
            sender=_credential(root, "From"),
            receiver=_credential(root, "To"),
            control_number=root.get("payloadID", ""),
            test=around is not None and around.get("deploymentMode", "") == "test",
            location=location,
            offset=offset,
            attributes={name: root.get(name, "") for name in ("payloadID", "timestamp") if root.get(name)},
        )

    def checked(self, element: etree._Element, start: DocumentStart) -> Iterable[Finding]:  # noqa: ARG002
        for name in ("payloadID", "timestamp"):
            if name not in start.attributes:
                yield _missing(f"@{name}", "the document cannot be told from another", start)
        if not start.sender:
            yield _missing("Header/From/Credential", "nothing says who sent this", start)


def _credential(root: etree._Element, side: str) -> str:
    """``NetworkId:AN00000123`` of the header's From or To; empty where there is none."""
    for credential in root.iterfind(f"{{*}}Header/{{*}}{side}/{{*}}Credential"):
        identity = (credential.findtext("{*}Identity") or "").strip()
        if identity:
            return f"{credential.get('domain', '')}:{identity}".lstrip(":")
    return ""


def _missing(name: str, consequence: str, start: DocumentStart) -> Finding:
    return Finding(
        code="cxml.element_missing",
        severity=Severity.WARNING,
        stage=Stage.STRUCTURE,
        message=f"{name} is missing: {consequence}",
        location=start.location,
        expected=name,
        offset=start.offset,
    )
