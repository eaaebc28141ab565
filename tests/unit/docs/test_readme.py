"""What the documents quote is what stands in the tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from crossdock.cli import app

TREE = Path(__file__).parents[3]
DOCUMENTS = [TREE / "README.md", TREE / "CONTRIBUTING.md", TREE / "SECURITY.md", *sorted(TREE.glob("docs/**/*.md"))]


def test_the_partner_file_of_the_readme_is_a_real_one() -> None:
    readme = (TREE / "README.md").read_text(encoding="utf-8")
    quoted = re.findall(r"<!-- (mappings/partners/\S+\.yaml) -->\n```yaml\n(.*?)```", readme, re.DOTALL)
    assert quoted
    for path, text in quoted:
        assert text == (TREE / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_every_make_target_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (TREE / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for line in (TREE / "README.md").read_text(encoding="utf-8").splitlines():
        if named := re.match(r" {4}make ([a-z]+)", line):
            assert named[1] in targets


#: ``crossdock ...`` at the beginning of an indented line, behind a prompt, or between backticks.
COMMAND = re.compile(r"(?:^    (?:\$ (?:\.venv/bin/)?)?|`)crossdock ([a-z][^`#|;&\n]*)", re.MULTILINE)


def commands(document: Path) -> Iterator[tuple[Any, list[str]]]:
    """Each command that the document names, with the words behind it. Raises KeyError for one that there is not."""
    for (written,) in (match.groups() for match in COMMAND.finditer(document.read_text(encoding="utf-8"))):
        words = written.split()
        command: Any = typer.main.get_command(app).commands[words.pop(0)]
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        yield command, words


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_that_is_named_exists_with_its_options(document: Path) -> None:
    for command, words in commands(document):
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        named = {word.partition("=")[0].rstrip(".,:)") for word in words if re.match(r"-[a-z]$|--[a-z]", word)}
        assert named <= known, f"crossdock {command.name}: {named - known}"


def test_the_readme_names_commands() -> None:
    assert len(list(commands(TREE / "README.md"))) > 10
