"""A document is stored whole, with all that came of it, or not at all."""

from __future__ import annotations

import gc
import threading
import warnings
from collections.abc import Iterator

import pytest

from crossdock.ledger import Ledger, documents, draft
from crossdock.translation import Translated
from schemas.errors import PermanentError, TransientError
from schemas.findings import Severity


def facts(workshop, count: int, *, prefix: str = "PO") -> list:
    return [workshop.Fact(f"{prefix}{n}", str(n), line=n) for n in range(1, count + 1)]


def test_counts_of_what_was_done(ledger: Ledger, workshop) -> None:
    payload = workshop.payload(ledger)
    summary = ledger.store(
        payload.id,
        workshop.translation(
            payload,
            [
                workshop.Paper(facts(workshop, 3)),
                workshop.Paper(
                    facts(workshop, 2, prefix="X"),
                    status="accepted_with_errors",
                    parked=[(7, "item.unknown")],
                    findings=[workshop.finding(line=7)],
                ),
                workshop.Paper(
                    facts(workshop, 5, prefix="R"), status="rejected", findings=[workshop.finding("x12.se01")]
                ),
                workshop.finding("x12.iea01", Severity.WARNING),
            ],
        ),
    )
    assert (summary.documents, summary.rejected, summary.lines) == (3, 1, 11)
    assert (summary.events, summary.unchanged, summary.parked, summary.findings) == (5, 0, 1, 3)
    assert ledger.payload(payload.id).status == "translated"


def test_a_rejected_document_leaves_findings_but_no_events(ledger: Ledger, workshop) -> None:
    workshop.store(ledger, workshop.Paper(facts(workshop, 2), status="rejected", findings=[workshop.finding()]))
    assert ledger.events() == []
    (document,) = ledger.documents()
    assert (document["status"], document["lines"], document["errors"]) == ("rejected", 2, 1)
    assert document["first_position"] is None


def test_each_step_of_a_document_has_its_time(ledger: Ledger, workshop) -> None:
    payload = workshop.store(ledger, workshop.Paper(facts(workshop, 1)))
    (document,) = ledger.documents(payload=payload.id)
    (row,) = ledger.payloads()
    assert row["received_at"] < row["recorded_at"] <= document["read_at"] <= document["stored_at"] <= row["status_at"]


def test_a_payload_with_an_error_and_no_document_is_quarantined(ledger: Ledger, workshop) -> None:
    payload = workshop.store(ledger, workshop.finding("payload.empty"))
    assert ledger.payload(payload.id).status == "quarantined"
    assert [row["code"] for row in ledger.findings()] == ["payload.empty"]


def test_a_payload_with_nothing_wrong_and_no_document_is_done(ledger: Ledger, workshop) -> None:
    payload = workshop.store(ledger, workshop.finding("x12.ta1", Severity.INFO))
    assert ledger.payload(payload.id).status == "translated"


def test_storing_twice_does_nothing_the_second_time(ledger: Ledger, workshop) -> None:
    payload = workshop.payload(ledger)
    papers = [workshop.Paper(facts(workshop, 3), findings=[workshop.finding()]), workshop.finding("x")]
    ledger.store(payload.id, workshop.translation(payload, papers))
    again = ledger.store(payload.id, workshop.translation(payload, papers))
    assert (again.documents, again.events, again.unchanged, again.findings) == (0, 0, 0, 0)
    assert len(ledger.events()) == 3
    assert len(ledger.findings()) == 2


class Broken(Exception):
    """What a reader raises half-way."""


def test_what_was_complete_before_a_break_is_kept_and_the_rest_comes_later(ledger: Ledger, workshop) -> None:
    payload = workshop.payload(ledger)
    papers = [workshop.Paper(facts(workshop, 3, prefix=prefix)) for prefix in "ABC"]

    def breaking() -> Iterator[Translated]:
        items = list(workshop.translation(payload, papers))
        yield from items[:4]
        raise Broken

    with pytest.raises(Broken):
        ledger.store(payload.id, breaking())
    assert [document["ordinal"] for document in ledger.documents()] == [1]
    assert ledger.waiting() == [payload.id]

    summary = ledger.store(payload.id, workshop.translation(payload, papers))
    assert (summary.documents, summary.events) == (2, 6)
    assert [event.position for event in ledger.events()] == list(range(1, 10))
    assert ledger.waiting() == []


def test_a_document_that_was_never_closed_is_not_stored(ledger: Ledger, workshop) -> None:
    payload = workshop.payload(ledger)
    items = list(workshop.translation(payload, [workshop.Paper(facts(workshop, 3))]))
    with pytest.raises(ValueError, match="open"):
        ledger.store(payload.id, items[:-1])
    assert ledger.events() == []
    assert ledger.waiting() == [payload.id]


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits so low that a handful of rows meets them all."""
    monkeypatch.setattr(documents, "ROWS_TOGETHER", 20)
    monkeypatch.setattr(documents, "DOCUMENTS_TOGETHER", 3)


@pytest.mark.usefixtures("small_limits")
def test_many_small_documents_come_through_in_order(ledger: Ledger, workshop) -> None:
    papers = [workshop.Paper(facts(workshop, 4, prefix=f"P{n}-")) for n in range(25)]
    workshop.store(ledger, *papers)
    assert [event.subject for event in ledger.events()] == [fact.subject for paper in papers for fact in paper.facts]
    assert [event.position for event in ledger.events()] == list(range(1, 101))
    assert [d["first_position"] for d in reversed(ledger.documents())] == list(range(1, 101, 4))


def test_a_large_document_waits_in_a_file_and_comes_through_whole(workshop, ledger: Ledger) -> None:
    count = draft.ROWS_IN_MEMORY + 1000
    paper = workshop.Paper(
        facts(workshop, count), parked=[(1, "a.b")], findings=[workshop.finding(value="1")], chunk=10_000
    )
    payload = workshop.payload(ledger)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        summary = ledger.store(payload.id, workshop.translation(payload, [paper]))
        gc.collect()
    assert (summary.events, summary.parked, summary.findings) == (count, 1, 1)
    (document,) = ledger.documents()
    assert (document["first_position"], document["last_position"]) == (1, count)
    assert ledger.events(after=count - 1)[0].subject == f"PO{count}"


def test_a_spool_gives_back_what_it_was_given(workshop) -> None:
    spool = draft.Spool(rows_in_memory=5)
    payload = type("P", (), {"sha256": "a" * 64})()
    items = list(workshop.translation(payload, [workshop.Paper(facts(workshop, 12), chunk=3)]))
    parts = [
        draft.Part(item.events, item.parked, (workshop.finding(value=str(n)),)) for n, item in enumerate(items[1:-1])
    ]
    for part in parts:
        spool.add(part)
    for _ in range(2):
        back = list(spool)
        assert [part.findings for part in back] == [part.findings for part in parts]
        assert all(one.events.equals(other.events) for one, other in zip(back, parts, strict=True))
    spool.close()


def test_no_room_to_set_a_large_document_aside(
    ledger: Ledger, workshop, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    monkeypatch.setattr(draft.tempfile, "tempdir", str(tmp_path / "gone"))
    monkeypatch.setattr(draft, "ROWS_IN_MEMORY", 10)
    payload = workshop.payload(ledger)
    big = draft.Spool(rows_in_memory=1)
    items = list(workshop.translation(payload, [workshop.Paper(facts(workshop, 2))]))
    with pytest.raises(PermanentError, match="TMPDIR"):
        big.add(draft.Part(items[1].events, items[1].parked, ()))


def test_two_processes_storing_the_same_payload_store_it_once(url: str, ledger: Ledger, workshop) -> None:
    """As when a task that was taken for dead goes on beside its successor."""
    payload = workshop.payload(ledger)
    papers = [workshop.Paper(facts(workshop, 3, prefix=f"P{n}-"), findings=[workshop.finding()]) for n in range(5)]
    barrier = threading.Barrier(2)
    failures: list[BaseException] = []

    def together() -> Iterator[Translated]:
        items = workshop.translation(payload, papers)
        yield next(items)
        barrier.wait(10)
        yield from items

    def run() -> None:
        try:
            with Ledger.open(url) as other:
                other.store(payload.id, together())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert len(ledger.documents()) == 5
    assert [event.position for event in ledger.events()] == list(range(1, 16))
    assert len(ledger.findings()) == 5


def test_writers_at_once_leave_no_gap_and_no_double(url: str, ledger: Ledger, workshop) -> None:
    """Six writers store documents about the same keys; positions and sequences stay exact."""
    payloads = [workshop.payload(ledger) for _ in range(6)]
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            with Ledger.open(url) as other:
                papers = [
                    workshop.Paper([workshop.Fact(f"PO{n}", f"{number}.{round_}", by=f"{number}") for n in range(10)])
                    for round_ in range(3)
                ]
                other.store(payloads[number].id, workshop.translation(payloads[number], papers))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    events = ledger.events()
    assert [event.position for event in events] == list(range(1, 181))
    for subject in {event.subject for event in events}:
        assert [event.sequence for event in events if event.subject == subject] == list(range(1, 19))


def test_a_locked_ledger_is_a_transient_error(url: str, ledger: Ledger, workshop) -> None:
    payload = workshop.payload(ledger)
    with (
        Ledger.open(url, patience=0.2) as impatient,
        ledger._database.write() as connection,
    ):
        from crossdock.ledger import feed

        feed.lock(connection)
        with pytest.raises(TransientError, match="lock"):
            impatient.store(payload.id, workshop.translation(payload, [workshop.Paper(facts(workshop, 1))]))
    assert ledger.waiting() == [payload.id]


def test_findings_keep_all_they_say(ledger: Ledger, workshop) -> None:
    finding = workshop.finding(
        "x12.element_code",
        Severity.WARNING,
        location="segment 41, PO1-07",
        value="\0bad\udc80",
        expected="VN, BP",
        standard={"AK304": "8", "AK403": "7"},
        line=4,
        offset=10,
        length=3,
    )
    workshop.store(ledger, workshop.Paper(facts(workshop, 1), findings=[finding]))
    (row,) = ledger.findings()
    assert row["value"] == "\ufffdbad?"
    assert row["standard"] == {"AK304": "8", "AK403": "7"}
    assert (row["severity"], row["stage"], row["location"]) == ("warning", "reference", "segment 41, PO1-07")
    assert (row["line"], row["offset"], row["length"], row["expected"]) == (4, 10, 3, "VN, BP")
    assert (row["channel"], row["type"], row["partner"], row["control_number"]) == ("edi", "x12.850", "ACME", "0001")
