"""Headers as suppliers write them, in many languages: ``headings/<language>.yaml``.

A path ``$item`` in the mapping of a workbook stands for all headers of that name, English ones first.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mappings.spec import FieldRule
from schemas.configuration import read_yaml, yaml_files

MARK = "$"
_FIRST = "en"

Headings = Mapping[str, tuple[str, ...]]  #: name -> headers


def read_headings(folder: Path) -> tuple[Headings, list[str]]:
    """All headers by name, and what is wrong with the files."""
    found: dict[str, list[str]] = {}
    problems: list[str] = []
    for path in sorted(yaml_files(folder), key=lambda path: path.stem != _FIRST):
        file, faults = read_yaml(path)
        content = file.content if isinstance(file.content, dict) else {}
        for name, words in content.items():
            if isinstance(words, list) and all(isinstance(word, str) and word.strip() for word in words):
                found.setdefault(name, []).extend(words)
            else:
                faults.append(file.problem((name,), f"expected a list of headers, not {words!r:.80}"))
        problems += faults
    return {name: tuple(dict.fromkeys(words)) for name, words in found.items()}, problems


def read_headings_of(folder: Path, language: str) -> Headings:
    """The headers of one language (``de``, ``de-AT``) by name; none where there is no file of it."""
    path = folder / f"{language.partition('-')[0].casefold()}.yaml"
    content = read_yaml(path)[0].content if path.is_file() else {}
    return {name: tuple(words) for name, words in (content or {}).items()}


def spelled_out(rule: FieldRule, headings: Headings) -> FieldRule:
    """The rule with the headers themselves in the place of their names."""
    if not any(path.startswith(MARK) for path in rule.paths):
        return rule
    paths: list[str] = []
    for path in rule.paths:
        paths += headings.get(path.removeprefix(MARK), (path,)) if path.startswith(MARK) else (path,)
    return rule.model_copy(update={"path": list(dict.fromkeys(paths))})
