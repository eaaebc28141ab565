"""What a mapping wants of a transaction set, against the tables of the version it is written by."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.formats.edi.grammar import BASE_VERSION, Grammar, Part, TransactionSet, load_grammar
from connectors.formats.edi.machine import Plan
from connectors.formats.edi.paths import check_paths, find_loop
from schemas.documents import LinePlan
from schemas.errors import ConfigError

#: the grammar of a set nobody has described: nothing but its envelope
_ANY = TransactionSet("", "", "", Part("ST", True, 1, True, (Part("SE", True, 1),)))


def x12_plan(grammar: Grammar, set_id: str, wanted: LinePlan | None) -> Plan:
    """The plan against this version's grammar; a plan for anything at all when the set is unknown.

    A path that this version has no place for stays in the plan and finds nothing.
    """
    set_ = grammar.sets.get(set_id)
    if set_ is None:
        return Plan(grammar, _ANY, (_ANY.root,), None, ())
    compiled = wanted.compiled if wanted else None
    if not isinstance(compiled, Plan):
        return Plan(grammar, set_, (set_.root,), None, ())
    chain, *others = (find_loop(set_, tuple(part.id for part in one[1:])) for one in (compiled.chain, *compiled.others))
    if chain is None:
        return Plan(grammar, set_, (set_.root,), None, compiled.places)
    beside = tuple(other for other in others if other is not None and other[: len(chain) - 1] == chain[:-1])
    return Plan(
        grammar,
        set_,
        chain,
        compiled.qualifier,
        compiled.places,
        beside,
        compiled.bare,
        compiled.counts,
        compiled.shares,
    )


def compile_plan(type_: str, line: str, paths: Sequence[str]) -> Plan:
    """A plan against the base version. Raises ConfigError with every bad path."""
    grammar = load_grammar(BASE_VERSION)
    set_ = grammar.sets.get(type_.partition(".")[2])
    if set_ is None:
        raise ConfigError(
            f"{type_}: there is no such transaction set", hint=f"known: {', '.join(sorted(grammar.sets))}"
        )
    loops, places = check_paths(grammar, set_, line, paths)
    return Plan(
        grammar, set_, loops.chain, loops.qualifier, places, loops.others, loops.bare, loops.counts, loops.shares
    )
