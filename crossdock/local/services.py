"""Airflow's processes and the feed's as children of this one: started together, watched, stopped together."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from crossdock.local.feed import Feed
from crossdock.local.rest import Rest
from schemas.errors import PermanentError, TransientError

#: What brings Airflow's own database up to date, to be run before the services start.
MIGRATE = ("airflow", "db", "migrate")

#: The services. docker-compose.yml runs these very commands; a test compares them. The API server
#: reads the tasks' logs where they lie, so nobody need serve them.
SERVICES: Mapping[str, tuple[str, ...]] = {
    "api-server": ("airflow", "api-server"),
    "scheduler": ("airflow", "scheduler", "--skip-serve-logs"),
    "dag-processor": ("airflow", "dag-processor"),
    "triggerer": ("airflow", "triggerer", "--skip-serve-logs"),
    "feed": ("crossdock", "serve"),
    "publisher": ("crossdock", "publish", "--follow"),
}

#: How Airflow is set wherever it runs for us, in containers too.
AIRFLOW_SETTINGS: Mapping[str, str] = {
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__PARALLELISM": "4",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",  # what has landed waits for the scheduler's next look
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",  # s; so long a worker may overlook that its task has ended
}

TREE = Path(__file__).resolve().parent.parent.parent
DAGS = TREE / "dags"
PLUGINS = TREE / "plugins"

#: Seconds a service gets to stop by itself.
PATIENCE = 20.0

#: Seconds for which Airflow's services wait for its database in SQLite. The API server locks itself out of it now and
#: then (see ``Rest``), and lets go when its own time is over; the scheduler ends at once when its time is.
LOCKED_OUT, LOCKED = 5, 60


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Where one local Airflow and the feed beside it keep their things, and how they are reached.

    ``home`` is the ``CROSSDOCK_HOME`` of its tasks; Airflow's own files go below it. ``settings``
    are further environment variables for all services, such as ``AIRFLOW_CONN_...``.
    """

    home: Path
    port: int
    dags: Path = DAGS
    user: str = "admin"
    others: Mapping[str, str] = field(default_factory=dict)  #: further logins with their role, of the same password
    password: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    feed_port: int = field(default_factory=lambda: free_port(8400))
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    settings: Mapping[str, str] = field(default_factory=dict)
    _secret: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def airflow_home(self) -> Path:
        """Airflow's own files; the folder its services work in."""
        return _airflow_home(self.home)

    @property
    def logs(self) -> Path:
        """One file a service; the tasks' logs are in ``tasks`` below."""
        return self.home / "logs"

    @property
    def pids(self) -> Path:
        return self.home / "run"

    @cached_property
    def rest(self) -> Rest:
        return Rest(self.url, self.user, self.password)

    @cached_property
    def feed(self) -> Feed:
        return Feed(f"http://127.0.0.1:{self.feed_port}", self.token)

    def unwell(self) -> list[str]:
        """The services that do not say they are well, by name."""
        return [*self.rest.unwell(), *(() if self.feed.is_well() else ("feed",))]

    def environment(self, service: str = "") -> dict[str, str]:
        """The whole environment of a service, or of a command that shall see the same Airflow.

        Settings of another Airflow or Crossdock in our own environment do not shine through.
        """
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "CROSSDOCK_"))}
        return {
            **inherited,
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), inherited.get("PATH", os.defpath))),
            "CROSSDOCK_HOME": str(self.home),
            "CROSSDOCK_SERVE_PORT": str(self.feed_port),
            "CROSSDOCK_TOKEN": self.token,
            "CROSSDOCK_AIRFLOW_URL": self.url,
            "CROSSDOCK_CONNECTIONS": "airflow",
            "AIRFLOW_HOME": str(self.airflow_home),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.airflow_home.resolve() / 'airflow.db'}"
            f"?timeout={LOCKED_OUT if service == 'api-server' else LOCKED}",
            **AIRFLOW_SETTINGS,
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
                f"{user}:{role}" for user, role in {self.user: "admin", **self.others}.items()
            ),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self._passwords),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": self._secret,
            "AIRFLOW__API_AUTH__JWT_SECRET": self._secret,
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.logs / "tasks"),
            **self.settings,
        }

    @property
    def _passwords(self) -> Path:
        return self.airflow_home / "passwords.json"

    def prepare(self) -> None:
        """Folders, the login, and Airflow's database. Raises PermanentError when that fails."""
        for folder in (self.airflow_home, self.logs, self.pids):
            folder.mkdir(parents=True, exist_ok=True)
        self._passwords.touch(mode=0o600)
        passwords = dict.fromkeys((self.user, *self.others), self.password)
        self._passwords.write_text(json.dumps(passwords), encoding="utf-8")
        log = self.logs / "migrate.log"
        with log.open("wb") as stream:
            done = subprocess.run(  # noqa: S603  our own constant
                _ours(MIGRATE), check=False, env=self.environment(), stdout=stream, stderr=subprocess.STDOUT
            )
        if done.returncode:
            raise PermanentError(f"Airflow's database cannot be prepared: {_last_words(log)}", hint=f"see {log}")


@dataclass(frozen=True, kw_only=True)
class Running:
    """The started services of an installation."""

    installation: Installation
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def begin(self, name: str) -> None:
        """Start one service."""
        installation = self.installation
        with (installation.logs / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(  # noqa: S603  our own constant
                _ours(SERVICES[name]),
                env=installation.environment(name),
                cwd=installation.airflow_home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        (installation.pids / f"{name}.pid").write_text(str(self.processes[name].pid), encoding="ascii")

    def kill(self, name: str) -> None:
        """End one service without letting it say goodbye. ``begin`` starts it again."""
        os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes.pop(name).wait()

    def check(self) -> None:
        """Raise PermanentError when a service has ended."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                log = self.installation.logs / f"{name}.log"
                raise PermanentError(
                    f"{name} ended with {process.returncode}: {_last_words(log)}", hint=f"its log is {log}"
                )

    def wait_until_healthy(self, seconds: float = 120) -> None:
        """Return once all services say they are well.

        Raises PermanentError when one ends, TransientError when one is not well in time.
        """
        unwell: list[str] = sorted(self.processes)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check()
            unwell = self.installation.unwell()
            if not unwell:
                return
            time.sleep(0.5)
        raise TransientError(
            f"not healthy after {seconds:.0f} s: {', '.join(unwell)}",
            hint=f"their logs are in {self.installation.logs}",
        )

    def stop(self) -> None:
        """Stop all services and whatever they started. Idempotent."""
        _stop([process.pid for process in self.processes.values()])
        for name, process in self.processes.items():
            process.wait()
            (self.installation.pids / f"{name}.pid").unlink(missing_ok=True)


def start(installation: Installation) -> Running:
    """Prepare the installation and start its services, after stopping what an earlier start left behind."""
    stop_left_over(installation.home)
    installation.prepare()
    running = Running(installation=installation)
    try:
        for name in SERVICES:
            (installation.logs / f"{name}.log").unlink(missing_ok=True)
            running.begin(name)
    except BaseException:
        running.stop()
        raise
    return running


@contextmanager
def started(installation: Installation, *, within: float = 120) -> Iterator[Running]:
    """The healthy services of ``installation``, stopped when the block is left in whatever way."""
    running = start(installation)
    try:
        running.wait_until_healthy(within)
        yield running
    finally:
        running.stop()


def stop_left_over(home: Path) -> list[str]:
    """Stop services that an earlier process started for ``home`` and left running; their names."""
    left: dict[str, int] = {}
    for file in sorted((home / "run").glob("*.pid")):
        pid = int(file.read_text(encoding="ascii"))
        if _belongs(pid, home):
            left[file.stem] = pid
    _stop(list(left.values()))
    for file in (home / "run").glob("*.pid"):
        file.unlink()
    return list(left)


def free_port(preferred: int = 8080) -> int:
    """``preferred`` if nobody listens there, else one that is free now."""
    for port in (preferred, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise TransientError("no port is free on 127.0.0.1")


def _ours(command: tuple[str, ...]) -> list[str]:
    """``command`` run by our own interpreter, so that it is the Airflow we were installed with."""
    script = Path(sys.executable).parent / command[0]
    if not script.exists():
        raise PermanentError(f"{script} is missing", hint="run `make install`")
    return [str(script), *command[1:]]


def _belongs(pid: int, home: Path) -> bool:
    """Whether ``pid`` is alive and works for ``home``: a number may have been given anew.

    Told by its working folder; its environment would not do, since a process that renames itself overwrites that.
    """
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == _airflow_home(home)
    except OSError:
        return False


def _airflow_home(home: Path) -> Path:
    return home / "airflow"


def _stop(leaders: list[int]) -> None:
    """End the sessions of these leaders: politely, then after PATIENCE by force."""
    for sign, patience in ((signal.SIGTERM, PATIENCE), (signal.SIGKILL, 5.0)):
        for pid in leaders:
            with suppress(ProcessLookupError):
                os.killpg(pid, sign)
        deadline = time.monotonic() + patience
        while any(_alive(pid) for pid in leaders) and time.monotonic() < deadline:
            time.sleep(0.1)


def _alive(group: int) -> bool:
    """Whether any process of the group still runs; one that only waits to be reaped does not."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, its_group = file.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                return True
    return False


def _last_words(log: Path, lines: int = 5) -> str:
    """The end of a log, for an error message."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "(no log)"
    return " | ".join(text.strip().splitlines()[-lines:]) or "(its log is empty)"
