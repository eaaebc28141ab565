"""Answers in the ledger: owed with their documents, numbered without gaps or doubles, sent once."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from crossdock.ledger import Ledger
from crossdock.ledger.answers import ControlNumbers
from crossdock.ledger.envelopes import OwedAnswer
from crossdock.translation import EnvelopeClosed
from mappings.spec import Acknowledge
from schemas.documents import EnvelopeEnd, GroupEnd, Interchange, InterchangeEnd
from schemas.findings import Finding, Severity, Stage

AGREED = Acknowledge(functional=997, application=824, within=timedelta(minutes=30))


def interchange(**facts: object) -> Interchange:
    said = {"ordinal": 1, "format": "x12", "sender": "ZZ:ACME", "receiver": "ZZ:US", "control_number": "000000001"}
    return Interchange(**(said | {"version": "00401"} | facts))  # type: ignore[arg-type]


def group(sets: int = 1, **facts: object) -> GroupEnd:
    said = {"interchange": interchange(), "ordinal": 1, "type": "SH", "sender": "ACME", "receiver": "US"}
    return GroupEnd(**(said | {"control_number": "1", "version": "004010", "first": 1, "last": sets} | facts))  # type: ignore[arg-type]


def closed(envelope: EnvelopeEnd, agreement: Acknowledge | None = AGREED) -> EnvelopeClosed:
    return EnvelopeClosed(envelope=envelope, partner="ACME", agreement=agreement)


def owe(workshop, ledger: Ledger, *envelopes: EnvelopeClosed, papers: Sequence[object] = ()) -> int:
    """A payload with these documents and envelopes; its id."""
    payload = workshop.payload(ledger)
    documents = list(workshop.translation(payload, papers or [workshop.Paper()]))
    ledger.store(payload.id, [*documents, *(envelopes or [closed(group())])])
    return payload.id


def record(ledger: Ledger, answer: OwedAnswer, seen: ControlNumbers | None = None) -> bool:
    seen = ledger.last_numbers("ACME") if seen is None else seen
    given = seen.following()
    name = f"{given.interchange}.edi"
    return ledger.record_answer(answer, seen=seen, given=given, name=name, content=b"ISA", outlet="edi-outbox")


class TestOwing:
    def test_a_997_is_owed_within_the_time_agreed(self, ledger: Ledger, workshop) -> None:
        payload = owe(workshop, ledger)
        (answer,) = ledger.owed()
        assert (answer.kind, answer.partner, answer.payload, answer.envelope) == ("997", "ACME", payload, group())
        assert timedelta(minutes=29) < answer.due_at - datetime.now(UTC) <= timedelta(minutes=30)

    def test_nothing_is_owed_to_who_was_promised_nothing(self, ledger: Ledger, workshop) -> None:
        owe(workshop, ledger, closed(group(), None))
        assert ledger.owed() == []

    def test_acknowledgments_are_never_acknowledged(self, ledger: Ledger, workshop) -> None:
        answers = InterchangeEnd(
            interchange=interchange(answer_wanted=True), groups=1, documents=1, length=9, only_answers=True
        )
        owe(workshop, ledger, closed(group(type="FA")), closed(answers))
        assert ledger.owed() == []

    def test_a_999_needs_005010(self, ledger: Ledger, workshop) -> None:
        agreed = Acknowledge(functional=999)
        for version, kind in (("004010", "997"), ("005010", "999")):
            owe(workshop, ledger, closed(group(version=version), agreed))
            assert ledger.owed()[-1].kind == kind

    @pytest.mark.parametrize(
        ("wanted", "severity", "owed"),
        [(True, None, ["TA1"]), (False, Severity.ERROR, ["TA1"]), (False, Severity.WARNING, []), (False, None, [])],
    )
    def test_a_ta1_is_owed_when_asked_for_or_when_the_envelope_is_wrong(
        self, ledger: Ledger, workshop, wanted: bool, severity: Severity | None, owed: list[str]
    ) -> None:
        findings = () if severity is None else (workshop.finding(severity=severity, standard={"TA105": "021"}),)
        end = InterchangeEnd(
            interchange=interchange(answer_wanted=wanted), groups=1, documents=1, length=9, findings=findings
        )
        owe(workshop, ledger, closed(end))
        assert [answer.kind for answer in ledger.owed()] == owed

    def test_an_824_is_owed_only_if_there_is_something_to_tell(self, ledger: Ledger, workshop) -> None:
        syntax = Finding(code="x", severity=Severity.ERROR, stage=Stage.STRUCTURE, message="m")
        owe(workshop, ledger, papers=[workshop.Paper(findings=[syntax])])
        assert [answer.kind for answer in ledger.owed()] == ["997"]
        owe(workshop, ledger, papers=[workshop.Paper(findings=[workshop.finding()])])
        assert sorted(answer.kind for answer in ledger.owed()) == ["824", "997", "997"]

    def test_an_824_looks_at_the_documents_of_its_own_group(self, ledger: Ledger, workshop) -> None:
        papers = [workshop.Paper(), workshop.Paper(findings=[workshop.finding()])]
        owe(workshop, ledger, closed(group(1)), closed(group(2, first=2, ordinal=2)), papers=papers)
        assert [answer.envelope.ordinal for answer in ledger.owed() if answer.kind == "824"] == [2]

    def test_storing_again_owes_nothing_twice(self, ledger: Ledger, workshop) -> None:
        payload = workshop.payload(ledger)

        def broken():
            yield from workshop.translation(payload, [workshop.Paper()])
            yield closed(group())
            raise RuntimeError("killed")

        with pytest.raises(RuntimeError):
            ledger.store(payload.id, broken())
        assert len(ledger.owed()) == 1
        ledger.store(payload.id, [*workshop.translation(payload, [workshop.Paper()]), closed(group())])
        assert len(ledger.owed()) == 1

    def test_what_was_judged_comes_with_its_errors(self, ledger: Ledger, workshop) -> None:
        mild = workshop.finding("a.b", Severity.WARNING)
        grave = workshop.finding("c.d", line=3, standard={"AK304": "8"})
        papers = [
            workshop.Paper(), workshop.Paper(status="rejected", findings=[mild, grave], attributes={"set": "850"}),
        ]  # fmt: skip
        payload = owe(workshop, ledger, papers=papers)
        first, second = ledger.judged(payload, 1, 2)
        assert (first.control_number, first.status, first.findings) == ("0001", "accepted", ())
        assert (second.status, second.attributes, second.findings) == ("rejected", {"set": "850"}, (grave,))


class TestNumbers:
    def test_they_count_from_one(self, ledger: Ledger, workshop) -> None:
        for _ in range(3):
            owe(workshop, ledger)
        assert ledger.last_numbers("ACME") == ControlNumbers()
        assert all(record(ledger, answer) for answer in ledger.owed())
        assert ledger.last_numbers("ACME") == ControlNumbers(interchange=3, group=3, set=3)

    def test_whoever_comes_second_has_nothing_recorded(self, ledger: Ledger, workshop) -> None:
        owe(workshop, ledger)
        owe(workshop, ledger)
        first, second = ledger.owed()
        seen = ledger.last_numbers("ACME")
        assert record(ledger, first, seen)
        assert not record(ledger, second, seen)
        assert ledger.is_owed(second.id)
        assert ledger.last_numbers("ACME").interchange == 1

    def test_an_answer_that_is_made_takes_no_second_number(self, ledger: Ledger, workshop) -> None:
        owe(workshop, ledger)
        (answer,) = ledger.owed()
        assert record(ledger, answer)
        assert not record(ledger, answer)
        assert ledger.last_numbers("ACME").interchange == 1

    def test_a_ta1_takes_no_number_of_a_group_or_set(self) -> None:
        assert ControlNumbers(interchange=4, group=7, set=9).following(groups=0, sets=0) == ControlNumbers(
            interchange=5, group=7, set=9
        )

    def test_after_the_largest_comes_one(self) -> None:
        assert ControlNumbers(interchange=999_999_999, group=999_999_999, set=3).following() == ControlNumbers(
            interchange=1, group=1, set=4
        )

    def test_many_threads_leave_neither_gap_nor_double(self, ledger: Ledger, url: str, workshop) -> None:
        for _ in range(24):
            owe(workshop, ledger)
        threads = [threading.Thread(target=_answer_all, args=(url,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert _numbers(ledger) == list(range(1, 25))

    def test_many_processes_leave_neither_gap_nor_double(self, ledger: Ledger, url: str, workshop) -> None:
        for _ in range(24):
            owe(workshop, ledger)
        spawn = multiprocessing.get_context("fork")
        processes = [spawn.Process(target=_answer_all, args=(url,)) for _ in range(4)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        assert [process.exitcode for process in processes] == [0] * 4
        assert _numbers(ledger) == list(range(1, 25))


def _answer_all(url: str) -> None:
    """Make all that is owed, as ``respond`` does: again and again, as long as others are faster."""
    with Ledger.open(url, migrate=False) as own:
        while owed := own.owed():
            for answer in owed:
                while own.is_owed(answer.id) and not record(own, answer):
                    pass


def _numbers(ledger: Ledger) -> list[int]:
    made = ledger.unsent()
    assert ledger.last_numbers("ACME").interchange == len(made)
    return sorted(int(one.name.removesuffix(".edi")) for one in made)


class TestSending:
    def test_what_is_made_waits_until_it_is_sent(self, ledger: Ledger, workshop) -> None:
        owe(workshop, ledger)
        record(ledger, ledger.owed()[0])
        (made,) = ledger.unsent()
        assert (made.partner, made.kind, made.name, made.outlet, made.content) == (
            "ACME", "997", "1.edi", "edi-outbox", b"ISA",
        )  # fmt: skip
        ledger.note_sent(made.id)
        ledger.note_sent(made.id)
        assert ledger.unsent() == []
        (row,) = ledger.answers()
        assert (row["status"], row["transmission"], row["interchange_number"]) == ("made", "sent", 1)

    def test_a_refused_answer_stays_listed_until_it_is_owed_again(self, ledger: Ledger, workshop) -> None:
        owe(workshop, ledger)
        ledger.refuse_answer(ledger.owed()[0].id, "the referee says no")
        assert ledger.owed() == []
        (row,) = ledger.answers(status="refused")
        assert (row["reason"], row["name"]) == ("the referee says no", None)
        assert (ledger.owe_again(), len(ledger.owed())) == (1, 1)

    def test_the_summary_counts_by_partner_and_kind(self, ledger: Ledger, workshop) -> None:
        late = Acknowledge(functional=997, within=timedelta(0))
        owe(workshop, ledger)
        owe(workshop, ledger, closed(group(), late))
        owe(workshop, ledger)
        owe(workshop, ledger)
        answers = sorted(ledger.owed(), key=lambda answer: answer.id)
        record(ledger, answers[0])
        ledger.note_sent(ledger.unsent()[0].id)
        ledger.refuse_answer(answers[2].id, "no")
        (row,) = ledger.answer_summary()
        counts = {name: row[name] for name in ("sent", "late", "waiting", "overdue", "refused")}
        assert counts == {"sent": 1, "late": 0, "waiting": 2, "overdue": 1, "refused": 1}
        assert row["next_due"] == answers[1].due_at
