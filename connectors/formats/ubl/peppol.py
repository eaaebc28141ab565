"""Peppol around and within a UBL document: the envelope it came in (SBDH), its transaction and its profile."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from lxml import etree

from schemas.documents import DocumentStart
from schemas.findings import Finding, Severity, Stage

_DATA = Path(__file__).parents[3] / "schemas" / "ubl" / "peppol.yaml"
_TRANSACTION = re.compile(r"urn:fdc:peppol\.eu:poacc:trns:(?P<name>[a-z_]+):(?P<version>\d+)")
_PROFILE = re.compile(r"urn:fdc:peppol\.eu:poacc:bis:(?P<name>[a-z_]+):(?P<version>\d+)")
#: What of an envelope is kept, by the name it is kept under.
_ENVELOPE = {
    "envelope.sender": ".//{*}Sender/{*}Identifier",
    "envelope.receiver": ".//{*}Receiver/{*}Identifier",
    "envelope.instance": ".//{*}DocumentIdentification/{*}InstanceIdentifier",
    "envelope.created": ".//{*}DocumentIdentification/{*}CreationDateAndTime",
}
_SCOPES = {"DOCUMENTID": "envelope.document", "PROCESSID": "envelope.process"}


@cache
def transactions() -> Mapping[str, Mapping[str, Any]]:
    """Those that are read, by name: ``document`` and ``profiles``."""
    known: Mapping[str, Mapping[str, Any]] = yaml.safe_load(_DATA.read_text("utf-8"))
    return known


def envelope_of(element: etree._Element) -> dict[str, str]:
    """What the StandardBusinessDocumentHeader before ``element`` says; empty where there is none."""
    parent = element.getparent()
    header = None if parent is None else parent.find("{*}StandardBusinessDocumentHeader")
    if header is None:
        return {}
    said = {name: (header.findtext(path) or "").strip() for name, path in _ENVELOPE.items()}
    for scope in header.iterfind(".//{*}Scope"):
        name = _SCOPES.get((scope.findtext("{*}Type") or "").strip())
        if name:
            said[name] = (scope.findtext("{*}InstanceIdentifier") or "").strip()
    return {name: text for name, text in said.items() if text}


def transaction_of(said: Mapping[str, str]) -> str:
    """``ordering 3, order 3``: what Peppol calls it; empty where it is none of Peppol's."""
    profile = _PROFILE.match(said.get("ProfileID", ""))
    transaction = _TRANSACTION.match(said.get("CustomizationID", ""))
    return ", ".join(f"{one['name']} {one['version']}" for one in (profile, transaction) if one)


def checked_by_peppol(start: DocumentStart) -> Iterator[Finding]:
    """A transaction that is written as another document or used in another profile; an envelope of somebody else."""
    said, kind = start.attributes, start.type.partition(".")[2]
    transaction = _TRANSACTION.match(said.get("CustomizationID", ""))
    known = transactions().get(transaction["name"]) if transaction else None
    if transaction and (known is None or known["document"] != kind):
        fitting = [name for name, one in transactions().items() if one["document"] == kind]
        expected = ", ".join(fitting) or "no CustomizationID of Peppol"
        message = f"the CustomizationID names Peppol's {transaction['name']}, which is no {kind}"
        yield _told("ubl.profile_mismatch", message, start, transaction[0], expected)
    profile = _PROFILE.match(said.get("ProfileID", ""))
    if transaction and known is not None and profile and profile["name"] not in known["profiles"]:
        message = f"Peppol's {profile['name']} has no {transaction['name']}"
        yield _told("ubl.profile_mismatch", message, start, profile[0], ", ".join(known["profiles"]))
    for side, party in (("sender", start.sender), ("receiver", start.receiver)):
        addressed = said.get(f"envelope.{side}", "")
        if addressed and party and addressed != party:
            message = f"the envelope names another {side} than the document"
            yield _told("ubl.envelope_mismatch", message, start, addressed, party)


def _told(code: str, message: str, start: DocumentStart, value: str, expected: str) -> Finding:
    return Finding(
        code=code,
        severity=Severity.WARNING,
        stage=Stage.STRUCTURE,
        message=message,
        location=start.location,
        value=value,
        expected=expected,
        offset=start.offset,
    )
