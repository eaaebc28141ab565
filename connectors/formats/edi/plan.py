"""What a mapping wants of a transaction set, against the tables of the version it is written by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from connectors.formats.edi.agreed import Agreed, as_agreed, check_agreed
from connectors.formats.edi.grammar import BASE_VERSION, Grammar, Part, TransactionSet, known_versions, load_grammar
from connectors.formats.edi.machine import Plan
from connectors.formats.edi.paths import check_paths
from schemas.documents import LinePlan
from schemas.errors import ConfigError

#: the grammar of a set nobody has described: nothing but its envelope
_ANY = TransactionSet("", "", "", Part("ST", True, 1, True, (Part("SE", True, 1),)))


def x12_plan(grammar: Grammar, set_id: str, wanted: LinePlan | None) -> Plan:
    """The plan against this version's grammar, as agreed with the partner; for anything at all when the set is unknown.

    A path that this version has no place for stays in the plan and finds nothing.
    """
    compiled = wanted.compiled if wanted else None
    if isinstance(compiled, Plan) and compiled.agreed and set_id in grammar.sets:
        grammar = as_agreed(grammar, set_id, compiled.agreed)
    set_ = grammar.sets.get(set_id)
    if set_ is None:
        return Plan(grammar, _ANY, (_ANY.root,), None, ())
    if not isinstance(compiled, Plan):
        return Plan(grammar, set_, (set_.root,), None, ())
    chain, others = compiled.loops_in(set_)
    if chain is None:
        return Plan(grammar, set_, (set_.root,), None, compiled.places)
    return replace(compiled, grammar=grammar, set=set_, chain=chain, others=others)


def compile_plan(type_: str, line: str, paths: Sequence[str], agreed: Agreed) -> Plan:
    """A plan against the base version. Raises ConfigError with every bad path, or every bad row of what is agreed."""
    grammar = load_grammar(BASE_VERSION)
    set_id = type_.partition(".")[2]
    if set_id not in grammar.sets:
        raise ConfigError(
            f"{type_}: there is no such transaction set", hint=f"known: {', '.join(sorted(grammar.sets))}"
        )
    check_agreed(grammar, map(load_grammar, known_versions()), set_id, agreed)
    grammar = as_agreed(grammar, set_id, agreed)
    loops, places = check_paths(grammar, grammar.sets[set_id], line, paths)
    return Plan(
        grammar, grammar.sets[set_id], loops.chain, loops.qualifier, places, loops.others, loops.bare, loops.counts,
        loops.shares, agreed,
    )  # fmt: skip
