"""Acknowledgments: what was decided about an interchange, in the sender's own language.

Pure: facts of envelopes (``schemas.documents``) and verdicts in, bytes out. An answer is written in the
version and with the delimiters of what it answers, in an envelope of its own, and is held against
the ``referee`` before it may leave.
"""

from __future__ import annotations

from connectors.formats.edi.acknowledgments.aperak import report_errors, reported
from connectors.formats.edi.acknowledgments.application import advise
from connectors.formats.edi.acknowledgments.contrl import report_syntax
from connectors.formats.edi.acknowledgments.envelope import Numbers
from connectors.formats.edi.acknowledgments.functional import acknowledge_group
from connectors.formats.edi.acknowledgments.interchange import acknowledge_interchange
from connectors.formats.edi.acknowledgments.referee import Refused, referees
from connectors.formats.edi.acknowledgments.verdicts import DocumentVerdict

__all__ = [
    "DocumentVerdict",
    "Numbers",
    "Refused",
    "acknowledge_group",
    "acknowledge_interchange",
    "advise",
    "referees",
    "report_errors",
    "report_syntax",
    "reported",
]
