"""The root element of an XML payload, found in its first bytes: what decides which format it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from connectors.formats.xml.safety import wide_encoding

_ROOT = re.compile(
    r"\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*|<!DOCTYPE(?:[^\[>\"']|\"[^\"]*\"|'[^']*'|\[.*?\])*>\s*)*"
    r"<(?:(?P<prefix>[\w.\-]+):)?(?P<name>[A-Za-z_][\w.\-]*)(?P<attributes>[^<>]*)",
    re.DOTALL,
)
_NAMESPACE = re.compile(r"xmlns(?::(?P<prefix>[\w.\-]+))?\s*=\s*(?:\"(?P<one>[^\"]*)\"|'(?P<other>[^']*)')")


@dataclass(frozen=True, slots=True)
class Root:
    name: str
    namespace: str = ""
    namespaces: tuple[str, ...] = ()  #: all that it declares


def root_of(head: bytes) -> Root | None:
    """The root element of a payload that begins with ``head``; None where it is no XML, or it does not show yet."""
    text = head_text(head)
    if not text.lstrip().startswith("<"):
        return None
    match = _ROOT.match(text)
    if match is None:
        return None
    declared = {
        one["prefix"] or "": one["one"] or one["other"] or "" for one in _NAMESPACE.finditer(match["attributes"])
    }
    return Root(match["name"], declared.get(match["prefix"] or "", ""), tuple(declared.values()))


def head_text(head: bytes) -> str:
    """The first bytes as text, good enough to look at names."""
    encoding = wide_encoding(head) or "latin-1"
    return head.decode(encoding, "replace").removeprefix("\ufeff").removeprefix("\xef\xbb\xbf")
