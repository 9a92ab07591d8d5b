"""TLS of the gateway: its certificate and key, checked, and read again when the files change. No connections here.

Every handshake asks for the newest pair that was good, so a new one counts from the next connection on and none is
dropped for it. A pair that cannot be used leaves the old one at work, and is told once.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import structlog

from alliage.errors import BadInput

_log: Final = structlog.get_logger("alliage.gateway")
_OTHERS: Final = 0o007
_PROTOCOLS: Final = ("http/1.1",)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Two PEM files: the certificate with what leads to its root, and its key."""

    certificate: Path
    key: Path

    @classmethod
    def of(cls, certificate: Path | None, key: Path | None) -> Self:
        """Both; raises BadInput naming the one that is missing."""
        if certificate is None or key is None:
            missing = "certificate" if certificate is None else "key"
            raise BadInput(
                f"TLS needs two files, and the {missing}'s is not given",
                remedy="give --tls-cert and --tls-key, or tls_certificate and tls_key in [gateway]",
            )
        return cls(certificate=certificate.expanduser().absolute(), key=key.expanduser().absolute())


class Tls:
    """`context` is what connections are accepted with; it always shows the newest good pair."""

    def __init__(self, files: TlsFiles) -> None:
        """Raises BadInput where the pair cannot be used."""
        self._files = files
        self._seen = _stamps(files)
        self._newest = load(files)
        self._failed = False
        self.context = load(files)
        self.context.sni_callback = self._show_newest

    def renew(self) -> bool:
        """Look at the files again; whether there is a new pair. One that is no good is told, and the old one stays."""
        self._seen = _stamps(self._files)
        try:
            self._newest = load(self._files)
        except BadInput as error:
            if not self._failed:
                _log.error("the new certificate is not used, the old one stays", why=str(error))
            self._failed = True
            return False
        self._failed = False
        _log.info("certificate taken", file=str(self._files.certificate))
        return True

    def look(self) -> bool:
        """Whether the files changed and the new pair is good. A pair that is half written is looked at again when it changes."""
        return _stamps(self._files) != self._seen and self.renew()

    def _show_newest(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:  # noqa: ARG002
        """Called in each handshake, with a name or without."""
        connection.context = self._newest


def load(files: TlsFiles) -> ssl.SSLContext:
    """TLS 1.2 and newer with HTTP/1.1; raises BadInput naming the file, what is wrong with it and what to do."""
    _check_private(files.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(_PROTOCOLS)
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).lower().replace("_", " ")
        raise BadInput(
            f"the certificate {files.certificate} and the key {files.key} cannot be used together: {reason}",
            remedy="give PEM files of a certificate and the key that it was made for",
        ) from error
    except OSError as error:
        raise BadInput(
            f"the certificate {files.certificate} cannot be read: {error.strerror}",
            remedy="give the path of a PEM file that this user may read",
        ) from error
    return context


def _no_password() -> str:
    """Nobody is there to be asked for one."""
    raise BadInput(
        "the key of TLS is kept under a password", remedy="store it without one: openssl pkey -in KEY -out NEW"
    )


def _check_private(key: Path) -> None:
    try:
        mode = key.stat().st_mode
    except OSError as error:
        raise BadInput(
            f"the key {key} cannot be read: {error.strerror}",
            remedy="give the path of a PEM file that this user may read",
        ) from error
    if mode & _OTHERS:
        raise BadInput(
            f"the key {key} is open to every user of this machine (mode {mode & 0o777:03o})",
            remedy=f"close it: chmod o= {key}",
        )


def _stamps(files: TlsFiles) -> tuple[tuple[int, int, int], ...]:
    """What changes with a file: when it was written, which one it is, its size. Links are followed."""
    return tuple(_stamp(path) for path in (files.certificate, files.key))


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        told = path.stat()
    except OSError:
        return (0, 0, 0)
    return (told.st_mtime_ns, told.st_ino, told.st_size)
