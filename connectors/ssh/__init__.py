"""Files on an SSH server: who it must prove to be, who we are to it, a session, and what its errors mean.

Used by ``connectors.sources.sftp`` and ``connectors.sinks.sftp``. The library is asyncssh;
docs/adr/0007 says why. Nothing of it leaves this package.
"""
