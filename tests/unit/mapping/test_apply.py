"""Raw columns become canonical lines; what cannot is a finding at the value's own place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from mappings.apply import apply
from mappings.circumstances import Circumstances
from mappings.master_data import MasterData
from schemas.findings import Finding, Severity, Stage
from schemas.lines import KINDS, LineKind

from .conftest import GOOD, NOTICE, Bench, table

Run = Callable[..., tuple[pl.DataFrame, list[Finding]]]


@pytest.fixture
def run(bench: Bench, master: MasterData) -> Run:
    """Apply the notice mapping, or ``body``, to these lines."""

    def run(*lines: Mapping[str, Any], body: str = NOTICE, **given: Any) -> tuple[pl.DataFrame, list[Finding]]:
        mapping = bench.mapping(body)
        circumstances = Circumstances(
            **{"partner": "ACME", "master": master, "zone": ZoneInfo("Europe/Berlin"), **given}
        )
        applied = apply(table(lines, mapping.plan.paths), mapping, circumstances)
        return applied.lines, applied.findings

    return run


def with_field(name: str, rule: str) -> str:
    """The notice mapping with another rule for one field."""
    kept = [line for line in NOTICE.splitlines() if not line.startswith(f"  {name}:")]
    return "\n".join([*kept, f"  {name}: {rule}"])


def test_all_columns_of_the_kind_and_the_places(run: Run) -> None:
    lines, findings = run(GOOD)
    assert findings == []
    assert lines.columns == [*KINDS[LineKind.SHIP_NOTICE], "_line", "_at", "_offset", "_length"]
    assert set(lines.schema.values()) == {pl.String(), pl.Int64()}
    row = lines.row(0, named=True)
    filled = {name: value for name, value in row.items() if value is not None}
    assert filled == {
        "partner": "ACME",
        "document_number": "S1",
        "document_time": "2026-03-30T08:45:00Z",
        "shipment": "S1",
        "item": "P1",
        "site": "PLANT",
        "quantity": "5",
        "unit": "EA",
        "order": "4711",
        "_line": 1,
        "_at": "line 1",
        "_offset": 100,
        "_length": 90,
    }


def test_no_lines_are_no_lines(run: Run) -> None:
    lines, findings = run()
    assert lines.is_empty()
    assert findings == []


def test_blank_is_nothing_and_text_is_trimmed(run: Run) -> None:
    lines, findings = run(GOOD | {"ours": "  ", "theirs": " A-1 ", "text": "\t"})
    assert findings == []
    assert lines.select("item", "partner_item", "description").row(0) == ("P1", "A-1", None)


@pytest.mark.parametrize(
    ("rule", "sent", "expected"),
    [
        ("{path: [text, no]}", "x", "x"),
        ("{path: [text, no]}", None, "S1"),
        ("{path: text, default: none}", None, "none"),
        ("{path: text, default: none}", "x", "x"),
        ("{const: always}", "x", "always"),
        ("{path: text, function: first_word}", "one two", "one"),
        ("{path: text, codes: purpose}", "01", "cancel"),
    ],
)
def test_where_text_comes_from(run: Run, rule: str, sent: str | None, expected: str) -> None:
    lines, findings = run(GOOD | {"text": sent}, body=with_field("description", rule))
    assert findings == []
    assert lines["description"].to_list() == [expected]


def test_a_path_the_reader_does_not_give_is_empty(bench: Bench, master: MasterData) -> None:
    mapping = bench.mapping()
    chunk = table([GOOD], mapping.plan.paths).drop("text", "text@")
    applied = apply(chunk, mapping, Circumstances(partner="ACME", master=master, zone=ZoneInfo("UTC")))
    lines, findings = applied.lines, applied.findings
    assert findings == []
    assert lines["description"].to_list() == [None]


def test_an_unreadable_number_is_a_finding_at_its_place(run: Run) -> None:
    lines, findings = run(GOOD, GOOD | {"qty": "about 5"}, GOOD | {"qty": "1,000.5"})
    assert lines["quantity"].to_list() == ["5", None, "1000.5"]
    assert findings == [
        Finding(
            code="value.unreadable",
            severity=Severity.ERROR,
            stage=Stage.STRUCTURE,
            message="quantity 'about 5' cannot be read",
            location="line 2, qty",
            value="about 5",
            expected="a number with a decimal point",
            line=2,
            offset=200,
            length=90,
        )
    ]


def test_each_path_has_its_own_decimal_mark(run: Run) -> None:
    body = with_field("quantity", "[qty, ordered]").replace("told.notice", "workbook.notice")
    body = body.replace("format: CCYYMMDD", "format: iso")
    lines, findings = run(
        GOOD | {"qty": "1.234,5"},
        GOOD | {"qty": None, "ordered": "1,234.5"},
        GOOD | {"qty": "1.234", "ordered": "no number"},
        body=body.replace("  ordered_quantity: ordered\n", ""),
        marks={"qty": ",", "ordered": "."},
    )
    assert findings == []
    assert lines["quantity"].to_list() == ["1234.5", "1234.5", "1234"]


def test_a_clock_goes_with_the_date_of_its_own_segment(run: Run) -> None:
    body = with_field("shipped_at", '{path: [sent, "DTM02"], clock: "DTM03", format: CCYYMMDD}')
    lines, findings = run(
        GOOD | {"DTM02": "20260330", "DTM03": "1015"},
        GOOD | {"sent": "20260401", "DTM02": "20260330", "DTM03": "1015"},
        GOOD | {"sent": "20260401"},
        body=body,
    )
    assert findings == []
    assert lines["shipped_at"].to_list() == [
        "2026-03-30T10:15:00+02:00",
        "2026-04-01T00:00:00+02:00",
        "2026-04-01T00:00:00+02:00",
    ]


def test_a_code_that_says_nothing_leaves_the_word_to_the_next_path(bench: Bench, run: Run) -> None:
    bench.write("codes/change.yaml", '"01": cancel\n"04": ""\nAI: original\nDI: cancel\n')
    lines, findings = run(
        GOOD | {"head": "04", "own": "AI"},
        GOOD | {"head": "01", "own": "AI"},
        GOOD | {"head": "04"},
        GOOD | {"own": "DI"},
        GOOD | {"head": "04", "own": "XX"},
        GOOD | {"head": "01", "own": "XX"},
        body=with_field("purpose", "{path: [head, own], codes: change}"),
    )
    assert lines["purpose"].to_list() == ["original", "cancel", None, "cancel", None, "cancel"]
    assert [(one.code, one.value, one.line, one.expected) for one in findings] == [
        ("code.unknown", "XX", 5, "a code for cancel, original: 01, 04, AI, DI")
    ]


def test_the_same_code_may_mean_another_thing_at_each_path(bench: Bench, run: Run) -> None:
    bench.write("codes/line.yaml", '"1": original\n"4": ""\n')
    bench.write("codes/head.yaml", '"1": cancel\n')
    lines, findings = run(
        GOOD | {"own": "1", "head": "1"},
        GOOD | {"own": "4", "head": "1"},
        GOOD | {"head": "1"},
        body=with_field("purpose", "{path: [own, head], codes: [line, head]}"),
    )
    assert lines["purpose"].to_list() == ["original", "cancel", "cancel"]
    assert findings == []


def test_a_clock_goes_with_the_first_path(run: Run) -> None:
    lines, findings = run(
        GOOD | {"shipped": "20260330", "clock": "1015"},
        GOOD | {"shipped": "260330"},
        GOOD | {"sent": "20260330", "clock": "1015"},
        GOOD | {"shipped": "20260330", "clock": "9999"},
    )
    assert lines["shipped_at"].to_list() == [
        "2026-03-30T10:15:00+02:00",
        "2026-03-30T00:00:00+02:00",
        "2026-03-30T00:00:00+02:00",
        None,
    ]
    assert [(one.code, one.value, one.line) for one in findings] == [("value.unreadable", "20260330 9999", 4)]


def test_an_unknown_code_stays_with_a_warning(run: Run) -> None:
    lines, findings = run(GOOD | {"text": "99"}, body=with_field("description", "{path: text, codes: purpose}"))
    assert lines["description"].to_list() == ["99"]
    (finding,) = findings
    assert (finding.code, finding.severity, finding.location) == ("code.unknown", Severity.WARNING, "line 1, text")
    assert finding.expected == "a code for original, cancel, change: 00, 01, 04"


def test_an_unknown_purpose_is_an_error(run: Run) -> None:
    lines, findings = run(GOOD | {"purpose": "99"})
    assert lines["purpose"].to_list() == [None]
    assert [(one.code, one.severity) for one in findings] == [("code.unknown", Severity.ERROR)]


# -- master data ---------------------------------------------------------------------------------------


def test_the_first_origin_that_is_known_wins(run: Run) -> None:
    lines, findings = run(
        GOOD | {"ours": "P2"},
        GOOD | {"ours": "strange", "theirs": "A-1"},
        GOOD | {"ours": None, "theirs": "A-1"},
    )
    assert findings == []
    assert lines["item"].to_list() == ["P2", "P1", "P1"]
    assert lines["partner_item"].to_list() == [None, "strange", "A-1"]


def test_an_unknown_item_is_a_finding_with_what_may_have_been_meant(run: Run) -> None:
    lines, findings = run(GOOD, GOOD | {"ours": None, "theirs": "A-2"}, GOOD | {"ours": "A-OLD"})
    assert lines["item"].to_list() == ["P1", None, None]
    assert lines["partner_item"].to_list() == [None, "A-2", "A-OLD"]
    assert [(one.code, one.stage, one.location, one.value) for one in findings] == [
        ("item.unknown", Stage.REFERENCE, "line 2, theirs", "A-2"),
        ("item.unknown", Stage.REFERENCE, "line 3, ours", "A-OLD"),
    ]
    assert findings[0].expected == "an item of the master data, or a cross-reference to one; near: A-1"
    assert findings[1].expected == (
        "an item of the master data, or a cross-reference to one, valid on that day: A-OLD is known for other days only"
    )


def test_a_default_stands_in_for_nothing_not_for_what_nobody_knows(run: Run) -> None:
    body = with_field("item", "{path: ours, default: P1, lookup: item, required: true}")
    lines, findings = run(GOOD | {"ours": None}, GOOD | {"ours": "NOBODYS"}, body=body)
    assert lines["item"].to_list() == ["P1", None]
    assert [(one.code, one.value) for one in findings] == [("item.unknown", "NOBODYS")]


def test_look_ups_are_as_of_the_business_day(run: Run) -> None:
    lines, findings = run(GOOD | {"ours": "A-OLD", "made": "2025-12-31T23:00:00Z"})
    assert findings == []
    assert lines["item"].to_list() == ["P1"]


def test_each_line_may_name_its_partner(run: Run) -> None:
    body = with_field("partner", "{path: who, lookup: partner, required: true}")
    lines, findings = run(
        GOOD | {"who": "ACME", "ours": "A-1"}, GOOD | {"who": "NOBODY"}, GOOD, body=body, partner="US"
    )
    assert lines["partner"].to_list() == ["ACME", None, None]
    assert lines["item"].to_list() == ["P1", "P1", "P1"]
    assert [(one.code, one.line) for one in findings] == [("partner.unknown", 2), ("partner.missing", 3)]


@pytest.mark.parametrize(
    ("rule", "partner", "expected"),
    [("{default: OWN}", "", "OWN"), ("{default: OWN}", "ACME", "ACME"), ("{const: OWN}", "ACME", "OWN")],
)
def test_a_partner_by_default(run: Run, rule: str, partner: str, expected: str) -> None:
    lines, _ = run(GOOD, body=with_field("partner", rule), partner=partner)
    assert lines["partner"].to_list() == [expected]


def test_units_become_recommendation_20(run: Run) -> None:
    lines, findings = run(*(GOOD | {"unit": unit} for unit in ("pc", "CT", "Kasten", "parsec")))
    assert lines["unit"].to_list() == ["H87", "XCT", "XCT", None]
    assert [one.code for one in findings] == ["unit.unknown"]


def test_what_is_required_is_missed_once(run: Run) -> None:
    _, findings = run(GOOD | {"qty": None, "site": " "}, GOOD | {"qty": "?", "ours": "strange"})
    assert [(one.code, one.line, one.expected) for one in findings if one.line == 1] == [
        ("site.missing", 1, "site"),
        ("quantity.missing", 1, "qty"),
    ]
    assert [one.code for one in findings if one.line == 2] == ["value.unreadable", "item.unknown"]


def test_lenient_lets_the_sent_value_stand_in(run: Run) -> None:
    lines, findings = run(
        GOOD | {"ours": "their pump", "site": "Somewhere", "unit": "QQ"},
        GOOD | {"site": None},
        GOOD | {"ours": None},
        lenient=True,
    )
    assert lines.select("item", "site", "unit").rows() == [
        ("their pump", "Somewhere", "QQ"),
        ("P1", "UNKNOWN", "EA"),
        (None, "PLANT", "EA"),
    ]
    told = [(one.code, one.severity, one.line) for one in sorted(findings, key=lambda one: (one.line, one.code))]
    assert told == [
        ("item.unknown", Severity.WARNING, 1),
        ("site.unknown", Severity.WARNING, 1),
        ("unit.unknown", Severity.WARNING, 1),
        ("site.missing", Severity.WARNING, 2),
        ("item.missing", Severity.ERROR, 3),
    ]


def test_a_document_full_of_unknown_items_asks_for_a_bounded_number_of_suggestions(run: Run, bench: Bench) -> None:
    class Counting(MasterData):
        asked = 0

        def nearest(self, kind: str, partner: str, value: str, n: int = 3) -> list[str]:
            type(self).asked += 1
            return super().nearest(kind, partner, value, n)

    counting = Counting.empty()
    _, findings = run(*(GOOD | {"ours": f"X{n}"} for n in range(200)), master=counting)
    assert len([one for one in findings if one.code == "item.unknown"]) == 200
    assert Counting.asked <= 50
