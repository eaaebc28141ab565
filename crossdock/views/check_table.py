"""Many files checked: one row each, for a folder of samples or a partner's test files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from crossdock.check import exit_code
from crossdock.views.display import DIM, count, phrases, plain_table
from schemas.findings import Severity

if TYPE_CHECKING:
    from crossdock.check import Checked

CODES = 4  #: codes of errors that a row names
VERDICTS = {
    "accepted": "green",
    "accepted with errors": "yellow",
    "partly rejected": "bold red",
    "rejected": "bold red",
    "nothing in it": "yellow",
    "unreadable": "bold red",
}  #: gravest last, with their styles


@dataclass(frozen=True, slots=True, kw_only=True)
class FileResult:
    """What came of one file. ``errors`` counts its findings of severity error by code, most frequent first."""

    file: str
    types: tuple[str, ...] = ()
    documents: int = 0
    lines: int = 0
    events: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)
    warnings: int = 0
    verdict: str = "accepted"
    exit_code: int = 0


def files_in(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """The files named, each with its name for people; of a folder all in it and below, in order, hidden ones not."""
    for path in paths:
        if not path.is_dir():
            yield path, str(path)
            continue
        for found in sorted(path.rglob("*")):
            within = found.relative_to(path)
            if found.is_file() and not any(part.startswith(".") for part in within.parts):
                yield found, str(within)


def result(name: str, checked: Sequence[Checked]) -> FileResult:
    """One file's row."""
    documents = [one for one in checked if one.is_document]
    findings = [finding for one in checked for finding in one.findings]
    errors = Counter(finding.code for finding in findings if finding.severity is Severity.ERROR)
    return FileResult(
        file=name,
        types=tuple(dict.fromkeys(one.type for one in documents)),
        documents=len(documents),
        lines=sum(one.lines for one in documents),
        events=sum(one.events for one in documents),
        errors=dict(errors.most_common()),
        warnings=sum(finding.severity is Severity.WARNING for finding in findings),
        verdict=_verdict(documents, wrong=bool(errors)),
        exit_code=exit_code(checked),
    )


def _verdict(documents: Sequence[Checked], *, wrong: bool) -> str:
    if not documents:
        return "unreadable" if wrong else "nothing in it"
    rejected = sum(one.status == "rejected" for one in documents)
    if rejected:
        return "rejected" if rejected == len(documents) else "partly rejected"
    return "accepted with errors" if wrong else "accepted"


def table_view(results: Sequence[FileResult]) -> RenderableType:
    """A row a file, and one line that sums them up."""
    table = plain_table()
    table.add_column("file", style="bold", overflow="fold")
    table.add_column("type", overflow="fold")
    for name in ("documents", "lines", "events"):
        table.add_column(name, justify="right")
    table.add_column("errors", overflow="fold")
    table.add_column("verdict")
    for one in results:
        table.add_row(
            one.file, ", ".join(one.types), *(f"{number:,}" for number in (one.documents, one.lines, one.events)),
            _codes(one.errors), Text(one.verdict, style=VERDICTS[one.verdict]),
        )  # fmt: skip
    return Group(table, Text(), _sum(results))


def _codes(errors: Mapping[str, int]) -> Text:
    named = [f"{code} x{number:,}" if number > 1 else code for code, number in list(errors.items())[:CODES]]
    more = f" and {count(len(errors) - CODES, 'more kind')}" if len(errors) > CODES else ""
    return Text.assemble(", ".join(named), (more, DIM))


def _sum(results: Sequence[FileResult]) -> Text:
    verdicts = Counter(one.verdict for one in results)
    return phrases(
        Text(count(len(results), "file"), style="bold"),
        count(sum(one.documents for one in results), "document"),
        count(sum(one.lines for one in results), "line"),
        count(sum(one.events for one in results), "event"),
        *(Text(f"{verdicts[name]:,} {name}", style=style) for name, style in VERDICTS.items() if verdicts[name]),
    )
