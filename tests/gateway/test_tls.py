"""TLS: the same answers behind it, certificates that change under running connections, and clients that cannot shake hands."""

import asyncio
import gc
import itertools
import shutil
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import openai
import pytest

from alliage.errors import BadInput
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.tls import Tls, TlsFiles, load
from alliage.units import KIB, MIB
from tests.gateway.certificates import OPENSSL, WITHOUT, certificate, trusting
from tests.gateway.house import KEY, House, Wire, chat_body, get, house, post, route, run, table, upstream
from tests.gateway.upstream import DONE, Call, Engine, event, stream_of

pytestmark = pytest.mark.skipif(OPENSSL is None, reason=WITHOUT)
_LIMITS = GatewayLimits(linger_s=0.2, drain_s=2)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """One pair that no test changes."""
    return certificate(tmp_path_factory.mktemp("tls") / "one")


@asynccontextmanager
async def _place(files: TlsFiles, engine: Engine, limits: GatewayLimits = _LIMITS) -> AsyncIterator[House]:
    first = table(1, route("m", upstream("m-1", engine.port)))
    async with house(first, limits, tls=Tls(files), trust=trusting(files)) as place:
        yield place


def test_the_official_client_and_curl_speak_it(files: TlsFiles) -> None:
    """A chat, a stream and health come through, by the certificate's name and address."""

    async def main() -> None:
        async with Engine() as engine, _place(files, engine) as place:
            http = openai.DefaultAsyncHttpxClient(verify=trusting(files))
            url = f"https://127.0.0.1:{place.port}/v1"
            async with openai.AsyncOpenAI(api_key=KEY, base_url=url, max_retries=0, http_client=http) as client:
                said = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "abc"}])
                assert said.choices[0].message.content == "abcde"
                stream = await client.chat.completions.create(
                    model="m", messages=[{"role": "user", "content": "abc"}], stream=True
                )
                text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
                assert text == "abcde"
            if (curl := shutil.which("curl")) is None:
                return
            order = (
                curl,
                "-sS",
                "--http1.1",
                "--cacert",
                str(files.certificate),
                f"https://localhost:{place.port}/health",
            )
            process = await asyncio.create_subprocess_exec(*order, stdout=asyncio.subprocess.PIPE)
            assert b'"status":"ok"' in (await process.communicate())[0]

    run(main())


def test_only_new_versions_and_http_1_1(files: TlsFiles) -> None:
    """TLS 1.2 and 1.3, and HTTP/1.1 of what is offered; a client that knows nothing newer than 1.1 is not let in."""

    async def main() -> None:
        async with Engine() as engine, _place(files, engine) as place:
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                place.trust = trusting(files)
                place.trust.minimum_version = place.trust.maximum_version = version
                place.trust.set_alpn_protocols(["h2", "http/1.1"])
                wire = await place.dial()
                told = wire.writer.get_extra_info("ssl_object")
                assert (told.version(), told.selected_alpn_protocol()) == (version.name.replace("_", "."), "http/1.1")
                wire.writer.close()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            with pytest.warns(DeprecationWarning, match="TLSv1_1"):
                context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
            place.trust = context
            with pytest.raises(OSError):  # noqa: PT011 - an alert or an end, as it comes
                await place.dial()

    run(main())


async def _shaken(
    place: House, files: TlsFiles, step: int = 64 * KIB
) -> tuple[Wire, ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]:
    """Shake hands by hand, in pieces of `step`: the connection, TLS, what it reads, and what is to be sent, the end of the handshake first."""
    inside, outside = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting(files).wrap_bio(inside, outside, server_hostname="localhost")
    wire = await place.dial(plain=True)
    while True:
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            data = outside.read()
            for start in range(0, len(data), step):
                await wire.send(data[start : start + step])
                await asyncio.sleep(0)
            inside.write(await wire.reader.read(64 * KIB))
        else:
            return wire, client, inside, outside


async def _raw_handshake(place: House, files: TlsFiles, request: bytes, step: int) -> bytes:
    """The answer to a request that comes in one write with the end of the handshake."""
    wire, client, inside, outside = await _shaken(place, files, step)
    client.write(request)
    await wire.send(outside.read())
    while True:
        try:
            answer = client.read()
        except ssl.SSLWantReadError:
            inside.write(await wire.reader.read(64 * KIB))
        else:
            wire.writer.close()
            return answer


def test_a_handshake_may_come_in_any_pieces(files: TlsFiles) -> None:
    """Byte by byte or whole, and with the first request already behind it: nothing is lost and nothing twice."""

    async def main() -> None:
        async with Engine() as engine, _place(files, engine, GatewayLimits(drain_s=2)) as place:
            for step in (1, 7, 64 * KIB):
                assert b'"status":"ok"' in await _raw_handshake(place, files, get("/health", key=None), step)
            await place.alone()

    run(main())


async def _ask_and_end(place: House, files: TlsFiles) -> bytes:
    """The answer to a request that comes in one write with TLS's own end."""
    wire, client, inside, outside = await _shaken(place, files)
    await wire.send(outside.read())
    await asyncio.sleep(0.01)  # what follows is a round of its own
    client.write(get("/v1/models"))
    with suppress(ssl.SSLWantReadError):
        client.unwrap()
    await wire.send(outside.read())
    inside.write(await wire.reader.read())
    with suppress(ssl.SSLZeroReturnError, ssl.SSLWantReadError):
        return client.read()
    return b""


def test_who_ends_tls_with_the_request_is_answered(files: TlsFiles) -> None:
    """One that waits for others of its round of the loop too: of so many some do."""

    async def main() -> None:
        async with Engine() as engine, _place(files, engine) as place:
            for _ in range(104):
                assert (await _ask_and_end(place, files)).startswith(b"HTTP/1.1 200")

    run(main())


def test_who_cannot_shake_hands_is_let_go(files: TlsFiles) -> None:
    """Plain HTTP is told what is spoken here; silence, a half handshake and rubbish are closed in time; others are served."""

    async def says(place: House, said: bytes) -> None:
        wire = await place.dial(plain=True)
        await wire.send(said)
        while not await wire.closed():
            pass  # an alert may come first

    async def main() -> None:
        limits = GatewayLimits(tls_handshake_s=1.0, linger_s=0.2, drain_s=2)
        async with Engine() as engine, _place(files, engine, limits) as place:
            plain = await place.dial(plain=True)
            await plain.send(get("/health"))
            answer = await plain.answer()
            assert (answer.status, answer.code) == (400, "tls_needed")
            assert await plain.closed()
            bad = (b"", b"\x16", b"\x16\x03\x01\x00\xff\x01", b"\x16" + b"\xff" * 300)
            await asyncio.gather(*(says(place, said) for said in bad))
            gone = await place.dial(plain=True)
            gone.writer.close()
            assert (await place.chat()).status == 200
            await place.alone()

    run(main())


def test_above_the_limit_the_no_comes_through_tls(files: TlsFiles) -> None:
    """One connection too many gets its 503 where it can read it."""

    async def main() -> None:
        async with Engine() as engine, _place(files, engine, GatewayLimits(connections_max=2, drain_s=2)) as place:
            for _ in range(2):
                wire = await place.dial()
                await wire.send(get("/health"))
                assert (await wire.answer()).status == 200
            assert (await place.ask(get("/health"))).code == "too_many_connections"

    run(main())


def _read_slowly(port: int, files: TlsFiles, late_s: float, pause_s: float) -> int:
    """Bytes that came until a proper end of TLS; raises OSError for another end. Blocking, and with small buffers."""
    bare = socket.socket()
    bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * KIB)
    bare.settimeout(10)
    bare.connect(("127.0.0.1", port))
    context = trusting(files)
    got = 0
    with context.wrap_socket(bare, server_hostname="localhost", suppress_ragged_eofs=False) as client:
        client.sendall(post(chat_body(), extra="Connection: close\r\n"))
        time.sleep(late_s)
        while piece := client.recv(64 * KIB):
            got += len(piece)
            time.sleep(pause_s)
    return got


def test_a_slow_reader_gets_all_of_it(files: TlsFiles) -> None:
    """A large answer behind `Connection: close`, read for longer than the linger time: none is cut, its end is a proper one."""

    async def main() -> None:
        big = b'{"x":"' + b"y" * MIB + b'"}'

        async def behave(call: Call) -> None:
            await call.answer(big)

        async with Engine(behave) as engine, _place(files, engine) as place:
            assert await asyncio.to_thread(_read_slowly, place.port, files, 0.5, 0.005) > len(big)
            await place.alone()

    run(main())


async def _shown(place: House, files: TlsFiles) -> bool:
    """Whether a new connection is shown the certificate of these files."""
    place.trust = trusting(files)
    try:
        wire = await place.dial()
    except ssl.SSLError:
        return False
    wire.writer.close()
    return True


def test_a_new_certificate_drops_nobody(tmp_path: Path) -> None:
    """The files change under a running stream: it goes on, new connections are shown the new one, a broken pair changes nothing."""

    async def main() -> None:
        served = certificate(tmp_path / "served")
        old = TlsFiles(certificate=tmp_path / "old.pem", key=served.key)
        shutil.copy(served.certificate, old.certificate)
        new, other = certificate(tmp_path / "new"), certificate(tmp_path / "other")
        tls, go = Tls(served), asyncio.Event()

        async def behave(call: Call) -> None:
            await call.begin_stream()
            await call.chunk(event("a"))
            await go.wait()
            await call.chunk(event("b") + DONE)
            await call.end_stream()

        async with Engine(behave) as engine:
            first = table(1, route("m", upstream("m-1", engine.port)))
            async with house(first, _LIMITS, tls=tls, trust=trusting(old)) as place:
                wire = await place.dial()
                await wire.send(post(chat_body(stream=True)))
                assert (await wire.head())[0] == 200
                assert not tls.look()
                shutil.copy(other.certificate, served.certificate)  # without its key: half of a pair
                assert not tls.look()
                assert await _shown(place, old)
                shutil.copy(new.certificate, served.certificate)
                new.key.replace(served.key)
                assert tls.look()
                assert not tls.look()
                assert await _shown(place, new)
                assert not await _shown(place, old)
                served.key.chmod(0o644)
                assert not tls.renew()
                assert await _shown(place, new)
                go.set()
                said = b""
                while piece := await wire.chunk():
                    said += piece
                assert said.endswith(DONE)

    run(main())


def test_a_pair_that_cannot_be_used_names_what_is_wrong(tmp_path: Path) -> None:
    """An open key, one of another certificate, one under a password, one that is missing, and half a pair."""
    one, two = certificate(tmp_path / "one"), certificate(tmp_path / "two")
    with pytest.raises(BadInput, match="cannot be used together: key values mismatch"):
        load(TlsFiles(certificate=one.certificate, key=two.key))
    with pytest.raises(BadInput, match=r"absent\.pem cannot be read"):
        load(TlsFiles(certificate=tmp_path / "absent.pem", key=two.key))
    with pytest.raises(BadInput, match=r"absent\.pem cannot be read"):
        load(TlsFiles(certificate=one.certificate, key=tmp_path / "absent.pem"))
    for mode in (0o604, 0o602, 0o644):
        one.key.chmod(mode)
        with pytest.raises(BadInput, match=f"open to every user .*mode {mode:o}"):
            load(one)
    one.key.chmod(0o640)
    assert load(one).minimum_version is ssl.TLSVersion.TLSv1_2
    locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"
    one.key.write_text(locked)
    with pytest.raises(BadInput, match=r"password|together"):
        load(one)
    with pytest.raises(BadInput, match="the key's is not given"):
        TlsFiles.of(one.certificate, None)


def _come_and_go(port: int, files: TlsFiles, number: int) -> None:
    """One after another, with and without a proper end. Blocking."""
    context = trusting(files)
    for turn in range(number):
        with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost") as client:
            client.sendall(get("/health"))
            assert client.recv(64 * KIB)
            if turn % 2:
                client.unwrap()


def test_what_tls_holds_goes_with_its_connection(files: TlsFiles) -> None:
    """Without waiting for the collector of garbage, which does not see how much that is: some 25 KB each."""

    async def main() -> None:
        async with Engine() as engine, _place(files, engine) as place:
            gc.collect()
            gc.disable()
            try:
                await asyncio.to_thread(_come_and_go, place.port, files, 20)
                await place.control.counts_again()
                assert not [each for each in gc.get_objects() if isinstance(each, ssl.SSLObject)]
            finally:
                gc.enable()

    run(main())


def test_streams_pass_as_they_come(files: TlsFiles) -> None:
    """Many events, in order and whole, behind TLS as before it."""
    letters = "".join(itertools.islice(itertools.cycle("abcdefghij"), 300))

    async def main() -> None:
        pieces = [event(letter) for letter in letters]
        async with Engine(stream_of([*pieces, DONE])) as engine, _place(files, engine) as place:
            answer = await place.chat(stream=True)
            assert answer.body == b"".join([*pieces, DONE])

    run(main())
