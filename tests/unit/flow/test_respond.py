"""Responding: made, judged, recorded, handed over; and what happens when any of it fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from connectors.formats.edi.acknowledgments import Refused, acknowledge_group
from connectors.sinks.folder import FolderSink
from crossdock.ledger import Ledger
from crossdock.respond import Responded, respond
from crossdock.translation import Document, DocumentClosed, DocumentOpened, EnvelopeClosed
from mappings.spec import Acknowledge
from schemas.documents import DocumentStart, GroupEnd, Interchange
from schemas.errors import ConfigError, PermanentError, TransientError

AGREED = Acknowledge(functional=997)
DELIMITERS = {"element": "*", "component": ":", "segment": "~", "repetition": ""}


class Strict:
    """A referee who refuses answers that hold a word."""

    def __init__(self, word: bytes = b"nothing holds this") -> None:
        self.word = word

    def judge(self, answer: bytes) -> None:
        if self.word in answer:
            raise Refused("the referee does not like it", complaints=("a word",))


class Outboxes:
    """Folders by outlet; ``broken`` outlets fail with what they are told to."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.broken: dict[str, Exception] = {}
        self.asked: list[str] = []

    def __call__(self, outlet: str) -> FolderSink:
        self.asked.append(outlet)
        if outlet in self.broken:
            raise self.broken[outlet]
        return FolderSink(self.home / outlet)

    def files(self, outlet: str = "edi-outbox") -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted((self.home / outlet).glob("*"))}


def no_workbook(answer: object, outlet: str) -> NoReturn:
    raise AssertionError("nobody sent a workbook")


@pytest.fixture
def outboxes(tmp_path: Path) -> Outboxes:
    return Outboxes(tmp_path / "out")


@pytest.fixture
def round_of(ledger: Ledger, outboxes: Outboxes) -> Callable[..., Responded]:
    def run(referee: object = None, **agreements: Acknowledge | None) -> Responded:
        given = agreements or {"ACME": AGREED, "BOLT": AGREED}
        return respond(
            ledger=ledger,
            agreements=given,
            outboxes=outboxes,
            referee=referee or Strict(),  # type: ignore[arg-type]
            returning=no_workbook,
        )

    return run


def owe(ledger: Ledger, partner: str = "ACME", control: str = "1", agreement: Acknowledge = AGREED) -> None:
    """One accepted 856 in a group of its own, whose sender is promised a 997."""
    sha = f"{partner}{control}".ljust(64, "0")
    payload = ledger.record_payload(
        sha256=sha, size=9, channel="edi", key=sha, name="a.edi", received_at=_received(), metadata={}
    )
    start = DocumentStart(ordinal=1, type="x12.856", control_number="0001", attributes={"set": "856"})
    document = Document(
        id=f"doc-{sha[:20]}", payload=sha, start=start, partner=partner, mapping="m", mapping_version="1"
    )
    head = Interchange(
        ordinal=1, format="x12", sender=f"ZZ:{partner}", receiver="ZZ:US", control_number="000000001", version="00401",
        delimiters=DELIMITERS,
    )  # fmt: skip
    group = GroupEnd(
        interchange=head, ordinal=1, type="SH", sender=partner, receiver="US", control_number=control,
        version="004010", first=1, last=1, declared=1,
    )  # fmt: skip
    ledger.store(
        payload.id,
        [
            DocumentOpened(document=document),
            DocumentClosed(document=document, status="accepted", lines=0, events=0, parked=0),
            EnvelopeClosed(envelope=group, partner=partner, agreement=agreement),
        ],
    )


def _received():
    from datetime import UTC, datetime

    return datetime(2026, 3, 1, tzinfo=UTC)


def test_what_is_owed_is_made_and_leaves(ledger: Ledger, outboxes: Outboxes, round_of) -> None:
    owe(ledger)
    owe(ledger, "BOLT")
    assert round_of() == Responded(sent={"997": 2})
    files = outboxes.files()
    assert list(files) == ["ACME-997-000000001.edi", "BOLT-997-000000001.edi"]
    assert b"~AK1*SH*1~AK2*856*0001~AK5*A~AK9*A*1*1*1~" in files["ACME-997-000000001.edi"]
    assert round_of() == Responded()
    assert outboxes.files() == files


def test_each_partner_has_a_series_of_its_own(ledger: Ledger, outboxes: Outboxes, round_of) -> None:
    for control in ("1", "2", "3"):
        owe(ledger, "ACME", control)
    owe(ledger, "BOLT")
    round_of()
    assert [name[-13:-4] for name in outboxes.files()] == ["000000001", "000000002", "000000003", "000000001"]


def test_a_crash_before_the_record_takes_no_number(ledger: Ledger, outboxes: Outboxes, round_of) -> None:
    class Killed(Exception):
        pass

    class Dying:
        def judge(self, answer: bytes) -> None:
            raise Killed

    owe(ledger)
    with pytest.raises(Killed):
        round_of(Dying())
    assert ledger.last_numbers("ACME").interchange == 0
    assert round_of() == Responded(sent={"997": 1})
    assert list(outboxes.files()) == ["ACME-997-000000001.edi"]


def test_who_cannot_be_answered_holds_up_nobody_else(
    ledger: Ledger, outboxes: Outboxes, round_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(group: GroupEnd, *given: object) -> bytes:
        if group.sender == "ACME":
            raise ValueError("AK1: the value '4711' holds a delimiter")
        return acknowledge_group(group, *given)  # type: ignore[arg-type]

    monkeypatch.setattr("connectors.formats.edi.acknowledgments.acknowledge_group", failing)
    owe(ledger, "ACME")
    owe(ledger, "BOLT")
    done = round_of()
    assert (done.sent, done.refused) == ({"997": 1}, 1)
    (error,) = done.errors
    assert "ValueError: AK1: the value '4711' holds a delimiter" in str(error)
    assert list(outboxes.files()) == ["BOLT-997-000000001.edi"]
    assert round_of() == Responded()


def test_want_of_disk_refuses_nothing(
    ledger: Ledger, outboxes: Outboxes, round_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    owe(ledger)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("connectors.formats.edi.acknowledgments.acknowledge_group", full)
        with pytest.raises(OSError, match="No space left"):
            round_of()
    assert round_of() == Responded(sent={"997": 1})


@pytest.mark.parametrize("written", [False, True])
def test_a_crash_while_handing_over_repeats_the_same_file(
    ledger: Ledger, outboxes: Outboxes, round_of, written: bool
) -> None:
    """Killed before the file is there, or after it but before the ledger knows: name, number and bytes stay."""

    class Killed(BaseException):
        pass

    class Dying(FolderSink):
        def put(self, name: str, data: bytes) -> None:
            if written:
                super().put(name, data)
            raise Killed

    owe(ledger)
    owe(ledger, "ACME", "2")
    with pytest.raises(Killed):
        respond(
            ledger=ledger, agreements={"ACME": AGREED}, referee=Strict(), returning=no_workbook,
            outboxes=lambda outlet: Dying(outboxes.home / outlet),
        )  # fmt: skip
    before = outboxes.files()
    assert round_of() == Responded(sent={"997": 2})
    after = outboxes.files()
    assert list(after) == ["ACME-997-000000001.edi", "ACME-997-000000002.edi"]
    assert before.items() <= after.items()
    assert ledger.last_numbers("ACME").interchange == 2


def test_an_outlet_that_is_away_keeps_its_answers_and_holds_up_no_other(
    ledger: Ledger, outboxes: Outboxes, round_of
) -> None:
    owe(ledger)
    owe(ledger, "BOLT")
    outboxes.broken["edi-outbox"] = away = TransientError("it is away")
    elsewhere = Acknowledge(functional=997, to="van")
    done = round_of(ACME=AGREED, BOLT=elsewhere)
    assert (done.sent, done.errors) == ({"997": 1}, (away,))
    with pytest.raises(TransientError, match="away"):
        done.check()
    outboxes.broken.clear()
    assert round_of() == Responded(sent={"997": 1})
    assert (list(outboxes.files()), list(outboxes.files("van"))) == (
        ["ACME-997-000000001.edi"], ["BOLT-997-000000001.edi"],
    )  # fmt: skip


def test_an_outlet_that_failed_is_left_alone_for_the_rest_of_the_round(
    ledger: Ledger, outboxes: Outboxes, round_of
) -> None:
    """Or what was made later would leave before what was made first, once it is back."""
    for number in ("1", "2", "3"):
        owe(ledger, control=number)
    owe(ledger, "BOLT")
    outboxes.broken["edi-outbox"] = away = TransientError("it is away")
    done = round_of(ACME=AGREED, BOLT=Acknowledge(functional=997, to="van"))
    assert (done.sent, done.errors) == ({"997": 1}, (away,))
    assert outboxes.asked == ["edi-outbox", "van"]
    outboxes.broken.clear()
    assert round_of() == Responded(sent={"997": 3})
    assert list(outboxes.files()) == [f"ACME-997-00000000{number}.edi" for number in (1, 2, 3)]


def test_a_refused_answer_stays_listed_and_takes_no_number(ledger: Ledger, outboxes: Outboxes, round_of) -> None:
    owe(ledger, "ACME", "666")
    owe(ledger, "ACME", "2")
    done = round_of(Strict(b"*666~"))
    assert (done.sent, done.refused) == ({"997": 1}, 1)
    with pytest.raises(Refused, match="does not like it"):
        done.check()
    assert [row["reason"] for row in ledger.answers(status="refused")] == ["the referee does not like it"]
    assert list(outboxes.files()) == ["ACME-997-000000001.edi"]
    assert round_of() == Responded()
    ledger.owe_again()
    assert round_of() == Responded(sent={"997": 1})
    assert ledger.last_numbers("ACME").interchange == 2


def test_an_unknown_outlet_is_told_and_nothing_is_lost(ledger: Ledger, outboxes: Outboxes, round_of) -> None:
    owe(ledger)
    outboxes.broken["edi-outbox"] = ConfigError("unknown outlet")
    assert [str(error) for error in round_of().errors] == ["unknown outlet"]
    outboxes.broken.clear()
    assert round_of().sent == {"997": 1}


def test_a_partner_who_lost_the_agreement_stays_owed(ledger: Ledger, round_of) -> None:
    owe(ledger)
    done = round_of(BOLT=AGREED)
    with pytest.raises(PermanentError, match="no longer says anything about answers"):
        done.check()
    assert len(ledger.owed()) == 1
    assert round_of().sent == {"997": 1}


def test_several_errors_raise_the_one_worth_a_retry() -> None:
    with pytest.raises(TransientError):
        Responded(errors=(PermanentError("no"), TransientError("later"))).check()
