"""A mapping's line and paths, checked and made ready for documents that are trees."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from connectors.formats.xml.lookup import Lookup
from connectors.formats.xml.paths import BadPath, Path, parse, parse_line
from schemas.documents import LinePlan
from schemas.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Names:
    """What there is to be named: elements, and for those known in full what stands in them.

    Names that ``free`` matches from their beginning are anybody's own.
    """

    elements: frozenset[str]
    within: Mapping[str, frozenset[str]] = field(default_factory=dict)
    free: re.Pattern[str] | None = None

    def unknown(self, path: Path) -> str | None:
        """What is wrong with the names of ``path``, in words that follow its quotation."""
        before: frozenset[str] | None = None
        for index, step in enumerate(path.steps):
            if self.free is not None and self.free.match(step.name):
                return None
            known = self.elements if index == 0 else before
            if known is not None and step.name not in known:
                near = difflib.get_close_matches(step.name, sorted(known), n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                return f"names {step.name}, which this document does not have there{hint}"
            before = self.within.get(step.name)
        return None


def compiled(
    type: str,
    line: str,
    paths: Iterable[str],
    options: Mapping[str, object],
    *,
    names: Names | None = None,
    blank: frozenset[str] = frozenset(),
) -> LinePlan:
    """The plan. ``blank`` are texts that say nothing. Raises ConfigError naming every bad path."""
    wanted = tuple(dict.fromkeys(paths))
    problems = []
    spec = None
    try:
        spec = parse_line(line)
    except BadPath as error:
        problems.append(f"{type}: line: {line!r} {error}")
    ready = []
    for path in wanted:
        try:
            ready.append(parse(path))
        except BadPath as error:
            problems.append(f"{type}: path {path!r} {error}")
    problems += _unknown_names(type, dict(zip(wanted, ready, strict=False)) if len(ready) == len(wanted) else {}, names)
    if problems or spec is None:
        raise ConfigError(f"{type}: the mapping asks for what such a document does not have", problems=tuple(problems))
    return LinePlan(type=type, line=line, paths=wanted, options=options, compiled=Lookup(spec, ready, blank))


def _unknown_names(type: str, ready: Mapping[str, Path], names: Names | None) -> Iterator[str]:
    for text, path in ready.items():
        if names is not None and (sentence := names.unknown(path)):
            yield f"{type}: path {text!r} {sentence}"
