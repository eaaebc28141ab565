"""Peppol's envelope, transaction and profile are kept with the document, and held against it."""

from __future__ import annotations

from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[2] / "golden" / "cases"
URN = "urn:fdc:peppol.eu:poacc"
NAMESPACE = "urn:oasis:names:specification:ubl:schema:xsd:"


def test_what_the_envelope_says_is_kept(read) -> None:
    (start,) = read((GOLDEN / "ubl.Order" / "in_an_envelope" / "input.xml").read_bytes(), "ubl.Order").starts
    assert (start.sender, start.receiver, start.interchange) == ("0060:099000001", "0088:0614141000012", "7c0e8f1a")
    assert start.attributes["peppol"] == "despatch_advice 3, order 3"
    assert start.attributes["envelope.receiver"] == "0088:0614141000099"
    assert start.attributes["envelope.process"] == f"{URN}:bis:ordering:3"


@pytest.mark.parametrize(
    ("document", "transaction", "profile", "told"),
    [
        ("Order", "order", "ordering", []),
        ("Order", "order", "order_only", []),
        ("OrderResponse", "order_agreement", "order_agreement", []),
        ("OrderResponse", "order_response", "order_agreement", ["ubl.profile_mismatch"]),
        ("OrderChange", "order", "ordering", ["ubl.profile_mismatch"]),
        ("Order", "punch_out", "", ["ubl.profile_mismatch"]),
    ],
)
def test_a_transaction_has_its_document_and_its_profiles(
    read, document: str, transaction: str, profile: str, told: list[str]
) -> None:
    said = f"<CustomizationID>{URN}:trns:{transaction}:3</CustomizationID>"
    said += f"<ProfileID>{URN}:bis:{profile}:3</ProfileID>" if profile else ""
    found = read(f"<{document} xmlns='{NAMESPACE}{document}-2'>{said}</{document}>".encode(), "ubl.Order")
    assert [code for code in found.codes if code == "ubl.profile_mismatch"] == told
    assert found.starts[0].version == f"{URN}:trns:{transaction}:3"


def test_an_envelope_says_who_sent_what_does_not_say_so(read) -> None:
    content = (
        "<StandardBusinessDocument xmlns='http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader'>"
        "<StandardBusinessDocumentHeader><Sender><Identifier>0088:1</Identifier></Sender><Receiver><Identifier>0088:2"
        f"</Identifier></Receiver></StandardBusinessDocumentHeader><Order xmlns='{NAMESPACE}Order-2'><ID>1</ID></Order>"
        "</StandardBusinessDocument>"
    )
    (start,) = read(content.encode(), "ubl.Order", "OrderLine", ["/ID"]).starts
    assert (start.sender, start.receiver) == ("0088:1", "0088:2")
