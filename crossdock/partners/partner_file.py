"""A partner's file changed in one place, and otherwise left as a person wrote it: comments, order, quoting."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from mappings.spec import Partner
from schemas.configuration import faults, parse_yaml, read_yaml, yaml_files
from schemas.errors import ConfigError

Value = str | Sequence[str]
_WIDEST = 110  #: characters of a list that stands on one line


def file_of(partner: str, folder: Path) -> Path:
    """The file of the partner. Raises ConfigError where it has none."""
    for path in yaml_files(folder):
        file, problems = read_yaml(path)
        if not problems and isinstance(file.content, dict) and file.content.get("partner") == partner:
            return path
    raise ConfigError(f"{partner} has no file in {folder}", hint="`crossdock partner new --from FILE` writes one")


def write(path: Path, text: str) -> None:
    """Put ``text`` in the place of the file, as a whole or not at all. Raises ConfigError where that is not allowed."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_text(text, "utf-8")
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}", hint="change the file where it is kept; --show says how"
        ) from None


def put(text: str, key: Sequence[str], value: Value) -> str:
    """``text`` with ``value`` at ``key``; mappings on the way there are made where they are missing.

    Raises ConfigError where the text is no partner file any more after that.
    """
    changed = _put(text, key, value)
    file, problems = parse_yaml(changed, "the changed file")
    problems = problems or file.told(faults(Partner, file.content))
    if problems or _at(file.content, key) != (value if isinstance(value, str) else list(value)):
        raise ConfigError(
            f"{'.'.join(key)} cannot be changed in that file by a program",
            problems=tuple(problems),
            hint="change it by hand",
        )
    return changed


def _put(text: str, key: Sequence[str], value: Value) -> str:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError("a partner file is a mapping")
    for depth, name in enumerate(key):
        entry = next(((one, other) for one, other in node.value if one.value == name), None)
        if entry is None:
            return _insert(text, node, name, key[depth + 1 :], value)
        label, inner = entry
        if depth == len(key) - 1:
            return _replace(text, label, inner, value)
        if not isinstance(inner, yaml.MappingNode):  # nothing stands there yet
            begin, end = label.end_mark.index, _end(text, inner)
            return f"{text[:begin]}: {_flow(_nested(key[depth + 1 :], value))}{text[max(end, begin + 1) :]}"
        node = inner
    raise ConfigError("no key was named")


def _at(content: Any, key: Sequence[str]) -> Any:
    for name in key:
        content = content[name]
    return content


def _insert(text: str, node: yaml.MappingNode, name: str, rest: Sequence[str], value: Value) -> str:
    """A new last entry of the mapping ``node``."""
    told = _flow(_nested(rest, value))
    label = _flow(name)
    if node.flow_style:
        end = node.end_mark.index - 1
        begin = len(text[:end].rstrip())
        comma = ", " if node.value and text[begin - 1] != "," else " " if node.value else ""
        return f"{text[:begin]}{comma}{label}: {told}{text[begin:]}"
    margin = " " * node.value[0][0].start_mark.column
    end = _line_end(text, _end(text, node))
    return f"{text[:end]}\n{margin}{_entry(label, rest, value, margin)}{text[end:]}"


def _entry(label: str, rest: Sequence[str], value: Value, margin: str) -> str:
    """``label`` and all below it, in lines; lists on one line where they fit."""
    if rest:
        inner = margin + "  "
        return f"{label}:\n{inner}{_entry(_flow(rest[0]), rest[1:], value, inner)}"
    line = f"{label}: {_flow(value)}"
    if isinstance(value, str) or len(margin) + len(line) <= _WIDEST:
        return line
    return f"{label}:" + _block(value, margin)


def _replace(text: str, label: yaml.Node, node: yaml.Node, value: Value) -> str:
    begin, end = node.start_mark.index, _end(text, node)
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and not isinstance(value, str):
        kept = [one.value for one in node.value]
        if list(value[: len(kept)]) == kept:  # items are only added: what stands there stays, with its comments
            end = _line_end(text, end)
            return text[:end] + _block(value[len(kept) :], " " * node.start_mark.column) + text[end:]
        margin = " " * node.start_mark.column
        return text[: label.end_mark.index] + ":" + _block(value, margin) + text[end:]
    return text[:begin] + _flow(value) + text[end:]


def _block(items: Sequence[str], margin: str) -> str:
    return "".join(f"\n{margin}- {_flow(item)}" for item in items)


def _nested(rest: Sequence[str], value: Value) -> Any:
    for name in reversed(rest):
        value = {name: value}  # type: ignore[assignment]
    return value


_PLAIN = re.compile(r"[^\W\d_][\w./-]*(?: [\w./-]+)*")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})  #: that are no text to some reader


def _flow(value: Any) -> str:
    """On one line; text in quotes where it might be taken for anything else."""
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            return value
        return re.sub(
            r"[^\x20-\uffff]|[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", _escaped, json.dumps(value, ensure_ascii=False)
        )
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(name)}: {_flow(inner)}" for name, inner in value.items()) + "}"
    return "[" + ", ".join(map(_flow, value)) + "]"


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1] if ord(match[0]) < 0x10000 else f"\\U{ord(match[0]):08X}"


def _end(text: str, node: yaml.Node) -> int:
    """Where the node's last character stands, plus one; the parser takes what follows a block for a part of it."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    end = int(node.end_mark.index)
    return len(text[:end].rstrip("\n")) if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">") else end


def _line_end(text: str, at: int) -> int:
    """The end of the line on which ``at`` stands, a comment behind it left in front."""
    end = text.find("\n", at)
    return len(text.rstrip("\n")) if end < 0 else end
