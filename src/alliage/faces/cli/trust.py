"""What the commands of this machine take for the gateway of their home: the very certificate that `alliage up` was given."""

import ssl
from pathlib import Path
from typing import Final

from alliage.app.home import Home, read_running
from alliage.errors import Unavailable

_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"


def gateway_trust(home: Home) -> ssl.SSLContext | bool:
    """True where it speaks plain HTTP or does not run here: the authorities of this machine then.

    It is asked by the address it listens on, which its certificate need not name; so that certificate itself, read from its
    file, is what is trusted, and no name is compared. Raises Unavailable where the file cannot be read.
    """
    running = read_running(home)
    if running is None or not running.tls_certificate:
        return True
    return pinned(Path(running.tls_certificate))


def pinned(certificate: Path) -> ssl.SSLContext:
    """Trusts the first certificate of this file and no other, whoever signed it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        first, end, _ = certificate.read_text().partition(_END)
        context.load_verify_locations(cadata=first[first.find(_BEGIN) :] + end)
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"the gateway's certificate {certificate} cannot be read: {error}",
            remedy="ask as the user who ran `alliage up`",
        ) from error
    return context
