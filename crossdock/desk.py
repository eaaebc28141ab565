"""Where a payload's documents are assigned: whose each one is, and by which mapping it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.base import Format
from connectors.formats.rows import ATTRIBUTE_KEYS
from crossdock.translated import ANSWERS, Context, EnvelopeClosed
from mappings.apply import UNKNOWN
from mappings.keyed import keyed
from mappings.library import IDENTITY_FORMATS, CompiledMapping
from mappings.spec import Partner
from schemas.documents import DocumentStart, EnvelopeEnd, LinePlan
from schemas.findings import Finding, Severity, Stage


@dataclass(frozen=True, slots=True)
class Decision:
    """Who sent a document, how it is read, and what stands against reading it."""

    partner: Partner | None
    name: str  #: the partner's id, also where it has no file; empty when nobody knows
    mapping: CompiledMapping | None
    findings: tuple[Finding, ...] = ()


#: Documents whose assignment is remembered: the format asks first, and the translation once more, somewhat later.
_REMEMBERED = 1024


class Desk:
    """Where a payload's documents are assigned: the ``Plans`` a format asks while it reads.

    The format may ask in one thread and the translation in another.
    """

    def __init__(self, format: Format, payload: str, metadata: Mapping[str, str], context: Context) -> None:
        self.format = format
        self.payload = payload
        self.metadata = metadata
        self.context = context
        #: set when the format asked what to look for in a payload of a sender whom nobody knows
        self.stranger: Finding | None = None
        self._decided: dict[int, Decision] = {}
        self._plans: dict[str, LinePlan] = {}

    def for_document(self, start: DocumentStart) -> LinePlan | None:
        mapping = self.decide(start).mapping
        return None if mapping is None else self._plan(mapping)

    def candidates(self, sender: str) -> Sequence[LinePlan]:
        partner, name = self.partner(sender)
        if not name and not self.context.lenient:
            self.stranger = self._unknown(sender or self.metadata.get("from", ""), Severity.ERROR)
            return ()
        return [self._plan(mapping) for mapping in self.context.library.candidates(partner, self.format.name)]

    def decide(self, start: DocumentStart) -> Decision:
        decision = self._decided.get(start.ordinal)
        if decision is None:
            decision = self._decide(start)
            if ATTRIBUTE_KEYS in start.attributes and decision.mapping is not None:
                decision = replace(decision, mapping=keyed(decision.mapping))
            self._decided[start.ordinal] = decision
            self._decided.pop(start.ordinal - _REMEMBERED, None)
        return decision

    def closed(self, envelope: EnvelopeEnd) -> EnvelopeClosed:
        """The end of an envelope, with whose it is and what they are promised."""
        partner, name = self.partner(envelope.interchange.sender)
        programs = bool(self.metadata.get("automatic"))  # a mail that no person sent is never answered (RFC 3834)
        agreement = None if partner is None or programs else partner.acknowledge
        return EnvelopeClosed(envelope=envelope, partner=name, agreement=agreement)

    def _decide(self, start: DocumentStart) -> Decision:
        partner, name = self.partner(start.sender)
        mapping = self.context.library.mapping_for(partner, start.type)
        if mapping is None and start.type not in ANSWERS:
            return Decision(partner, name, None, (self._unmapped(start, partner),))
        if name or (mapping is not None and _names_partner(mapping)):
            return Decision(partner, name, mapping)
        stranger = start.sender or self.metadata.get("from", "")
        if self.context.lenient:
            return Decision(None, stranger or UNKNOWN, mapping, (self._unknown(stranger, Severity.WARNING, start),))
        return Decision(None, "", None, (self._unknown(stranger, Severity.ERROR, start),))

    def partner(self, sender: str) -> tuple[Partner | None, str]:
        """The sender's partner file, and its id; an id named by the channel may have no file."""
        library = self.context.library
        if named := self.metadata.get("partner"):
            return library.partners.get(named), named
        for kind, identity in ((self.format.name, sender), ("email", sender or self.metadata.get("from", ""))):
            if identity and (partner := library.partner_of(kind, identity)) is not None:
                return partner, partner.partner
        named = "" if sender and self.format.name in IDENTITY_FORMATS else self.metadata.get("channel_partner", "")
        return library.partners.get(named), named

    def _plan(self, mapping: CompiledMapping) -> LinePlan:
        """The mapping's plan, compiled by the format if the library has not had that done."""
        if mapping.plan.compiled is not None:
            return mapping.plan
        if mapping.name not in self._plans:
            plan = mapping.plan
            self._plans[mapping.name] = self.format.compile(plan.type, plan.line, plan.paths, plan.options)
        return self._plans[mapping.name]

    def _unmapped(self, start: DocumentStart, partner: Partner | None) -> Finding:
        known = sorted(t for t in self.context.library.document_types if t.startswith(f"{self.format.name}."))
        whose = f" of {partner.partner}" if partner is not None else ""
        return Finding(
            code="document.unmapped",
            severity=Severity.ERROR,
            stage=Stage.STRUCTURE,
            message=f"there is no mapping for {start.type} documents{whose}; it is kept but not read",
            location=start.location,
            value=start.type,
            expected=", ".join(known),
            offset=start.offset,
        )

    def _unknown(self, sender: str, severity: Severity, start: DocumentStart | None = None) -> Finding:
        kind = self.format.name if self.format.name in IDENTITY_FORMATS else "email"
        return Finding(
            code="partner.unknown",
            severity=severity,
            stage=Stage.REFERENCE,
            message=f"no partner file claims the sender {sender!r}" if sender else "nothing says who sent this",
            location="" if start is None else start.location,
            value=sender or None,
            expected=f"an identity of a partner file (identities.{kind}), or a channel with a partner",
            offset=None if start is None else start.offset,
        )


def _names_partner(mapping: CompiledMapping) -> bool:
    """Whether the mapping says whose each line is, so that the document need not."""
    return "partner" in mapping.rules
