"""What the documents quote is what stands in the tree."""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from connectors.channel import read_channel
from connectors.outlet import load_outlets
from connectors.registry import formats
from crossdock.cli import app
from crossdock.translation import compile_with
from mappings.library import Library
from mappings.spec import Partner
from schemas.configuration import parse_yaml

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


COMPILE = compile_with(formats())
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


def quoted(document: Path) -> Iterator[dict[str, Any]]:
    """What the document quotes of YAML files: fenced, or indented and apart."""
    text = document.read_text(encoding="utf-8")
    indented = (textwrap.dedent(block) for block in re.findall(r"(?:^(?: {4}.*|)\n)+", text, re.MULTILINE))
    apart = (piece for block in indented for piece in re.split(r"\n\n(?=\S)", block.strip("\n")))
    for block in (*re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL), *apart):
        file, problems = parse_yaml(block, document.name)
        if not problems and isinstance(file.content, dict):
            yield file.content


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_is_quoted_of_files_could_stand_there(document: Path, tmp_path: Path) -> None:
    """Channels and outlets whole; of partner files any part, beside a head."""
    for number, content in enumerate(quoted(document)):
        file = tmp_path / f"{number}.yaml"
        file.write_text(json.dumps({"partner": f"P{number}"} | content), encoding="utf-8")
        if "channel" in content:
            file.write_text(json.dumps(content), encoding="utf-8")
            read_channel(file)
        elif "outlet" in content:
            file.write_text(json.dumps(content), encoding="utf-8")
            assert load_outlets(tmp_path).problems == ()
        elif content.keys() <= Partner.model_fields.keys():
            assert Library.read(TREE / "mappings" / "standard", tmp_path, compile=COMPILE).problems == ()
        file.unlink()


def test_the_documents_quote_files() -> None:
    kinds = Counter(next(iter(content)) for document in DOCUMENTS for content in quoted(document))
    assert min(kinds[kind] for kind in ("partner", "channel", "outlet", "documents")) >= 2


def test_the_readme_names_commands() -> None:
    assert len(list(commands(TREE / "README.md"))) > 10
