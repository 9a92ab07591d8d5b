"""How an engine's end is told."""

from alliage.runtimes.folders import Exit
from alliage.runtimes.lastwords import exit_sentence, last_words

LLAMA_CPP = """\
0.00.006.312 I srv          init: loading model
0.00.006.854 E llama_model_load: error loading model: tensor 'output.weight' data is not within the file bounds
0.00.006.872 E llama_model_load_from_file_impl: failed to load model
0.00.006.876 E srv    load_model: failed to load model, 'cut.gguf'
0.00.006.878 I srv    operator(): operator(): cleaning up before exit...
error: llama.cpp cannot serve cut.gguf: Failed to init server, please check the input params.
"""


def _exit(*, code: int | None = None, signal: int | None = None, why: str = "self", tail: str = "") -> Exit:
    return Exit(pid=1, code=code, signal=signal, why=why, tail=tail)


def test_the_cause_comes_first_without_its_stamp() -> None:
    """The first failing lines name the cause, the last one sums up; time stamps are left out."""
    assert last_words(LLAMA_CPP) == (
        "llama_model_load: error loading model: tensor 'output.weight' data is not within the file bounds"
        " | llama_model_load_from_file_impl: failed to load model"
        " | error: llama.cpp cannot serve cut.gguf: Failed to init server, please check the input params."
    )


def test_without_a_failure_in_it_the_last_line_is_told() -> None:
    """A log that tells of no failure still gives its last line; an empty one nothing."""
    assert last_words("one\ntwo\n\n") == "two"
    assert last_words("") == ""


def test_long_words_are_cut() -> None:
    """What is shown has 500 characters at most."""
    assert len(last_words("error: " + "x" * 5000)) == 500


def test_each_way_to_end_reads_as_a_sentence() -> None:
    """Exit codes, signals, and the one signal that often means too little memory."""
    assert exit_sentence(_exit(code=3)) == "the engine ended with exit code 3"
    assert exit_sentence(_exit(code=1, tail="error: bad")) == "the engine ended with exit code 1: error: bad"
    assert exit_sentence(_exit(signal=11)) == "the engine was ended by SIGSEGV"
    assert "ran out of memory" in exit_sentence(_exit(signal=9))
    assert exit_sentence(_exit(signal=9, why="asked")) == "the engine was ended by SIGKILL"
    assert exit_sentence(_exit(signal=63)) == "the engine was ended by signal 63"
