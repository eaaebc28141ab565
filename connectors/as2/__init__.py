"""AS2: EDI over HTTP, signed, encrypted and receipted (RFC 4130).

``entity`` is MIME as bytes, ``cms`` the cryptography, ``message`` puts the two together, ``receipt`` is the
disposition notification that answers a message, ``station`` receives, ``journal`` remembers both ways.
The source and the sink of kind ``as2`` stand on these, and so does the route of ``crossdock serve``.
"""
