"""What `alliage up` makes of its flags, and what its own commands trust."""

import os
import ssl
from pathlib import Path

import pytest

from alliage.errors import BadInput, Unavailable
from alliage.faces.cli.trust import pinned
from alliage.faces.cli.up import GATEWAYS_MAX, number_of_gateways
from tests.gateway.certificates import OPENSSL, WITHOUT, certificate


def test_the_number_of_gateways() -> None:
    """The flag over the settings; `auto` is one for each core that this process may run on."""
    assert number_of_gateways("", 3) == 3
    assert number_of_gateways("2", 3) == 2
    assert number_of_gateways("auto", 3) == min(len(os.sched_getaffinity(0)), GATEWAYS_MAX)


@pytest.mark.parametrize("given", ["0", "-1", "many", "1.5", "257"])
def test_another_number_is_named(given: str) -> None:
    """With what can be given."""
    with pytest.raises(BadInput, match=f"is {given}"):
        number_of_gateways(given, 1)


@pytest.mark.skipif(OPENSSL is None, reason=WITHOUT)
def test_only_the_first_certificate_of_the_file_is_trusted(tmp_path: Path) -> None:
    """What leads to its root is not: else whoever has a certificate of the same authority would be taken for the gateway."""
    one, two = certificate(tmp_path / "one"), certificate(tmp_path / "two")
    chain = tmp_path / "chain.pem"
    chain.write_text("a comment\n" + one.certificate.read_text() + two.certificate.read_text())
    assert pinned(chain).cert_store_stats()["x509"] == 1
    assert pinned(chain).verify_mode is ssl.CERT_REQUIRED
    chain.write_text("nothing")
    with pytest.raises(Unavailable, match=r"chain\.pem cannot be read"):
        pinned(chain)
