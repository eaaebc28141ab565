"""Files of configuration: YAML read with its line numbers, against models, every problem said at once.

A problem is a value: where in the file, and one sentence that says what was given, what is allowed and
the nearest known word. The file puts its own name and the line in front::

    channels/acme.yaml:4: source.kind: unknown kind 'fodler'; did you mean 'folder'? known: folder, maildir, odbc
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from schemas.errors import ConfigError

Key = tuple[str | int, ...]  #: the way to a value: keys of mappings, indexes of sequences
Model = TypeVar("Model", bound=BaseModel)

#: Times that faulty parts are left out, each of which may show that what held them is faulty too.
_ROUNDS = 5


class Strict(BaseModel):
    """No unknown keys; immutable once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Problem(NamedTuple):
    """What is wrong with the value at ``key``, in a sentence."""

    key: Key
    sentence: str

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.key))}: {self.sentence}" if self.key else self.sentence


@dataclass(frozen=True, slots=True)
class YamlFile:
    """One file's content as plain Python values, and the line on which each key stands."""

    name: str  #: folder and file name, as problems show it: ``partners/acme.yaml``
    content: Any
    lines: Mapping[Key, int] = field(default_factory=dict)

    def problem(self, key: Key, sentence: str) -> str:
        """``partners/acme.yaml:12: documents.x12.856.fields.uom.codes: <sentence>``."""
        return f"{self.name}:{self.line(key)}: {Problem(key, sentence)}"

    def told(self, problems: Iterable[Problem]) -> list[str]:
        """Each problem with file and line in front, in the order of the file."""
        return [self.problem(*problem) for problem in sorted(problems, key=lambda one: self.line(one.key))]

    def line(self, key: Key) -> int:
        """The line on which the key stands, or the nearest one above it that is there."""
        return next((self.lines[key[:n]] for n in range(len(key), -1, -1) if key[:n] in self.lines), 1)


# -- reading ------------------------------------------------------------------------------------------


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


def yaml_files(folder: Path) -> list[Path]:
    """The YAML files of a folder, in order of their names; none where there is no such folder."""
    return sorted((*folder.glob("*.yaml"), *folder.glob("*.yml")))


def read_yaml(path: Path) -> tuple[YamlFile, list[str]]:
    """Read ``path``; faults of syntax, encoding and doubled keys come back as problems, never as exceptions."""
    name = f"{path.parent.name}/{path.name}"
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        nothing = YamlFile(name, None)
        return nothing, [nothing.problem((), f"cannot be read: {error}; expected YAML in UTF-8")]
    return parse_yaml(text, name)


def parse_yaml(text: str, name: str) -> tuple[YamlFile, list[str]]:
    """The same of ``text``, which is or may become the file called ``name``."""
    nothing = YamlFile(name, None)
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        there = YamlFile(name, None, {(): mark.line + 1 if mark else 1})
        column = f", at column {mark.column + 1}" if mark else ""
        return nothing, [there.problem((), f"not YAML: {error.problem or error.context}{column}")]
    except yaml.YAMLError as error:
        return nothing, [nothing.problem((), f"not YAML: {error}")]
    if node is None:
        return nothing, [nothing.problem((), "should hold keys and values, but holds nothing")]
    plain = _Plain()
    file = YamlFile(name, plain.value(node, ()), plain.lines)
    if not isinstance(file.content, dict):
        plain.fault(node, (), f"should hold keys and values, but holds {file.content!r:.80}")
    return file, [f"{name}:{line}: {problem}" for line, problem in plain.faults]


class _Plain:
    """Plain values of YAML nodes, the lines of their keys, and what could not be understood."""

    def __init__(self) -> None:
        self.lines: dict[Key, int] = {}
        self.faults: list[tuple[int, Problem]] = []
        self._loader = _Loader("")
        self._within: list[yaml.Node] = []  # an alias may stand for something that holds it

    def fault(self, node: yaml.Node, key: Key, sentence: str) -> None:
        self.faults.append((node.start_mark.line + 1, Problem(key, sentence)))

    def value(self, node: yaml.Node, key: Key) -> Any:
        self.lines.setdefault(key, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, key)
        if node in self._within:
            return self.fault(node, key, "holds itself, by an alias")
        self._within.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, key)
            return [self.value(child, (*key, index)) for index, child in enumerate(node.value)]
        finally:
            self._within.pop()

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for name_node, value_node in node.value:
            name = name_node.value if isinstance(name_node, yaml.ScalarNode) else str(name_node.value)
            if name in content:
                self.fault(name_node, (*key, name), "stands here a second time")
            self.lines[(*key, name)] = name_node.start_mark.line + 1
            content[name] = self.value(value_node, (*key, name))
        return content

    def _scalar(self, node: yaml.ScalarNode, key: Key) -> Any:
        try:
            return self._loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError) as error:
            return self.fault(node, key, f"{node.value!r} cannot be read: {error}")


# -- against models -----------------------------------------------------------------------------------


def faults(model: type[BaseModel], content: Any, *, under: Key = ()) -> list[Problem]:
    """Every reason why ``content``, which stands at ``under``, is no ``model``; empty when it is one."""
    try:
        model.model_validate(content)
    except ValidationError as error:
        # a union speaks once for each of its branches; the first is what people write most
        found = {_key(content, fault): fault for fault in reversed(error.errors(include_url=False))}
        return [Problem((*under, *key), _sentence(model, found[key])) for key in reversed(found)]
    return []


def sound_part(model: type[Model], content: Any) -> Model | None:
    """What can be understood of faulty content: without the faulty parts, if that makes a ``model``.

    Good for looking further, so that every fault is found in one go; never for use.
    """
    content = deepcopy(content)
    for _ in range(_ROUNDS):
        try:
            return model.model_validate(content)
        except ValidationError as error:
            for key in {_key(content, fault) for fault in error.errors(include_url=False)}:
                _leave_out(content, key)
    return None


def unknown(what: str, given: object, known: Iterable[str]) -> str:
    """``unknown list 'uoms'; did you mean 'uom'? known: currency, uom``."""
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    choices = sorted(set(known))
    near = process.extractOne(
        str(given), choices, scorer=OSA.normalized_similarity, processor=str.casefold, score_cutoff=0.6
    )
    hint = f"; did you mean '{near[0]}'?" if near else ";"
    return f"unknown {what} '{given}'{hint} known: {', '.join(choices) or 'none'}"


def _leave_out(content: Any, key: Key) -> None:
    """Take the value at ``key`` out of ``content``; a sequence goes as a whole."""
    names = list(takewhile(lambda part: isinstance(part, str), key))
    for name in names[:-1]:
        content = content.get(name) if isinstance(content, dict) else None
    if names and isinstance(content, dict):
        content.pop(names[-1], None)


def _key(content: Any, fault: ErrorDetails) -> Key:
    """Where the fault is: pydantic's location without the names of types that it puts between keys."""
    key: Key = ()
    for part in fault["loc"]:
        inside = range(len(content)) if isinstance(content, list) else content if isinstance(content, dict) else ()
        if part in inside:
            key, content = (*key, part), content[part]
    return (*key, fault["loc"][-1]) if fault["type"] == "missing" else key


def _sentence(model: type[BaseModel], fault: ErrorDetails) -> str:
    kind, given, context = fault["type"], fault["input"], fault.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown("key", str(fault["loc"][-1]), _keys_at(model, fault["loc"][:-1]))
    if kind == "missing":
        return "is missing"
    if kind in ("enum", "literal_error"):
        known = re.findall(r"'([^']*)'|(\d+)", str(context.get("expected", "")))
        return unknown("word", given, ("".join(pair) for pair in known))
    if kind == "value_error":
        error = str(context.get("error", fault["msg"]))
        return f"{given!r}: {error}" if isinstance(given, str) else error
    text = str(given) if isinstance(given, timedelta) else repr(given)
    return f"{fault['msg'].removeprefix('Input ')}, not {text if len(text) <= 80 else text[:77] + '...'}"


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


# -- folders ------------------------------------------------------------------------------------------

#: What a model cannot tell about a file's content: more problems of it.
Further = Callable[[Mapping[str, Any]], Iterable[Problem]]


class Shelf(dict[str, Model]):
    """What a folder of YAML files holds, by name; ``broken`` has the error of each file that could not be used.

    ``broken`` is keyed by the file's stem, so that whoever needs one file can raise just its error.
    ``files`` has the file of each name, for what is only found out later.
    """

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, YamlFile] = {}
        self.broken: dict[str, ConfigError] = {}

    @property
    def problems(self) -> tuple[str, ...]:
        """The problems of every broken file."""
        return tuple(problem for error in self.broken.values() for problem in error.problems)

    def check(self) -> None:
        """Raise one ConfigError with the problems of every broken file; return if there is none."""
        if self.broken:
            raise ConfigError(f"{len(self.broken)} configuration file(s) are wrong", problems=self.problems)


def read_entry(path: Path, model: type[Model], further: Further) -> tuple[YamlFile, Model]:
    """The ``model`` that a file describes. Raises ConfigError with all its problems."""
    file, problems = read_yaml(path)
    if not problems:
        problems = file.told([*faults(model, file.content), *further(file.content)])
    if problems:
        raise ConfigError(f"{path} cannot be used", problems=tuple(problems))
    return file, model.model_validate(file.content)


def load_folder(folder: Path, model: type[Model], further: Further, *, named: str) -> Shelf[Model]:
    """Read every YAML file in ``folder``; a broken one lands in ``Shelf.broken`` and stops no other.

    ``named`` is the key that names an entry, and what it is: ``channel``. Raises ConfigError only
    when the folder itself is not there.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder", hint=f"it should hold one YAML file per {named}")
    shelf: Shelf[Model] = Shelf()
    for path in yaml_files(folder):
        try:
            file, entry = read_entry(path, model, further)
        except ConfigError as error:
            shelf.broken[path.stem] = error
            continue
        name = getattr(entry, named)
        if name in shelf:
            problem = file.problem((named,), f"{name!r} is already taken by {shelf.files[name].name}")
            shelf.broken[path.stem] = ConfigError(f"{path} cannot be used", problems=(problem,))
            continue
        shelf[name], shelf.files[name] = entry, file
    return shelf
