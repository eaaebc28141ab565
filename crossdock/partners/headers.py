"""The header of a partner's sheet beside the one that a person confirmed: what is proposed, and the word on it.

What a person confirms stands in the partner's file, once for all: ``columns``, the header as it is now, and under
``header`` the new name of each field. Whatever waited for it is read then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from connectors.formats.workbook import headers
from connectors.formats.workbook.cells import plain, text_of
from connectors.formats.workbook.drift import Drift, compare, fingerprint
from connectors.formats.workbook.headers import Fit
from connectors.formats.workbook.layout import layout_of
from connectors.formats.workbook.reader import CHUNK, best_fits, wanting
from connectors.formats.workbook.sheets import Batch, Sheet, opened
from connectors.formats.workbook.unreadable import Unreadable
from crossdock.desk import Desk
from crossdock.partners.partner_file import file_of, put
from schemas.configuration import unknown
from schemas.errors import ConfigError, PermanentError
from schemas.findings import Finding
from schemas.lines import KINDS

if TYPE_CHECKING:
    from connectors.archive import Archive
    from crossdock.ledger import PayloadRecord
    from crossdock.translation import Context
    from mappings.library import CompiledMapping
    from mappings.spec import Partner

LIKELY = headers.NEAR  #: likeness, of 100, from which a proposal is taken by who answers nothing
_WORTH_SAYING = 50
_LOOKED_THROUGH = 50  #: rows among which a column's first values are looked for
_SHOWN = 3  #: of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """A field without a column, the header it had, and the one that may hold it now; empty where none may."""

    field: str
    meaning: str
    old: str
    new: str
    score: float  #: how alike they are, of 100
    in_place: bool  #: the new header stands where the old one stood

    @property
    def is_likely(self) -> bool:
        return bool(self.new) and (self.score >= LIKELY or self.in_place)


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it is now: its header, and the first values below it, each once."""

    title: str
    says: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One sheet whose header is not the one that was confirmed."""

    partner: str
    document: str  #: its type, as workbook.stock
    location: str
    confirmed: tuple[str, ...]
    columns: tuple[Column, ...]  #: as they are now, periods and blank headers left out
    drift: Drift
    missing: tuple[str, ...]  #: fields without which the sheet is not read
    proposed: tuple[Proposed, ...]

    @property
    def header(self) -> tuple[str, ...]:
        return tuple(column.title for column in self.columns)

    @property
    def before(self) -> str:
        """The fingerprint of what was confirmed; empty where nothing was."""
        return fingerprint(self.confirmed) if self.confirmed else ""

    @property
    def now(self) -> str:
        return fingerprint(self.header)

    @property
    def likely(self) -> dict[str, str]:
        """Which header holds which field, by those proposals that are likely."""
        return {one.field: one.new for one in self.proposed if one.is_likely}


def reviews(record: PayloadRecord, *, archive: Archive, context: Context) -> list[Review]:
    """The sheets of a payload of which something is to be confirmed.

    Raises PermanentError where it is no workbook that can be opened, ConfigError where nobody knows whose it is.
    """
    desk = Desk(context.formats["workbook"], record.sha256, record.metadata, context)
    partner, name = desk.partner(record.metadata.get("from", ""))
    if partner is None:
        raise ConfigError(f"payload {record.id} is of {name or 'nobody we know'}, who has no partner file")
    try:
        with archive.open(record.sha256) as stream:
            return list(_reviews(stream, desk, partner, record.metadata.get("from", "")))
    except Unreadable as error:
        raise PermanentError(f"{record.name}: {error}", hint=error.finding.expected or "") from None


def confirm(review: Review, meant: Mapping[str, str], *, partner: Partner, folder: Path) -> tuple[Path, str]:
    """The partner's file and its new text: the header as it is now, and what its columns ``meant`` are, by field.

    Raises ConfigError for a field or a header that is not there.
    """
    fields = {one.field for one in review.proposed}
    titles = {plain(title): title for title in review.header}
    problems = [unknown("field", name, fields) for name in meant if name not in fields]
    problems += [unknown("header", title, review.header) for title in meant.values() if plain(title) not in titles]
    if problems:
        raise ConfigError("that cannot be confirmed", problems=tuple(problems))
    path = file_of(review.partner, folder)
    text = path.read_text("utf-8")
    agreement = partner.documents.get(review.document)
    known = agreement.header if agreement is not None else {}
    for name, given in meant.items():
        title = titles[plain(given)]
        own = known.get(name, [])
        if plain(title) not in map(plain, own):
            text = put(text, ("documents", review.document, "header", name), [*own, title])
    return path, put(text, ("documents", review.document, "columns"), list(dict.fromkeys(review.header)))


def _reviews(stream: BinaryIO, desk: Desk, partner: Partner, sender: str) -> Iterator[Review]:
    library = desk.context.library
    plans = desk.candidates(sender)
    encodings = [str(plan.options["encoding"]) for plan in plans if plan.options.get("encoding")]
    for sheet in opened(stream, tuple(dict.fromkeys(encodings))):
        first = None if isinstance(sheet, Finding) else next(sheet.batches(CHUNK), None)
        if isinstance(sheet, Finding) or first is None:
            continue
        fit = _likeliest(best_fits(sheet, first, wanting(sheet, plans)))
        if fit is None:
            continue
        mapping = library.mapping_for(partner, fit.plan.type)
        if mapping is not None and (found := _review(sheet, first, fit, mapping, partner.partner)) is not None:
            yield found


def _likeliest(fits: Sequence[Fit]) -> Fit | None:
    """The one that is read, else the one whose confirmed header it most resembles, else the nearest."""
    if not fits or fits[0].complete:
        return fits[0] if fits else None

    def alike(fit: Fit) -> int:
        return len({plain(title) for title in layout_of(fit.plan).columns} & {plain(title) for title in fit.header})

    return max(fits, key=alike)  # the first of those that are alike


def _review(sheet: Sheet, first: Batch, fit: Fit, mapping: CompiledMapping, partner: str) -> Review | None:
    confirmed = layout_of(fit.plan).columns
    drift = compare(fit, confirmed)
    differs = bool(confirmed) and bool(drift.renamed or drift.vanished or drift.appeared or drift.moved)
    if not differs and not fit.missing:
        return None
    return Review(
        partner=partner,
        document=fit.plan.type,
        location=headers.place(sheet, 0, fit.row),
        confirmed=confirmed,
        columns=tuple(_columns(fit, first)),
        drift=drift,
        missing=fit.missing,
        proposed=tuple(_proposed(fit, drift, mapping)),
    )


def _columns(fit: Fit, first: Batch) -> Iterator[Column]:
    below = [row for number, row in zip(first.numbers, first.rows, strict=True) if number > fit.row][:_LOOKED_THROUGH]
    across = {period.index for period in fit.periods}
    for at, title in enumerate(fit.header):
        if title.strip() and at not in across:
            texts = (text_of(row[at]) for row in below if at < len(row))
            yield Column(title, tuple(islice(dict.fromkeys(text for text in texts if text), _SHOWN)))


def _proposed(fit: Fit, drift: Drift, mapping: CompiledMapping) -> Iterator[Proposed]:
    """For each field that has lost its column, and for each that is needed and has none, what may hold it."""
    headings = layout_of(fit.plan).headings
    had: dict[str, str] = {}
    for title in chain((one.old for one in drift.renamed), drift.vanished):
        for path in headings.paths_of.get(plain(title), ()):
            had |= {name: title for name in headings.fields_of.get(path, ()) if name not in fit.fields}
    free = _free(fit)
    renamed = {one.old: one for one in drift.renamed}
    taken: set[str] = set()
    for name in sorted({*had, *fit.missing}, key=lambda one: had.get(one, "") not in renamed):
        old = had.get(name, "")
        left = [title for title in free if title not in taken]
        meaning = KINDS[mapping.kind][name].doc
        if (one := renamed.get(old)) is not None and one.new not in taken:
            new, score, in_place = one.new, one.score, one.in_place
        else:
            paths = [path for path in headings.fields.get(name, ()) if not path.startswith("@")]
            new, score = headers.likeness([*([old] if old else ()), *paths], left)
            in_place = False
            new, score = (new, score) if score >= _WORTH_SAYING else ("", 0.0)
        taken |= {new}
        yield Proposed(field=name, meaning=meaning, old=old, new=new, score=score, in_place=in_place)


def _free(fit: Fit) -> list[str]:
    """Headers from which nothing is read."""
    used = {*fit.columns.values(), *(period.index for period in fit.periods)}
    return [title for at, title in enumerate(fit.header) if title.strip() and at not in used]
