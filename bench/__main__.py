"""``python -m bench [PREFIX]``: take the measurements, print a table, write ``bench/latest.json``.

Each benchmark says how long it took. One that cannot be taken (a server that is missing) is told and the others go on.
Exit status 1 when a promised ratio or limit does not hold, or when one could not be taken.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.measure import Benchmark, Measurement

#: Modules that hold a ``BENCHMARKS`` table.
AREAS = (
    "bench.pipeline",
    "bench.edi",
    "bench.xml",
    "bench.odbc",
    "bench.workbook",
    "bench.feed",
    "bench.fresh",
    "bench.console",
    "bench.trust",
    "bench.master",
)
_ENDLESS = 10_000  #: columns
LATEST = Path(__file__).with_name("latest.json")


def benchmarks(prefix: str) -> dict[str, Benchmark]:
    """Every benchmark whose name begins with ``prefix``, or that ``prefix`` begins with."""
    known: dict[str, Benchmark] = {}
    for area in AREAS:
        known |= importlib.import_module(area).BENCHMARKS
    return {name: run for name, run in known.items() if name.startswith(prefix) or prefix.startswith(name)}


def table(taken: list[Measurement]) -> Table:
    """The measurements for reading."""
    view = Table(title="Benchmarks (ratios within this run)", title_justify="left")
    view.add_column("measure", no_wrap=True)
    for heading, side in (("value", "right"), ("peer", "left"), ("peer value", "right")):
        view.add_column(heading, justify=side)  # type: ignore[arg-type]
    for heading in ("ratio", "promised", "holds"):
        view.add_column(heading, justify="right")
    for one in taken:
        promised = [f">= {one.floor:.3g}x"] if one.floor is not None else []
        promised += [f"<= {one.limit:g}"] if one.limit is not None else []
        view.add_row(
            one.name,
            f"{one.value:,.1f} {one.unit}",
            one.peer,
            "" if one.peer_value is None else f"{one.peer_value:,.1f} {one.unit}",
            "" if one.ratio is None else f"{one.ratio:,.2f}x",
            ", ".join(promised),
            "[green]yes[/]" if one.holds else "[red]no[/]",
        )
    return view


def show(console: Console, view: Table) -> None:
    """Print it as wide as the terminal is; in a file or a pipe nothing of it is cut."""
    if not console.is_terminal:
        console.width = _ENDLESS
        console.width = console.measure(view).maximum
    console.print(view)


def main(prefix: str = "") -> int:
    """Run what matches; the status for the shell."""
    console = Console()
    chosen = benchmarks(prefix)
    if not chosen:
        console.print(f"no benchmark is called {prefix!r}; known: {', '.join(benchmarks(''))}")
        return 2
    taken: list[Measurement] = []
    failed = 0
    for name, run in chosen.items():
        console.print(f"measuring {name} ...", style="dim", end=" ")
        begun = time.monotonic()
        try:
            taken += [one for one in run() if one.name.startswith(prefix)]
        except Exception as error:
            failed += 1
            console.print(f"[red]could not be taken[/]: {type(error).__name__}: {escape(str(error))}", highlight=False)
        else:
            console.print(f"{time.monotonic() - begun:,.0f} s", style="dim", highlight=False)
    show(console, table(taken))
    LATEST.write_text(json.dumps([one.as_json() for one in taken], indent=2) + "\n")
    return 0 if all(one.holds for one in taken) and not failed else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
