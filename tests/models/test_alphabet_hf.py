"""The Hugging Face form of the test model is the same model; a real vLLM serves it in tests/vllm."""

from pathlib import Path

from alliage.catalog.records import WeightsFormat
from alliage.weights.local import card_of_path
from tests.models.alphabet import PARAMETERS, write_alphabet
from tests.models.alphabet_hf import write_alphabet_folder


def test_both_forms_are_told_alike(tmp_path: Path) -> None:
    """The same architecture and the same count of parameters, read from either."""
    write_alphabet(tmp_path / "alphabet.gguf")
    write_alphabet_folder(tmp_path / "alphabet-hf")
    gguf = card_of_path(tmp_path / "alphabet.gguf", remote_code=False)
    folder = card_of_path(tmp_path / "alphabet-hf", remote_code=False)
    assert folder.weights.format is WeightsFormat.SAFETENSORS
    assert folder.architecture.parameters == gguf.architecture.parameters == PARAMETERS
    for number in ("family", "layers", "hidden", "heads", "kv_heads", "head_dim", "vocabulary", "context_tokens"):
        assert getattr(folder.architecture, number) == getattr(gguf.architecture, number), number
