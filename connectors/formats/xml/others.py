"""XML that is known when it comes, and not read: told by its root element and its namespaces."""

from __future__ import annotations

import re

from connectors.formats.xml.root import Root, root_of

#: what the namespaces or the root's name say -> the standard
_BY_NAMESPACE = (
    (re.compile(r"opentrans\.org/XMLSchema/(?P<version>[\d.]+)"), "openTRANS"),
    (re.compile(r"bmecat\.org"), "BMEcat"),
    (re.compile(r"urn:epcglobal:epcis(?:-query|-masterdata)?:xsd:(?P<version>[\d.]+)"), "EPCIS"),
    (re.compile(r"urn:gs1:ecom:|urn:ean\.ucc:"), "GS1 XML"),
    (re.compile(r"rosettanet", re.IGNORECASE), "RosettaNet"),
    (re.compile(r"openapplications\.org/oagis"), "OAGIS"),
    (re.compile(r"xcbl"), "xCBL"),
    (re.compile(r"urn:un:unece:uncefact:data:standard:(?P<version>\w+)"), "UN/CEFACT"),
    (re.compile(r"StandardBusinessDocumentHeader"), "an envelope (SBDH) of something else"),
    (re.compile(r"schemas\.microsoft\.com/dynamics"), "Microsoft Dynamics"),
    (re.compile(r"schemas\.xmlsoap\.org/soap/envelope|w3\.org/2003/05/soap-envelope"), "a SOAP message"),
    (re.compile(r"w3\.org/2005/Atom|schemas\.microsoft\.com/ado"), "an OData feed in Atom"),
    (re.compile(r"www\.edifabric\.com"), "EdiFabric's XML of an EDI message"),
)
_BY_NAME = (
    (re.compile(r"Pip\d[A-Z]\d+"), "RosettaNet"),
    (re.compile(r"EPCIS\w*"), "EPCIS"),
    (re.compile(r"BMECAT"), "BMEcat"),
    (re.compile(r"(?:Process|Get|Show|Acknowledge)[A-Z]\w+"), "OAGIS"),
    (
        re.compile(r"(?:ORDER|DISPATCHNOTIFICATION|ORDERRESPONSE|ORDERCHANGE|RECEIPTACKNOWLEDGEMENT|INVOICE)"),
        "openTRANS",
    ),
)


def named_xml(head: bytes) -> str | None:
    """What a payload that begins with ``head`` is, where it is XML: ``openTRANS 2.1 (ORDER)``; None where it is not."""
    root = root_of(head)
    if root is None:
        return None
    standard = _standard(root)
    if standard:
        return f"{standard} ({root.name})"
    return f"XML of a kind that is not known ({root.name}{f' of {root.namespace}' if root.namespace else ''})"


def _standard(root: Root) -> str:
    for pattern, name in _BY_NAMESPACE:
        for namespace in root.namespaces:
            if match := pattern.search(namespace):
                version = match.groupdict().get("version")
                return f"{name} {version}" if version else name
    return next((name for pattern, name in _BY_NAME if pattern.fullmatch(root.name)), "")
