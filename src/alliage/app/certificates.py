"""Which certificate the gateway is to show: flags over settings."""

from pathlib import Path

from alliage.app.home import Home
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.tls import TlsFiles, load


def tls_files(
    limits: GatewayLimits, home: Home, certificate: Path | None = None, key: Path | None = None
) -> TlsFiles | None:
    """The files of flags, else of the settings (relative to the home); None: plain HTTP. Raises BadInput for one alone."""
    given = certificate or (home.root / limits.tls_certificate if limits.tls_certificate else None)
    secret = key or (home.root / limits.tls_key if limits.tls_key else None)
    if given is None and secret is None:
        return None
    return TlsFiles.of(given, secret)


def check(files: TlsFiles | None) -> None:
    """Before anything is started; raises BadInput where the pair cannot be used."""
    if files is not None:
        load(files)
