"""Who sees what: the one place that API, console, exports and outlets ask before anything leaves.

``Viewer`` says who asks, ``Visibility.view`` what that one may see; a ``View`` lets events through, takes fields
off them or adds them up. Nothing else in the product decides this.
"""

from __future__ import annotations

from crossdock.visibility.rules import AUDIENCES, Audience, Rules, load_rules
from crossdock.visibility.view import Bucket, View, Viewer, Visibility

__all__ = ["AUDIENCES", "Audience", "Bucket", "Rules", "View", "Viewer", "Visibility", "load_rules"]
