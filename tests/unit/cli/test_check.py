"""``crossdock check``: what a stranger's first file tells them."""

from __future__ import annotations

import json
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytestmark = pytest.mark.usefixtures("under_frames")

if TYPE_CHECKING:
    from conftest import Installation

Orders = Callable[..., str]

ISA = "ISA*00*          *00*          *ZZ*{sender:<15}*ZZ*HUB            *260301*1200*U*00401*000000001*0*P*>~"
SHIP_NOTICE = (
    "GS*SH*{sender}*HUB*20260301*1200*1*X*004010~"
    "ST*856*0007~BSN*00*S-77*20260301*1200~"
    "HL*1**S~DTM*011*20260301~N1*ST*North*92*N1~"
    "HL*2*1*O~PRF*4500001~"
    "HL*3*2*I~LIN*10*VN*AC-9*BP*P-100~SN1**12*EA~"
    "HL*4*2*I~LIN*20*VN*AC-8*BP*P-200~SN1**4*EA~"
    "CTT*4~SE*15*0007~GE*1*1~IEA*1*000000001~"
)


def ship_notice(sender: str) -> str:
    return (ISA + SHIP_NOTICE).format(sender=sender)


def objects(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def codes(found: dict[str, Any], severity: str) -> list[str]:
    return [finding["code"] for finding in found["findings"] if finding["severity"] == severity]


def test_a_clean_file_of_an_unknown_sender_is_read_with_the_standard_mapping(installation: Installation) -> None:
    path = installation.drop("asn.edi", ship_notice("STRANGER"))

    result = installation.run("check", "--json", str(path))

    (document,) = objects(result.stdout)
    assert (document["file"], document["type"], document["control_number"]) == (str(path), "x12.856", "0007")
    assert (document["lines"], document["events"], document["status"]) == (2, 2, "accepted")
    assert codes(document, "error") == []
    assert "partner.unknown" in codes(document, "warning")
    assert "item.unknown" in codes(document, "warning")
    assert "event_list" not in document
    assert result.exit_code == 0


def test_the_events_themselves_come_on_request_and_the_count_stays_a_count(installation: Installation) -> None:
    path = installation.drop("asn.edi", ship_notice("ACMEINC"))

    (document,) = objects(installation.run("check", "--json", "--events", str(path)).stdout)

    assert document["partner"] == "ACME"
    assert document["events"] == len(document["event_list"]) == 2
    event = document["event_list"][0]
    assert (event["stream"], event["kind"], event["item"]) == ("shipment", "notified", "P-100")
    assert event["data"]["quantity"] == "12"
    assert event["data"]["lineage"]["location"].startswith("segment ")


def test_another_partners_mapping_can_be_asked_for(installation: Installation) -> None:
    path = installation.drop("asn.edi", ship_notice("STRANGER"))

    (document,) = objects(installation.run("check", "--json", "--partner", "ACME", str(path)).stdout)

    assert document["partner"] == "ACME"
    assert "partner.unknown" not in codes(document, "warning")


def test_an_unknown_partner_is_refused_with_the_nearest_known_one(installation: Installation) -> None:
    path = installation.drop("asn.edi", ship_notice("ACMEINC"))

    result = installation.run("check", "--partner", "ACNE", str(path))

    assert result.exit_code == 2
    assert "did you mean 'ACME'?" in result.stderr


def test_an_error_in_one_line_gives_exit_code_1(installation: Installation, orders: Orders) -> None:
    path = installation.drop("po.jsonl", orders(("1", "10"), {"order_no": "2", "quantity": "twelve"}))

    result = installation.run("check", "--json", str(path))

    (document,) = objects(result.stdout)
    assert (document["lines"], document["events"], document["parked"]) == (2, 1, 1)
    assert codes(document, "error") == ["value.unreadable"]
    assert result.exit_code == 1


def test_a_broken_envelope_comes_as_an_object_of_its_own(installation: Installation) -> None:
    path = installation.drop("asn.edi", ship_notice("ACMEINC").replace("IEA*1*", "IEA*7*"))

    document, envelope = objects(installation.run("check", "--json", str(path)).stdout)

    assert (document["type"], document["events"]) == ("x12.856", 2)
    assert (envelope["type"], envelope["partner"], envelope["control_number"]) == ("interchange", "", "")
    assert (envelope["lines"], envelope["events"]) == (0, 0)
    assert [finding["value"] for finding in envelope["findings"]] == ["7"]


def test_a_sheet_without_the_expected_header_is_the_files_fault(installation: Installation) -> None:
    path = installation.drop("list.csv", "Part,Colour\nP-100,blue\n")

    result = installation.run("check", "--json", str(path))

    assert {one["type"] for one in objects(result.stdout)} == {"file"}
    assert result.exit_code == 2


@pytest.mark.parametrize("content", [b"", b"hello, world", bytes(range(256)) * 20], ids=["empty", "prose", "noise"])
def test_what_is_no_document_at_all_gives_exit_code_2(installation: Installation, content: bytes) -> None:
    path = installation.drop("thing", content)

    result = installation.run("check", "--json", str(path))

    (found,) = objects(result.stdout)
    assert found["type"] == "file"
    assert codes(found, "error")
    assert result.exit_code == 2


def test_a_file_that_is_not_there_does_not_stop_the_others(installation: Installation, orders: Orders) -> None:
    missing, there = installation.home / "gone.edi", installation.drop("po.jsonl", orders(("1", "10")))

    result = installation.run("check", "--json", str(missing), str(there))

    gone, document = objects(result.stdout)
    assert codes(gone, "error") == ["file.unreadable"]
    assert (document["file"], document["events"]) == (str(there), 1)
    assert result.exit_code == 2


def test_the_attachments_of_a_mail_are_checked_as_its_senders_files(installation: Installation) -> None:
    message = EmailMessage()
    message["From"], message["To"] = "Ann <ann@acme.example>", "supply@hub.example"
    message["Message-ID"], message["Subject"] = "<1@acme.example>", "stock"
    message.set_content("see attached")
    stock = "Part;Plant;Qty;Unit;As of\nP-100;N1;1.250,5;EA;2026-03-01\n"
    message.add_attachment(stock.encode(), maintype="text", subtype="csv", filename="stock.csv")
    path = installation.drop("mail.eml", message.as_bytes())

    (document,) = objects(installation.run("check", "--json", "--events", str(path)).stdout)

    assert document["file"] == f"{path}: stock.csv"
    assert (document["type"], document["partner"]) == ("workbook.stock", "ACME")
    assert document["event_list"][0]["data"]["quantity"] == "1250.5"


def test_a_person_is_shown_documents_events_and_findings(installation: Installation, orders: Orders) -> None:
    path = installation.drop("po.jsonl", orders(("1", "10"), {"order_no": "2", "quantity": "twelve"}))

    shown = installation.run("check", str(path)).stdout

    assert "rows.purchase_orders · 2 lines · 1 event · 1 parked · accepted with errors" in shown
    assert "demand ordered  P-100  N1       12 EA" in shown
    assert "error   value.unreadable · row 2" in shown
    assert "expected a number" in shown
    assert "1 document · 2 lines · 1 event · 1 error" in shown
    assert all(line == line.rstrip() for line in shown.splitlines())


def test_a_narrow_terminal_loses_nothing(installation: Installation, orders: Orders) -> None:
    path = installation.drop("po.jsonl", orders(("1", "10"), {"order_no": "2", "quantity": "twelve"}))
    installation.environment["COLUMNS"] = "44"

    shown = installation.run("check", str(path)).stdout

    assert max(map(len, shown.splitlines())) <= 44
    for word in ("value.unreadable", "twelve", "accepted with errors", "demand"):
        assert word in shown


def test_a_faulty_partner_file_is_told_and_stops_nobody_else(installation: Installation, tmp_path: Path) -> None:
    (tmp_path / "partners" / "broken.yaml").write_text("partner: BROKEN\ntier: golden\n")
    path = installation.drop("asn.edi", ship_notice("ACMEINC"))

    result = installation.run("check", "--json", str(path))

    assert [one["partner"] for one in objects(result.stdout)] == ["ACME"]
    assert "partners/broken.yaml:2: tier: unknown word 'golden'" in result.stderr
