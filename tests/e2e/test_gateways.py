"""Several gateway processes on one port, behind TLS: all serve, one that dies loses no connection, nobody else gets the port."""

import os
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cloud import Cloud, a_cloud, eventually
from tests.gateway.certificates import OPENSSL, WITHOUT, certificate

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(OPENSSL is None, reason=WITHOUT)]
_NUMBER = 3


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Three gateways and no model."""
    with a_cloud() as cloud:
        files = certificate(tmp_path_factory.mktemp("tls") / "one")
        cloud.up("--gateways", str(_NUMBER), "--tls-cert", str(files.certificate), "--tls-key", str(files.key))
        yield cloud


def _health(cloud: Cloud, trust: ssl.SSLContext) -> bytes:
    """Over a connection of its own, answered by whichever process the kernel gives it to."""
    bare = socket.create_connection(("127.0.0.1", cloud.running["port"]), timeout=30)
    with trust.wrap_socket(bare, server_hostname="localhost") as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        told = b""
        while piece := client.recv(65536):
            told += piece
    return told


def _trust(cloud: Cloud) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=cloud.running["tls_certificate"])


def test_all_are_there_by_their_names(cloud: Cloud) -> None:
    """In status, in the logs, and in what `up` announces; the CLI asks through the certificate it was given."""
    doors = sorted(each["door"].rpartition("-")[0] for each in cloud.see("status")["doors"])
    assert doors == ["gateway-1", "gateway-2", "gateway-3"]
    assert "3 connected: gateway-1, gateway-2, gateway-3" in cloud.run("status").stdout
    assert all((cloud.home / "logs" / f"{name}.log").read_text() for name in doors)
    assert f"https://127.0.0.1:{cloud.running['port']}" in cloud.output
    said = cloud.run("chat", "nobody", "-m", "hello", check=False)
    assert "does not exist here" in said.stderr, said.stderr


def test_one_that_dies_loses_no_connection(cloud: Cloud) -> None:
    """While one of them is killed again, every connection that comes is answered, if later; then all three are there again."""
    trust = _trust(cloud)
    victim = cloud.pids()["gateway"][0]
    os.kill(victim, signal.SIGKILL)
    for _ in range(30):
        assert b'"status":"ok"' in _health(cloud, trust)
    eventually(lambda: len(cloud.see("status")["doors"]) == _NUMBER, what="all three on the line")
    assert len(cloud.pids()["gateway"]) == _NUMBER
    assert not [each for each in cloud.see("status")["problems"] if "gateway" in each]


def test_a_new_certificate_is_taken_when_it_is_told(cloud: Cloud, tmp_path: Path) -> None:
    """SIGHUP to each process: new connections are shown the new pair, the old one no more; told again it reads the files again."""
    served = Path(cloud.running["tls_certificate"])
    old = _trust(cloud)
    assert b'"status":"ok"' in _health(cloud, old)
    new = certificate(tmp_path / "new")
    new.certificate.replace(served)
    new.key.replace(served.with_name("key.pem"))
    _tell(cloud)
    trust = _trust(cloud)

    def taken() -> bool:
        try:
            return all(b'"status":"ok"' in _health(cloud, trust) for _ in range(12))
        except ssl.SSLError:
            return False

    eventually(taken, what="the new certificate")
    for _ in range(_NUMBER):
        with pytest.raises(ssl.SSLCertVerificationError):
            _health(cloud, old)
    before = _times_taken(cloud)
    _tell(cloud)  # the files are as they were: nobody reads them again unasked
    eventually(
        lambda: all(now > then for now, then in zip(_times_taken(cloud), before, strict=True)), what="each to be told"
    )


def _tell(cloud: Cloud) -> None:
    for pid in cloud.pids()["gateway"]:
        os.kill(pid, signal.SIGHUP)


def _times_taken(cloud: Cloud) -> list[int]:
    """By the log of each gateway process."""
    logs = sorted((cloud.home / "logs").glob("gateway-*.log"))
    assert len(logs) == _NUMBER
    return [log.read_text().count("certificate taken") for log in logs]


def test_nobody_else_gets_the_port(cloud: Cloud) -> None:
    """A second cloud of the same user, with several gateways too, is refused and told why."""
    with a_cloud() as other:
        other.up("--port", str(cloud.running["port"]), "--gateways", "2", settled=False)
        assert other.wait_end() == 1
        assert f"port {cloud.running['port']} on 127.0.0.1 cannot be used: Address already in use" in other.output


def test_half_a_pair_is_refused_before_anything_starts() -> None:
    """With what is missing, and what to do."""
    with a_cloud() as cloud:
        cloud.up("--tls-cert", "x.pem", settled=False)
        assert cloud.wait_end() == 2
        assert "the key's is not given" in cloud.output
        assert "try:" in cloud.output
