"""Corrections: a workbook is read once more, and what came of it is marked in it, in the partner's language.

The same translation as production's says what is wrong, so that ``crossdock check --correct`` and the
answer that a partner is sent are made by the same code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO

import polars as pl

from connectors.formats.workbook.cells import column_letter, plain
from connectors.formats.workbook.correction import Mark, Page, Verdicts, corrected
from connectors.formats.workbook.sheets import REFERENCE
from crossdock.partners.language import Language, Told, language
from crossdock.translation import Context, DocumentClosed, DocumentLines, DocumentOpened, Translated, translate_stream
from mappings.library import CompiledMapping, Library
from mappings.normalise import KEY_OF
from mappings.values import zone_of
from schemas.documents import LOCATION, ORDINAL, DocumentStart
from schemas.findings import Finding, Severity, Stage

if TYPE_CHECKING:
    from connectors.archive import Archive
    from crossdock.ledger import Ledger
    from crossdock.ledger.envelopes import OwedAnswer
    from crossdock.ledger.judgements import Judgement

LISTED = 1_000  #: places that the first sheet lists
MARKED = 20_000  #: cells that are marked
_CELL = re.compile(r"(?:(.*)!)?([A-Z]{1,3})([1-9][0-9]*)", re.DOTALL)
#: What a partner need not know of.
_OURS = frozenset(
    {"workbook.row_passed_over", "workbook.sheet_passed_over", "workbook.sheet_hidden", "workbook.column_moved"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, as the partner is told. ``cell`` is empty for what concerns a sheet or the file."""

    sheet: str
    cell: str
    column: str
    value: str
    severity: Severity
    told: Told

    @property
    def place(self) -> str:
        return f"{self.sheet}!{self.cell}" if self.sheet and self.cell else self.cell or self.sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What goes back: the workbook's bytes, and what stands in it for whoever writes a mail around them."""

    name: str  #: of the file that goes back
    content: bytes
    file: str  #: the name of the file that was sent
    partner: str
    language: str
    title: str
    sentences: tuple[str, ...]
    accepted: int  #: rows
    faulty: int  #: rows
    problems: tuple[Problem, ...] = ()

    @property
    def errors(self) -> int:
        return sum(problem.severity is Severity.ERROR for problem in self.problems)


@dataclass(slots=True)
class _Sheet:
    """One document of the workbook as it was read."""

    name: str
    header_row: int
    first_column: int
    titles: Sequence[str]
    rows: set[int] = field(default_factory=set)
    faulty: set[int] = field(default_factory=set)
    rejected: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)  #: field -> letters of the column that holds it
    key: tuple[str, ...] = ()  #: fields that tell what a line speaks of
    spoken_of: list[pl.DataFrame] = field(default_factory=list)  #: row and key of every line

    @classmethod
    def of(cls, start: DocumentStart, mapping: CompiledMapping | None) -> _Sheet:
        told = start.attributes
        first_column, titles = int(told.get("first_column", 0)), json.loads(told.get("header", "[]"))
        return cls(
            name=told.get("sheet", ""),
            header_row=int(told.get("header_row", 0)),
            first_column=first_column,
            titles=titles,
            columns={} if mapping is None else _columns(titles, first_column, mapping),
            key=() if mapping is None else mapping.key or KEY_OF[mapping.kind],
        )

    def cell_of(self, finding: Finding, letters: str, row: str) -> str:
        """The cell a finding is about; where it names only its line, that of the field of which its code speaks."""
        if _index(letters) != self.first_column:
            return f"{letters}{row}"
        words = finding.code.split(".")
        own = next((self.columns[name] for word in words if (name := _ABOUT.get(word, word)) in self.columns), letters)
        return f"{own}{row}"

    def title(self, letters: str) -> str:
        index = _index(letters) - self.first_column
        return self.titles[index] if 0 <= index < len(self.titles) else ""

    def note(self, lines: pl.DataFrame) -> None:
        """Keep what each of these lines speaks of."""
        place = pl.col(LOCATION).str.extract(r"([0-9]+)$").cast(pl.Int64).alias("row")
        key = pl.concat_str(*(pl.col(name).fill_null("") for name in self.key), separator="\x1f").hash().alias("key")
        self.spoken_of.append(lines.select(place, key))

    @property
    def beside(self) -> list[int]:
        """Accepted rows that speak of the same as faulty ones."""
        if not (self.faulty and self.spoken_of):
            return []
        lines = pl.concat(self.spoken_of)
        wrong = pl.col("row").is_in(list(self.faulty))
        same = lines.filter(wrong)["key"].unique()
        return sorted(set(lines.filter(~wrong & pl.col("key").is_in(same.implode()))["row"].to_list()))

    @property
    def table_column(self) -> int:
        """The first column of the table, counted from 0."""
        return self.first_column + next((index for index, title in enumerate(self.titles) if title.strip()), 0)


@dataclass(slots=True)
class _Read:
    """What a translation said of a workbook."""

    partner: str = ""
    sheets: list[_Sheet] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def by_name(self) -> dict[str, _Sheet]:
        return {sheet.name: sheet for sheet in self.sheets}

    def give_back(self, findings: Sequence[Finding]) -> None:
        sheets = self.by_name
        for finding in findings:
            match = _CELL.fullmatch(finding.location)
            if match and match[1] in sheets:
                sheets[match[1]].faulty.add(int(match[3]))
        self.findings += findings


def correct(
    stream: BinaryIO,
    *,
    payload: str,
    name: str,
    metadata: Mapping[str, str],
    context: Context,
    speak: str = "",
    judged: Judgement | None = None,
    given_back: Sequence[Finding] = (),
) -> Correction:
    """The correction of a workbook: its SHA-256 is ``payload``, ``metadata`` as for ``translate_stream``.

    In the partner's language, or in ``speak``. Where nothing is wrong it says so, and all rows are accepted.
    What was ``judged`` before counts, whatever would be judged of it now; only where the rows stand is read anew.
    ``given_back`` are findings on rows that a person rejected, whatever the workbook itself says.
    """
    translated = translate_stream(stream, payload=payload, name=name, metadata=metadata, context=context)
    if "body" in metadata:
        name = PurePath(name).stem  # what stood in a mail is called as the mail is
    read = _gathered(translated, context.library, judged)
    read.give_back(given_back)
    partner = context.library.partners.get(read.partner or metadata.get("partner", ""))
    code = speak or (partner.language if partner is not None else "")
    words = language(code)
    problems = _problems(read, words)
    accepted = sum(len(sheet.rows - sheet.faulty) for sheet in read.sheets if not sheet.rejected)
    faulty = sum(len(sheet.rows & sheet.faulty) if not sheet.rejected else len(sheet.rows) for sheet in read.sheets)
    received = _received(metadata.get("received_at", ""), words, "UTC" if partner is None else partner.timezone)
    page = _page(words, read, problems, name=name, payload=payload, received=received, counts=(accepted, faulty))
    content = corrected(
        stream, page=page, marks=_marks(problems, words), verdicts={s.name: _verdicts(s) for s in read.sheets}
    )
    return Correction(
        name=f"{PurePath(name).stem or 'workbook'}-{words.page['sheet'].lower()}.xlsx",
        content=content,
        file=name,
        partner=read.partner,
        language=code,
        title=page.title,
        sentences=tuple(page.sentences),
        accepted=accepted,
        faulty=faulty,
        problems=tuple(problems),
    )


def corrections(archive: Archive, ledger: Ledger, context: Callable[[], Context]) -> Callable[[OwedAnswer], Correction]:
    """How the correction of an owed answer is made: from the payload in the archive, as the ledger has judged it.

    The ``context`` of now only tells the rows apart.
    """

    def made(answer: OwedAnswer) -> Correction:
        record = ledger.payload(answer.payload)
        metadata = {**record.metadata, "received_at": record.received_at.isoformat()}
        with archive.open(record.sha256) as stream:
            return correct(
                stream,
                payload=record.sha256,
                name=record.name,
                metadata=metadata,
                context=context(),
                judged=ledger.readings.judgement(record.id),
                given_back=ledger.given_back(record.id),
            )

    return made


# -- what was read ----------------------------------------------------------------------------------


def _gathered(translated: Iterable[Translated], library: Library, judged: Judgement | None) -> _Read:
    read = _Read()
    then: Judgement | None = None  #: on the open document; None where it is judged now
    for item in translated:
        match item:
            case DocumentOpened(document=document):
                mapping = library.mapping_for(library.partners.get(document.partner), document.start.type)
                read.sheets.append(_Sheet.of(document.start, mapping))
                read.partner = read.partner or document.partner
                then = judged if judged is not None and document.id in judged.known else None
                held = {line for name, line in then.held if name == document.id} if then is not None else set()
            case DocumentLines():
                sheet = read.sheets[-1]
                sheet.note(item.lines)
                where = dict(zip(item.lines[ORDINAL], map(_row, item.lines[LOCATION]), strict=True))
                sheet.rows.update(row for row in where.values() if row)
                faulty = held if then is not None else item.parked[ORDINAL]
                sheet.faulty.update(row for one in faulty if (row := where.get(one)))
                read.findings += item.findings if then is None else ()
            case DocumentClosed(document=document):
                rejected = document.id in then.rejected if then is not None else item.status == "rejected"
                read.sheets[-1].rejected = rejected
                read.findings += item.findings if then is None else ()
            case Finding():
                read.findings += [item] if judged is None else ()
    read.findings += judged.findings if judged is not None else ()
    return read


#: Word of a finding's code -> the field that it speaks of, where that is not the same word.
_ABOUT = {
    "order_unknown": "order",
    "order_closed": "order",
    "shipment_unknown": "shipment",
    "over": "quantity",
    "under": "quantity",
    "negative": "quantity",
    "future": "shipped_at",
    "arrival": "arrives_at",
}


def _columns(titles: Sequence[str], first_column: int, mapping: CompiledMapping) -> dict[str, str]:
    at = {plain(title): index for index, title in reversed(list(enumerate(titles))) if title.strip()}
    found = {
        name: next((at[plain(path)] for path in rule.paths if plain(path) in at), None)
        for name, rule in mapping.rules.items()
    }
    return {name: column_letter(first_column + index) for name, index in found.items() if index is not None}


def _row(location: str | None) -> int | None:
    match = _CELL.fullmatch(location or "")
    return int(match[3]) if match else None


def _place(cell: str) -> tuple[int, int]:
    """Row and column, to put cells in the order in which they are read."""
    match = _CELL.fullmatch(cell)
    return (int(match[3]), _index(match[2])) if match else (0, 0)


# -- what is wrong ----------------------------------------------------------------------------------


def _problems(read: _Read, words: Language) -> list[Problem]:
    """Warnings and errors in the order of the sheet; a value is not called missing where another fault was found."""
    found: list[Problem] = []
    spoken: set[tuple[str, str, str]] = set()
    sheets = read.by_name
    concerning = (one for one in read.findings if _concerns(one, words))
    for finding in sorted(concerning, key=_says_missing):
        sheet, cell = _whereabouts(finding, sheets)
        if (_says_missing(finding) and (sheet, cell, "") in spoken) or (cell and (sheet, cell, finding.code) in spoken):
            continue
        spoken |= {(sheet, cell, ""), (sheet, cell, finding.code)}
        column = _column(finding, sheets.get(sheet), cell)
        told = words.tell(finding, column=column)
        if finding.code.startswith("partner."):
            told = Told(told.what, told.expected, ())  # who else we deal with is nobody's business
        found.append(
            Problem(
                sheet=sheet,
                cell=cell,
                column=column,
                value=finding.value or "",
                severity=finding.severity,
                told=told,
            )
        )
    order = {sheet.name: at for at, sheet in enumerate(read.sheets)}
    return sorted(
        found,
        key=lambda one: (
            one.cell != "",
            order.get(one.sheet, 0),
            _place(one.cell),
            one.severity is not Severity.ERROR,
        ),
    )


def _says_missing(finding: Finding) -> bool:
    return finding.code.endswith(".missing")


def _whereabouts(finding: Finding, sheets: Mapping[str, _Sheet]) -> tuple[str, str]:
    """The sheet and the cell that a finding is about; each empty where it concerns more than that."""
    match = _CELL.fullmatch(finding.location)
    if match is None:
        return (finding.location if finding.location in sheets else ""), ""
    sheet, letters, row = match[1] or "", match[2], match[3]
    if sheet in sheets and finding.line is not None:
        return sheet, sheets[sheet].cell_of(finding, letters, row)
    return sheet, f"{letters}{row}"


def _column(finding: Finding, sheet: _Sheet | None, cell: str) -> str:
    """The header over the cell; empty where the finding is at its line alone, and nothing says in which column."""
    match = _CELL.fullmatch(cell)
    if sheet is None or match is None:
        return ""
    line_itself = _says_missing(finding) and match[2] == column_letter(sheet.first_column)
    return "" if line_itself else sheet.title(match[2])


def _concerns(finding: Finding, words: Language) -> bool:
    """Whether a partner need know: a remark that holds nothing back is told only where there are words for it."""
    if finding.severity is Severity.INFO or finding.code in _OURS:
        return False
    return finding.severity is Severity.ERROR or finding.stage is not Stage.BUSINESS or words.knows(finding.code)


def _marks(problems: Sequence[Problem], words: Language) -> list[Mark]:
    """A mark for each cell, milder ones first, so that the gravest gives the colour."""
    some = [problem for problem in problems if problem.cell][:MARKED]
    some.sort(key=lambda problem: problem.severity.rank)
    return [
        Mark(sheet=problem.sheet, cell=problem.cell, severity=problem.severity, comment=_comment(problem, words))
        for problem in some
    ]


def _comment(problem: Problem, words: Language) -> str:
    lines = [problem.told.what + "."]
    if problem.told.expected:
        lines.append(words.comment["expected"].format(text=problem.told.expected))
    if problem.told.proposals:
        lines.append(words.comment["proposed"].format(text=" / ".join(problem.told.proposals)))
    return "\n".join(lines)


def _verdicts(sheet: _Sheet) -> Verdicts:
    faulty = sheet.rows if sheet.rejected else sheet.rows & sheet.faulty
    return Verdicts(
        header=sheet.header_row,
        first_column=sheet.table_column,
        accepted=sorted(sheet.rows - faulty),
        faulty=sorted(faulty),
        beside=sheet.beside,
    )


# -- the first sheet --------------------------------------------------------------------------------


def _page(
    words: Language,
    read: _Read,
    problems: Sequence[Problem],
    *,
    name: str,
    payload: str,
    received: str,
    counts: tuple[int, int],
) -> Page:
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    say = words.page
    listed = list(problems[:LISTED])
    rows = [_listed(problem) for problem in listed]
    if len(problems) > LISTED:
        rows.append(("", "", "", words.comment["more"].format(count=len(problems) - LISTED), "", ""))
    facts = (
        ("partner", read.partner),
        ("file", name),
        ("received", received),
        ("rows", f"{sum(counts)}"),
        ("accepted", f"{counts[0]}"),
        ("faulty", f"{counts[1]}"),
    )
    unread = not read.sheets and errors > 0
    title = "title_unread" if unread else {0: "title_right", 1: "title_wrong_one"}.get(errors, "title_wrong")
    sentences = [say["unread"]] if unread else [say["how"], say["resend"]] if errors else []
    return Page(
        name=say["sheet"],
        title=say[title].format(count=errors, file=name),
        sentences=sentences,
        facts=[(words.facts[key], value) for key, value in facts if value],
        legend=[(kind, meaning) for kind, meaning in words.legend.items() if read.sheets],
        headings=[words.table[key] for key in ("place", "column", "value", "what", "expected", "proposed")],
        rows=rows,
        links=[(one.sheet, one.cell) if one.cell else None for one in listed] + [None] * (len(rows) - len(listed)),
        reference=REFERENCE + payload,
    )


def _received(instant: str, words: Language, zone: str) -> str:
    """When the file came, as the partner's clock showed it and as one writes it there."""
    if not instant:
        return ""
    return f"{datetime.fromisoformat(instant).astimezone(zone_of(zone)):{words.page['moment']}} {zone}"


def _listed(problem: Problem) -> tuple[str, ...]:
    told = problem.told
    return problem.place, problem.column, problem.value[:200], told.what, told.expected, " / ".join(told.proposals)


def _index(letters: str) -> int:
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - 64
    return index - 1
