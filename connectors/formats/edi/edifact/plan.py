"""What a mapping wants of a message, against the tables of the directory it is written by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.formats.edi.agreed import Agreed, as_agreed, check_agreed
from connectors.formats.edi.delimiters import Delimiters
from connectors.formats.edi.edifact.directories import known_directories
from connectors.formats.edi.grammar import EDIFACT, Grammar, Part, TransactionSet, load_grammar, required
from connectors.formats.edi.machine import Plan
from connectors.formats.edi.paths import check_paths, read_loop
from connectors.formats.edi.tape import Tape
from schemas.documents import LinePlan
from schemas.errors import ConfigError

#: the grammar of a message nobody has described: nothing but its envelope
_ANY = TransactionSet("", "", "", Part("UNH", True, 1, True, (Part("UNT", True, 1),)))


#: characters of a message that are looked at to tell which of its layouts it has
_LOOKED_AT = 1 << 16


@dataclass(frozen=True, slots=True)
class Layouts:
    """Plans for messages whose lines stand in other loops from one sender to the next; see ``compile_edifact``."""

    plans: tuple[Plan, ...]


def compile_edifact(type_: str, line: str, paths: Sequence[str], agreed: Agreed) -> Plan | Layouts:
    """A plan against the base directory. Raises ConfigError with every bad path, or every bad row of what is agreed.

    ``NAD/LIN/QTY or LIN/NAD/QTY or LIN/QTY`` names several layouts, of which each message has one. A layout that the
    base directory does not have is one of a later directory.
    """
    message = type_.partition(".")[2]
    base = load_grammar(EDIFACT.base, EDIFACT)
    if message not in base.sets:
        raise ConfigError(f"{type_}: there is no such message", hint=f"known: {', '.join(sorted(base.sets))}")
    check_agreed(base, (load_grammar(each, EDIFACT) for each in known_directories()), message, agreed)
    plans = [_compiled(message, one.strip(), paths, agreed) for one in line.split(" or ")]
    return plans[0] if len(plans) == 1 else Layouts(tuple(plans))


def _compiled(message: str, line: str, paths: Sequence[str], agreed: Agreed) -> Plan:
    """By the first directory that has this layout."""
    base = load_grammar(EDIFACT.base, EDIFACT)
    ids = tuple(step.id for step in read_loop(line.partition("|")[0].strip()))
    grammars = (load_grammar(directory, EDIFACT) for directory in known_directories())
    later = (grammar for grammar in grammars if line and _outermost(grammar.sets[message], ids) is not None)
    grammar = base if _outermost(base.sets[message], ids) is not None else next(later, base)
    grammar = as_agreed(grammar, message, agreed)
    loops, places = check_paths(grammar, grammar.sets[message], line, paths)
    if loops.shares is not None:
        raise ConfigError(f"edifact.{message}: wrong paths", problems=(f"line: '{line}': no line is shared out here",))
    return Plan(
        grammar, grammar.sets[message], loops.chain, loops.qualifier, places, loops.others, loops.bare, agreed=agreed
    )


def _outermost(set_: TransactionSet, ids: tuple[str, ...]) -> tuple[Part, ...] | None:
    """The chain of exactly these loops, from the message down."""
    return next((c for c in set_.root.walk() if tuple(part.id for part in c[1:]) == ids and c[-1].loop), None)


def layout_of(grammar: Grammar, message: str, wanted: LinePlan | None, tape: Tape, marks: Delimiters) -> int:
    """Which of the plan's layouts the message that follows on the tape has, by the segments its lines begin with."""
    compiled = wanted.compiled if wanted else None
    set_ = grammar.sets.get(message)
    if not isinstance(compiled, Layouts) or set_ is None:
        return 0
    there = [number for number, plan in enumerate(compiled.plans) if _fits(set_, plan)]
    if len(there) < 2:
        return there[0] if there else 0
    while len(tape.text) - tape.at < _LOOKED_AT and tape.more():
        pass
    tags = _tags(tape.text[tape.at : tape.at + _LOOKED_AT], marks)
    return next((number for number in there if _begins(tags, compiled.plans[number])), there[-1])


def _fits(set_: TransactionSet, plan: Plan) -> bool:
    return _outermost(set_, tuple(part.id for part in plan.chain[1:])) is not None


def _tags(text: str, marks: Delimiters) -> list[str]:
    """The tags of the message's detail: behind its first UNS, or from its first GIS or GEI on where it has none."""
    tags: list[str] = []
    for raw in text.split(marks.segment):
        tag = raw.lstrip(marks.blanks)[:3]
        if tag in ("UNT", "UNH", "UNZ"):
            break
        tags.append(tag)
    opener = next((tag for tag in ("UNS", "GIS", "GEI") if tag in tags), None)
    return tags if opener is None else tags[tags.index(opener) :]


def _begins(tags: Sequence[str], plan: Plan) -> bool:
    """Whether any outermost loop of this plan holds a line: its segments come before another such loop begins."""
    steps = [part.id for part in plan.chain[1:]]
    if steps[0] != next((tag for tag in tags if tag in ("NAD", "LIN", "GIS", "GEI")), ""):
        return False
    reached = 0
    for tag in tags:
        if tag == steps[0]:
            reached = 1
        elif 0 < reached < len(steps) and tag == steps[reached]:
            reached += 1
        if reached == len(steps):
            return True
    return False


def edifact_plan(grammar: Grammar, message: str, wanted: LinePlan | None, layout: int = 0) -> Plan:
    """The plan against this directory's grammar; a plan for anything at all when the message is unknown.

    A path that this directory has no place for stays in the plan and finds nothing.
    """
    compiled = wanted.compiled if wanted else None
    chosen = compiled.plans[layout] if isinstance(compiled, Layouts) else compiled
    if isinstance(chosen, Plan) and chosen.agreed and message in grammar.sets:
        grammar = as_agreed(grammar, message, chosen.agreed)
    set_ = grammar.sets.get(message)
    if set_ is None:
        return Plan(grammar, _ANY, (_ANY.root,), None, ())
    if isinstance(compiled, Layouts):
        return _laid_out(grammar, set_, compiled.plans[layout])
    if not isinstance(compiled, Plan):
        return Plan(grammar, set_, (set_.root,), None, ())
    chain, others = compiled.loops_in(set_)
    if chain is None:
        return Plan(grammar, set_, (set_.root,), None, compiled.places)
    return Plan(grammar, set_, chain, compiled.qualifier, compiled.places, others, compiled.bare)


def _laid_out(grammar: Grammar, set_: TransactionSet, plan: Plan) -> Plan:
    """The layout in this directory. Where lines stand below delivery points, each item has one, or it is an error."""
    ids = tuple(part.id for part in plan.chain[1:])
    root = required(set_.root, ids[: ids.index("NAD") + 1]) if "NAD" in ids[1:] else set_.root
    laid = TransactionSet(set_.id, set_.group, set_.name, root)
    chain = _outermost(laid, ids)
    if chain is None:
        return Plan(grammar, set_, (set_.root,), None, plan.places)
    return Plan(grammar, laid, chain, plan.qualifier, plan.places)
