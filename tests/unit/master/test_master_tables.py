"""Master tables out of payloads: pulls of rows and CSV files, and what can be wrong with them."""

from __future__ import annotations

import io
import json

import pytest

from crossdock.master.tables import ReadTable, read_table
from schemas.findings import Severity
from schemas.master import MASTER_TABLES

HEADER = "item,description,base_unit,status,valid_from,valid_to"


def csv(text: str | bytes, name: str = "items.csv") -> ReadTable:
    return read_table(io.BytesIO(text.encode() if isinstance(text, str) else text), name)


def pull(query: str, columns: list[str], *rows: object) -> ReadTable:
    lines = [json.dumps({"query": query, "columns": columns}), *map(json.dumps, rows)]
    return read_table(io.BytesIO("\n".join(lines).encode()), f"{query}.jsonl")


def said(read: ReadTable) -> list[tuple[str, str]]:
    return [(finding.code, finding.message) for finding in read.findings]


class TestCsv:
    @pytest.mark.parametrize("mark", [",", ";", "\t"])
    def test_the_separator_is_the_one_that_makes_sense_of_the_header(self, mark: str) -> None:
        read = csv(f"{HEADER}\nP1,Pump,EA,active,,\n".replace(",", mark))
        assert read.rows is not None
        assert read.rows.rows() == [("P1", "Pump", "EA", "active", "", "")]
        assert read.rows.columns == list(MASTER_TABLES["items"])

    def test_columns_come_in_any_order_and_spelling_and_values_are_trimmed(self) -> None:
        read = csv(
            "\ufeffValid To;STATUS;Base-Unit;item;description;valid from\r\n"
            ';active;EA; P1 ;"a; ""b""";2026-01-01\r\n\r\n'
        )
        assert read.findings == ()
        assert read.rows is not None
        assert read.rows.rows() == [("P1", 'a; "b"', "EA", "active", "2026-01-01", "")]

    def test_a_missing_column_is_named_with_the_one_that_looks_like_it(self) -> None:
        read = csv("item,description,base_uom,status,valid_from,valid_to\n")
        assert read.table == "items"
        assert read.rows is None
        assert ("master.column_missing", "items: column base_unit is missing; is it 'base_uom'?") in said(read)

    def test_a_column_too_many_is_said_and_left_out(self) -> None:
        read = csv(f"{HEADER},colour\nP1,Pump,EA,active,,,red\n")
        assert said(read) == [
            ("master.column_unknown", "items: column 'colour' is none of this table and was left out")
        ]
        assert read.findings[0].severity is Severity.WARNING
        assert read.rows is not None
        assert read.rows.width == len(MASTER_TABLES["items"])

    def test_a_column_twice_could_mean_either(self) -> None:
        assert csv(f"{HEADER},Item\n").rows is None

    def test_a_torn_row_spoils_the_file_and_is_named(self) -> None:
        read = csv(f"{HEADER}\nP1,Pump,EA,active,,\nP2,Seal\n")
        assert read.rows is None
        assert said(read) == [("master.row_unreadable", "row 2 has 2 values, but the header has 6")]
        assert read.findings[0].location == "items.csv row 2"

    def test_very_many_torn_rows_do_not_flood_the_ledger(self) -> None:
        read = csv(HEADER + "\nx,y" * 1000)
        assert len(read.findings) == 21
        assert read.findings[-1].message == "980 more faults of this kind"

    def test_another_encoding_is_never_guessed(self) -> None:
        read = csv(f"{HEADER}\nP1,Dichtring groß,EA,active,,\n".encode("latin-1"))
        assert read.rows is None
        assert "is not UTF-8" in read.findings[0].message

    def test_an_open_quote_is_a_fault_not_a_crash(self) -> None:
        assert csv(f'{HEADER}\nP1,"Pump,EA,active,,\n').rows is None

    @pytest.mark.parametrize("content", ["", "\n", "\x00\x01\x02"])
    def test_a_file_with_nothing_in_it_lacks_its_columns(self, content: str) -> None:
        read = csv(content)
        assert read.rows is None
        assert len(read.findings) >= 1

    @pytest.mark.parametrize(
        ("name", "table"),
        [
            ("items.csv", "items"),
            ("ITEMS_2026-11-22.CSV", "items"),
            ("cross-references.tsv", "cross_references"),
            ("cross_references acme.csv", "cross_references"),
            ("itemsets.csv", ""),
            ("items.docx", ""),
            ("colours.csv", ""),
        ],
    )
    def test_the_file_name_says_which_table(self, name: str, table: str) -> None:
        assert csv("x\n", name).table == table

    def test_a_name_that_says_nothing_gets_the_nearest(self) -> None:
        (finding,) = csv("x\n", "partner.csv").findings
        assert finding.code == "master.table_unknown"
        assert "did you mean partners?" in finding.message

    def test_many_rows_pass_through_in_order(self) -> None:
        read = csv(HEADER + "".join(f"\nP{n},,EA,active,," for n in range(70_000)))
        assert read.rows is not None
        assert read.rows["item"].to_list() == [f"P{n}" for n in range(70_000)]


class TestPull:
    columns = list(MASTER_TABLES["sites"])

    def test_rows_of_a_pull(self) -> None:
        read = pull("sites", [*self.columns], ["S1", "North ", "GB", None, "Europe/London", "", None])
        assert read.findings == ()
        assert read.rows is not None
        assert read.rows.rows() == [("S1", "North", "GB", "", "Europe/London", "", "")]

    def test_column_names_of_the_database_may_be_in_capitals(self) -> None:
        read = pull(
            "sites", [column.upper() for column in reversed(self.columns)], ["", "", "UTC", "", "GB", "North", "S1"]
        )
        assert read.rows is not None
        assert read.rows.row(0) == ("S1", "North", "GB", "", "UTC", "", "")

    def test_a_pull_without_rows_is_an_empty_table(self) -> None:
        read = pull("sites", self.columns)
        assert read.rows is not None
        assert read.rows.height == 0

    def test_a_damaged_row_spoils_the_load(self) -> None:
        read = pull("sites", self.columns, ["S1"])
        assert read.rows is None
        assert "has 1 values" in read.findings[0].message

    def test_a_query_that_is_no_master_table(self) -> None:
        (finding,) = pull("receipts", ["receipt_no"]).findings
        assert finding.code == "master.table_unknown"
        assert "known: partners, sites, items, units, cross_references" in finding.message

    def test_a_header_that_is_none(self) -> None:
        read = read_table(io.BytesIO(b"{not json\n"), "x.jsonl")
        assert (read.table, read.rows) == ("", None)
        assert read.findings[0].code == "master.unreadable"
