"""A short fuzz run, guided by coverage, the same each time: ``make fuzz`` is the long one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("target", "runs"), [("read", 300), ("edifact", 100), ("translate", 60)])
def test_nothing_is_found_in_a_short_run(target, runs, tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", target, f"-runs={runs}", "-seed=20261122"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"Done {runs} runs" in done.stderr
    assert not list(tmp_path.glob("**/*crash-*"))
