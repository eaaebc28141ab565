"""Reading YAML files against pydantic models, with every problem named at once.

A problem is one sentence: file, key, what is wrong with what was given, what is allowed, and
the nearest known word::

    connectors/channels/acme.yaml: source.kind: unknown 'fodler'; did you mean 'folder'? known: folder, maildir, odbc
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.durations import Duration as Duration  # noqa: PLC0414 - options of connectors take it from here
from schemas.errors import ConfigError


class Strict(BaseModel):
    """No unknown keys; immutable once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


Model = TypeVar("Model", bound=BaseModel)


class Shelf(dict[str, Model]):
    """What a folder of YAML files holds, by name; ``broken`` has the error of each file that could not be used.

    ``broken`` is keyed by the file's stem, so that whoever needs one file can raise just its error.
    """

    def __init__(self) -> None:
        super().__init__()
        self.broken: dict[str, ConfigError] = {}

    def check(self) -> None:
        """Raise one ConfigError with the problems of every broken file; return if there is none."""
        if self.broken:
            problems = tuple(problem for error in self.broken.values() for problem in error.problems)
            raise ConfigError(f"{len(self.broken)} configuration file(s) are wrong", problems=problems)


def load_folder(
    folder: Path, read: Callable[[Path], Model], name_of: Callable[[Model], str], *, what: str
) -> Shelf[Model]:
    """Read every ``*.yaml`` in ``folder``; a broken one lands in ``Shelf.broken`` and stops no other.

    Raises ConfigError only when the folder itself is not there.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder", hint=f"it should hold one YAML file per {what}")
    shelf: Shelf[Model] = Shelf()
    origin: dict[str, Path] = {}
    for path in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml"))):
        try:
            entry = read(path)
        except ConfigError as error:
            shelf.broken[path.stem] = error
            continue
        name = name_of(entry)
        if name in shelf:
            problem = f"{path}: {what}: {name!r} is already taken by {origin[name]}"
            shelf.broken[path.stem] = ConfigError(f"{path} cannot be used", problems=(problem,))
            continue
        shelf[name], origin[name] = entry, path
    return shelf


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping a YAML file holds. Raises ConfigError naming file, line and column."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise wrong(path, [f"cannot be read: {error}"]) from None
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        detail = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise wrong(path, [f"{place}not YAML: {detail}"]) from None
    if not isinstance(content, dict):
        raise wrong(path, [f"should hold keys and values, but holds {_kind(content)}"])
    return content


def wrong(path: Path | str, problems: Iterable[str]) -> ConfigError:
    """The ConfigError of one file; each problem gets the file's name in front."""
    return ConfigError(f"{path} cannot be used", problems=tuple(f"{path}: {problem}" for problem in problems))


def problems_in(given: Mapping[str, Any], model: type[BaseModel], *, under: str = "") -> list[str]:
    """Every reason why ``given`` is no ``model``: ``key: what``; empty when it is one."""
    try:
        model.model_validate(given)
    except ValidationError as error:
        return [_sentence(fault, model, under) for fault in error.errors(include_url=False)]
    return []


def unknown(word: object, known: Iterable[str]) -> str:
    """``unknown 'uoms'; did you mean 'uom'? known: currency, uom``."""
    words = sorted(known)
    close = difflib.get_close_matches(str(word).casefold(), words, n=1, cutoff=0.6)
    guess = f"; did you mean {close[0]!r}?" if close else ";"
    return f"unknown {word!r}{guess} known: {', '.join(words) or 'none'}"


def _sentence(fault: Any, model: type[BaseModel], under: str) -> str:
    where = tuple(fault["loc"])
    key = ".".join((*((under,) if under else ()), *map(str, where))) or "(file)"
    match fault["type"]:
        case "extra_forbidden":
            return f"{key}: {unknown(where[-1], _keys_at(model, where[:-1])).replace('unknown', 'unknown key', 1)}"
        case "missing":
            return f"{key}: is missing"
        case "literal_error" | "enum":
            context = fault.get("ctx", {})
            return f"{key}: given {_shown(fault['input'])}, allowed {context.get('expected', '')}"
        case _:
            message = fault["msg"].removeprefix("Value error, ")
            return f"{key}: given {_shown(fault['input'])}: {message[:1].lower()}{message[1:]}"


def _keys_at(model: type[BaseModel], where: tuple[int | str, ...]) -> Iterable[str]:
    """The keys allowed at ``where`` inside ``model``, as far as its annotations tell."""
    here: Any = model
    for step in where:
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(str(step))
            here = field.annotation if field else None
        elif get_origin(here) in (list, tuple, dict):
            here = get_args(here)[-1]
        if get_origin(here) in (Union, UnionType, Annotated):
            here = next((part for part in get_args(here) if part is not type(None)), None)
    return here.model_fields if isinstance(here, type) and issubclass(here, BaseModel) else ()


def _shown(given: object) -> str:
    text = repr(given)
    return text if len(text) <= 80 else text[:77] + "..."


def _kind(content: object) -> str:
    return "nothing" if content is None else f"a {type(content).__name__}"
