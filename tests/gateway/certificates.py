"""Real certificates for tests, made by the `openssl` program."""

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Final

from alliage.gateway.tls import TlsFiles

OPENSSL: Final = shutil.which("openssl")
WITHOUT: Final = "the program openssl makes the certificates"


def certificate(folder: Path, name: str = "localhost") -> TlsFiles:
    """A new self-signed one for this name and for 127.0.0.1, good for two days; its key is 0600."""
    folder.mkdir(exist_ok=True)
    files = TlsFiles(certificate=folder / "cert.pem", key=folder / "key.pem")
    names = f"subjectAltName=DNS:{name},IP:127.0.0.1"
    subprocess.run(
        [
            str(OPENSSL), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-addext", names, "-keyout", str(files.key), "-out", str(files.certificate),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    files.key.chmod(0o600)
    return files


def trusting(files: TlsFiles) -> ssl.SSLContext:
    """A client that trusts this certificate, by its name or address."""
    return ssl.create_default_context(cafile=files.certificate)
