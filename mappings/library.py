"""The library of mappings: standard documents, partners and code lists, read once and checked together.

::

    standard/x12_856.yaml  --+
    codes/x12_purpose.yaml --+--> CompiledMapping, one for each partner and document type
    partners/acme.yaml     --+

Every fault of every file is found in one go and said as ``partners/acme.yaml:12: <key>: <what was
given, what is allowed, the nearest known word>``. A partner whose file is faulty is left out, so
that the others go on (``Library.read``); ``Library.load`` refuses the whole set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from mappings.headings import Headings, read_headings, spelled_out
from mappings.merging import is_about, merged, options_of, paths_of, rules_of, version_of
from mappings.soundness import Place, Words, faults_of_fields, faults_of_names, faults_of_partner, faults_of_whole
from mappings.spec import DocumentAgreement, FieldRule, Layout, OnError, Partner
from mappings.spec import Mapping as MappingSpec
from schemas.configuration import Key, YamlFile, faults, read_yaml, sound_part, unknown, yaml_files
from schemas.documents import LinePlan
from schemas.errors import ConfigError
from schemas.lines import LineKind

#: What a format's ``compile`` does: document type, line, paths and options become a plan, or a ConfigError.
Compile = Callable[[str, str, Iterable[str], Mapping[str, object]], LinePlan]

IDENTITY_FORMATS = ("x12", "edifact", "idoc", "ubl", "cxml", "email")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledMapping:
    """How one document type of one partner becomes canonical lines: the standard and what differs, merged.

    ``version`` is the hash of that merged content, code lists included: it changes when, and only
    when, the same bytes could come out differently.
    """

    name: str  #: ``standard/x12_856``, or ``partners/acme:x12.856``
    version: str  #: 12 hex digits
    document: str
    kind: LineKind
    rules: Mapping[str, FieldRule]
    codes: Mapping[str, Mapping[str, str]]
    layout: Layout
    identity: tuple[str, ...]
    key: tuple[str, ...]
    on_error: OnError
    plan: LinePlan
    whole: FieldRule | None = None


def plain_plan(type: str, line: str, paths: Iterable[str], options: Mapping[str, object]) -> LinePlan:
    """A plan that no format has checked yet."""
    return LinePlan(type=type, line=line, paths=tuple(paths), options=options)


@dataclass(frozen=True, slots=True)
class _Standard:
    name: str
    file: YamlFile
    spec: MappingSpec


@dataclass(frozen=True)
class Library:
    """All that is known of documents and partners; immutable.

    ``problems`` names every fault of the files; what is faulty is not in the library.
    """

    partners: Mapping[str, Partner]
    standard: Mapping[str, CompiledMapping]  #: by document type
    agreed: Mapping[tuple[str, str], CompiledMapping]  #: by partner and document type
    problems: tuple[str, ...] = ()
    _broken: frozenset[tuple[str, str]] = field(default_factory=frozenset)

    @classmethod
    def load(cls, mappings: Path, partners: Path, *, compile: Compile = plain_plan) -> Library:
        """The library of these two folders; code lists lie in ``codes`` beside ``mappings``.

        ``compile`` is how paths are checked and made fast; formats know, mappings do not.
        Raises ConfigError with all problems.
        """
        library = cls.read(mappings, partners, compile=compile)
        if library.problems:
            count = len(library.problems)
            raise ConfigError(f"{count} problem{'s' * (count > 1)} in mappings and partners", problems=library.problems)
        return library

    @classmethod
    def read(cls, mappings: Path, partners: Path, *, compile: Compile = plain_plan) -> Library:
        """Like ``load``, but a faulty file only keeps itself out; see ``problems``."""
        return _Reading(compile).read(mappings, partners)

    def partner_of(self, format: str, identity: str) -> Partner | None:
        """The partner that appears as ``identity`` (``ZZ:ACMEINC``; an email address in any case).

        A partner's exact identity comes before a pattern (``*@acme.example``), a longer pattern before a shorter.
        """
        known = self._identities.get(format, {})
        wanted = _identity(format, identity)
        if wanted in known:
            return self.partners[known[wanted]]
        patterns = (pattern for pattern in known if "*" in pattern and fnmatchcase(wanted, pattern))
        best = max(patterns, key=len, default=None)
        return self.partners[known[best]] if best is not None else None

    def mapping_for(self, partner: Partner | None, document_type: str) -> CompiledMapping | None:
        """The partner's own mapping of this document type, else the standard one.

        None where there is neither, and where the partner's own is faulty: the standard one would
        read its documents wrongly.
        """
        if partner is not None:
            place = (partner.partner, document_type)
            if place in self.agreed or place in self._broken:
                return self.agreed.get(place)
        return self.standard.get(document_type)

    @staticmethod
    def policy_for(partner: Partner | None, document_type: str) -> OnError:
        """What an error brings down in a document of this type."""
        if partner is None:
            return OnError.PARK_LINES
        agreement = partner.documents.get(document_type)
        return (agreement.on_error if agreement else None) or partner.on_error

    def candidates(self, partner: Partner | None, format: str) -> Sequence[CompiledMapping]:
        """All mappings of documents of ``format`` that ``partner`` could mean, its own agreements first."""
        types = sorted(type_ for type_ in self.document_types if type_.startswith(f"{format}."))
        if partner is not None:
            types.sort(key=lambda type_: type_ not in partner.documents)
        found = (self.mapping_for(partner, type_) for type_ in types)
        return [mapping for mapping in found if mapping is not None]

    @cached_property
    def document_types(self) -> frozenset[str]:
        """Every document type that some mapping reads."""
        return frozenset(self.standard) | {type_ for _, type_ in self.agreed}

    @cached_property
    def _identities(self) -> Mapping[str, Mapping[str, str]]:
        return {
            format: {
                _identity(format, name): partner.partner
                for partner in self.partners.values()
                for name in getattr(partner.identities, format)
            }
            for format in IDENTITY_FORMATS
        }


def _identity(format: str, name: str) -> str:
    return name.strip().casefold() if format == "email" else name.strip()


class _Reading:
    """One pass over the files. Gathers problems as it goes; thrown away afterwards."""

    def __init__(self, compile: Compile) -> None:
        self.compile = compile
        self.problems: list[str] = []
        self.codes: dict[str, Mapping[str, str]] = {}
        self.headings: Headings = {}
        self.standards: dict[str, _Standard] = {}  # by file name
        self.by_document: dict[str, _Standard] = {}
        self.left_out: set[str] = set()  # faulty mappings, by file name and by document type

    def read(self, mappings: Path, partners: Path) -> Library:
        for folder in (mappings, partners):
            if not folder.is_dir():
                self.problems.append(f"{folder}: no such folder; expected the YAML files of {folder.name}")
            elif folder == mappings and not yaml_files(folder):
                self.problems.append(f"{folder}: holds no YAML file; expected one for each standard mapping")
        self.headings, problems = read_headings(mappings.parent / "headings")
        self.problems += problems
        for path in yaml_files(mappings.parent / "codes"):
            self._read_codes(path)
        for path in yaml_files(mappings):
            self._read_standard(path)
        standard = {
            one.spec.document: compiled
            for one in self.by_document.values()
            if (compiled := self._standard_mapping(one)) is not None
        }
        agreed: dict[tuple[str, str], CompiledMapping] = {}
        broken: set[tuple[str, str]] = set()
        known: dict[str, tuple[YamlFile, Partner]] = {}
        for path in yaml_files(partners):
            self._read_partner(path, known, agreed, broken)
        self._claim_identities(known)
        return Library(
            partners={name: partner for name, (_, partner) in known.items()},
            standard=standard,
            agreed=agreed,
            problems=tuple(self.problems),
            _broken=frozenset(broken),
        )

    # -- code lists and standard mappings -----------------------------------------------------------

    def _read_codes(self, path: Path) -> None:
        file, problems = read_yaml(path)
        content = file.content if isinstance(file.content, dict) else {}
        problems += [
            file.problem((code,), f"expected text, not {value!r}; put it in quotes")
            for code, value in content.items()
            if not isinstance(value, str)
        ]
        seen: dict[str, str] = {}
        for code in content:
            if (rival := seen.setdefault(code.lower(), code)) != code and content[rival] != content[code]:
                problems.append(
                    file.problem((code,), f"means {content[code]!r}, but {rival!r} means {content[rival]!r}")
                )
        self.problems += problems
        if not problems:
            self.codes[path.stem] = content

    def _read_standard(self, path: Path) -> None:
        file, problems = read_yaml(path)
        spec = None
        if not problems:
            problems = file.told(faults(MappingSpec, file.content))
            if problems:
                self._look_further(f"standard/{path.stem}", file)
            else:
                spec = MappingSpec.model_validate(file.content)
        if spec is not None and (rival := self.by_document.get(spec.document)) is not None:
            problems.append(file.problem(("document",), f"{spec.document} is mapped by {rival.file.name} already"))
        self.problems += problems
        if spec is not None:
            one = _Standard(f"standard/{path.stem}", file, spec)
            self.standards[one.name] = one
            self.by_document.setdefault(spec.document, one)

    def _look_further(self, name: str, file: YamlFile) -> None:
        """Find what else is wrong with a faulty mapping, and remember that it is left out."""
        self.left_out.add(name)
        if (rest := sound_part(MappingSpec, file.content)) is not None:
            self.left_out.add(rest.document)
            self._standard_mapping(_Standard(name, file, rest))

    # -- partners -----------------------------------------------------------------------------------

    def _read_partner(
        self,
        path: Path,
        known: dict[str, tuple[YamlFile, Partner]],
        agreed: dict[tuple[str, str], CompiledMapping],
        broken: set[tuple[str, str]],
    ) -> None:
        file, problems = read_yaml(path)
        partner = None
        if not problems:
            problems = file.told(faults(Partner, file.content))
            partner = sound_part(Partner, file.content)
        if partner is not None:
            rival = known.get(partner.partner)
            problems += faults_of_partner(file, partner, rival[0].name if rival else None)
        self.problems += problems
        if partner is None:
            return
        compiled_by_type = {
            type_: self._agreement(file, path.stem, partner, type_, agreement)
            for type_, agreement in partner.documents.items()
        }
        if problems:
            return
        known[partner.partner] = (file, partner)
        for type_, compiled in compiled_by_type.items():
            if compiled is None:
                broken.add((partner.partner, type_))
            else:
                agreed[partner.partner, type_] = compiled

    def _agreement(
        self, file: YamlFile, stem: str, partner: Partner, type_: str, agreement: DocumentAgreement
    ) -> CompiledMapping | None:
        key: Key = ("documents", type_)
        if agreement.extends is not None:
            base = self.standards.get(agreement.extends)
            if base is None:
                if agreement.extends not in self.left_out:
                    sentence = unknown("mapping", agreement.extends, self.standards)
                    self.problems.append(file.problem((*key, "extends"), sentence))
                return None
        else:
            base = self.by_document.get(type_)
            if base is None:
                if type_ not in self.left_out:
                    self.problems.append(file.problem(key, unknown("document type", type_, self.by_document)))
                return None
        own, standard = type_.partition(".")[0], base.spec.document.partition(".")[0]
        if own != standard:
            problem = f"{base.name} maps {standard} documents, not {own} ones"
            self.problems.append(file.problem((*key, "extends"), problem))
            return None
        place, words = Place(file, key, base.spec.kind), Words(self.codes, self.headings)
        problems = [
            *faults_of_fields(place, agreement.fields, words),
            *faults_of_whole(place, agreement.whole, words),
            *faults_of_names(place, ("key",), agreement.key),
            *faults_of_names(place, ("header",), agreement.header),
        ]
        self.problems += problems
        spec = self._with_header(merged(base.spec, type_, agreement, partner))
        if problems:
            self._planned(file, key, spec)  # its paths may be wrong too
            return None
        return self._compiled(
            f"partners/{stem}:{type_}",
            file,
            key,
            spec,
            on_error=agreement.on_error or partner.on_error,
            timezone=partner.timezone,
        )

    def _claim_identities(self, known: dict[str, tuple[YamlFile, Partner]]) -> None:
        """Two partners may not answer to one name; the later file loses."""
        losers: set[str] = set()
        for format in IDENTITY_FORMATS:
            claimed: dict[str, str] = {}
            for name, (file, partner) in known.items():
                for index, identity in enumerate(getattr(partner.identities, format)):
                    rival = claimed.setdefault(_identity(format, identity), name)
                    if rival != name:
                        key: Key = ("identities", format)
                        place = (*key, index) if (*key, index) in file.lines else key
                        self.problems.append(file.problem(place, f"{identity!r} is an identity of {rival} already"))
                        losers.add(name)
        for name in losers:
            del known[name]

    # -- compiling ----------------------------------------------------------------------------------

    def _standard_mapping(self, one: _Standard) -> CompiledMapping | None:
        place, words = Place(one.file, (), one.spec.kind), Words(self.codes, self.headings)
        problems = [
            *faults_of_fields(place, one.spec.fields, words),
            *faults_of_whole(place, one.spec.whole, words),
            *faults_of_names(place, ("identity",), one.spec.identity),
            *faults_of_names(place, ("key",), one.spec.key),
            *faults_of_names(place, ("layout", "header"), one.spec.layout.header),
        ]
        self.problems += problems
        spec = self._with_header(one.spec)
        if problems:
            self._planned(one.file, (), spec)
            return None
        return self._compiled(one.name, one.file, (), spec)

    def _compiled(
        self,
        name: str,
        file: YamlFile,
        key: Key,
        spec: MappingSpec,
        *,
        on_error: OnError = OnError.PARK_LINES,
        timezone: str = "UTC",
    ) -> CompiledMapping | None:
        plan = self._planned(file, key, spec)
        if plan is None:
            return None
        codes = {name: self.codes[name] for rule in rules_of(spec) for name in rule.code_lists if name}
        return CompiledMapping(
            name=name,
            version=version_of(spec, codes, on_error, timezone),
            document=spec.document,
            kind=spec.kind,
            rules=spec.fields,
            codes=codes,
            layout=spec.layout,
            identity=tuple(spec.identity),
            key=tuple(spec.key),
            on_error=on_error,
            plan=plan,
            whole=spec.whole,
        )

    def _planned(self, file: YamlFile, key: Key, spec: MappingSpec) -> LinePlan | None:
        """The format's plan. What the format refuses is said on the field whose path it names."""
        if (spec.tighten or spec.relax) and not spec.document.startswith(("x12.", "edifact.")):
            self.problems.append(file.problem(key, "tighten and relax are said of X12 and EDIFACT only"))
        try:
            return self.compile(spec.document, spec.line, paths_of(rules_of(spec)), options_of(spec))
        except ConfigError as error:
            for problem in error.problems or (error.message,):
                culprit = next((name for name, rule in spec.fields.items() if is_about(problem, rule)), None)
                self.problems.append(file.problem((*key, "fields", culprit) if culprit else key, problem))
            return None

    def _with_header(self, spec: MappingSpec) -> MappingSpec:
        """Names of headings spelled out; the layout's header names before the alternatives of their fields."""
        fields = {name: spelled_out(rule, self.headings) for name, rule in spec.fields.items()}
        for name, names in spec.layout.header.items():
            rule = fields.get(name) or FieldRule(path=[])
            fields[name] = rule.model_copy(update={"path": list(dict.fromkeys([*names, *rule.paths]))})
        return spec.model_copy(update={"fields": fields, "layout": spec.layout.model_copy(update={"header": {}})})
