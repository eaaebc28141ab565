"""What an error of asyncssh means to us: connect anew, try again later, tell a person, or mend a file."""

from __future__ import annotations

from functools import cache

from schemas.errors import ConfigError, CrossdockError, PermanentError, TransientError


class Dropped(TransientError):
    """The connection is gone; a new one may go on where it broke off."""


class Missing(PermanentError):
    """There is no such file or folder."""


class Taken(PermanentError):
    """The name is in use."""


@cache
def meanings() -> dict[type[BaseException], type[CrossdockError]]:
    """The error of ours for every error class of asyncssh; a subclass may differ from its parent."""
    import asyncssh as ssh

    groups: dict[type[CrossdockError], tuple[type[BaseException], ...]] = {
        Dropped: (
            BrokenPipeError,
            ConnectionAbortedError,
            ConnectionResetError,
            ssh.DisconnectError,
            ssh.ConnectionLost,
            ssh.CompressionError,
            ssh.MACError,
            ssh.ProtocolError,
            ssh.ServiceNotAvailable,
            ssh.SFTPNoConnection,
            ssh.SFTPConnectionLost,
            ssh.SFTPBadMessage,
            ssh.SFTPInvalidHandle,
        ),
        TransientError: (
            OSError,  # of which TimeoutError is one
            ssh.ChannelOpenError,
            ssh.SFTPEOFError,
            ssh.SFTPFailure,
            ssh.SFTPNoSpaceOnFilesystem,
            ssh.SFTPQuotaExceeded,
            ssh.SFTPLockConflict,
            ssh.SFTPByteRangeLockConflict,
            ssh.SFTPByteRangeLockRefused,
            ssh.SFTPNoMatchingByteRangeLock,
            ssh.SFTPDeletePending,
            ssh.SFTPNoMedia,
        ),
        Missing: (ssh.SFTPNoSuchFile, ssh.SFTPNoSuchPath),
        Taken: (ssh.SFTPFileAlreadyExists,),
        PermanentError: (
            ssh.Error,
            ssh.HostKeyNotVerifiable,
            ssh.IllegalUserName,
            ssh.KeyExchangeFailed,
            ssh.PermissionDenied,
            ssh.ProtocolNotSupported,
            ssh.PasswordChangeRequired,
            ssh.ChannelListenError,
            ssh.ProcessError,
            ssh.TimeoutError,
            ssh.BreakReceived,
            ssh.SignalReceived,
            ssh.TerminalSizeChanged,
            ssh.SFTPError,
            ssh.SFTPPermissionDenied,
            ssh.SFTPOpUnsupported,
            ssh.SFTPWriteProtect,
            ssh.SFTPUnknownPrincipal,
            ssh.SFTPDirNotEmpty,
            ssh.SFTPNotADirectory,
            ssh.SFTPInvalidFilename,
            ssh.SFTPLinkLoop,
            ssh.SFTPCannotDelete,
            ssh.SFTPInvalidParameter,
            ssh.SFTPFileIsADirectory,
            ssh.SFTPFileCorrupt,
            ssh.SFTPOwnerInvalid,
            ssh.SFTPGroupInvalid,
        ),
        ConfigError: (
            ssh.ConfigParseError,
            ssh.KeyImportError,
            ssh.KeyExportError,
            ssh.KeyEncryptionError,
            ssh.KeyGenerationError,
        ),
    }
    return {theirs: ours for ours, some in groups.items() for theirs in some}


def as_ours(error: BaseException, about: str) -> CrossdockError:
    """The error of ours that ``error`` means; ``about`` says at which server and what we were doing."""
    import asyncssh as ssh

    known = meanings()
    kind = next((known[parent] for parent in type(error).__mro__ if parent in known), PermanentError)
    if isinstance(error, ssh.ChannelOpenError) and error.code in _REFUSALS:
        kind = PermanentError
    advice = next((text for cls, text in _hints() if isinstance(error, cls)), "")
    return kind(f"{about}: {_reason(error)}", hint=advice)


#: Reason codes of RFC 4254, 5.1, that no other try will change: prohibited, unknown channel type.
_REFUSALS = frozenset({1, 3})


@cache
def _hints() -> tuple[tuple[type[BaseException], str], ...]:
    import asyncssh as ssh

    return (
        (ssh.PermissionDenied, "the server refuses the connection's login; correct its password or key"),
        (ssh.KeyExchangeFailed, "we and the server share no algorithm that is safe enough"),
        (ssh.PasswordChangeRequired, "the server wants a new password for this login"),
        (ssh.SFTPPermissionDenied, "ask whoever runs the server for the right to it"),
        (ssh.SFTPWriteProtect, "ask whoever runs the server for the right to it"),
        (ssh.SFTPNoSpaceOnFilesystem, "the server's disk is full"),
        (ssh.SFTPQuotaExceeded, "our quota on the server is used up"),
        (ssh.SFTPNoSuchFile, "make it, or mend the path"),
        (ssh.SFTPNoSuchPath, "make it, or mend the path"),
        (ssh.SFTPFailure, "the server does not say why; a full disk, a quota or a file in use are usual"),
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError) and not error.args:
        return "no answer in time"
    return " ".join(str(getattr(error, "reason", "") or error).split()) or type(error).__name__
