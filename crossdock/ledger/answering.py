"""The ledger's door to answers: what is owed to partners, what left, and what they say of what we sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from crossdock.ledger import answers, audit, envelopes, received
from crossdock.ledger.answers import ControlNumbers, Judged, Transmission
from crossdock.ledger.database import Database
from crossdock.ledger.envelopes import OwedAnswer
from schemas.documents import GroupEnd, Interchange


class Answering:
    """Of ``Ledger``: each method is one transaction."""

    _database: Database

    def owed(self, limit: int = 1000) -> list[OwedAnswer]:
        """Answers that partners are promised and that are not made yet, the most urgent first."""
        with self._database.read() as connection:
            return answers.owed(connection, limit)

    def is_owed(self, answer: int) -> bool:
        """Whether nobody has made or refused it yet."""
        with self._database.read() as connection:
            return answers.is_owed(connection, answer)

    def judged(self, payload: int, first: int, last: int) -> list[Judged]:
        """The documents of the payload with these ordinals, in order, each with its errors (10,000 at most)."""
        with self._database.read() as connection:
            return list(answers.judged(connection, payload, first, last))

    def groups(self, payload: int, interchange: Interchange) -> list[GroupEnd]:
        """The groups of an interchange of the payload, in order."""
        with self._database.read() as connection:
            return envelopes.groups(connection, payload, interchange)

    def last_numbers(self, partner: str) -> ControlNumbers:
        """The last of our control numbers that the partner was given."""
        with self._database.read() as connection:
            return answers.last_numbers(connection, partner)

    def record_answer(
        self,
        answer: OwedAnswer,
        *,
        seen: ControlNumbers,
        given: ControlNumbers,
        name: str,
        content: bytes,
        outlet: str,
        answer_by: datetime | None = None,
    ) -> bool:
        """Keep an answer as it will leave, and move the partner's control numbers from ``seen`` to ``given``.

        All of it in one transaction, so that numbers have neither gaps nor doubles. False, and
        nothing happened: the numbers were taken meanwhile, or the answer is no longer owed.
        """
        try:
            with self._database.write() as connection:
                answers.record(
                    connection,
                    answer,
                    seen=seen,
                    given=given,
                    name=name,
                    content=content,
                    outlet=outlet,
                    answer_by=answer_by,
                    now=datetime.now(UTC),
                )
                detail = {"partner": answer.partner, "kind": answer.kind, "name": name}
                audit.note(connection, "answer.made", f"answer {answer.id}", detail=detail)
        except answers.Overtaken:
            return False
        return True

    def refuse_answer(self, answer: int, reason: str) -> None:
        """A referee does not let it leave: it stays listed, unsent."""
        with self._database.write() as connection:
            answers.refuse(connection, answer, reason, datetime.now(UTC))
            audit.note(connection, "answer.refused", f"answer {answer}", reason=reason)

    def owe_again(self) -> int:
        """Let refused answers be made again; how many."""
        with self._database.write() as connection:
            return answers.owe_again(connection, datetime.now(UTC))

    def answers_made(self, partner: str, kind: str, since: datetime) -> int:
        """How many answers of this kind were made for the partner since then."""
        with self._database.read() as connection:
            return answers.made_since(connection, partner, kind, since)

    def unsent(self, limit: int = 1000, *, after: int = 0) -> list[Transmission]:
        """Outbound interchanges made but not known to be handed over, oldest first, beyond the id ``after``."""
        with self._database.read() as connection:
            return answers.unsent(connection, limit, after)

    def note_sent(self, transmission: int) -> None:
        """It was handed over. Idempotent."""
        with self._database.write() as connection:
            answers.note_sent(connection, transmission, datetime.now(UTC))
            audit.note(connection, "transmission.sent", f"transmission {transmission}")

    def answers_of(self, payload: int, group: str, ordinal: int) -> list[dict[str, Any]]:
        """What was answered to the group or interchange that a document came in."""
        with self._database.read() as connection:
            return answers.of_document(connection, payload, group, ordinal)

    def answers(self, *, status: str | None = None, limit: int = 1000) -> list[dict[str, Any]]:
        """Answers, newest first: what each answers, when it is due, how it left, why a referee refused it."""
        with self._database.read() as connection:
            return answers.listing(connection, status=status, limit=limit)

    def answer_summary(self) -> list[dict[str, Any]]:
        """Per partner and kind: how many were sent (and late), wait (and are overdue), or were refused."""
        with self._database.read() as connection:
            return answers.summary(connection, datetime.now(UTC))

    def transmission_of(self, partner: str, level: str, number: int) -> int | None:
        """What we sent the partner as the ``interchange`` or ``group`` (the level) of that number; None if nothing."""
        with self._database.read() as connection:
            return received.transmission_of(connection, partner, level, number)

    def expectations(self) -> list[dict[str, Any]]:
        """Per partner and kind of what we sent: how much waits for an answer (or will be late within the hour), is
        overdue, was accepted (in time or late) or rejected."""
        with self._database.read() as connection:
            return received.expectations(connection, datetime.now(UTC))
