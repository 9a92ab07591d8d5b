"""Which files of a model may be taken."""

import pytest

from alliage.errors import UnsafeFile, WeightsError
from alliage.weights.safe_files import check_allowed, choose_files


@pytest.mark.parametrize(
    "path", ["pytorch_model.bin", "a/model.PT", "x.pkl", "x.ckpt", "run.sh", "modeling.py", "weights.h5", "README.md"]
)
def test_files_that_may_run_code_are_refused(path: str) -> None:
    """By name, before anything is fetched."""
    with pytest.raises(UnsafeFile, match="can run code"):
        check_allowed([path], remote_code=False)


def test_python_is_taken_only_where_an_admin_allowed_it() -> None:
    """Pickle is not, even then."""
    check_allowed(["modeling.py", "model.safetensors", "tokenizer.model"], remote_code=True)
    with pytest.raises(UnsafeFile):
        check_allowed(["model.bin"], remote_code=True)


@pytest.mark.parametrize("path", ["../a.gguf", "/a.gguf", "a/../../b.gguf", "a//b.gguf", ""])
def test_paths_that_leave_their_folder_are_refused(path: str) -> None:
    """A card may come from elsewhere."""
    with pytest.raises(WeightsError, match="not inside"):
        check_allowed([path], remote_code=False)


def test_of_a_repository_only_what_an_engine_reads_is_chosen() -> None:
    """No pickle, no second copy of the weights, no other formats in folders."""
    chosen = choose_files(
        [
            "1_Pooling/config.json",
            "config.json",
            "consolidated.safetensors",
            "merges.txt",
            "model-00001-of-00001.safetensors",
            "model.Q8_0.gguf",
            "modeling_x.py",
            "onnx/model.onnx",
            "onnx/model.safetensors",
            "pytorch_model.bin",
            "tokenizer.model",
        ],
        remote_code=False,
    )
    assert chosen == (
        "1_Pooling/config.json",
        "config.json",
        "merges.txt",
        "model-00001-of-00001.safetensors",
        "tokenizer.model",
    )
