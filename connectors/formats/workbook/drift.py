"""How a partner's header differs from the one that a person confirmed: which column appeared, vanished, moved
or was given another name; and what might be meant. Nothing is taken for granted: it is only said."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from connectors.formats.workbook.cells import plain
from connectors.formats.workbook.headers import Fit, nearest, place
from connectors.formats.workbook.sheets import Sheet
from schemas.findings import Finding, Severity, Stage


def fingerprint(header: Sequence[str]) -> str:
    """12 hex digits that are the same as long as the same headers stand in the same order."""
    titles = "\x1f".join(plain(title) for title in header if title.strip())
    return hashlib.blake2b(titles.encode(), digest_size=6).hexdigest()


def drift(sheet: Sheet, fit: Fit, confirmed: Sequence[str]) -> Iterator[Finding]:
    """What differs from the ``confirmed`` headers; periods across are expected to move on and are left out."""
    if not confirmed:
        return
    periods = {period.index for period in fit.periods}
    now = {plain(title): index for index, title in enumerate(fit.header) if title.strip() and index not in periods}
    then = {plain(title): title for title in confirmed if title.strip()}
    vanished = {key: title for key, title in then.items() if key not in now}
    appeared = {key: index for key, index in now.items() if key not in then}
    renamed: dict[str, str] = {}
    for key, title in vanished.items():
        near = nearest([title], [fit.header[index] for one, index in appeared.items() if one not in renamed.values()])
        same_place = next(
            (one for one, index in appeared.items() if _position(index, fit) == _index(title, confirmed)), None
        )
        new = plain(near[0]) if near is not None else same_place
        if new is not None and new not in renamed.values():
            renamed[key] = new
    for key, title in vanished.items():
        yield _renamed(sheet, fit, title, appeared[renamed[key]]) if key in renamed else _vanished(sheet, fit, title)
    for key, index in appeared.items():
        if key not in renamed.values():
            yield _finding(
                "workbook.column_appeared",
                f"the column {fit.header[index]} is new; nothing is read from it",
                place(sheet, index, fit.row),
                fit.header[index],
                expected=None if index not in fit.columns.values() else "no other column for what it is read as",
                severity=Severity.INFO if index not in fit.columns.values() else Severity.WARNING,
            )
    kept = [key for key in then if key in now]
    for key in _moved(kept, sorted(kept, key=lambda one: now[one])):
        yield _finding(
            "workbook.column_moved",
            f"the column {then[key]} stands elsewhere than before; columns are found by name, so it was read",
            place(sheet, now[key], fit.row),
            fit.header[now[key]],
            expected=f"after {_before(then[key], confirmed) or 'nothing: it was the first'}",
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


def _renamed(sheet: Sheet, fit: Fit, title: str, index: int) -> Finding:
    new = fit.header[index]
    return _finding(
        "workbook.column_renamed",
        f"the column {title} is gone and {new} has come: it may be the same",
        place(sheet, index, fit.row),
        new,
        expected=f"{title}; if it is the same, add {new!r} to the header names in the partner's file",
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
