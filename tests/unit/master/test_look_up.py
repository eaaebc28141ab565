"""Look-ups with effective dates, held against a model that simply tries every row."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.master_data import MasterData
from schemas.errors import ConfigError
from schemas.master import MASTER_TABLES

Row = tuple[str, ...]


def table(name: str, rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(MASTER_TABLES[name], pl.String), orient="row")


def master(*, cross_references: list[Row] = [], items: list[Row] = []) -> MasterData:  # noqa: B006
    return MasterData.of(
        {"cross_references": table("cross_references", cross_references), "items": table("items", items)}
    )


def ask(data: MasterData, kind: str, partner: str, value: str | None, on: str | None = None) -> str | None:
    return data.look_up(
        kind, pl.Series([partner]), pl.Series([value], dtype=pl.String), pl.Series([on], dtype=pl.String)
    ).item()


DAYS = [(date(2026, 1, 1) + timedelta(days=n)).isoformat() for n in range(4)]
_days = st.sampled_from(["", *DAYS])
_partners = st.sampled_from(["", "A"])
_codes = st.sampled_from(["x", " x", "X", "I1"])
_references = st.lists(
    st.tuples(
        _partners,
        st.sampled_from(["item", "item", "item", "site"]),
        _codes,
        st.sampled_from(["I1", "I2", "I3"]),
        _days,
        _days,
    ),
    min_size=2,
    max_size=10,
)
_items = st.lists(
    st.tuples(st.sampled_from(["I1", "I2"]), st.just(""), st.just("EA"), st.just("active"), _days, _days), max_size=4
)
_questions = st.lists(st.tuples(_partners, _codes | st.none(), st.sampled_from([None, *DAYS])), min_size=3, max_size=10)


def model(references: list[Row], items: list[Row], partner: str, value: str | None, on: str | None) -> str | None:
    """The rules of ``MasterData``, row by row."""
    day = on or "9999-12-31"

    def holds(row: Row) -> bool:
        return (row[-2] or "0000-00-00") <= day <= (row[-1] or "9999-12-31")

    def latest(rows: list[Row], answer: int) -> str | None:
        best = max(enumerate(rows), key=lambda one: (one[1][-2], one[0]), default=None)
        return None if best is None else best[1][answer]

    if value is None:
        return None
    for owner in dict.fromkeys((partner, "")):
        fitting = [
            row
            for row in references
            if row[0] == owner and row[1] == "item" and row[2].strip() == value.strip() and holds(row)
        ]
        if fitting:
            return latest(fitting, 3)
    return latest([row for row in items if row[0] == value.strip() and holds(row)], 0)


@settings(max_examples=200, deadline=None)
@given(_references, _items, _questions)
def test_a_column_of_questions_is_answered_as_the_model_answers_one_by_one(
    references: list[Row], items: list[Row], questions: list[tuple[str, str | None, str | None]]
) -> None:
    data = master(cross_references=references, items=items)
    schema = {"partner": pl.String, "value": pl.String, "on": pl.String}
    asked = pl.DataFrame(questions, schema=schema, orient="row")
    answers = data.look_up("item", asked["partner"], asked["value"], asked["on"])
    assert answers.to_list() == [model(references, items, *question) for question in questions]


@settings(max_examples=100, deadline=None)
@given(_references, _items, _questions)
def test_why_names_a_row_that_gives_the_answer(
    references: list[Row], items: list[Row], questions: list[tuple[str, str | None, str | None]]
) -> None:
    data = master(cross_references=references, items=items)
    for partner, value, on in questions:
        ours = model(references, items, partner, value, on)
        why = data.why("item", partner, value or "", on)
        assert (why and why.ours) == ours
        if why is not None and why.table == "cross_references":
            dates = [(row[0], row[2].strip(), row[3], row[4], row[5]) for row in references]
            assert (why.partner, why.theirs, why.ours, why.valid_from, why.valid_to) in dates
            assert why.partner in ("", partner)


class TestDates:
    reference = ("ACME", "item", "V-1", "P1", "2026-03-01", "2026-03-31")

    @pytest.mark.parametrize(
        ("on", "ours"),
        [
            ("2026-02-28", None),
            ("2026-03-01", "P1"),
            ("2026-03-31", "P1"),
            ("2026-03-31T23:59:59+01:00", "P1"),
            ("2026-04-01", None),
        ],
    )
    def test_both_ends_count(self, on: str, ours: str | None) -> None:
        assert ask(master(cross_references=[self.reference]), "item", "ACME", "V-1", on) == ours

    def test_a_business_date_may_be_a_date(self) -> None:
        data = master(cross_references=[self.reference])
        days = pl.Series([date(2026, 3, 1), date(2026, 4, 1), None])
        asked = pl.Series(["ACME"] * 3), pl.Series(["V-1"] * 3)
        assert data.look_up("item", *asked, days).to_list() == ["P1", None, None]

    def test_without_a_date_the_row_that_holds_until_further_notice_answers(self) -> None:
        open_ended = ("ACME", "item", "V-1", "P2", "2026-04-01", "")
        assert ask(master(cross_references=[self.reference, open_ended]), "item", "ACME", "V-1") == "P2"

    def test_the_last_day_of_all_is_an_open_end_too(self) -> None:
        """ERPs that cannot leave a date empty write 9999-12-31."""
        data = master(cross_references=[("ACME", "item", "V-1", "P2", "2026-04-01", "9999-12-31")])
        assert ask(data, "item", "ACME", "V-1") == "P2"

    def test_a_row_whose_date_cannot_be_read_never_answers(self) -> None:
        data = master(
            cross_references=[("", "item", "V-1", "P1", "soon", ""), ("", "item", "V-2", "P2", "", "31.12.2026")]
        )
        for on in ("2026-01-01", None):
            assert ask(data, "item", "", "V-1", on) is None
            assert ask(data, "item", "", "V-2", on) is None


class TestUnits:
    def test_a_partners_word_beats_everybodys_beats_the_shipped_list(self) -> None:
        data = master(cross_references=[("ACME", "unit", "st", "SET", "", ""), ("", "unit", "EA", "H87", "", "")])
        assert ask(data, "unit", "ACME", "St") == "SET"
        assert ask(data, "unit", "OTHER", "St") is None
        assert ask(data, "unit", "ACME", "ea") == "H87"
        assert ask(data, "unit", "ACME", " stück ") == "H87"

    def test_other_codes_match_in_their_own_case_only(self) -> None:
        data = master(cross_references=[("ACME", "item", "v-1", "P1", "", "")])
        assert ask(data, "item", "ACME", "V-1") is None


def test_equal_hashes_are_not_equal_keys() -> None:
    """Partner and code are parted: what reads alike when run together is not alike."""
    data = master(cross_references=[("AB", "item", "C", "P1", "", "")])
    assert ask(data, "item", "A", "BC") is None


def test_order_and_name_of_the_column_are_kept() -> None:
    data = master(items=[("P1", "", "EA", "active", "", "")])
    answer = data.look_up("item", pl.Series(["", "", ""]), pl.Series("item", ["x", "P1", None]))
    assert answer.name == "item"
    assert answer.to_list() == [None, "P1", None]


def test_a_kind_that_does_not_exist_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match=r"'carrier'; known: partner, site, item, unit"):
        ask(MasterData.empty(), "carrier", "", "x")


def test_tables_of_another_shape_are_refused_with_all_problems() -> None:
    with pytest.raises(ConfigError) as caught:
        MasterData.of({"colours": pl.DataFrame(), "items": pl.DataFrame({"item": []})})
    assert caught.value.problems[0].startswith("colours: no such master table; known: partners, sites")
    assert "items: column base_unit is missing" in caught.value.problems


class TestNearest:
    data = master(
        cross_references=[
            ("ACME", "item", "V-1002", "P1", "", ""),
            ("ACME", "item", "V-1003", "P2", "", ""),
            ("OTHER", "item", "V-1004", "P3", "", ""),
        ],
        items=[("P-7", "", "EA", "active", "", "")],
    )

    def test_the_partners_own_codes_come_best_first(self) -> None:
        assert self.data.nearest("item", "ACME", "V1002") == ["V-1002", "V-1003"]

    def test_our_own_ids_are_candidates_too(self) -> None:
        assert self.data.nearest("item", "ACME", "p7") == ["P-7"]

    def test_what_resembles_nothing_has_no_neighbours(self) -> None:
        assert self.data.nearest("item", "ACME", "????") == []

    def test_among_very_many_codes_those_that_begin_or_end_alike_are_found(self) -> None:
        many = [("ACME", "item", f"V-{n:06d}", "P1", "", "") for n in range(30_000)]
        assert "V-000017" in master(cross_references=many).nearest("item", "ACME", "v-00O017")


@settings(max_examples=100, deadline=None)
@given(_references, _items, _questions)
def test_what_is_held_at_all_is_what_some_day_knows(
    references: list[Row], items: list[Row], questions: list[tuple[str, str | None, str | None]]
) -> None:
    data = master(cross_references=references, items=items)
    asked = pl.DataFrame(
        [(partner, value or "") for partner, value, _ in questions], schema=["partner", "value"], orient="row"
    )
    forever = [(*row[:-2], "", "") for row in references], [(*row[:-2], "", "") for row in items]
    held = data.holds("item", asked["partner"], asked["value"])
    assert held.to_list() == [model(*forever, partner, value, None) is not None for partner, value in asked.rows()]
