"""How a partner's header differs from the one that a person confirmed: which column appeared, vanished, moved
or was given another name; and what might be meant. Nothing is taken for granted: it is only said."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.formats.workbook.cells import plain
from connectors.formats.workbook.headers import Fit, likeness, nearest, place
from connectors.formats.workbook.sheets import Sheet
from schemas.findings import Finding, Severity, Stage


def fingerprint(header: Sequence[str]) -> str:
    """12 hex digits that are the same as long as the same headers stand in the same order."""
    titles = "\x1f".join(plain(title) for title in header if title.strip())
    return hashlib.blake2b(titles.encode(), digest_size=6).hexdigest()


@dataclass(frozen=True, slots=True)
class Renamed:
    """A title that is gone, the one that may stand for it, and how alike they are, of 100."""

    old: str
    new: str
    index: int  #: of the new one's cell
    score: float
    in_place: bool  #: it stands where the old one stood


@dataclass(frozen=True, slots=True)
class Drift:
    """A header beside the one that was confirmed; titles as written, indexes those of cells now."""

    renamed: tuple[Renamed, ...]
    vanished: tuple[str, ...]
    appeared: tuple[tuple[str, int], ...]
    moved: tuple[tuple[str, int], ...]


def compare(fit: Fit, confirmed: Sequence[str]) -> Drift:
    """What differs from the ``confirmed`` headers; periods across are expected to move on and are left out."""
    periods = {period.index for period in fit.periods}
    now = {plain(title): index for index, title in enumerate(fit.header) if title.strip() and index not in periods}
    then = {plain(title): title for title in confirmed if title.strip()}
    gone = {key: title for key, title in then.items() if key not in now}
    come = {key: index for key, index in now.items() if key not in then}
    renamed: dict[str, Renamed] = {}
    for key, title in gone.items():
        taken = {plain(one.new) for one in renamed.values()}
        if one := _meant(title, {key: index for key, index in come.items() if key not in taken}, fit, confirmed):
            renamed[key] = one
    taken = {plain(one.new) for one in renamed.values()}
    kept = [key for key in then if key in now]
    moved = _moved(kept, sorted(kept, key=lambda one: now[one]))
    return Drift(
        renamed=tuple(renamed.values()),
        vanished=tuple(title for key, title in gone.items() if key not in renamed),
        appeared=tuple((fit.header[index], index) for key, index in come.items() if key not in taken),
        moved=tuple((then[key], now[key]) for key in moved),
    )


def _meant(title: str, come: Mapping[str, int], fit: Fit, confirmed: Sequence[str]) -> Renamed | None:
    """The new column that ``title`` may have become: the one most like it, else the one in its place."""
    found = [fit.header[index] for index in come.values()]
    if (near := nearest([title], found)) is not None:
        new = near[0]
    else:
        place = _index(title, confirmed)
        new = next((fit.header[index] for index in come.values() if _position(index, fit) == place), "")
    if not new:
        return None
    index = come[plain(new)]
    in_place = _position(index, fit) == _index(title, confirmed)
    return Renamed(title, new, index, likeness([title], [new])[1], in_place)


def drift(sheet: Sheet, fit: Fit, confirmed: Sequence[str]) -> Iterator[Finding]:
    """What differs from the ``confirmed`` headers, as findings."""
    if not confirmed:
        return
    found = compare(fit, confirmed)
    for one in found.renamed:
        yield _renamed(sheet, fit, one)
    for title in found.vanished:
        yield _vanished(sheet, fit, title)
    for title, index in found.appeared:
        read = index in fit.columns.values()
        yield _finding(
            "workbook.column_appeared",
            f"the column {title} is new; {'it is read' if read else 'nothing is read from it'}",
            place(sheet, index, fit.row),
            title,
            expected="no other column for what it is read as" if read else None,
            severity=Severity.WARNING if read else Severity.INFO,
        )
    for title, index in found.moved:
        yield _finding(
            "workbook.column_moved",
            f"the column {title} stands elsewhere than before; columns are found by name, so it was read",
            place(sheet, index, fit.row),
            fit.header[index],
            expected=f"after {_before(title, confirmed) or 'nothing: it was the first'}",
            severity=Severity.INFO,
        )


def _position(index: int, fit: Fit) -> int:
    return sum(1 for title in fit.header[:index] if title.strip())


def _index(title: str, confirmed: Sequence[str]) -> int:
    return [one for one in confirmed if one.strip()].index(title)


def _before(title: str, confirmed: Sequence[str]) -> str:
    at = confirmed.index(title)
    return confirmed[at - 1] if at else ""


def _moved(then: Sequence[str], now: Sequence[str]) -> list[str]:
    """Those that are not in the longest run that kept its order."""
    best: list[list[str]] = []
    place_now = {key: at for at, key in enumerate(now)}
    for key in then:
        runs = ([], *(run for run in best if place_now[run[-1]] < place_now[key]))
        best.append([*sorted(runs, key=len)[-1], key])
    kept = sorted(best, key=len)[-1] if best else []
    return [key for key in then if key not in kept]


def _renamed(sheet: Sheet, fit: Fit, one: Renamed) -> Finding:
    return _finding(
        "workbook.column_renamed",
        f"the column {one.old} is gone and {one.new} has come: it may be the same",
        place(sheet, one.index, fit.row),
        one.new,
        expected=f"{one.old}; if it is the same, `crossdock header confirm` says so once for all",
        severity=Severity.WARNING,
    )


def _vanished(sheet: Sheet, fit: Fit, title: str) -> Finding:
    return _finding(
        "workbook.column_vanished",
        f"the column {title} is gone",
        place(sheet, 0, fit.row),
        title,
        expected=f"a column {title}",
        severity=Severity.WARNING,
    )


def _finding(
    code: str, message: str, location: str, value: str, *, expected: str | None, severity: Severity
) -> Finding:
    return Finding(
        code=code,
        severity=severity,
        stage=Stage.STRUCTURE,
        message=message,
        location=location,
        value=value,
        expected=expected,
    )
