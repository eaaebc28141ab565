"""The feed as a workbook: numbers and dates as such, and never a formula."""

from __future__ import annotations

import io
from datetime import datetime

import openpyxl
import polars as pl
import pytest

from crossdock.feed.workbooks import workbook
from tests.unit.visibility.conftest import event


def read(content: bytes, sheet: str) -> list[dict[str, object]]:
    rows = openpyxl.load_workbook(io.BytesIO(content))[sheet].iter_rows()
    header = [cell.value for cell in next(rows)]
    return [dict(zip(header, (cell for cell in row), strict=True)) for row in rows]


@pytest.mark.parametrize("text", ["=1+1", "=cmd|' /C calc'!A0", "@SUM(A1)", "+1", "-1", "a\x00b\x0b", "ü" * 40_000])
def test_text_is_text_whatever_it_begins_with(text: str) -> None:
    [row] = read(workbook([event("demand", "ordered", "ACME", description=text)]), "demand")
    assert row["description"].data_type == "s"  # type: ignore[attr-defined]
    assert str(row["description"].value).startswith(text[:1])  # type: ignore[attr-defined]


def test_numbers_are_numbers_and_times_are_times() -> None:
    [row] = read(
        workbook([event("demand", "ordered", "ACME", quantity="12.50", price="12345678901234567.5")]), "demand"
    )
    assert row["quantity"].value == 12.5  # type: ignore[attr-defined]
    assert row["price"].value == "12345678901234567.5"  # type: ignore[attr-defined]
    assert row["due at"].value == datetime(2026, 3, 20)  # type: ignore[attr-defined]  # noqa: DTZ001
    assert "lineage" not in row


def test_by_command_and_by_http(known, dock, browser, five, tmp_path):
    target = tmp_path / "holds.xlsx"
    assert known.run("export", str(target)).stdout.startswith("5 events in")
    assert len(read(target.read_bytes(), "demand")) == 5
    media = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    answer = browser.get("/v1/state/demand", headers={"Accept": media})
    assert answer.headers["content-type"] == media
    assert len(read(answer.content, "demand")) == 5
    table = tmp_path / "holds.parquet"
    assert known.run("export", str(table), "--as", "supplier", "--partner", "ACME").exit_code == 0
    assert pl.read_parquet(table).height == 5
    assert known.run("export", str(tmp_path / "x.csv"), "--item", "NONE").exit_code == 1
    assert known.run("export", str(tmp_path / "x.doc")).exit_code == 2


def test_a_file_to_take_along_holds_what_its_viewer_may_see(browser, token, five):
    answer = browser.get("/v1/export.xlsx?stream=demand", token=token(partner="ACME"))
    assert 'filename="crossdock-demand-' in answer.headers["content-disposition"]
    assert answer.headers["content-disposition"].endswith('.xlsx"')
    assert len(read(answer.content, "demand")) == 5
    rows = pl.read_parquet(io.BytesIO(browser.get("/v1/export.parquet", token=token("planner")).content))
    assert rows["partner"].to_list() == ["ACME"] * 5
    assert len(browser.get("/v1/export.csv?partner=OTHER", token=token(partner="ACME")).text.splitlines()) == 1
    assert len(browser.get("/v1/export.csv?partner=OTHER").text.splitlines()) == 1
    assert browser.get("/v1/export.doc").status_code == 422


def test_what_is_too_much_for_a_file_is_said_to_be(browser, five, monkeypatch):
    monkeypatch.setattr("crossdock.feed.export.MOST", 4)
    told = browser.get("/v1/export.xlsx")
    assert told.status_code == 422
    assert "crossdock export" in told.json()["detail"]
    assert browser.get("/v1/export.xlsx?item=NONE").status_code == 200
