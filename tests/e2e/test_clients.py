"""The official client against a whole cloud with real engines."""

import subprocess
from pathlib import Path

import anthropic
import httpx2
import openai
import pytest
from anthropic.types import MessageParam

from tests.e2e.cloud import Cloud, eventually
from tests.models.alphabet import alphabet

pytestmark = pytest.mark.e2e


def test_client_lists_the_services_as_models(calm_cloud: Cloud) -> None:
    """Names of services are the models of the API."""
    assert sorted(model.id for model in calm_cloud.client().models.list()) == ["alphabet", "embedder"]


def test_client_chats_and_counts(calm_cloud: Cloud) -> None:
    """One answer, whole, with usage."""
    answer = calm_cloud.client().chat.completions.create(
        model="alphabet", messages=[{"role": "user", "content": "go"}], max_tokens=30
    )
    assert answer.choices[0].message.content == alphabet(30)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 30


@pytest.mark.parametrize("usage", [True, False])
def test_client_streams_every_letter_in_order(calm_cloud: Cloud, *, usage: bool) -> None:
    """300 letters arrive one after the other; the usage chunk comes only to who asked for it."""
    stream = calm_cloud.client().chat.completions.create(
        model="alphabet",
        messages=[{"role": "user", "content": "go"}],
        max_tokens=300,
        stream=True,
        **({"stream_options": {"include_usage": True}} if usage else {}),  # type: ignore[call-overload]
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == alphabet(300)
    assert any(chunk.usage for chunk in chunks) is usage
    assert all(chunk.choices for chunk in chunks) is not usage


def test_client_completes_text(calm_cloud: Cloud) -> None:
    """The older API."""
    answer = calm_cloud.client().completions.create(model="alphabet", prompt="abc", max_tokens=5)
    assert answer.choices[0].text == "defgh"


def test_client_gets_responses(calm_cloud: Cloud) -> None:
    """OpenAI's newer API, by the engine's own server."""
    answer = calm_cloud.client().responses.create(model="alphabet", input="go", max_output_tokens=30)
    assert answer.output_text == alphabet(30)


def test_anthropics_client_gets_messages(calm_cloud: Cloud) -> None:
    """Whole and streamed, with the same key; its list of models too."""
    opened = calm_cloud.client()
    url = calm_cloud.url.removesuffix("/v1")
    asked: list[MessageParam] = [{"role": "user", "content": "go"}]
    with anthropic.Anthropic(api_key=opened.api_key, base_url=url, max_retries=0) as client:
        message = client.messages.create(model="alphabet", max_tokens=30, messages=asked)
        assert [block.text for block in message.content if block.type == "text"] == [alphabet(30)]
        with client.messages.stream(model="alphabet", max_tokens=300, messages=asked) as stream:
            assert "".join(stream.text_stream) == alphabet(300)
        assert sorted(model.id for model in client.models.list()) == ["alphabet", "embedder"]


def test_what_its_engine_does_not_serve_is_told(calm_cloud: Cloud) -> None:
    """By the engine's file in the catalogue, which reached the gateway with the table."""
    key = calm_cloud.client().api_key
    asked = {"model": "embedder", "query": "a", "documents": ["b"]}
    answer = httpx2.post(f"{calm_cloud.url}/rerank", json=asked, headers={"x-api-key": key})
    assert answer.status_code == 501
    assert "llama.cpp serves /v1/chat/completions" in answer.json()["error"]["message"]


def test_client_embeds(calm_cloud: Cloud) -> None:
    """One vector a text; texts of the same letters are near each other."""
    answer = calm_cloud.client().embeddings.create(model="embedder", input=["abc", "abc", "xyz"])
    one, two, other = (each.embedding for each in answer.data)
    assert len(one) == 64
    assert one == pytest.approx(two)
    assert one != pytest.approx(other)


def test_each_error_is_the_clients_own_class(calm_cloud: Cloud) -> None:
    """Wrong key, unknown model, bad body, embedding by a model that chats."""
    good = calm_cloud.client()
    with pytest.raises(openai.AuthenticationError):
        calm_cloud.client("alliage-wrong").models.list()
    with pytest.raises(openai.NotFoundError, match="alphabet"):
        good.chat.completions.create(model="nobody", messages=[])
    with pytest.raises(openai.BadRequestError):
        good.embeddings.create(model="alphabet", input="x")
    with pytest.raises(openai.BadRequestError):
        good.chat.completions.create(model="alphabet", messages="no list")  # type: ignore[arg-type]


def test_admin_key_works_at_the_gateway_and_a_revoked_one_nowhere(calm_cloud: Cloud) -> None:
    """Keys reach the gateway within moments, both ways."""
    admin = (calm_cloud.home / "admin.key").read_text().strip()
    assert list(calm_cloud.client(admin).models.list())
    made = calm_cloud.ask("keys", "create", "short-lived")
    client = calm_cloud.client(made["secret"])
    assert list(client.models.list())
    calm_cloud.run("keys", "revoke", "short-lived")
    eventually(lambda: status_of(client) == 401, within_s=5, what="the revocation to reach the gateway")


def status_of(client: openai.OpenAI) -> int:
    """What the gateway answers to a listing."""
    try:
        client.models.list()
    except openai.APIStatusError as error:
        return error.status_code
    return 200


def test_files_of_keys_are_private(calm_cloud: Cloud) -> None:
    """0600 in a 0700 folder, and no secret in any log or process list."""
    secrets = []
    for name in ("admin.key", "user.key"):
        path = calm_cloud.home / name
        assert path.stat().st_mode & 0o777 == 0o600
        secrets.append(path.read_text().strip())
    assert calm_cloud.home.stat().st_mode & 0o777 == 0o700
    database = (calm_cloud.home / "alliage.db").read_bytes()
    logs = b"".join(path.read_bytes() for path in (calm_cloud.home / "logs").iterdir())
    lines = b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pids in calm_cloud.pids().values() for pid in pids)
    for secret in secrets:
        assert secret.encode() not in database + logs + lines


def test_admin_api_checks_host_and_key(calm_cloud: Cloud) -> None:
    """A page on another name cannot reach it through a browser (DNS rebinding); /health is open, /metrics is not."""
    url = f"http://127.0.0.1:{calm_cloud.running['admin_port']}"
    assert httpx2.get(f"{url}/health").status_code == 200
    assert httpx2.get(f"{url}/metrics").status_code == 401
    assert httpx2.get(f"{url}/health", headers={"Host": "evil.example"}).status_code == 400
    key = (calm_cloud.home / "admin.key").read_text().strip()
    metrics = httpx2.get(f"{url}/metrics", headers={"Authorization": f"Bearer {key}"})
    assert metrics.status_code == 200


def test_printed_lines_work_when_pasted(calm_cloud: Cloud) -> None:
    """The curl line and the Python lines that a later `up` prints answer as they stand."""
    from alliage.app.home import Home
    from alliage.faces.cli.arriving import Arrival, usage

    arrival = Arrival(
        home=Home(root=calm_cloud.home),
        model="none",
        url=calm_cloud.url.removesuffix("/v1"),
        admin_url="",
        settled=lambda: None,
        failed=print,
    )
    lines = usage(arrival, "alphabet").splitlines()
    curl = next(line for line in lines if line.startswith("curl"))
    answered = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, timeout=60, check=True)
    assert alphabet(20) in answered.stdout
    start = lines.index("from openai import OpenAI")
    python = "\n".join(lines[start : start + 3])
    import sys

    said = subprocess.run([sys.executable, "-c", python], capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout.startswith(alphabet(20))


def test_explain_says_chip_engine_recipe_and_rejections(calm_cloud: Cloud) -> None:
    """In words, with the facts."""
    text = calm_cloud.run("explain", "alphabet").stdout
    for word in ("cpu-x86", "llama.cpp", "F32", "4096 tokens"):
        assert word in text


def test_third_model_on_a_full_cpu_gets_a_clear_no(calm_cloud: Cloud, quick_alphabet: Path) -> None:
    """Both halves of the cores are taken: exit 1, who holds them, what would change it; nothing is left behind."""
    done = calm_cloud.run("deploy", str(quick_alphabet), "--name", "third", check=False)
    assert done.returncode == 1
    assert "alphabet" in done.stdout
    assert "embedder" in done.stdout
    assert "core" in done.stdout
    assert "third" not in calm_cloud.run("services").stdout
    assert "alphabet" in calm_cloud.run("explain", "third").stdout


def test_chat_command_streams_to_the_terminal(calm_cloud: Cloud) -> None:
    """One message in, the letters out."""
    said = calm_cloud.run("chat", "alphabet", "-m", "go").stdout
    assert said.startswith(alphabet(26))


def test_logs_show_the_engines_words(calm_cloud: Cloud) -> None:
    """The tail of llama.cpp's log."""
    (replica,) = [each["id"] for each in calm_cloud.see("replicas")["replicas"] if each["service"] == "alphabet"]
    assert calm_cloud.run("logs", replica, "-n", "5").stdout.count("\n") >= 1


def test_cloud_is_light(calm_cloud: Cloud) -> None:
    """Supervisor, control, gateway and agent together stay under 300 MB of memory (PSS)."""
    total = 0
    for kind in ("supervisor", "control", "gateway", "agent"):
        rollup = Path(f"/proc/{calm_cloud.pid(kind)}/smaps_rollup").read_text()
        total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    assert total < 300_000
