"""A payload becomes documents, lines, events and findings, whatever the chunks it is read in."""

from __future__ import annotations

import doctest
import io
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import crossdock.translation
from crossdock.translation import (
    Context,
    DocumentClosed,
    DocumentLines,
    DocumentOpened,
    Translated,
    compile_with,
    document_id,
    gathered,
    translate,
    translate_stream,
)
from mappings.frames import unframed
from schemas.errors import ConfigError
from schemas.findings import Finding, Severity

from .conftest import GOOD, PAYLOAD, Bench, Told, master_data

START, END = {"start": {}}, {"end": {}}


def line(**said: Any) -> dict[str, Any]:
    return {"line": GOOD | said}


def closed(translated: list[Translated]) -> DocumentClosed:
    (verdict,) = (item for item in translated if isinstance(item, DocumentClosed))
    return verdict


def findings(translated: list[Translated]) -> list[Finding]:
    found: list[Finding] = []
    for item in translated:
        found += [item] if isinstance(item, Finding) else getattr(item, "findings", ())
    return found


def codes(translated: list[Translated]) -> list[str]:
    return [finding.code for finding in findings(translated)]


def events(translated: list[Translated]) -> pl.DataFrame:
    return pl.concat(item.events for item in translated if isinstance(item, DocumentLines))


def parked(translated: list[Translated]) -> list[tuple[int, str]]:
    tables = [item.parked for item in translated if isinstance(item, DocumentLines)]
    return [row for table in tables for row in table.select("_line", "_cause").rows()]


def test_the_order_of_a_document(bench: Bench) -> None:
    translated = bench.translate(START, line(), line(po="4712"), END)
    opened, lines, verdict = translated
    assert isinstance(opened, DocumentOpened)
    assert isinstance(lines, DocumentLines)
    assert isinstance(verdict, DocumentClosed)
    assert opened.document == verdict.document
    assert opened.document.id == document_id(PAYLOAD, 1)
    assert (opened.document.partner, opened.document.mapping) == ("ACME", "standard/told_notice")
    assert opened.document.mapping_version == bench.library().standard["told.notice"].version
    assert (verdict.status, verdict.lines, verdict.events, verdict.parked) == ("accepted", 2, 2, 0)
    assert lines.events["time"].to_list() == ["2026-03-30T08:45:00Z"] * 2


def test_document_ids_are_those_of_bytes_and_place() -> None:
    assert document_id(PAYLOAD, 1) == document_id(PAYLOAD, 1)
    assert len({document_id(PAYLOAD, 1), document_id(PAYLOAD, 2), document_id("cd" * 32, 1)}) == 3


lines_said = st.lists(
    st.fixed_dictionaries(
        {
            "ours": st.sampled_from(["P1", "A-1", "strange", None]),
            "qty": st.sampled_from(["5", "1,000", "x", "007"]),
            "unit": st.sampled_from(["EA", "CT", "KGM", "??"]),
            "po": st.sampled_from(["4711", None]),
        }
    ),
    max_size=25,
)


@given(said=lines_said, chunk=st.integers(1, 9))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
def test_nothing_depends_on_the_chunks(said: list[dict[str, Any]], chunk: int, whole: Context) -> None:
    def run(size: int) -> tuple[Any, ...]:
        content = Told.written(START, *(line(**one) for one in said), END)
        context = Context(library=whole.library, master=whole.master, formats={"told": Told(size)})
        stream = io.BytesIO(content)
        given = {"partner": "ACME"}
        items = list(translate_stream(stream, payload=PAYLOAD, name="", metadata=given, context=context))
        verdict = closed(items)
        counts = (verdict.status, verdict.lines, verdict.events, verdict.parked)
        rows = events(items).rows() if said else []
        return counts, rows, parked(items), findings(items)

    assert run(chunk) == run(1000)


@given(documents=st.lists(lines_said, max_size=6), chunk=st.integers(3, 30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
def test_nothing_depends_on_the_company(documents: list[list[dict[str, Any]]], chunk: int, whole: Context) -> None:
    def run(*some: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
        told = [one for said in some for one in (START, *(line(**fields) for fields in said), END)]
        context = Context(library=whole.library, master=whole.master, formats={"told": Told(chunk)})
        stream = io.BytesIO(Told.written(*told) or b'{"')
        given = {"partner": "ACME"}
        items = list(translate_stream(stream, payload=PAYLOAD, name="", metadata=given, context=context))
        return [verdict_of(document) for document in apart(items)]

    together = run(*documents) if documents else []
    assert together == [verdict for said in documents for verdict in run(said)]


def apart(translated: list[Translated]) -> list[list[Translated]]:
    """What was yielded, document by document."""
    documents: list[list[Translated]] = []
    for item in translated:
        if isinstance(item, DocumentOpened):
            documents.append([])
        documents[-1].append(item)
    return documents


def verdict_of(document: list[Translated]) -> tuple[Any, ...]:
    """Everything that is said of a document but for its own id."""
    verdict = closed(document)
    tables = [item for item in document if isinstance(item, DocumentLines)]
    told = [row for item in tables for row in unframed(item.events).drop("data").rows()]
    lines = [row for item in tables for row in item.lines.rows()]
    counts = (verdict.status, verdict.lines, verdict.events, verdict.parked)
    return counts, told, lines, parked(document), findings(document)


def test_documents_and_what_lies_between_them_keep_their_order(bench: Bench) -> None:
    between = {"finding": {"code": "interchange.gap"}}
    other = {"start": {"sender": "else@where.example"}}
    translated = bench.translate(START, line(), END, between, other, line(), END, START, line(), END)
    assert [type(item) for item in translated] == [
        DocumentOpened,
        DocumentLines,
        DocumentClosed,
        Finding,
        DocumentOpened,
        DocumentClosed,
        DocumentOpened,
        DocumentLines,
        DocumentClosed,
    ]
    lineage = [one["data"] for one in events(translated).iter_rows(named=True)]
    assert [document_id(PAYLOAD, n) in text for n, text in zip((1, 3), lineage, strict=True)] == [True, True]


@pytest.fixture
def whole(bench: Bench) -> Context:
    return Context(library=bench.library(), master=master_data(), formats={})


def test_a_bad_line_is_parked_and_the_others_go_on(bench: Bench) -> None:
    translated = bench.translate(START, line(), line(ours="strange"), line(qty="x", unit="KGM"), line(unit="KGM"), END)
    verdict = closed(translated)
    assert (verdict.status, verdict.lines, verdict.events, verdict.parked) == ("accepted_with_errors", 4, 1, 3)
    assert parked(translated) == [(2, "item.unknown"), (3, "value.unreadable"), (4, "unit.inconvertible")]
    (lines,) = (item for item in translated if isinstance(item, DocumentLines))
    assert lines.parked.columns == [*lines.lines.columns, "_cause"]
    assert lines.lines.height == 4


def test_an_agreement_may_reject_the_whole_document(bench: Bench) -> None:
    bench.write(
        "partners/acme.yaml",
        "partner: ACME\nidentities: {email: desk@acme.example}\ndocuments: {told.notice: {on_error: reject_document}}",
    )
    verdict = closed(bench.translate(START, line(), line(ours="strange"), END))
    assert (verdict.status, verdict.lines, verdict.events, verdict.parked) == ("rejected", 2, 0, 1)
    assert closed(bench.translate(START, line(), END)).status == "accepted"


def test_a_readers_finding_parks_its_line(bench: Bench) -> None:
    finding = {"code": "element.missing", "line": 2}
    before = bench.translate(START, {"finding": finding}, line(), line(), END)
    after = bench.translate(START, line(), line(), {"finding": finding}, line(), END, chunk=1)
    for translated in (before, after):
        assert parked(translated) == [(2, "element.missing")]
        assert codes(translated) == ["element.missing"]
        assert closed(translated).status == "accepted_with_errors"


def test_a_readers_warning_parks_nothing(bench: Bench) -> None:
    finding = {"code": "element.long", "line": 1, "severity": Severity.WARNING}
    translated = bench.translate(START, {"finding": finding}, line(), END)
    assert parked(translated) == []
    assert closed(translated).status == "accepted"


def test_one_value_is_reported_once(bench: Bench) -> None:
    finding = {"code": "element.character", "line": 1, "value": "x"}
    translated = bench.translate(START, {"finding": finding}, line(qty="x"), END)
    assert codes(translated) == ["element.character"]


def test_the_readers_verdict_rejects(bench: Bench) -> None:
    finding = {"code": "set.count"}
    verdict = closed(bench.translate(START, line(), {"finding": finding}, {"end": {"accepted": False}}))
    assert (verdict.status, verdict.events) == ("rejected", 0)
    assert [one.code for one in verdict.findings] == ["set.count"]


def test_a_document_that_does_not_end_is_rejected(bench: Bench) -> None:
    translated = bench.translate(START, line())
    assert closed(translated).status == "rejected"
    assert codes(translated) == ["document.unfinished"]


def test_a_document_that_begins_within_another_ends_it(bench: Bench) -> None:
    translated = bench.translate(START, line(), START, line(), END)
    verdicts = [item.status for item in translated if isinstance(item, DocumentClosed)]
    assert verdicts == ["rejected", "accepted"]
    assert codes(translated) == ["document.unfinished"]


def test_findings_outside_of_documents_are_the_payloads(bench: Bench) -> None:
    finding = {"finding": {"code": "interchange.gap"}}
    translated = bench.translate(finding, START, line(), END, finding)
    assert [type(item) for item in (translated[0], translated[-1])] == [Finding, Finding]


def test_what_was_complete_before_a_reader_failed_is_handed_on(bench: Bench) -> None:
    content = Told.written(START, line(), END, START, line()) + b"not json"
    context = Context(library=bench.library(), master=master_data(), formats={"told": Told()})
    given = {"partner": "ACME"}
    translated: list[Translated] = []
    with pytest.raises(ValueError, match="Expecting value"):
        translated.extend(
            translate_stream(io.BytesIO(content), payload=PAYLOAD, name="", metadata=given, context=context)
        )
    assert [type(item) for item in translated] == [DocumentOpened, DocumentLines, DocumentClosed, DocumentOpened]


# -- who sent it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "metadata", "partner"),
    [
        ({}, {"from_": "desk@acme.example"}, "ACME"),
        ({"sender": "DESK@acme.example"}, {"from_": ""}, "ACME"),
        ({}, {"from_": "nobody@else.example", "partner": "ACME"}, "ACME"),
        ({}, {"from_": "", "channel_partner": "OTHER"}, "OTHER"),
        ({}, {"from_": "desk@acme.example", "channel_partner": "OTHER"}, "ACME"),
    ],
)
def test_whose_it_is(bench: Bench, start: dict[str, str], metadata: dict[str, str], partner: str) -> None:
    translated = bench.translate({"start": start}, line(), END, **metadata)
    assert closed(translated).document.partner == partner
    assert events(translated)["partner"].to_list() == [partner]


def test_an_unknown_sender_is_rejected(bench: Bench) -> None:
    translated = bench.translate({"start": {"offset": 7}}, line(), END, from_="nobody@else.example")
    verdict = closed(translated)
    assert (verdict.status, verdict.document.partner, verdict.document.mapping) == ("rejected", "", None)
    (finding,) = verdict.findings
    assert (finding.code, finding.value, finding.location, finding.offset) == (
        "partner.unknown",
        "nobody@else.example",
        "document",
        7,
    )


def test_an_unknown_sender_is_read_leniently(bench: Bench) -> None:
    translated = bench.translate(START, line(ours="their pump"), END, from_="nobody@else.example", lenient=True)
    assert closed(translated).status == "accepted"
    assert events(translated).select("partner", "item").rows() == [("nobody@else.example", "their pump")]
    assert {finding.severity for finding in findings(translated)} == {Severity.WARNING}


def test_a_mapping_that_names_its_partner_needs_no_sender(bench: Bench) -> None:
    from .conftest import NOTICE

    bench.write("standard/told_notice.yaml", NOTICE + "  partner: {path: who, lookup: partner, required: true}\n")
    translated = bench.translate(START, line(who="ACME"), END, from_="")
    assert closed(translated).status == "accepted"
    assert events(translated)["partner"].to_list() == ["ACME"]


def test_a_document_that_nobody_maps_is_kept_and_said_so(bench: Bench) -> None:
    translated = bench.translate({"start": {"type": "told.invoice"}}, line(), END)
    verdict = closed(translated)
    assert (verdict.status, verdict.lines, verdict.document.partner) == ("rejected", 1, "ACME")
    (finding,) = verdict.findings
    assert (finding.code, finding.value, finding.expected) == ("document.unmapped", "told.invoice", "told.notice")


# -- payloads ------------------------------------------------------------------------------------------


def payload(content: bytes, bench: Bench, **metadata: str) -> list[Translated]:
    formats = {"told": Told()}
    context = Context(library=bench.library(), master=master_data(), formats=formats)
    stream = io.BytesIO(content)
    return list(translate_stream(stream, payload=PAYLOAD, name="x.bin", metadata=metadata, context=context))


def test_an_empty_payload(bench: Bench) -> None:
    (finding,) = payload(b"", bench)
    assert isinstance(finding, Finding)
    assert (finding.code, finding.location) == ("payload.empty", "x.bin")


def test_a_payload_of_no_known_format(bench: Bench) -> None:
    (finding,) = payload(b"\xff\xd8\xff", bench)
    assert isinstance(finding, Finding)
    assert (finding.code, finding.value, finding.expected) == ("payload.unrecognised", "\\xff\\xd8\\xff", "told")


def test_a_channel_may_fix_the_format(bench: Bench) -> None:
    content = b' {"start": {}}\n{"end": {}}\n'
    assert codes(payload(content, bench)) == ["payload.unrecognised"]
    assert codes(payload(content, bench, format="told", partner="ACME")) == []


def test_a_format_that_does_not_exist_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="unknown format 'tolled'; did you mean 'told'"):
        compile_with({"told": Told()})("tolled.notice", "", [], {})


# -- the library ---------------------------------------------------------------------------------------


def test_the_documented_example_runs() -> None:
    results = doctest.testmod(crossdock.translation)
    assert results.attempted > 0
    assert results.failed == 0


def test_tables_leave_out_the_events_of_rejected_documents(bench: Bench) -> None:
    translation = gathered(bench.translate(START, line(), END, START, line(), {"end": {"accepted": False}}))
    assert translation.documents["status"].to_list() == ["accepted", "rejected"]
    assert translation.documents["events"].to_list() == [1, 0]
    assert translation.events["document"].to_list() == [document_id(PAYLOAD, 1)]
    assert translation.lines["document"].to_list() == [document_id(PAYLOAD, 1), document_id(PAYLOAD, 2)]


def test_a_path_may_be_text_and_bytes_any_buffer(tmp_path: Path) -> None:
    sheet = b"Item;Site;On hand;Unit;As of\nP-1;PLANT-1;1.250,5;kg;2026-03-30\n"
    file = tmp_path / "stock.csv"
    file.write_bytes(sheet)
    from_path, from_text = translate(file, partner="ACME"), translate(str(file), partner="ACME")
    from_buffer = translate(memoryview(sheet), name="stock.csv", partner="ACME")
    assert from_path.events["subject"].to_list() == ["stock/ACME/PLANT-1//P-1"]
    assert from_text.events.equals(from_path.events)
    assert from_buffer.events.equals(from_path.events)


def test_what_is_neither_bytes_nor_a_path_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes-like"):
        translate(17)  # type: ignore[arg-type]


def test_tables_of_nothing_have_their_columns() -> None:
    translation = translate(b"")
    assert translation.documents.is_empty()
    assert "id" in translation.events.columns
    assert translation.findings["code"].to_list() == ["payload.empty"]
