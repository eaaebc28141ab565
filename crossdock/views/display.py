"""The small pieces every view is made of: the terminal, words, errors, findings, events.

All of it is Rich renderables made of plain data. They fold to the width they are given, say
everything without colour, and are plain when the output is not a terminal.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.rule import Rule
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from schemas.errors import ConfigError, CrossdockError, TransientError
from schemas.findings import Finding, Severity

PLACES = 3  #: places of a finding that are named
PIPED = 120  #: width when nobody's terminal tells one

SEVERITY_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}
STREAM_STYLES = {"demand": "magenta", "shipment": "blue", "inventory": "green"}
DIM = "bright_black"


def console(*, stderr: bool = False) -> Console:
    """The terminal, or 120 plain columns where there is none (``COLUMNS`` still has its say)."""
    made = Console(stderr=stderr, highlight=False, emoji=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = PIPED
    return made


# -- words ------------------------------------------------------------------------------------------


def count(number: int, singular: str, plural: str = "") -> str:
    """``1 line``, ``1,234 lines``."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def size(number: int) -> str:
    """Bytes for people: ``312 B``, ``4.2 kB``, ``1.1 GB``."""
    amount = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("unreachable")


def phrases(*parts: str | Text) -> Text:
    """The parts that say something, with a middle dot between them."""
    said = Text()
    for part in parts:
        if not part:
            continue
        if said:
            said.append(" · ", style=DIM)
        said.append_text(Text(part) if isinstance(part, str) else part)
    return said


def clock(instant: datetime) -> str:
    """An instant to the second, in UTC."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def plain_table() -> Table:
    """A table without a frame: headers dim, two blanks between columns."""
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=DIM)


class Heading:
    """A title above a section: with a rule on a terminal, alone elsewhere."""

    def __init__(self, title: str) -> None:
        self.title = Text(title, style="bold")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text()
        yield Rule(self.title, align="left", style=DIM) if console.is_terminal else self.title


class Indented:
    """Something moved to the right, without the blanks that Rich leaves at the ends of lines."""

    def __init__(self, by: int, *renderables: RenderableType) -> None:
        self.by = by
        self.renderable = Group(*renderables)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(options.max_width - self.by, 20)
        for line in console.render_lines(self.renderable, options.update_width(width), pad=False):
            yield Segment(" " * self.by)
            yield from _trimmed(line)
            yield Segment.line()


def _trimmed(line: Sequence[Segment]) -> list[Segment]:
    kept = list(line)
    while kept and not kept[-1].text.strip():
        kept.pop()
    if kept:
        kept[-1] = Segment(kept[-1].text.rstrip(), kept[-1].style, kept[-1].control)
    return kept


def show(console: Console, *renderables: RenderableType) -> None:
    """Print without trailing blanks."""
    console.print(Indented(0, *renderables), end="")


# -- errors -----------------------------------------------------------------------------------------


def error_view(error: Exception) -> RenderableType:
    """An error's sentence, its problems one a line, its hint, and whether trying again helps."""
    if not isinstance(error, CrossdockError):
        return Group(
            Text.assemble(("unexpected: ", "bold red"), f"{type(error).__name__}: {error}"),
            Text("This should not happen. `crossdock --debug ...` shows the whole story.", style=DIM),
        )
    rows: list[RenderableType] = [Text.assemble((f"{_kind(error)}: ", "bold red"), error.message)]
    if isinstance(error, ConfigError):
        rows += [Indented(2, Text(problem)) for problem in error.problems]
    if error.hint:
        rows.append(Text.assemble(("what to do: ", "bold"), error.hint))
    if isinstance(error, TransientError):
        after = f" after {error.retry_after:g} s" if error.retry_after else ""
        rows.append(Text(f"Trying again{after} may well work; nothing was lost.", style=DIM))
    return Group(*rows)


def _kind(error: CrossdockError) -> str:
    match error:
        case ConfigError():
            return "configuration"
        case TransientError():
            return "not now"
        case _:
            return "stopped"


# -- findings ---------------------------------------------------------------------------------------


def as_row(finding: Finding) -> dict[str, Any]:
    """A finding in the form the ledger lists them."""
    import msgspec

    return msgspec.structs.asdict(finding)


def finding_view(rows: Sequence[Mapping[str, Any]], places: Sequence[str]) -> RenderableType:
    """Findings of one kind: where they stand, what is wrong, the value found there and what was expected.

    Several values that are wrong in the same way are listed, each with its place.
    """
    first = rows[0]
    severity, expected = str(first["severity"]), first.get("expected")
    standard = " ".join(f"{name} {code}" for name, code in (first.get("standard") or {}).items())
    together = len({row["message"] for row in rows}) > 1
    head = phrases(
        Text.assemble((f"{severity:<8}", SEVERITY_STYLES[severity]), (str(first["code"]), "bold")),
        Text(f"{len(rows):,} places" if together else _listed(places)),
        Text(standard, style=DIM),
    )
    said = _listed([f"{quoted(row.get('value') or '')} at {place}" for row, place in zip(rows, places, strict=True)])
    value = first.get("value")
    found = (
        ""
        if together or value is None or str(value) in first["message"]
        else Text.assemble(("found ", DIM), quoted(value))
    )
    pair = phrases(found, Text.assemble(("expected ", DIM), str(expected)) if expected else "")
    return Group(head, Indented(8, Text(said if together else str(first["message"])), *([pair] if pair else [])))


def _listed(places: Sequence[str]) -> str:
    """``row 1, row 2, row 3 and 12 more``."""
    shown, more = places[:PLACES], len(places) - PLACES
    comma = "; " if any("," in one for one in shown) else ", "
    return comma.join(shown) + (f" and {more:,} more" if more > 0 else "")


def place(row: Mapping[str, Any], file: str = "") -> str:
    """Where to go: ``file``, then the finding's own place in it."""
    location = str(row.get("location") or "")
    return ", ".join(part for part in (file, location) if part) or "the file as a whole"


def quoted(value: object, longest: int = 120) -> str:
    """The value as it stands there: what cannot be printed made visible, the end of a long one left out."""
    text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in str(value))
    return f"“{text if len(text) <= longest else text[: longest - 1] + '…'}”"


def findings_view(rows: Sequence[Mapping[str, Any]], *, most: int = 20, files: bool = False) -> RenderableType:
    """Findings, the gravest first and those on whole documents before those on lines.

    ``most`` kinds of them are told in full, the rest counted by code. Errors that say the same of
    several places are told once, and milder ones once for each code. With ``files`` each place names
    its file.
    """
    kinds: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (-Severity(row["severity"]).rank, row.get("line") is not None)):
        same = ("message", "value") if row["severity"] == "error" else ()
        kinds.setdefault(tuple(row.get(name) for name in ("severity", "code", "expected", *same)), []).append(row)
    told = list(kinds.values())
    shown = [finding_view(kind, [place(row, source(row) if files else "") for row in kind]) for kind in told[:most]]
    left: Counter[str] = Counter()
    for kind in told[most:]:
        left[kind[0]["code"]] += len(kind)
    if left:
        more = ", ".join(f"{number:,} x {code}" for code, number in left.most_common())
        shown.append(Text(f"and {count(left.total(), 'more finding')}: {more}", style=DIM))
    return Group(*shown)


def source(row: Mapping[str, Any]) -> str:
    """Which file of which channel a listed finding or parked line is about."""
    name = " ".join(str(row[key]) for key in ("channel", "name") if row.get(key))
    document = " ".join(str(row[key]) for key in ("type", "control_number") if row.get(key))
    return ", ".join(part for part in (name, document) if part)


def tally(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Findings by severity, gravest first."""
    counts = {severity.value: 0 for severity in sorted(Severity, key=lambda s: -s.rank)}
    for row in rows:
        counts[str(row["severity"])] += 1
    return counts


def tally_view(counts: Mapping[str, int]) -> Text:
    """``2 errors · 1 warning``, or nothing at all when nothing was found."""
    names = {"error": ("error", "errors"), "warning": ("warning", "warnings"), "info": ("note", "notes")}
    return phrases(
        *(
            Text(count(counts[severity], *words), style=SEVERITY_STYLES[severity])
            for severity, words in names.items()
            if counts.get(severity)
        )
    )


# -- events -----------------------------------------------------------------------------------------


def events_table(events: Iterable[Mapping[str, Any]]) -> Table:
    """Events, a row each: what happened, to which item, where, how much, when, and the references.

    Each needs ``stream, kind, item, site, time`` and ``data`` (the stream's model as a dict); with a
    ``position`` in the feed that is shown first.
    """
    rows = list(events)
    table = plain_table()
    positions = any("position" in row for row in rows)
    if positions:
        table.add_column("#", justify="right", style=DIM)
    table.add_column("event", no_wrap=True)
    for name in ("item", "site"):
        table.add_column(name, overflow="fold")
    table.add_column("quantity", justify="right", no_wrap=True)
    table.add_column("time", no_wrap=True)
    table.add_column("references", overflow="fold", style=DIM)
    for row in rows:
        cells = [
            Text.assemble((row["stream"], STREAM_STYLES.get(row["stream"], "")), f" {row['kind']}"),
            Text(str(row["item"])),
            Text(str(row["site"])),
            Text(quantity(row["data"])),
            Text(moment(str(row["time"]))),
            Text(references(row["data"])),
        ]
        table.add_row(*([Text(str(row.get("position", "")))] if positions else []), *cells)
    return table


def quantity(data: Mapping[str, Any]) -> str:
    """``12 CT = 144 EA``; once where the unit as sent is the item's own."""
    sent, base = f"{data['quantity']} {data['unit']}", f"{data['base_quantity']} {data['base_unit']}"
    return sent if sent == base else f"{sent} = {base}"


def moment(time: str) -> str:
    """An ISO 8601 instant to the minute with its zone, the day alone where it is midnight."""
    day, _, clock = time.partition("T")
    return day if clock[:8] in ("", "00:00:00") else f"{day} {clock[:5]}{_ZONE.sub('', clock)}"


_ZONE = re.compile(r"^[0-9:.]*")


def references(data: Mapping[str, Any]) -> str:
    """``order 4500012 / 10, shipment S-77``: the numbers the partners speak by; else lot, package or serial."""
    refs = data.get("references") or {}
    order = " / ".join(refs[key] for key in ("order", "order_line", "schedule") if refs.get(key))
    named = [f"{key} {refs[key]}" for key in ("shipment", "receipt", "release") if refs.get(key)]
    lesser = [f"{key} {refs[key]}" for key in ("lot", "package", "serial") if refs.get(key)]
    return ", ".join(([f"order {order}"] if order else []) + named or lesser)
