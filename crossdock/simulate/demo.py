"""Writing the whole demo company into a folder.

::

    DIR/erp/erp.db        plant 1's ERP
    DIR/inbox/edi/        where EDI files land
    DIR/inbox/mail/       a Maildir
    DIR/PLANTED.md        what is wrong on purpose
    DIR/environment       shell lines that point Crossdock at all this
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

from crossdock.simulate.company import Company
from crossdock.simulate.edi import write_edi
from crossdock.simulate.erp import write_erp
from crossdock.simulate.mailbox import write_mailbox
from crossdock.simulate.plan import Made, Planted, Simulation, Volume, planted_page

DEFAULT_LINES = 3000


def simulate(directory: Path, *, seed: int = 1, lines: int = DEFAULT_LINES) -> Simulation:
    """Write the demo company into ``directory``, about ``lines`` lines over all channels.

    Memory does not grow with ``lines``. What an earlier simulation left in the inboxes is
    overwritten where it has the same name.
    """
    directory = directory.absolute()
    directory.mkdir(parents=True, exist_ok=True)
    volume = Volume.of(lines)
    company = Company.make(seed, volume.items)
    made: list[Made] = []
    planted: list[Planted] = []
    for said in _write(directory, company, volume):
        if isinstance(said, Made):
            made.append(said)
        else:
            planted.append(said)
    simulation = Simulation(directory=directory, seed=seed, made=tuple(made), planted=tuple(planted))
    (directory / "PLANTED.md").write_text(planted_page(simulation), encoding="utf-8")
    (directory / "environment").write_text(_exports(directory), encoding="utf-8")
    return simulation


def _write(directory: Path, company: Company, volume: Volume) -> Iterator[Made | Planted]:
    yield from write_erp(directory / "erp" / "erp.db", company, volume)
    yield from write_edi(directory / "inbox" / "edi", company, volume)
    yield from write_mailbox(directory / "inbox" / "mail", company, volume)


def connection_environment(directory: Path) -> dict[str, str]:
    """The environment variables that point Crossdock, or Airflow, at a simulation in ``directory``."""
    directory = directory.absolute()
    erp = {"conn_type": "odbc", "extra": {"driver": "SQLite3", "database": str(directory / "erp" / "erp.db")}}
    return {"CROSSDOCK_HOME": str(directory), "AIRFLOW_CONN_DEMO_ERP": json.dumps(erp)}


def _exports(directory: Path) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in connection_environment(directory).items())
