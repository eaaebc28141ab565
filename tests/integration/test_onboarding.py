"""A new partner from a sample, and a template that reads back without findings."""

from __future__ import annotations

import io
import json
import subprocess
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest

from connectors.formats.workbook.sheets import LISTS
from crossdock.simulate.large import large_856
from tests.conftest import Installation

STOCK = (
    "Lagerliste Werk Nord;;;;\nArtikel-Nr.;Freie Menge;ME;Platz;Stichtag\n4711-A;1.250,5;kg;H1;31.03.2026\n"
    "4712-B;0,25;kg;H2;31.03.2026\n"
)


def new(here: Installation, sample: Path, *more: str) -> str:
    golden = str(here.home / "golden")
    result = here.run("partner", "new", "--from", str(sample), "--yes", "--golden", golden, *more)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_partner_from_a_workbook(installation: Installation) -> None:
    sample = installation.home / "nordguss.csv"
    sample.write_text(STOCK, "utf-8")
    answers = ("site==NORD", "quantity=Freie Menge", "email=*@nord.example", "document=workbook.stock")
    told = new(installation, sample, *(part for answer in answers for part in ("--say", answer)))
    assert "2 lines, 2 events, 0 errors" in told
    text = (installation.home / "partners" / "nordguss.yaml").read_text()
    assert "language: de" in text
    assert "decimal: ','" in text
    assert "const: NORD" in text
    installation.run("lint")
    result = installation.run("check", str(sample), "--partner", "NORDGUSS", "--json", "--events")
    (document, *_) = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["data"]["quantity"] for one in document["event_list"]] == ["1250.5", "0.25"]
    case = installation.home / "golden" / "workbook.stock" / "nordguss"
    assert {path.name for path in case.iterdir()} == {
        "case.yaml", "events.jsonl", "findings.jsonl", "input.csv", "partners",
    }  # fmt: skip
    assert len((case / "events.jsonl").read_text().splitlines()) == 2


def test_a_partner_whose_sheet_says_half_of_it_above_the_table(installation: Installation) -> None:
    """Labels, their dates, and a unit in a header."""
    book = openpyxl.Workbook()
    book.active.title = "Lieferschein"
    for row in (
        ["Lieferschein Nr.", "LS-4711"], ["Versanddatum", "12.03.2026"], ["Werk", "NORD"], [],
        ["Bestellung", "Pos", "Teilenummer", "Liefermenge (Stk)"], [4500000001, 10, "P-100", "1.200,00"],
    ):  # fmt: skip
        book.active.append(row)
    sample = installation.home / "giesserei.xlsx"
    book.save(sample)
    assert "1 line, 1 event, 0 errors" in new(installation, sample, "--say", "timezone=Europe/Berlin")
    checked = installation.run("check", str(sample), "--partner", "GIESSEREI", "--json", "--events").stdout
    (event,) = json.loads(checked.splitlines()[0])["event_list"]
    assert event["data"] | {"shipped_at": "2026-03-12T00:00:00+01:00", "quantity": "1200.00"} == event["data"]
    assert event["data"]["references"]["shipment"] == "LS-4711"


def test_what_is_wrong_with_a_sample_is_shown(installation: Installation) -> None:
    sample = installation.home / "gf.csv"
    sample.write_text("Part;Site;On hand;Unit\nP-100;N1;about 5;EA\nP-200;N1;7;EA\n", "utf-8")
    told = new(installation, sample, "--say", "document=workbook.stock")
    assert "2 lines, 1 event, 1 error" in told
    assert "quantity 'about 5' cannot be read" in told


def test_a_sheet_that_has_drifted_from_what_was_confirmed_says_so(installation: Installation) -> None:
    sample = installation.home / "nordguss.csv"
    sample.write_text(STOCK, "utf-8")
    new(
        installation, sample, "--say", "site==NORD", "--say", "quantity=Freie Menge", "--say", "document=workbook.stock"
    )
    later = installation.home / "later.csv"
    later.write_text(STOCK.replace("Platz", "Lagerplatz neu").replace("Freie Menge;ME", "ME;Freie Menge"), "utf-8")
    result = installation.run("check", str(later), "--partner", "NORDGUSS", "--json")
    codes = [one["code"] for one in json.loads(result.stdout.splitlines()[0])["findings"]]
    assert {"workbook.column_moved", "workbook.column_renamed"} <= set(codes)


def test_a_sheet_is_taken_for_what_it_is_called(installation: Installation, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "Zusagen KW 12"
    for row in (["Werk:", "N1"], ["Sachnr.", "Mengeneinh.", "KW 15/2026", "KW 16/2026"], ["P-100", "Stk", 5, 6]):
        book.active.append(row)
    book.save(sample := tmp_path / "sample.xlsx")
    say = ["--say", "partner=ODD", "--say", "name=Odd", "--yes", "--golden", str(tmp_path)]
    done = installation.run("partner", "new", "--from", str(sample), *say)
    assert done.exit_code == 0, done.output
    assert "workbook.commit_list:" in done.stdout
    assert "2 lines, 2 events, 0 errors" in done.stdout
    unlike = ["--say", "partner=TWO", "--say", "document=workbook.receipt", *say[2:]]
    refused = installation.run("partner", "new", "--from", str(sample), *unlike)
    assert refused.exit_code == 1
    assert "nothing of the sample is read" in refused.output
    assert not (installation.home / "partners" / "two.yaml").exists()


def test_a_partner_from_edi(installation: Installation) -> None:
    sample = installation.home / "sample.edi"
    large_856(sample, 40)
    told = new(installation, sample, "--say", "partner=BIGCO")
    assert "40 lines, 40 events, 0 errors" in told
    text = (installation.home / "partners" / "bigco.yaml").read_text()
    assert "x12.856:" in text
    assert "functional: 997" in text
    assert "x12:" in text


def test_a_person_is_asked_what_the_sample_does_not_say(installation: Installation) -> None:
    sample = installation.home / "stock.csv"
    sample.write_text("Item;On hand;UoM;As of\nA;1,234;EA;03/04/2026\n", "utf-8")
    from crossdock.partners.onboarding import propose

    asked: dict[str, str] = {}

    def ask(question):  # type: ignore[no-untyped-def]
        asked[question.key] = question.text
        answers = {"site": "=N1", "decimal": ".", "dates": "dmy", "document": "workbook.stock"}
        return answers.get(question.key, question.proposal)

    proposal = propose(sample, ask)
    assert {"site", "decimal", "dates", "email", "timezone", "document"} <= set(asked)
    (line,) = proposal.lines.to_dicts()
    assert (line["quantity"], line["counted_at"][:10], line["site"]) == ("1234", "2026-04-03", "N1")


def test_nothing_is_written_over(installation: Installation) -> None:
    sample = installation.home / "acme.csv"
    sample.write_text(STOCK, "utf-8")
    result = installation.run("partner", "new", "--from", str(sample), "--yes", "--say", "site==N1",
        "--say", "quantity=Freie Menge", "--say", "document=workbook.stock")  # fmt: skip
    assert result.exit_code == 4


def filled(path: Path, *values: dict[str, object]) -> None:
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    places = {cell.value: cell.column for cell in sheet[1]}
    for row, one in enumerate(values, 2):
        for header, value in one.items():
            sheet.cell(row, places[header]).value = value
    book.save(path)


@pytest.fixture
def agreed(known: Installation) -> Installation:
    (known.home / "partners" / "acme.yaml").write_text(
        "partner: ACME\nlanguage: de\ntimezone: Europe/Berlin\nidentities: {email: ['*@acme.example']}\n"
        "documents:\n  workbook.stock: {extends: standard/workbook_stock, header: {item: [Teil]}}\n"
    )
    return known


def test_a_template_is_in_the_partners_words_and_reads_back(agreed: Installation) -> None:
    out = agreed.home / "stock.xlsx"
    assert agreed.run("template", "ACME", "stock", "--out", str(out)).exit_code == 0
    book = openpyxl.load_workbook(out)
    assert book.sheetnames == ["Bestand", LISTS]
    assert book[LISTS].sheet_state == "hidden"
    sheet = book.worksheets[0]
    header = [cell.value for cell in sheet[1]]
    assert header[:4] == ["Teil", "Bezeichnung", "Werk", "Bestand"]
    rules = {str(rule.sqref): rule for rule in sheet.data_validations.dataValidation}
    assert rules["A2:A2001"].type == "list"
    assert rules["D2:D2001"].type == "decimal"
    assert [cell.value for cell in book[LISTS]["A"] if cell.value] == ["P-100", "P-200"]
    filled(out, {"Teil": "P-100", "Werk": "N1", "Bestand": 12.5, "Einheit": "EA", "Stichtag": datetime(2026, 3, 1)})  # noqa: DTZ001
    agreed.drop("stock.xlsx", out.read_bytes())
    (agreed.home / "channels" / "inbox.yaml").write_text(
        "channel: inbox\nsource: {kind: folder, path: in, quiet: 0s}\npartner: ACME\n"
    )
    assert agreed.run("run").exit_code == 0
    assert json.loads(agreed.run("events", "--jsonl").stdout)["data"]["quantity"] == "12.5"
    found = [json.loads(line)["code"] for line in agreed.run("findings", "--json").stdout.splitlines()]
    assert found == []


def test_a_template_is_whole_for_a_spreadsheet_program(agreed: Installation, tmp_path: Path) -> None:
    out = tmp_path / "stock.xlsx"
    assert agreed.run("template", "ACME", "stock", "--out", str(out)).exit_code == 0
    command = ["soffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", "xlsx"]
    subprocess.run([*command, "--outdir", tmp_path / "saved", out], check=True, capture_output=True)
    before, after = (openpyxl.load_workbook(path).worksheets for path in (out, tmp_path / "saved" / "stock.xlsx"))
    assert [sheet.title for sheet in after] == [sheet.title for sheet in before]
    assert [cell.value for cell in after[0][1]] == [cell.value for cell in before[0][1]]
    rules, kept = (
        {str(one.sqref).partition(":")[0]: one.type for one in sheets[0].data_validations.dataValidation if one.type}
        for sheets in (before, after)
    )
    assert kept == rules
    assert after[1].sheet_state == "hidden"


def test_open_order_lines_are_filled_in_and_confirm_as_they_are(agreed: Installation, orders) -> None:  # type: ignore[no-untyped-def]
    (agreed.home / "channels" / "inbox.yaml").write_text(
        "channel: inbox\nsource: {kind: folder, path: in, quiet: 0s}\nformat: rows\n"
    )
    agreed.drop("orders.jsonl", orders(("4500001", "10"), {"order_no": "4500002", "line_no": "20", "item_no": "P-200"}))
    assert agreed.run("run").exit_code == 0, agreed.run("run").output
    out = agreed.home / "confirm.xlsx"
    assert agreed.run("template", "ACME", "order_response", "--out", str(out)).exit_code == 0
    sheet = openpyxl.load_workbook(io.BytesIO(out.read_bytes())).worksheets[0]
    assert sheet.title == "Auftragsbestätigung"
    (order,) = [cell.column_letter for cell in sheet[1] if cell.value == "Bestellung"]
    assert [sheet[f"{order}{row}"].value for row in (2, 3, 4)] == ["4500001", "4500002", None]
    (agreed.home / "channels" / "inbox.yaml").write_text(
        "channel: inbox\nsource: {kind: folder, path: in, quiet: 0s}\npartner: ACME\n"
    )
    agreed.drop("confirm.xlsx", out.read_bytes())
    agreed.run("run")
    told = [json.loads(line) for line in agreed.run("events", "--jsonl").stdout.splitlines()]
    confirmed = [(one["subject"], one["data"]["quantity"]) for one in told if one["data"]["kind"] == "confirmed"]
    assert confirmed == [("order_response/ACME/4500001/10", "12"), ("order_response/ACME/4500002/20", "12")]
    found = [json.loads(line)["code"] for line in agreed.run("findings", "--json").stdout.splitlines()]
    assert found == []
