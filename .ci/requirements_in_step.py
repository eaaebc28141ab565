"""Fail when a requirement of pyproject.toml is not pinned, by a version it allows, in the compiled files."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent


def pins(file: Path) -> dict[str, set[str]]:
    """The pinned versions by project; more than one where they differ by Python version."""
    found: dict[str, set[str]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith((" ", "#")):
            requirement = Requirement(line)
            versions = {specifier.version for specifier in requirement.specifier if specifier.operator == "=="}
            found.setdefault(canonicalize_name(requirement.name), set()).update(versions)
    return found


def out_of_step(wanted: Iterable[str], file: Path) -> Iterator[str]:
    """One sentence for each requirement that the pins of ``file`` do not fulfil."""
    pinned = pins(file)
    for requirement in map(Requirement, wanted):
        versions = pinned.get(canonicalize_name(requirement.name), set())
        if not versions:
            yield f"{file.name}: {requirement} is not pinned"
        for version in versions:
            if not requirement.specifier.contains(version, prereleases=True):
                yield f"{file.name}: {requirement.name}=={version}, but pyproject.toml asks for {requirement}"


def apart(run: Path, dev: Path) -> Iterator[str]:
    """One sentence for each package that the two files pin differently."""
    in_dev = pins(dev)
    for name, versions in pins(run).items():
        if not versions <= in_dev.get(name, set()):
            yield f"{dev.name}: {name} is {sorted(in_dev.get(name, ()))}, in {run.name} {sorted(versions)}"


def main() -> int:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    run, dev = ROOT / "requirements.txt", ROOT / "requirements-dev.txt"
    problems = [
        *out_of_step(project["dependencies"], run),
        *out_of_step((*project["dependencies"], *project["optional-dependencies"]["dev"]), dev),
        *apart(run, dev),
    ]
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print("run `make requirements`", file=sys.stderr)
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
