"""YAML read with its line numbers, and faults in it said with place, value and the nearest known word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from rapidfuzz import process
from rapidfuzz.distance import OSA

Key = tuple[str | int, ...]  #: the way to a value: keys of mappings, indexes of sequences
Model = TypeVar("Model", bound=BaseModel)

#: Times that faulty parts are left out, each of which may show that what held them is faulty too.
_ROUNDS = 5


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML 1.2's core schema: a column that is headed No is text, and so are dates and 007."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"-?(0|[1-9][0-9]*)", list("-0123456789")),
    ("float", r"-?(0|[1-9][0-9]*)\.[0-9]+", list("-0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)


@dataclass(frozen=True, slots=True)
class YamlFile:
    """One file's content as plain Python values, and the line on which each key stands."""

    name: str  #: folder and file name, as problems show it: ``partners/acme.yaml``
    content: Any
    lines: Mapping[Key, int] = field(default_factory=dict)

    def problem(self, key: Key, sentence: str) -> str:
        """``partners/acme.yaml:12: documents.x12.856.fields.uom.codes: <sentence>``."""
        place = ".".join(str(part) for part in key)
        return (
            f"{self.name}:{self.line(key)}: {place}: {sentence}"
            if place
            else f"{self.name}:{self.line(key)}: {sentence}"
        )

    def line(self, key: Key) -> int:
        """The line on which the key stands, or the nearest one above it that is there."""
        return next((self.lines[key[:n]] for n in range(len(key), -1, -1) if key[:n] in self.lines), 1)


def yaml_files(folder: Path) -> list[Path]:
    """The YAML files of a folder, in order of their names; none where there is no such folder."""
    return sorted((*folder.glob("*.yaml"), *folder.glob("*.yml")))


def read_yaml(path: Path) -> tuple[YamlFile, list[str]]:
    """Read ``path``; faults of syntax, encoding and doubled keys come back as problems, never as exceptions."""
    name = f"{path.parent.name}/{path.name}"
    try:
        node = yaml.compose(path.read_text("utf-8"), Loader=_Loader)
    except (OSError, UnicodeDecodeError) as error:
        return YamlFile(name, None), [f"{name}:1: cannot be read: {error}; expected YAML in UTF-8"]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return YamlFile(name, None), [
            f"{name}:{mark.line + 1 if mark else 1}: not YAML: {error.problem or error.context}"
        ]
    except yaml.YAMLError as error:
        return YamlFile(name, None), [f"{name}:1: not YAML: {error}"]
    if node is None:
        return YamlFile(name, None), [f"{name}:1: the file is empty; expected a mapping of keys to values"]
    lines: dict[Key, int] = {}
    problems: list[str] = []
    loader = _Loader("")
    content = _plain(node, (), lines, problems, loader)
    file = YamlFile(name, content, lines)
    if not isinstance(content, dict):
        problems.append(file.problem((), "expected a mapping of keys to values"))
    return file, [problem.replace("\0", name) for problem in problems]


def _plain(node: yaml.Node, key: Key, lines: dict[Key, int], problems: list[str], loader: Any) -> Any:
    lines.setdefault(key, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        content: dict[Any, Any] = {}
        for name_node, value_node in node.value:
            name = name_node.value if isinstance(name_node, yaml.ScalarNode) else str(name_node.value)
            if name in content:
                problems.append(
                    f"\0:{name_node.start_mark.line + 1}: {'.'.join(map(str, (*key, name)))}: stands here a second time"
                )
            lines[(*key, name)] = name_node.start_mark.line + 1
            content[name] = _plain(value_node, (*key, name), lines, problems, loader)
        return content
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, (*key, index), lines, problems, loader) for index, child in enumerate(node.value)]
    try:
        return loader.construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError) as error:
        problems.append(
            f"\0:{node.start_mark.line + 1}: {'.'.join(map(str, key))}: {node.value!r} cannot be read: {error}"
        )
        return None


def unknown(what: str, given: str, known: Iterable[str]) -> str:
    """``unknown list 'uoms'; did you mean 'uom'? known: currency, uom``."""
    choices = sorted(set(known))
    near = process.extractOne(given, choices, scorer=OSA.normalized_similarity, score_cutoff=0.6)
    hint = f"; did you mean '{near[0]}'?" if near else ";"
    return f"unknown {what} '{given}'{hint} known: {', '.join(choices) or 'none'}"


def validated(model: type[Model], file: YamlFile, content: Any) -> tuple[Model | None, list[str]]:
    """``content`` as ``model``, or every fault of it as a problem."""
    try:
        return model.model_validate(content), []
    except ValidationError as error:
        # a union speaks once for each of its branches; the first is what people write most
        faults = {_key(file, fault): fault for fault in reversed(error.errors(include_url=False))}
        ordered = sorted(faults, key=file.line)
        return None, [file.problem(key, _sentence(model, faults[key])) for key in ordered]


def sound_part(model: type[Model], file: YamlFile) -> Model | None:
    """What can be understood of a faulty file: its content without the faulty parts, if that makes a ``model``.

    Good for looking further, so that every fault is found in one go; never for use.
    """
    content = deepcopy(file.content)
    for _ in range(_ROUNDS):
        try:
            return model.model_validate(content)
        except ValidationError as error:
            for key in {_key(file, fault) for fault in error.errors(include_url=False)}:
                _leave_out(content, key)
    return None


def _leave_out(content: Any, key: Key) -> None:
    """Take the value at ``key`` out of ``content``; a sequence goes as a whole."""
    names = list(takewhile(lambda part: isinstance(part, str), key))
    for name in names[:-1]:
        content = content.get(name) if isinstance(content, dict) else None
    if names and isinstance(content, dict):
        content.pop(names[-1], None)


def _key(file: YamlFile, fault: ErrorDetails) -> Key:
    """Where the fault is: pydantic's location without the names of types that it puts between keys."""
    key: Key = ()
    for part in fault["loc"]:
        key = (*key, part) if (*key, part) in file.lines else key
    return (*key, fault["loc"][-1]) if fault["type"] == "missing" else key


def _sentence(model: type[BaseModel], fault: ErrorDetails) -> str:
    kind, given, context = fault["type"], fault["input"], fault.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown("key", str(fault["loc"][-1]), _keys_at(model, fault["loc"][:-1]))
    if kind == "missing":
        return "is missing"
    if kind in ("enum", "literal_error"):
        known = re.findall(r"'([^']*)'|(\d+)", str(context.get("expected", "")))
        return unknown("word", str(given), ("".join(pair) for pair in known))
    if kind == "value_error":
        error = str(context.get("error", fault["msg"]))
        return f"{given!r}: {error}" if isinstance(given, str) else error
    return f"{fault['msg'].removeprefix('Input ')}, not {given!r}"


def _keys_at(model: type[BaseModel], loc: Key) -> list[str]:
    """The keys a mapping at ``loc`` may hold: follows the model's annotations down."""
    here: Any = model
    for part in loc:
        fields = getattr(here, "model_fields", None)
        if fields is not None:
            here = _innermost(fields[part].annotation) if part in fields else here  # else a key of a dict
    return list(getattr(here, "model_fields", ()))


def _innermost(annotation: Any) -> Any:
    """The model within ``dict[str, M]``, ``M | None``, ``str | M``; else the annotation itself."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((inner for argument in get_args(annotation) if (inner := _innermost(argument)) is not None), None)
