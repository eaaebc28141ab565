"""The letter around a correction: what a partner reads in their mail program, in their language, as text and as HTML.

A workbook that came by mail is answered by mail: to the address it came from, threaded to that mail. The words
are those of ``languages/<code>.yaml``; the page is ``letter.html``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from connectors.mailbox.letter import Enclosure, Letter, kind_of
from crossdock.partners.correction import Correction, Problem
from crossdock.partners.language import Language, language
from crossdock.respond import WORKBOOK, Returned
from schemas.errors import PermanentError

if TYPE_CHECKING:
    from connectors.outlet import Outlet
    from crossdock.ledger import Ledger
    from crossdock.ledger.envelopes import OwedAnswer

SHOWN = 12  #: problems told in the letter itself; the workbook has them all
AN_HOUR = 30  #: letters to one partner; more look like two programs that answer each other
_SUBJECT = 150  #: characters of the subject that is answered


class Letters:
    """What goes back for a workbook; ``crossdock.respond`` asks."""

    def __init__(
        self, correct: Callable[[OwedAnswer], Correction], *, ledger: Ledger, outlets: Mapping[str, Outlet]
    ) -> None:
        self._correct = correct
        self._ledger = ledger
        self._outlets = outlets

    def __call__(self, answer: OwedAnswer, outlet: str) -> Returned:
        """The workbook, in a letter where it came by mail and the outlet sends mail.

        Raises PermanentError when the partner has had ``AN_HOUR`` letters within the hour: this one is written later.
        """
        correction = self._correct(answer)
        letter = self._around(answer, correction, outlet)
        if letter is None:
            return Returned(lambda _: correction.content, "xlsx")
        return Returned(letter.write, "eml")

    def _around(self, answer: OwedAnswer, correction: Correction, outlet: str) -> Letter | None:
        metadata = self._ledger.payload(answer.payload).metadata
        sink = self._outlets[outlet].sink if outlet in self._outlets else {}
        if sink.get("kind") != "smtp" or not metadata.get("from"):
            return None
        lately = self._ledger.answers_made(answer.partner, WORKBOOK, datetime.now(UTC) - timedelta(hours=1))
        if lately >= AN_HOUR:
            raise PermanentError(
                f"{answer.partner} has had {lately} letters within an hour",
                hint="more would look like two programs that answer each other; this one is written later",
            )
        return letter_around(correction, metadata, sender=str(sink.get("sender", "")))


def letter_around(correction: Correction, metadata: Mapping[str, str], *, sender: str) -> Letter:
    """The letter that answers the mail of which ``metadata`` tells, the corrected workbook in it."""
    words = language(correction.language)
    subject = metadata.get("subject", "")[:_SUBJECT]
    told = {
        "words": words,
        "said": words.letter,
        "correction": correction,
        "shown": correction.problems[:SHOWN],
        "more": max(0, len(correction.problems) - SHOWN),
        "code": correction.language or "en",
    }
    return Letter(
        sender=sender,
        to=metadata["from"],
        subject=f"Re: {subject}" if subject else correction.title,
        text=_text(correction, words),
        html=_page().render(told),
        language=correction.language or "en",
        answers=metadata.get("message_id", ""),
        references=metadata.get("references", ""),
        enclosures=[Enclosure(correction.name, correction.content, kind_of(correction.name))],
    )


def _text(correction: Correction, words: Language) -> str:
    said = words.letter
    parts = [said["greeting"], f"{correction.title}."]
    if correction.accepted or correction.faulty:
        parts.append(said["counts"].format(accepted=correction.accepted, faulty=correction.faulty))
    if correction.problems:
        listed = [_line(problem, words) for problem in correction.problems[:SHOWN]]
        more = len(correction.problems) - SHOWN
        listed += [words.comment["more"].format(count=more)] if more > 0 else []
        parts.append("\n".join(listed))
    parts += [*correction.sentences, said["attached"].format(name=correction.name), said["program"]]
    return "\n\n".join(parts) + "\n"


def _line(problem: Problem, words: Language) -> str:
    """``- Lager!D17 (Menge): Die Zahl ... Erwartet: ...``."""
    place = " ".join(part for part in (problem.place, f"({problem.column})" if problem.column else "") if part)
    told = problem.told
    line = f"- {place}: {told.what}." if place else f"- {told.what}."
    if told.expected:
        line += " " + words.comment["expected"].format(text=told.expected) + "."
    if told.proposals:
        line += " " + words.comment["proposed"].format(text=" / ".join(told.proposals)) + "."
    return line


@cache
def _page() -> Template:
    made = Environment(
        loader=PackageLoader("crossdock.partners"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return made.get_template("letter.html")
