"""The languages in which partners are spoken to: ``languages/<code>.yaml``, one file each.

A finding is told by its code, with the words of the partner's own sheet: not what the program
calls a field, but what stands above the column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from schemas.configuration import Strict, faults, read_yaml
from schemas.errors import ConfigError
from schemas.findings import Finding

FOLDER = Path(__file__).with_name("languages")
USUAL = "en"


class Said(Strict):
    """What is said of a finding's code: what is wrong, and what was expected; both may name the placeholders
    ``{value}``, ``{column}``, ``{field}``, ``{message}`` and ``{missing}``."""

    what: str
    expected: str = ""


class Language(Strict):
    """All that is said in one language."""

    name: str
    page: dict[str, str]
    facts: dict[str, str]
    legend: dict[str, str]
    table: dict[str, str]
    comment: dict[str, str]
    letter: dict[str, str]
    template: dict[str, str]
    documents: dict[str, str]  #: name of a workbook document -> what its sheet is called
    fields: dict[str, str]  #: canonical field -> what a person calls it
    findings: dict[str, Said]  #: code -> what is said of it; ``*.missing`` for all that end so, ``*`` for the rest
    expected: dict[str, str]  #: how an expectation begins -> what is said instead; ``{rest}`` is the rest of it

    def tell(self, finding: Finding, *, column: str = "", field: str = "") -> Told:
        """What is wrong, for the partner; ``column`` is the header above the value, ``field`` ours for it."""
        said = self._said(finding.code)
        own = finding.code.partition(".")[0]
        name = column or self.fields.get(field) or self.fields.get(own) or field or own
        missing = ", ".join(self.fields.get(one, one) for one in _fields_in(finding)) or name
        words = {
            "value": self.comment["quote"].format(text=finding.value or ""),
            "column": name,
            "field": name,
            "message": finding.message,
            "missing": missing,
        }
        expected = said.expected.format_map(words) if said.expected else self._expectation(finding.expected or "")
        return Told(_capital(said.what.format_map(words)), expected, _sensible(finding) or _nearest(finding))

    def knows(self, code: str) -> bool:
        """Whether there are words for just this code."""
        return code in self.findings

    def _said(self, code: str) -> Said:
        general = f"*.{code.rpartition('.')[2]}"
        return self.findings.get(code) or self.findings.get(general) or self.findings["*"]

    def _expectation(self, expected: str) -> str:
        begins = max((begin for begin in self.expected if expected.startswith(begin)), key=len, default="")
        if not begins:
            return expected.partition("; near:")[0]
        rest = expected[len(begins) :].partition(":")[0].strip()
        return self.expected[begins].format_map({"rest": rest})


@dataclass(frozen=True, slots=True)
class Told:
    """One finding in a partner's language."""

    what: str
    expected: str
    proposals: tuple[str, ...]


def language(code: str) -> Language:
    """The language called ``code`` (``de``, ``de-AT``), else the usual one. Raises ConfigError for a faulty file."""
    wanted = code.partition("-")[0].casefold()
    return _read(wanted if wanted in languages() else USUAL)


@cache
def languages() -> Mapping[str, Path]:
    """The languages there are, by code."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


@cache
def _read(code: str) -> Language:
    file, problems = read_yaml(languages()[code])
    problems = problems or file.told(faults(Language, file.content))
    if problems:
        raise ConfigError(f"the language {code} cannot be used", problems=tuple(problems))
    return Language.model_validate(file.content)


def _fields_in(finding: Finding) -> list[str]:
    """The fields that an incomplete header lacks: ``item: Part or Material; quantity: Qty``."""
    if finding.code != "workbook.header_incomplete":
        return []
    return [one.partition(":")[0].strip() for one in (finding.expected or "").split("; ")]


_ALIKE = 80  #: likeness, of 100, of a word that is as short as those of units, which are soon alike


def _sensible(finding: Finding) -> tuple[str, ...]:
    """What may have been meant, as far as it is worth a partner's time."""
    if not finding.code.startswith("unit."):
        return finding.near
    from rapidfuzz import fuzz

    value = (finding.value or "").upper()
    return tuple(one for one in finding.near if fuzz.ratio(value, one.upper()) >= _ALIKE)


def _nearest(finding: Finding) -> tuple[str, ...]:
    """Headers that are most like those that are missing."""
    if finding.code != "workbook.header_incomplete":
        return ()
    return tuple(one[0] or one[1] for one in re.findall(r"nearest is (?:'([^']*)'|\"([^\"]*)\")", finding.message))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
