"""How fast EDI is read, beside the readers others use, on the same generated file in the same run."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

SIZE = 5_000_000


def ship_notice(size: int = SIZE, *, seed: int = 1) -> Iterator[bytes]:
    """A valid 004010 856 interchange of about ``size`` bytes in one set: orders, packs and items, with the variety
    of a real one (some items with lot, description or pack data, some without)."""
    chance = random.Random(seed)  # noqa: S311 - sample data
    segments = 0
    written = 0

    def out(*rows: str) -> bytes:
        nonlocal segments, written
        segments += len(rows)
        block = "".join(row + "~\n" for row in rows).encode()
        written += len(block)
        return block

    yield (
        "ISA*00*          *00*          *ZZ*SUPPLIERONE    *ZZ*OURCOMPANY     *261122*0100*U*00401*000000001*0*P*>~\n"
        "GS*SH*SUPPLIERONE*OURCOMPANY*20261122*0100*1*X*004010~\n"
    ).encode()
    yield out(
        "ST*856*0001", "BSN*00*SN100001*20261122*010000*0001", "HL*1**S*1", "TD1*CTN25*40****G*812.5*LB",
        "TD5*B*2*ABCD*M", "REF*BM*BOL778812", "REF*CN*PRO0099123", "DTM*011*20261122*0100", "DTM*017*20261124",
        "N1*SF*Supplier One*92*S1", "N3*1 Foundry Road", "N4*Akron*OH*44301*US", "N1*ST*Plant North*92*P100",
    )  # fmt: skip
    level = 1
    while written < size:
        order = level = level + 1
        yield out(
            f"HL*{order}*1*O*1",
            f"PRF*45{chance.randrange(10**8):08d}***20261101",
            f"REF*DP*{chance.randrange(90) + 10}",
        )
        for _ in range(chance.randrange(1, 6)):
            pack = level = level + 1
            yield out(f"HL*{pack}*{order}*P*1", f"MAN*GM*00{chance.randrange(10**18):018d}")
            for _ in range(chance.randrange(1, 9)):
                level += 1
                yield _item(out, chance, level, pack)
    lines = ["CTT*" + str(level), f"SE*{segments + 2}*0001", "GE*1*1", "IEA*1*000000001"]
    yield "".join(line + "~\n" for line in lines).encode()


def _item(out, chance: random.Random, level: int, pack: int) -> bytes:  # type: ignore[no-untyped-def]
    unit = chance.choice(("EA", "EA", "EA", "PC", "KG"))
    quantity = chance.randrange(1, 900)
    rows = [
        f"HL*{level}*{pack}*I*0",
        f"LIN*{level}*BP*PUMP-{chance.randrange(9999):04d}*VN*V{chance.randrange(10**6):06d}",
        f"SN1**{quantity}*{unit}**{quantity + chance.randrange(3)}*{unit}",
    ]
    if chance.random() < 0.3:
        rows.append(f"PO4*{chance.randrange(1, 40)}*{chance.randrange(1, 9)}*{unit}")
    if chance.random() < 0.5:
        rows.append(f"PID*F****CENTRIFUGAL PUMP {chance.randrange(500)}")
    if chance.random() < 0.4:
        rows.append(f"REF*LT*L{chance.randrange(10**5):05d}")
    return out(*rows)
