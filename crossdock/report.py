"""What was done, for people: a checked file, a run, and what the ledger holds.

Shared by the command line and the demo.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from crossdock.display import (
    DIM,
    STREAM_STYLES,
    as_row,
    count,
    error_view,
    events_table,
    findings_view,
    heading,
    phrases,
    tally,
    tally_view,
)

if TYPE_CHECKING:
    from crossdock.check import Checked
    from crossdock.dock import ChannelRun, Run

WIDE = 100  #: columns from which a table of channels fits; below it they are listed
SAMPLE = 5  #: events of a checked document that are shown


# -- a checked file ---------------------------------------------------------------------------------

STATUS_STYLES = {"accepted": "green", "accepted_with_errors": "yellow", "rejected": "bold red"}


def checked_view(file: Path, checked: Sequence[Checked]) -> RenderableType:
    """A file's documents with their first events and findings, and one line that sums it up."""
    return Group(
        heading(str(file)),
        *(checked_document_view(one) for one in checked),
        Padding(_checked_sum(checked), (1, 0, 0, 0)),
    )


def checked_document_view(one: Checked) -> RenderableType:
    """One document: what it is and from whom, its first events, its findings."""
    head = phrases(
        Text.assemble((one.type, "bold"), f" {one.control_number}" if one.control_number else ""),
        f"from {one.partner}"
        if one.partner
        else Text("from a sender nobody knows", style="yellow")
        if one.is_document
        else "",
        count(one.lines, "line") if one.is_document else "",
        count(one.events, "event") if one.is_document else "",
        Text(f"{one.parked:,} parked", style="yellow") if one.parked else "",
        Text(one.status.replace("_", " "), style=STATUS_STYLES.get(one.status, "")),
    )
    rows: list[RenderableType] = [Padding(head, (1, 0, 0, 0))]
    if one.sample:
        rows.append(Padding(events_table(one.sample), (0, 0, 0, 2)))
        if one.events > len(one.sample):
            rows.append(
                Padding(Text(f"and {count(one.events - len(one.sample), 'more event')}", style=DIM), (0, 0, 0, 2))
            )
    if one.findings:
        rows.append(Padding(findings_view([as_row(f) for f in one.findings]), (0, 0, 0, 2)))
    return Group(*rows)


def _checked_sum(checked: Sequence[Checked]) -> Text:
    documents = [one for one in checked if one.is_document]
    found = tally_view(tally(as_row(f) for one in checked for f in one.findings))
    return phrases(
        Text(count(len(documents), "document"), style="bold"),
        count(sum(one.lines for one in documents), "line"),
        count(sum(one.events for one in documents), "event"),
        found or Text("nothing to complain of", style="green"),
    )


# -- a run ------------------------------------------------------------------------------------------


def run_view(run: Run) -> RenderableType:
    """What one run of the pipeline did: a line a channel and outlet, and what stopped any of them."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for one in run.channels:
        grid.add_row(one.channel, _channel_run(one))
    for outlet, number in run.published.items():
        grid.add_row(outlet, f"{count(number, 'event')} published" if number else "nothing new to publish")
    for outlet in run.undelivered:
        grid.add_row(outlet, Text("not published", style="bold red"))
    return Group(grid, *(Padding(error_view(error), (1, 0, 0, 0)) for error in run.errors))


def _channel_run(one: ChannelRun) -> Text:
    masters = [
        Text(f"{load.table} v{load.version}") if load.version else Text(f"{load.table} held back", style="bold red")
        for load in one.masters
    ]
    if masters:
        return phrases(*masters)
    said = phrases(
        count(one.received, "payload") if one.received else "",
        count(one.documents, "document") if one.documents else "",
        count(one.lines, "line") if one.lines else "",
        count(one.events, "new event") if one.events else "",
        f"{one.unchanged:,} unchanged" if one.unchanged else "",
        Text(f"{one.parked:,} parked", style="yellow") if one.parked else "",
        Text(count(one.rejected, "document rejected", "documents rejected"), style="bold red") if one.rejected else "",
        count(one.findings, "finding") if one.findings else "",
    )
    return said or Text("stopped" if one.errors else "nothing new", style="bold red" if one.errors else DIM)


class Bars:
    """Progress on the terminal, a bar a channel: bytes read, lines through. Silent where there is no terminal."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            DownloadColumn(),
            TextColumn("{task.fields[lines]:,} lines"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: Any = None
        self._lines = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def begin(self, what: str, total: int) -> None:
        self._lines = 0
        self._task = self._progress.add_task(what, total=total or None, lines=0)

    def advance(self, done: int, lines: int = 0) -> None:
        self._lines += lines
        self._progress.update(self._task, advance=done, lines=self._lines)

    def end(self) -> None:
        self._progress.remove_task(self._task)


# -- channels ---------------------------------------------------------------------------------------


class ChannelsView:
    """What each channel brought in, as the ledger sums it up: a table where there is room, else a list."""

    HEADERS = ("payloads", "documents", "lines", "demand", "shipment", "inventory", "parked", "quarantined")

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._table() if options.max_width >= WIDE else Group(*self._list())

    def _counts(self, row: Mapping[str, Any]) -> list[int]:
        flat = {**row, **row["events"]}
        return [int(flat.get(name) or 0) for name in self.HEADERS]

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=DIM)
        table.add_column("channel", overflow="fold", style="bold")
        for name in self.HEADERS:
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("findings", no_wrap=True)
        for row in self.rows:
            counts = (
                Text(f"{number:,}" if number else "-", style=self._style(name, number))
                for name, number in zip(self.HEADERS, self._counts(row), strict=True)
            )
            table.add_row(Text(row["channel"]), *counts, tally_view(row["findings"]))
        if len(self.rows) > 1:
            sums = (f"{sum(column):,}" for column in zip(*map(self._counts, self.rows), strict=True))
            table.add_section()
            table.add_row("together", *sums, tally_view(_summed(row["findings"] for row in self.rows)), style="bold")
        return table

    def _list(self) -> Iterator[RenderableType]:
        for row in self.rows:
            said = [
                count(number, name.removesuffix("s"))
                if name in ("payloads", "documents", "lines")
                else f"{number:,} {name}"
                for name, number in zip(self.HEADERS, self._counts(row), strict=True)
                if number
            ]
            yield Text(row["channel"], style="bold")
            yield Padding(phrases(*(said or ["nothing yet"]), tally_view(row["findings"])), (0, 0, 0, 2))

    @staticmethod
    def _style(name: str, number: int) -> str:
        if not number:
            return DIM
        return STREAM_STYLES.get(name) or {"parked": "yellow", "quarantined": "red"}.get(name, "")


def _summed(tallies: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in tallies:
        for severity, number in one.items():
            total[severity] = total.get(severity, 0) + number
    return total
