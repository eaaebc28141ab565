"""An X12 file of ship notices as if it were another one: for whoever wants many of them."""

from __future__ import annotations

import re


def renumbered(content: str, number: int) -> str:
    """The first interchange of ``content`` under a control number of its own, its shipments under numbers of their own.

    ``number`` is below 1000. The file is one of Anvilgate's, with ``*`` between elements.
    """
    second = content.find("ISA*", 1)
    first = content if second < 0 else content[:second]
    controlled = re.sub(r"\*000000001(?=[*~])", f"*9{number:08}", first)
    return re.sub(r"(?<=BSN\*00\*)AN1", f"F{number:03}", controlled)
