"""A new partner from a sample: what its file says is proposed, what it cannot say is asked, and a partner file written.

Who asks is a function, so that a person at a terminal, a list of options and a test are the same to this module.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl
import yaml

from connectors.formats.workbook import headers
from connectors.formats.workbook.agreement import agreed_on
from connectors.formats.workbook.cells import plain, text_of
from connectors.formats.workbook.headers import Fit
from connectors.formats.workbook.layout import layout_of
from connectors.formats.workbook.periods import periods_in
from connectors.formats.workbook.reader import CHUNK
from connectors.formats.workbook.sheets import Batch, Sheet, opened
from connectors.formats.workbook.unreadable import Unreadable
from crossdock.partners.language import language, languages
from crossdock.settings import Settings
from crossdock.translation import (
    Context,
    DocumentClosed,
    DocumentLines,
    DocumentOpened,
    Translated,
    compile_with,
    standard_context,
    translate_stream,
)
from mappings.frames import unframed
from mappings.headings import read_headings_of
from mappings.library import Library
from mappings.master_data import MasterData
from schemas.documents import DocumentStart
from schemas.errors import PermanentError
from schemas.findings import Finding
from schemas.lines import KINDS

if TYPE_CHECKING:
    from mappings.library import CompiledMapping

CONSTANT = "="  #: an answer that begins so is a value for all lines, not a header
_RECEIVED = "2026-01-01T06:00:00+00:00"  #: when the golden case's sample came, so that its events never change
#: Which languages a header's words are looked for in, when nobody has said.
_SPOKEN = ("en", "de", "es", "fr", "it", "pt", "nl", "pl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something that the sample does not say. ``proposal`` is what is taken when nothing is answered."""

    key: str  #: partner, name, language, timezone, email, document, decimal, dates, or a canonical field
    text: str
    proposal: str = ""
    choices: tuple[str, ...] = ()


Ask = Callable[[Question], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A partner file, what it makes of the sample, and what is still wrong with that."""

    partner: str
    text: str  #: of the partner file, YAML
    documents: tuple[str, ...]
    lines: pl.DataFrame
    events: tuple[Mapping[str, Any], ...]
    findings: tuple[Finding, ...]
    verdicts: tuple[Mapping[str, Any], ...] = field(default=())
    unread: bool = False  #: nothing of the sample is read as the file says


def propose(sample: Path, ask: Ask) -> Proposal:
    """Read the sample, ask what it does not say, and try the partner file out on it.

    Raises PermanentError for a sample that no format takes, or that holds nothing to go by.
    """
    from connectors.registry import recognise

    content = sample.read_bytes()
    format = recognise(content[:4096], sample.name)
    if format is None:
        raise PermanentError(f"{sample} is of no known format", hint="a sample is a workbook, .csv or an EDI file")
    told = _of_workbook(content, sample, ask) if format.name == "workbook" else _of_edi(content, sample, ask)
    text = yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=110)
    return _tried_out(told["partner"], text, content, sample.name)


def write(proposal: Proposal, sample: Path, *, partners: Path, golden: Path) -> list[Path]:
    """The partner file, and a golden folder for each document of it with what the sample gives now.

    Raises PermanentError rather than write over a file that is there.
    """
    file = partners / f"{proposal.partner.lower()}.yaml"
    if file.exists():
        raise PermanentError(f"{file} is there already", hint="say another --id, or take that file away first")
    partners.mkdir(parents=True, exist_ok=True)
    file.write_text(proposal.text, "utf-8")
    written = [file]
    for document in proposal.documents[:1]:
        case = golden / document / proposal.partner.lower().replace("-", "_")
        (case / "partners").mkdir(parents=True, exist_ok=True)
        (case / "partners" / file.name).write_text(proposal.text, "utf-8")
        (case / f"input{sample.suffix}").write_bytes(sample.read_bytes())
        metadata = {"partner": proposal.partner, "received_at": _RECEIVED}
        case_file = {"metadata": metadata, "lenient": True, "why": f"the sample of {proposal.partner}"}
        (case / "case.yaml").write_text(yaml.safe_dump(case_file, sort_keys=False), "utf-8")
        (case / "events.jsonl").write_text("".join(f"{line}\n" for line in _golden_events(proposal)), "utf-8")
        (case / "findings.jsonl").write_text("".join(f"{line}\n" for line in _golden_findings(proposal)), "utf-8")
        written.append(case)
    return written


# -- who it is --------------------------------------------------------------------------------------


def _partner(ask: Ask, *, id: str = "", language: str = "en", x12: str = "", edifact: str = "") -> dict[str, Any]:
    """The head of a partner file."""
    name = ask(Question(key="name", text="What is the partner called?", proposal=id.title()))
    proposed = re.sub(r"[^A-Z0-9]+", "-", (id or name).upper()).strip("-")
    told: dict[str, Any] = {
        "partner": ask(Question(key="partner", text="Its id in our master data", proposal=proposed)),
        "name": name,
        "tier": "transactional",
        "language": ask(Question(key="language", text="The language it is spoken to in", proposal=language)),
        "timezone": ask(Question(key="timezone", text="The time zone of its dates", proposal="UTC")),
    }
    email = ask(Question(key="email", text="The address it mails from; *@its.domain for all of them"))
    identities = {
        "x12": [x12] if x12 else [],
        "edifact": [edifact] if edifact else [],
        "email": [email] if email else [],
    }
    told["identities"] = {kind: names for kind, names in identities.items() if names}
    return told


# -- a workbook -------------------------------------------------------------------------------------


def _of_workbook(content: bytes, sample: Path, ask: Ask) -> dict[str, Any]:
    library = standard_context(lenient=True).library
    documents: dict[str, Any] = {}
    titles: list[str] = []
    encoding: str | None = None
    try:
        for sheet in opened(io.BytesIO(content)):
            if isinstance(sheet, Finding):
                encoding = sheet.value if sheet.code == "workbook.encoding_guessed" else encoding
                continue
            first = next(sheet.batches(CHUNK), None)
            chosen = None if first is None else _document(sheet, first, library, ask)
            if chosen is None:
                continue
            fit, agreement = chosen
            titles += [title for title in fit.header if title.strip()]
            if fit.plan.type not in documents:
                documents[fit.plan.type] = agreement | ({"encoding": encoding} if encoding else {})
    except Unreadable as error:
        raise PermanentError(f"{sample}: {error}", hint=error.finding.expected or "") from None
    if not documents:
        raise PermanentError(f"{sample} holds no table that is a document we know", hint="a header and rows below it")
    told = _partner(ask, id=_name_of(sample), language=_language_of(titles))
    return told | {
        "documents": documents,
        "acknowledge": {"application": "workbook", "within": "1d", "to": "workbook-outbox"},
    }


def _document(sheet: Sheet, first: Batch, library: Library, ask: Ask) -> tuple[Fit, dict[str, Any]] | None:
    """What a sheet is, and how it is read; None where it is no document."""
    mappings = [one for type_, one in sorted(library.standard.items()) if type_.startswith("workbook.")]
    fits = headers.fits(sheet, first, [(one.plan, layout_of(one.plan).headings) for one in mappings])
    if not fits:
        return None
    choices = tuple(one.document for one in mappings)
    text = f"What is {f'the sheet {sheet.name}' if sheet.name else 'this table'}? (nothing: no document)"
    type_ = ask(Question(key="document", text=text, proposal=_likeliest(fits, sheet).plan.type, choices=("", *choices)))
    fit = next((fit for fit in fits if fit.plan.type == type_), None)
    if fit is None:
        return None
    mapping = library.standard[type_]
    header, constants = _columns(fit, mapping, ask)
    fit = _confirmed(fit, mapping, header)
    agreement: dict[str, Any] = {"extends": f"standard/{mapping.name.partition('/')[2]}"}
    if sheet.name:
        agreement["sheet"] = re.sub(r"[0-9]+", "*", sheet.name)
    agreement |= _written(sheet, fit, ask)
    across = {period.index for period in fit.periods}
    agreement["columns"] = [one for at, one in enumerate(fit.header) if one.strip() and at not in across]
    agreement["header"] = header
    if constants:
        agreement["fields"] = constants
    return fit, agreement


def _likeliest(fits: Sequence[Fit], sheet: Sheet) -> Fit:
    """The document that the sheet is called by, in any language, where it fits; else the one that fits best."""
    name = plain(sheet.name)

    def is_called(fit: Fit) -> bool:
        kind = fit.plan.type.partition(".")[2]
        called = any(plain(language(code).documents.get(kind, "?")) in name for code in languages())
        return called and len(fit.missing) <= len(fits[0].missing)

    return next(filter(is_called, fits), fits[0])


def _columns(fit: Fit, mapping: CompiledMapping, ask: Ask) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """Which column serves which field: as recognised, else as a person confirms; and what stands for a missing one."""
    header: dict[str, list[str]] = {}
    taken: set[str] = set()
    for name, rule in mapping.rules.items():
        if (path := next((path for path in rule.paths if path in fit.columns), None)) is not None:
            header[name] = [fit.titles[path]]
            taken.add(fit.titles[path])
    constants: dict[str, Any] = {}
    across = {period.index for period in (*fit.periods, *periods_in(list(fit.header)))}
    for name in fit.missing:
        rule = mapping.rules[name]
        free = [one for at, one in enumerate(fit.header) if one.strip() and one not in taken and at not in across]
        near = headers.nearest([path for path in rule.paths if not path.startswith("@")], free) if free else None
        meaning = KINDS[mapping.kind][name].doc
        text = f"Which column holds {name} ({meaning})? A header, or {CONSTANT}value for all lines"
        answer = ask(Question(key=name, text=text, proposal=near[0] if near else "", choices=tuple(free)))
        if answer.startswith(CONSTANT):
            given = {"const": answer.removeprefix(CONSTANT).strip(), "required": True}
            constants[name] = given | ({"lookup": rule.lookup.value} if rule.lookup else {})
        elif match := next((one for one in free if plain(one) == plain(answer)), None):
            header[name] = [match]
            taken.add(match)
    return header, constants


def _confirmed(fit: Fit, mapping: CompiledMapping, header: Mapping[str, Sequence[str]]) -> Fit:
    """The fit with the columns that a person named."""
    columns, titles = dict(fit.columns), dict(fit.titles)
    for name, (title,) in header.items():
        paths = [path for path in mapping.rules[name].paths if not path.startswith("@")]
        if not any(path in columns for path in paths):
            columns[paths[0]], titles[paths[0]] = fit.header.index(title), title
    return replace(fit, columns=columns, titles=titles)


def _written(sheet: Sheet, fit: Fit, ask: Ask) -> dict[str, str]:
    """The decimal mark and the order of dates, as all of a column proves; asked where none does."""
    agreed, doubts = agreed_on(sheet, fit)
    told: dict[str, str] = {}
    for key, found, choices in (("decimal", agreed.marks, (".", ",")), ("dates", agreed.orders, ("dmy", "mdy", "ymd"))):
        proved = Counter(found.values()).most_common(1)
        doubt = next((one for one in doubts if one.code.startswith(f"workbook.{key}_")), None)
        if doubt is not None:
            proposal = proved[0][0] if proved else ""
            text = f"{doubt.message}: {doubt.value}. Which is it?"
            answer = ask(Question(key=key, text=text, proposal=proposal, choices=choices))
            if answer:
                told[key] = answer
        elif proved:
            told[key] = proved[0][0]
    return told


def _language_of(titles: Sequence[str]) -> str:
    folder = Settings.from_environment({}).mappings.parent / "headings"
    wanted = {plain(title) for title in titles}
    scores = {
        code: len(wanted & {plain(word) for words in read_headings_of(folder, code).values() for word in words})
        for code in _SPOKEN
    }
    return max(_SPOKEN, key=lambda code: scores[code])


def _name_of(sample: Path) -> str:
    return re.sub(r"[^A-Za-z]+", " ", sample.stem).strip().split(" ")[0].upper()


# -- EDI --------------------------------------------------------------------------------------------


def _of_edi(content: bytes, sample: Path, ask: Ask) -> dict[str, Any]:
    context = standard_context(lenient=True)
    starts = [
        item.document.start for item in _translated(content, sample.name, context) if isinstance(item, DocumentOpened)
    ]
    known = [start for start in starts if start.type in context.library.standard]
    if not known:
        raise PermanentError(f"{sample} holds no document that we have a mapping for")
    return _edi_partner(known, context.library, ask)


def _edi_partner(starts: Sequence[DocumentStart], library: Library, ask: Ask) -> dict[str, Any]:
    format, sender = starts[0].type.partition(".")[0], starts[0].sender
    own = {"x12": sender} if format == "x12" else {"edifact": sender} if format == "edifact" else {}
    told = _partner(ask, id=sender.partition(":")[2] if format == "x12" else "", **own)
    told["documents"] = {
        type_: {"extends": library.standard[type_].name} for type_ in dict.fromkeys(start.type for start in starts)
    }
    functional = {"x12": 997, "edifact": "contrl"}.get(format)
    if functional:
        told["acknowledge"] = {"functional": functional, "within": "30m"}
    return told


# -- trying it out ----------------------------------------------------------------------------------


def _tried_out(partner: str, text: str, content: bytes, name: str) -> Proposal:
    """What the partner file makes of the sample. Raises ConfigError where the file itself does not hold."""
    import tempfile

    from connectors.registry import formats

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / f"{partner.lower()}.yaml").write_text(text, "utf-8")
        mappings = Settings.from_environment({}).mappings
        library = Library.load(mappings, Path(folder), compile=compile_with(formats()))
    context = Context(library=library, master=MasterData.empty(), formats=formats(), lenient=True)
    documents: list[str] = []
    lines: list[pl.DataFrame] = []
    events: list[Mapping[str, Any]] = []
    pending: list[Mapping[str, Any]] = []
    findings: list[Finding] = []
    verdicts: list[Mapping[str, Any]] = []
    for item in _translated(content, name, context, partner):
        match item:
            case DocumentOpened(document=document):
                pending = []
                documents.append(document.start.type)
            case DocumentLines():
                lines.append(item.lines)
                pending += unframed(item.events).to_dicts()
                findings += item.findings
            case DocumentClosed():
                events += pending if item.status != "rejected" else []
                findings += item.findings
                verdicts.append(_verdict(item, findings[sum(len(one["findings"]) for one in verdicts) :]))
            case Finding():
                findings.append(item)
    return Proposal(
        partner=partner,
        text=text,
        documents=tuple(dict.fromkeys(documents)),
        lines=pl.concat(lines, how="diagonal") if lines else pl.DataFrame(),
        events=tuple(events),
        findings=tuple(findings),
        verdicts=tuple(verdicts),
        unread=not {type_ for _, type_ in library.agreed} & set(documents),
    )


def _translated(content: bytes, name: str, context: Context, partner: str = "") -> Iterator[Translated]:
    metadata = {"received_at": _RECEIVED} | ({"partner": partner} if partner else {})
    payload = hashlib.sha256(content).hexdigest()
    return translate_stream(io.BytesIO(content), payload=payload, name=name, metadata=metadata, context=context)


def _verdict(closed: DocumentClosed, findings: Sequence[Finding]) -> Mapping[str, Any]:
    document = closed.document
    told = {
        "document": document.start.type,
        "control_number": document.start.control_number,
        "partner": document.partner,
        "status": closed.status,
        "lines": closed.lines,
        "events": closed.events,
        "parked": closed.parked,
    }
    return {"told": told, "findings": tuple(findings)}


def _golden_events(proposal: Proposal) -> Iterator[str]:
    for row in proposal.events:
        data = json.loads(row["data"])
        del data["lineage"]["mapping_version"]
        told = {name: row[name] for name in ("id", "stream", "kind", "subject", "time", "line")}
        yield json.dumps(told | {"data": data}, ensure_ascii=False)


def _golden_findings(proposal: Proposal) -> Iterator[str]:
    for verdict in proposal.verdicts:
        yield json.dumps(verdict["told"], ensure_ascii=False)
        yield from (msgspec.json.encode(finding).decode() for finding in verdict["findings"])


def shown(proposal: Proposal, most: int = 5) -> tuple[list[str], list[list[str]]]:
    """The first lines for people: the columns that are filled at all, and their texts."""
    table = proposal.lines.head(most)
    names = [name for name in table.columns if not name.startswith("_") and table[name].null_count() < table.height]
    return names, [[text_of(row[name]) for name in names] for row in table.to_dicts()]
