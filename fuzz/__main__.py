"""``python -m fuzz TARGET [FILE ...] [libFuzzer options]``; targets are ``read``, ``edifact`` and ``translate``.

What is found on the way is kept in ``var/fuzz/TARGET`` and taken up again. With FILE only these are tried: that is
how a crash is looked at. Needs atheris, which there is for Linux on x86-64.
"""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["connectors.formats.edi"]):
    from fuzz import invariants, mutation, seeds

KEPT = Path("var/fuzz")
LARGEST = 16_384  #: bytes of a payload
OPTIONS = (
    f"-max_len={LARGEST}",
    "-timeout=60",
    "-rss_limit_mb=2048",
    "-reload=0",  # nobody else writes to the folder, and reading it again each second makes runs beyond those asked for
    "-print_final_stats=1",
    "-verbosity=1",
)


def target(name: str) -> Callable[[bytes], None]:
    """What is done with each payload."""
    context = invariants.lenient()
    if name == "translate":
        return lambda data: invariants.check_translation(data, context)
    plans = invariants.StandardPlans(context)
    if name == "edifact":
        return lambda data: invariants.check_edifact(data, plans)
    return lambda data: invariants.check_reading(data, plans)


def kept(check: Callable[[bytes], None], prefix: str) -> Callable[[bytes], None]:
    """The same; a payload that breaks it is in a file before anything else happens."""

    def tried(data: bytes) -> None:
        try:
            check(data)
        except Exception:
            file = Path(f"{prefix}crash-{hashlib.sha256(data).hexdigest()[:16]}")
            file.write_bytes(data)
            print(f"kept in {file}", flush=True)
            raise

    return tried


def prepared(folder: Path) -> Path:
    """The folder of kept payloads, with the seeds in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, payload in seeds.edifact_seeds() if folder.name == "edifact" else seeds.seeds():
        (folder / f"seed-{name}").write_bytes(payload)
    return folder


def mutate(data: bytes, most: int, seed: int) -> bytes:
    return mutation.mutate(data, most, seed, atheris.Mutate)


def main(arguments: Sequence[str]) -> None:
    name, *rest = arguments or ("",)
    if name not in ("read", "edifact", "translate"):
        sys.exit(__doc__)
    named = any(not option.startswith("-") for option in rest)
    corpus = () if named else (str(prepared(KEPT / name)),)
    random.seed(0)
    atheris.Setup(
        [f"fuzz {name}", *OPTIONS, f"-artifact_prefix={KEPT / name}-", *rest, *corpus],
        kept(target(name), f"{KEPT / name}-"),
        custom_mutator=mutate,
        custom_crossover=mutation.cross,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
