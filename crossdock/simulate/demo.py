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
import shutil
from collections.abc import Iterator
from pathlib import Path

from crossdock.simulate.company import Company
from crossdock.simulate.edi import write_edi
from crossdock.simulate.erp import write_erp
from crossdock.simulate.mailbox import write_mailbox
from crossdock.simulate.plan import Made, Planted, Simulation, Volume, planted_page
from schemas.errors import ConfigError, PermanentError

DEFAULT_LINES = 3000
_PAGE = "PLANTED.md"


def simulate(directory: Path, *, seed: int = 1, lines: int = DEFAULT_LINES) -> Simulation:
    """Write the demo company into ``directory``, about ``lines`` lines over all channels.

    Memory does not grow with ``lines``. What an earlier simulation wrote there is replaced, what the
    pipeline made of it (ledger, archive, feed) stays. Raises ConfigError where ``inbox`` or ``erp``
    exist that no simulation wrote, PermanentError where the disk refuses.
    """
    try:
        return _simulate(directory.absolute(), seed, lines)
    except OSError as error:
        raise PermanentError(
            f"{error.filename or directory}: {error.strerror or error}",
            hint="name a folder that this user may write, on a disk with room",
        ) from None


def _simulate(directory: Path, seed: int, lines: int) -> Simulation:
    directory.mkdir(parents=True, exist_ok=True)
    _make_room(directory)
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
    (directory / _PAGE).write_text(planted_page(simulation), encoding="utf-8")
    (directory / "environment").write_text(_exports(directory), encoding="utf-8")
    return simulation


def _make_room(directory: Path) -> None:
    written = [directory / name for name in ("erp", "inbox") if (directory / name).exists()]
    if written and not (directory / _PAGE).is_file():
        raise ConfigError(
            f"{directory} holds {written[0].name}/, which is not a simulation's",
            hint="name an empty folder, or one that an earlier crossdock simulate has filled",
        )
    for folder in written:
        shutil.rmtree(folder)


def _write(directory: Path, company: Company, volume: Volume) -> Iterator[Made | Planted]:
    yield from write_erp(directory / "erp" / "erp.db", company, volume)
    yield from write_edi(directory / "inbox" / "edi", company, volume)
    yield from write_mailbox(directory / "inbox" / "mail", company, volume)


def connection_environment(directory: Path) -> dict[str, str]:
    """The environment variables that point Crossdock, or Airflow, at a simulation in ``directory``."""
    directory = directory.absolute()
    erp = {"conn_type": "sqlite", "host": str(directory / "erp" / "erp.db")}
    return {"CROSSDOCK_HOME": str(directory), "AIRFLOW_CONN_DEMO_ERP": json.dumps(erp)}


def _exports(directory: Path) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in connection_environment(directory).items())
