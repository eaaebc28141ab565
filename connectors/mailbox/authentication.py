"""Whether a mail is from whom it says: the results our own mail server wrote down (Authentication-Results, RFC 8601).

Only the server named as ours is believed, and of its headers the topmost: it takes away what others wrote in
its name (RFC 8601, section 5). DMARC speaks of the From header itself; DKIM and SPF count where the domain they
speak of is that of the From header, or one above or below it (RFC 7489, 3.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Method = Literal["dmarc", "dkim", "spf"]

_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*\)")
_WORD = r'(?:"(?:[^"\\]|\\.)*"|[^\s;="]+)'
_RESULT = re.compile(r"^\s*(?P<method>[A-Za-z][\w-]*)(?:/\d+)?\s*=\s*(?P<result>[A-Za-z]+)(?P<rest>.*)$", re.DOTALL)
_PROPERTY = re.compile(rf"([A-Za-z]+)\s*\.\s*([\w-]+)\s*=\s*({_WORD})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one method found: ``dkim=pass header.d=acme.example``."""

    method: str
    result: str
    properties: Mapping[str, str]


def results_of(headers: Iterable[str], server: str) -> list[Result] | None:
    """The results of the first header that ``server`` (its authserv-id) wrote; None where there is none."""
    for header in headers:
        text = header
        while (plain := _COMMENT.sub(" ", text)) != text:
            text = plain
        who, *parts = _split(text)
        name = who.split()[0] if who.split() else ""
        if name.casefold() == server.casefold():
            return [result for part in parts if (result := _result(part)) is not None]
    return None


def _split(text: str) -> list[str]:
    """At semicolons outside quotes."""
    return re.findall(r'(?:[^;"]|"(?:[^"\\]|\\.)*")+', text) or [""]


def _result(part: str) -> Result | None:
    match = _RESULT.match(part)
    if match is None:
        return None
    properties = {f"{kind}.{name}".lower(): value.strip('"') for kind, name, value in _PROPERTY.findall(match["rest"])}
    return Result(method=match["method"].lower(), result=match["result"].lower(), properties=properties)


def doubt(headers: Sequence[str], *, sender: str, server: str, require: Sequence[Method]) -> str | None:
    """Why a mail that says it is from the address ``sender`` is not believed; None when one of ``require`` holds."""
    results = results_of(headers, server)
    if results is None:
        return f"{server} has written no authentication results onto it"
    domain = sender.rpartition("@")[2].casefold()
    if any(_proves(result, domain) for result in results if result.method in require):
        return None
    found = ", ".join(f"{one.method}={one.result}" for one in results if one.method in ("dmarc", "dkim", "spf"))
    return f"none of {', '.join(require)} proves that it is from {domain or 'anybody'} ({found or 'nothing was found'})"


def _proves(result: Result, domain: str) -> bool:
    if result.result != "pass":
        return False
    match result.method:
        case "dmarc":
            given = result.properties.get("header.from", domain)
        case "dkim":
            given = result.properties.get("header.d") or result.properties.get("header.i", "")
        case _:
            given = result.properties.get("smtp.mailfrom", "")
    return _aligned(given.rpartition("@")[2].casefold(), domain)


def _aligned(given: str, domain: str) -> bool:
    """The same domain, or one above or below it; a name of one label (``com``) is nobody's."""
    if "." not in given or not domain:
        return False
    return given == domain or given.endswith(f".{domain}") or domain.endswith(f".{given}")


def automatic(headers: Mapping[str, str]) -> Iterator[str]:
    """Why a mail is never answered: it was sent by a program (RFC 3834, section 2). ``headers`` by lower-case name."""
    if (kind := headers.get("auto-submitted", "").strip().lower()) and not kind.startswith("no"):
        yield f"Auto-Submitted: {kind[:40]}"
    if (kind := headers.get("precedence", "").strip().lower()) in ("bulk", "list", "junk", "auto_reply"):
        yield f"Precedence: {kind}"
    if headers.get("return-path", "").strip() == "<>":
        yield "its return path is empty, as of a bounce"
    if "list-id" in headers:
        yield "it came over a mailing list"
    if headers.get("x-auto-response-suppress", "").strip().lower() in ("all", "oof", "autoreply"):
        yield "its sender wants no automatic answer"
    address = headers.get("from", "").lower()
    if re.search(r"(?:^|<)(?:mailer-daemon|postmaster|no-?reply|do-?not-?reply)@", address):
        yield "nobody reads what is sent to its sender"
