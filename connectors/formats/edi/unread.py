"""Kinds of EDI that are known when they come, and not read yet: VDA records and TRADACOMS."""

from __future__ import annotations

import re

#: record type of a VDA file's first record -> recommendation and what it is
_VDA = {
    "511": "VDA 4905, delivery forecast",
    "551": "VDA 4915, delivery call-off",
    "711": "VDA 4913, despatch advice",
    "811": "VDA 4906, invoice",
}
#: records of 128 characters, the second of the same family; lines may be shorter
_RECORDS = re.compile(
    r"(?P<first>(?:51|55|71|81)1)\d{2}[A-Z0-9 ]{18}[^\r\n]*?(?:\r?\n|(?<=.{100}))(?P<second>\d{3})\d{2}"
)
_TRADACOMS = re.compile(r"STX=[A-Z]{3,4}A?:\d\+[^']*'")
_MESSAGE = re.compile(r"MHD=\d+\+([A-Z]{6}):")


def unread_format(head: bytes) -> str | None:
    """What a payload that begins with ``head`` is, where it is one of these; ``VDA 4905, delivery forecast``."""
    text = head.decode("latin-1").removeprefix("\xef\xbb\xbf").lstrip()
    records = _RECORDS.match(text)
    if records and records["second"][:2] == records["first"][:2]:
        return _VDA[records["first"]]
    if _TRADACOMS.match(text):
        message = _MESSAGE.search(text)
        return f"TRADACOMS {message[1]}" if message else "TRADACOMS"
    return None
