"""Great Expectations really run: every shipped expectation speaks, Data Docs show it, loads obey it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from connectors.archive import Archive
from connectors.channel import Channel
from connectors.sources.folder import FolderSource
from crossdock.ledger import Ledger
from crossdock.master.held import accept, discard, held
from crossdock.master.loading import MasterLoad, load_master_data, master_in_force
from mappings.integrity import with_checks
from mappings.quality import KEPT_RUNS, Case, Verdict, judge, read_suite
from schemas.errors import ConfigError, PermanentError
from schemas.master import MASTER_TABLES

pytestmark = pytest.mark.integration

SUITES = Path(__file__).resolve().parents[2] / "schemas" / "expectations"


def table(name: str, *rows: tuple[str, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(MASTER_TABLES[name], pl.String), orient="row")


GOOD = {
    "partners": table(
        "partners",
        ("ACME", "Acme Castings", "US", "123456789", "5412345000013", "2020-01-01", ""),
        ("BOLT-CO", "Bolt Co", "DE", "", "", "", ""),
    ),
    "sites": table(
        "sites",
        ("NORTH", "Plant North", "GB", "4012345000009", "Europe/London", "", ""),
        ("SOUTH", "Plant South", "US", "", "America/New_York", "2020-01-01", "2029-12-31"),
    ),
    "items": table(
        "items",
        ("P1", "Pump", "EA", "active", "", "2026-03-31"),
        ("P1", "Pump, new casing", "H87", "active", "2026-04-01", ""),
        ("P2", "Sealing cord", "MTR", "blocked", "2020-01-01", ""),
    ),
    "units": table(
        "units", ("P1", "XCT", "EA", "12", "", ""), ("P2", "MTR", "KGM", "0.05", "", ""), ("", "XPK", "EA", "6", "", "")
    ),
    "cross_references": table(
        "cross_references",
        ("ACME", "item", "V-1", "P1", "2020-01-01", "2026-03-31"),
        ("ACME", "item", "V-1", "P2", "2026-04-01", ""),
        ("", "site", "1000", "NORTH", "", ""),
        ("", "partner", "100017", "BOLT-CO", "", ""),
        ("BOLT-CO", "unit", "Stk", "H87", "", ""),
    ),
    "calendars": table(
        "calendars", ("WORKS", "2026-12-24", "no", "Christmas Eve", "", ""), ("WORKS", "SAT", "yes", "", "", "")
    ),
}

TWICE: dict[str, str] = {}  # the first row once more
COLLAPSED = {"valid_to": ""}  # nothing wrong with the row, but too few of them

#: table, what is wrong with a row of it, and the sentence that must then be said
FAULTS: list[tuple[str, dict[str, str], str]] = [
    ("partners", {"partner": ""}, "Every row names a partner."),
    ("partners", {"partner": "acme inc"}, "A partner's id is written in capitals"),
    ("partners", {"name": ""}, "Every partner has a name."),
    ("partners", {"country": "USA"}, "The country is an ISO 3166-1"),
    ("partners", {"duns": "12345"}, "A D-U-N-S number has nine digits."),
    ("partners", {"gln": "54123450000"}, "A GLN has thirteen digits."),
    ("partners", {"gln": "5412345000014"}, "The last digit of a GLN checks"),
    ("partners", {"country": "XX"}, "The country is one of ISO 3166-1."),
    ("partners", {"vat": "DE136695975"}, "The VAT number is one of its country"),
    ("partners", {"currency": "DEM"}, "The currency is one of ISO 4217."),
    ("partners", {"incoterms": "FOX Hull"}, "The terms agreed are Incoterms"),
    ("partners", {"calendar": "NOWHERE"}, "The calendar is one of the table calendars."),
    ("sites", {"country": "ZZ"}, "The country is one of ISO 3166-1."),
    ("sites", {"calendar": "NOWHERE"}, "The calendar is one of the table calendars."),
    ("items", {"gtin": "4006381333932"}, "A GTIN has 8, 12, 13 or 14 digits"),
    ("items", {"rounding": "often"}, "The rounding is up, down"),
    ("units", {"rounding": "up:99"}, "The rounding is up, down"),
    ("cross_references", {"theirs": "04006381333932"}, "The last digit of a GLN, and of a GTIN"),
    ("calendars", {"calendar": ""}, "Every row names a calendar."),
    ("calendars", {"day": ""}, "Every row names a day."),
    ("calendars", {"day": "Xmas"}, "The day is a date"),
    ("calendars", {"working": ""}, "Every row says whether"),
    ("calendars", {"working": "half"}, "A day is worked"),
    ("sites", {"site": ""}, "Every row names a site."),
    ("sites", {"name": ""}, "Every site has a name."),
    ("sites", {"country": "gb"}, "The country is an ISO 3166-1"),
    ("sites", {"gln": "x"}, "A GLN has thirteen digits."),
    ("sites", {"gln": "4012345000008"}, "The last digit of a GLN checks"),
    ("sites", {"timezone": ""}, "Every site has a time zone."),
    ("sites", {"timezone": "Europe/Nowhere"}, "The time zone is one of the IANA database"),
    ("items", {"item": ""}, "Every row names an item."),
    ("items", {"base_unit": ""}, "Every item has a base unit."),
    ("items", {"base_unit": "piece"}, "The base unit is a UN/ECE"),
    ("items", {"base_unit": "QQQ"}, "The base unit is one that mappings/codes/unit.yaml knows."),
    ("items", {"status": "gone"}, "An item is active or blocked."),
    ("items", {"description": ""}, "Nearly every item has a description."),
    ("units", {"from_unit": ""}, "Every row says from which unit."),
    ("units", {"to_unit": ""}, "Every row says to which unit."),
    ("units", {"from_unit": "carton"}, "from_unit is a UN/ECE"),
    ("units", {"to_unit": "each"}, "to_unit is a UN/ECE"),
    ("units", {"to_unit": "QQQ"}, "Both units are ones that"),
    ("units", {"factor": ""}, "Every row has a factor."),
    ("units", {"factor": "0.00"}, "The factor is a plain decimal number above zero."),
    ("units", {"factor": "1,5"}, "The factor is a plain decimal number above zero."),
    ("units", {"factor": "-2"}, "The factor is a plain decimal number above zero."),
    ("units", {"to_unit": "XCT"}, "No unit has a factor to itself."),
    ("units", {"item": "P9"}, "The item is one of the table items"),
    ("cross_references", {"kind": "colour"}, "The kind is item, site, partner or unit."),
    ("cross_references", {"kind": ""}, "Every row says of which kind it is."),
    ("cross_references", {"theirs": ""}, "Every row has the code they use."),
    ("cross_references", {"ours": ""}, "Every row has our id."),
    ("cross_references", {"ours": "P9"}, "Our id exists"),
    ("cross_references", {"partner": "ACNE"}, "The partner is one of the table partners"),
    *(
        fault
        for name, what in {
            "partners": "partner",
            "sites": "site",
            "items": "item",
            "units": "item and pair of units",
            "cross_references": "code of a partner",
            "calendars": "day of a calendar",
        }.items()
        for fault in [
            (name, {"valid_from": "01.04.2026"}, "valid_from is empty or a day"),
            (name, {"valid_to": "2026-13-01"}, "valid_to is empty or a day"),
            (name, {"valid_from": "2026-05-01", "valid_to": "2026-04-30"}, "No period ends before it begins."),
            (name, TWICE, f"No two rows of the same {what} begin on the same day."),
            (name, TWICE, f"The periods of one {what} do not overlap"),
            (name, COLLAPSED, "The table has not collapsed"),
        ]
    ),
]


def case(name: str, rows: pl.DataFrame, least_rows: int = 0) -> Case:
    suite = read_suite(SUITES / f"{name}.json")
    return Case(suite=suite, rows=with_checks(name, rows, GOOD), parameters={"least_rows": least_rows})


def changed(name: str, change: dict[str, str]) -> pl.DataFrame:
    """The first row of the good table with one thing wrong about it."""
    return GOOD[name].head(1).with_columns(**{column: pl.lit(value) for column, value in change.items()})


class _Watch:
    """Notes every attempt to reach the network while it is on. (An audit hook stays for good; hence the switch.)"""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.on and event in ("socket.connect", "socket.getaddrinfo"):
            self.seen.append(f"{event} {arguments[-2:]}")


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data-docs")


@pytest.fixture(scope="module")
def verdicts(docs: Path) -> tuple[list[Verdict], list[str]]:
    """The good tables judged, with Data Docs; and what was asked of the network meanwhile."""
    watch = _Watch()
    watch.on = True
    judged = judge(
        [case(name, rows, least_rows=rows.height) for name, rows in GOOD.items()], data_docs=docs, run="good"
    )
    watch.on = False
    return judged, watch.seen


def test_good_tables_pass_with_nothing_to_remark(verdicts: tuple[list[Verdict], list[str]]) -> None:
    judged, _ = verdicts
    assert [(one.table, one.success, one.unmet) for one in judged] == [(name, True, ()) for name in GOOD]
    assert all(one.expectations > 10 for one in judged)


def test_nothing_is_asked_of_the_network(verdicts: tuple[list[Verdict], list[str]]) -> None:
    assert verdicts[1] == []


@pytest.fixture(scope="module")
def faulty() -> dict[str, Verdict]:
    """Each table judged with all its faults, one row a fault behind the good rows, and said to have lost rows."""
    rows = {
        name: pl.concat(
            [good, *(changed(name, change) for table, change, _ in FAULTS if table == name)], how="diagonal"
        ).fill_null("")
        for name, good in GOOD.items()
    }
    return {
        verdict.table: verdict for verdict in judge([case(name, bad, least_rows=1000) for name, bad in rows.items()])
    }


@pytest.mark.parametrize(("name", "change", "sentence"), FAULTS, ids=lambda part: str(part)[:40])
def test_every_expectation_speaks_of_the_row_that_is_wrong(
    faulty: dict[str, Verdict], name: str, change: dict[str, str], sentence: str
) -> None:
    place = [fault[1:] for fault in FAULTS if fault[0] == name].index((change, sentence))
    (unmet,) = [unmet for unmet in faulty[name].unmet if unmet.sentence.startswith(sentence)]
    assert "could not be checked" not in str(unmet)
    if change != COLLAPSED:
        assert GOOD[name].height + place + 1 in unmet.rows
    assert not faulty[name].success


def test_every_shipped_expectation_has_such_a_fault() -> None:
    for name in MASTER_TABLES:
        notes = [one["meta"]["notes"] for one in read_suite(SUITES / f"{name}.json").content["expectations"]]
        sentences = [sentence for table, _, sentence in FAULTS if table == name]
        assert [note for note in notes if not any(note.startswith(sentence) for sentence in sentences)] == []


class TestVerdicts:
    def test_an_unmet_expectation_names_values_and_rows(self) -> None:
        rows = pl.concat(
            [GOOD["items"], table("items", *((f"P{n}", "x", "kilo", "active", "", "") for n in range(3, 40)))]
        )
        (verdict,) = judge([case("items", rows)])
        unmet = verdict.failures[0]
        assert (unmet.column, unmet.count, unmet.samples) == ("base_unit", 37, ("kilo",))
        assert str(unmet).startswith(
            "The base unit is a UN/ECE Recommendation 20 code: 37 rows, such as 'kilo' (rows 4, 5,"
        )

    def test_a_warning_fails_nothing(self) -> None:
        (verdict,) = judge([case("partners", changed("partners", {"gln": "5412345000014"}))])
        assert verdict.success
        assert [unmet.severity for unmet in verdict.warnings] == ["warning"]

    def test_a_column_that_is_not_there_is_said(self, tmp_path: Path) -> None:
        suite = tmp_path / "items.json"
        expectation = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "colour"}}
        suite.write_text(json.dumps({"name": "items", "expectations": [expectation]}))
        (verdict,) = judge([Case(suite=read_suite(suite), rows=GOOD["items"])])
        assert not verdict.success
        assert "colour" in str(verdict.failures[0])

    def test_a_suite_that_makes_no_sense_names_its_file(self, tmp_path: Path) -> None:
        suite = tmp_path / "items.json"
        expectation = {"type": "expect_column_to_be_nice", "kwargs": {"column": "item"}}
        suite.write_text(json.dumps({"name": "items", "expectations": [expectation]}))
        with pytest.raises(ConfigError, match=r"items\.json: Great Expectations does not accept this suite"):
            judge([Case(suite=read_suite(suite), rows=GOOD["items"])])


class TestDataDocs:
    def test_good_and_bad_runs_are_listed_and_the_bad_value_is_shown(
        self, docs: Path, verdicts: tuple[list[Verdict], list[str]]
    ) -> None:
        judge([case("units", changed("units", {"item": "P-ODD"}))], data_docs=docs, run="bad")
        index = (docs / "index.html").read_text(encoding="utf-8")
        assert "good" in index
        assert "bad" in index
        (page,) = (docs / "validations" / "units" / "bad").rglob("*.html")
        assert "P-ODD" in page.read_text(encoding="utf-8")

    def test_old_runs_are_forgotten(self, tmp_path: Path) -> None:
        judge([case("units", GOOD["units"])], data_docs=tmp_path, run="first")
        (first,) = (tmp_path / ".results" / "units" / "first").rglob("*.json")
        for n in range(KEPT_RUNS):
            older = tmp_path / ".results" / "units" / "first" / f"19{n:02d}0101T000000.000000Z" / first.name
            older.parent.mkdir()
            shutil.copy(first, older)
        judge([case("units", GOOD["units"])], data_docs=tmp_path, run="last")
        kept = sorted(leaf.parent.name for leaf in (tmp_path / ".results" / "units").rglob("*.json"))
        assert len(kept) == KEPT_RUNS
        assert kept[0] == "19020101T000000.000000Z"
        assert first.parent.name in kept


class TestLoads:
    """Folder, archive, ledger and Great Expectations together."""

    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Iterator[Ledger]:
        with closing(Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}")) as ledger:
            yield ledger

    def load(self, home: Path, ledger: Ledger) -> dict[str, MasterLoad]:
        inbox = home / "inbox"
        source = FolderSource(inbox, done=inbox / "done", quiet=0)
        channel = Channel(channel="masters", purpose="master_data", source={"kind": "folder"})
        archive = Archive(home / "archive")
        loads = load_master_data(
            channel, source, archive=archive, ledger=ledger, suites=SUITES, data_docs=home / "data-docs"
        )
        return {load.table: load for load in loads}

    def drop(self, home: Path, name: str, rows: pl.DataFrame) -> None:
        inbox = home / "inbox"
        inbox.mkdir(exist_ok=True)
        rows.write_csv(inbox / f"{name}.csv")
        past = len(list(inbox.iterdir()))
        os.utime(inbox / f"{name}.csv", (1_700_000_000 + past, 1_700_000_000 + past))

    def test_a_bad_load_is_held_back_and_the_old_one_goes_on_answering(self, tmp_path: Path, ledger: Ledger) -> None:
        for name, rows in GOOD.items():
            self.drop(tmp_path, name, rows)
        assert {name: load.version for name, load in self.load(tmp_path, ledger).items()} == dict.fromkeys(GOOD, 1)

        broken = GOOD["items"].with_columns(base_unit=pl.lit("piece"), item=pl.lit("P3") + pl.col("valid_from"))
        self.drop(tmp_path, "items", broken)
        more = table("cross_references", ("ACME", "item", "V-3", "P3", "", ""))
        self.drop(tmp_path, "cross_references", pl.concat([GOOD["cross_references"], more]))
        loads = self.load(tmp_path, ledger)

        assert [loads[name].version for name in ("items", "cross_references")] == [None, None]
        assert "such as 'piece'" in loads["items"].reasons[0]
        assert loads["cross_references"].reasons[0].startswith("Our id exists")
        master = master_in_force(ledger)
        answer = master.look_up(
            "item", pl.Series(["ACME", "ACME"]), pl.Series(["V-1", "V-3"]), pl.Series(["2026-03-31"] * 2)
        )
        assert answer.to_list() == ["P1", None]
        assert ledger.waiting("masters") == []
        held_back = [entry["table"] for entry in ledger.master_loads() if entry["status"] == "rejected"]
        assert sorted(held_back) == ["cross_references", "items"]
        pages = list((tmp_path / "data-docs" / "validations" / "items").rglob("*.html"))
        assert any("piece" in page.read_text(encoding="utf-8") for page in pages)

        self.drop(
            tmp_path, "items", pl.concat([GOOD["items"], table("items", ("P3", "Valve", "EA", "active", "", ""))])
        )
        loads = self.load(tmp_path, ledger)
        assert {name: load.version for name, load in loads.items()} == {"items": 2, "cross_references": 2}
        answer = master_in_force(ledger).look_up("item", pl.Series(["ACME"]), pl.Series(["V-3"]))
        assert answer.to_list() == ["P3"]
        assert [row["name"] for row in ledger.payloads(status="quarantined")] == ["items.csv"]

    def test_a_workbook_has_a_table_on_each_sheet_and_says_who_answers_for_a_row(
        self, tmp_path: Path, ledger: Ledger
    ) -> None:
        from openpyxl import Workbook

        book = Workbook()
        del book["Sheet"]
        for name, rows in GOOD.items():
            sheet = book.create_sheet(name.replace("_", " ").title())
            owned = name == "cross_references"
            sheet.append([*rows.columns, *(["Owner", "Source"] if owned else [])])
            for row in rows.rows():
                sheet.append([*row, *(["Purchasing", "Acme's catalogue"] if owned else [])])
        (tmp_path / "inbox").mkdir()
        book.create_sheet("Remarks").append(["nothing of ours"])
        book.save(tmp_path / "inbox" / "masters.xlsx")
        assert {name: load.version for name, load in self.load(tmp_path, ledger).items()} == dict.fromkeys(GOOD, 1)
        loaded = ledger.loaded_master()
        assert loaded["cross_references"]["owner"].unique().to_list() == ["Purchasing"]
        assert loaded["cross_references"]["source"].unique().to_list() == ["Acme's catalogue"]
        assert {name: rows.height for name, rows in loaded.items()} == {n: rows.height for n, rows in GOOD.items()}
        assert loaded["units"]["factor"].sort().to_list() == ["0.05", "12", "6"]
        assert [row["status"] for row in ledger.payloads()] == ["translated"]

        for name, rows in GOOD.items():
            self.drop(tmp_path, name, rows)
        assert [load.changed for load in self.load(tmp_path, ledger).values()] == [
            name == "cross_references" for name in GOOD
        ]

    def test_a_held_load_shows_what_it_would_change_and_a_person_accepts_or_discards_it(
        self, tmp_path: Path, ledger: Ledger
    ) -> None:
        for name, rows in GOOD.items():
            self.drop(tmp_path, name, rows)
        self.load(tmp_path, ledger)
        self.drop(tmp_path, "items", GOOD["items"].head(1).with_columns(description=pl.lit("Pump, blue")))
        assert self.load(tmp_path, ledger)["items"].version is None
        archive = Archive(tmp_path / "archive")
        (row,) = ledger.held_master()
        assert (row["name"], row["reasons"][0].startswith("The table has not collapsed")) == ("items", True)
        changes = list(held(row["id"], archive=archive, ledger=ledger).changes())
        assert [(one.change, one.key) for one in changes] == [
            ("changed", ("P1", "")), ("removed", ("P1", "2026-04-01")), ("removed", ("P2", "2020-01-01")),
        ]  # fmt: skip
        assert changes[0].fields == {"description": ("Pump", "Pump, blue")}

        with pytest.raises(ConfigError, match="needs a reason"):
            accept(row["id"], author="person me", reason=" ", archive=archive, ledger=ledger)
        assert accept(row["id"], author="person me", reason="a new range", archive=archive, ledger=ledger) == 2
        assert ledger.loaded_master()["items"].height == 1
        assert ledger.held_master() == []
        assert ledger.payloads(status="quarantined") == []
        with pytest.raises(PermanentError, match="held back"):
            discard(row["id"], reason="too late", archive=archive, ledger=ledger)

        self.drop(tmp_path, "items", GOOD["items"].head(1).with_columns(base_unit=pl.lit("piece")))
        self.load(tmp_path, ledger)
        (row,) = ledger.held_master()
        discard(row["id"], reason="a slip", archive=archive, ledger=ledger)
        assert ledger.held_master() == []
        assert ledger.loaded_master()["items"].height == 1
        decided = [(load["decision"], load["status"]) for load in ledger.master_loads() if load["decision"]]
        assert decided == [("discarded", "rejected"), ("accepted", "rejected")]
