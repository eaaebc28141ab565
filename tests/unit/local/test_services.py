"""Processes that are started together and stopped together, with stand-ins for Airflow's."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from crossdock.local.services import Installation, Running, free_port, stop_left_over
from schemas.errors import PermanentError

PATIENT = "import time; time.sleep(60)"


def installation(home: Path) -> Installation:
    return Installation(home=home, port=free_port(0), settings={"AIRFLOW_CONN_DEMO_ERP": "odbc://"})


def started(home: Path, program: str = PATIENT) -> subprocess.Popen[bytes]:
    """A child that leads a session of its own, as every service does."""
    folder = installation(home).airflow_home
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen([sys.executable, "-c", program], cwd=folder, start_new_session=True)


def is_running(pid: int) -> bool:
    """Whether the process is there and not merely waiting for its parent to notice its end."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def note(home: Path, name: str, pid: int) -> Path:
    (home / "run").mkdir(exist_ok=True)
    file = home / "run" / f"{name}.pid"
    file.write_text(str(pid), encoding="ascii")
    return file


def test_what_an_earlier_start_left_running_is_stopped(tmp_path: Path):
    child = started(tmp_path)
    file = note(tmp_path, "scheduler", child.pid)
    assert stop_left_over(tmp_path) == ["scheduler"]
    assert child.wait(timeout=10) == -signal.SIGTERM
    assert not file.exists()


def test_a_process_that_was_given_the_number_anew_is_left_alone(tmp_path: Path):
    stranger = started(tmp_path / "elsewhere")
    note(tmp_path, "scheduler", stranger.pid)
    try:
        assert stop_left_over(tmp_path) == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_number_of_nobody_is_forgotten(tmp_path: Path):
    child = started(tmp_path, "pass")
    child.wait()
    file = note(tmp_path, "scheduler", child.pid)
    assert stop_left_over(tmp_path) == []
    assert not file.exists()


def test_a_service_that_ends_is_named_with_its_last_words(tmp_path: Path):
    home = installation(tmp_path)
    home.logs.mkdir()
    (home.logs / "scheduler.log").write_text("starting\nport 8793 is taken\n", encoding="utf-8")
    child = started(tmp_path, "raise SystemExit(3)")
    child.wait()
    with pytest.raises(PermanentError, match=r"scheduler ended with 3: .*port 8793 is taken.*scheduler\.log"):
        Running(installation=home, processes={"scheduler": child}).check()


def test_stopping_takes_grandchildren_along(tmp_path: Path):
    begets = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {PATIENT!r}]).pid, flush=True)"
    command = [sys.executable, "-c", f"{begets}; {PATIENT}"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert child.stdout is not None
    with child.stdout:
        grandchild = int(child.stdout.readline())
    running = Running(installation=installation(tmp_path), processes={"api-server": child})
    running.stop()
    running.stop()
    assert child.returncode == -signal.SIGTERM
    assert not is_running(grandchild)


def test_our_own_environment_does_not_shine_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW_CONN_PAYROLL", "postgres://secret@host/db")
    monkeypatch.setenv("CROSSDOCK_LEDGER", "postgresql://production")
    environment = installation(tmp_path).environment()
    assert environment["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert environment["AIRFLOW_CONN_DEMO_ERP"] == "odbc://"
    assert environment["CROSSDOCK_HOME"] == str(tmp_path)
    assert "AIRFLOW_CONN_PAYROLL" not in environment
    assert "CROSSDOCK_LEDGER" not in environment


def test_all_services_share_one_secret_and_none_is_told_in_a_repr(tmp_path: Path):
    home = installation(tmp_path)
    assert home.environment()["AIRFLOW__API_AUTH__JWT_SECRET"] == home.environment()["AIRFLOW__API__SECRET_KEY"]
    assert home.environment()["AIRFLOW__API_AUTH__JWT_SECRET"] not in repr(home)


def test_a_taken_port_gives_way_to_a_free_one():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port(port) not in (port, 0)


def test_a_free_port_is_the_preferred_one():
    port = free_port(0)
    assert free_port(port) == port


def test_the_interpreters_own_commands_come_first_on_the_path(tmp_path: Path):
    assert installation(tmp_path).environment()["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
