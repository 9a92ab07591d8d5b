"""Taking apart what a person may call a model."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.errors import BadInput
from alliage.weights.references import InCatalogue, InWheel, OnDisk, OnHub, Reference, parse_reference, slug


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("smollm2-135m", InCatalogue(id="smollm2-135m")),
        ("llama3.1", InCatalogue(id="llama3.1")),
        ("/models/a b.gguf", OnDisk(path=Path("/models/a b.gguf"))),
        ("file:/models/a.gguf", OnDisk(path=Path("/models/a.gguf"))),
        ("~/a.gguf", OnDisk(path=Path.home() / "a.gguf")),
        ("hf:Org/Name", OnHub(repository="Org/Name", file="", revision="")),
        ("Org/Name", OnHub(repository="Org/Name", file="", revision="")),
        ("hf:Org/Name#sub/F.gguf@v1.0", OnHub(repository="Org/Name", file="sub/F.gguf", revision="v1.0")),
        ("Org/Name@refs/pr/1", OnHub(repository="Org/Name", file="", revision="refs/pr/1")),
        ("pypi:a-b==1.0#a_b/c.gguf", InWheel(release="a-b==1.0", member="a_b/c.gguf")),
    ],
)
def test_each_kind_of_reference_is_known(text: str, meant: Reference) -> None:
    """A name, a path, a hub id with file and revision, a file in a wheel."""
    assert parse_reference(text) == meant


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "names no model"),
        ("a\nb", "names no model"),
        ("x" * 5000, "names no model"),
        ("what is this", "names no model"),
        ("./a.gguf", "relative path"),
        ("../a.gguf", "relative path"),
        ("a.gguf", "relative path"),
        ("some/folder/a.gguf", "relative path"),
        ("file:a.gguf", "relative path"),
        ("~nobody-of-this-name/a.gguf", "home folder that is not there"),
        ("hf:name", "names no model of the hub"),
        ("hf:a/b#../c.gguf", "names no model of the hub"),
        ("hf:a/b@", "names no model of the hub"),
        ("pypi:name#a.gguf", "names no file in a wheel"),
        ("pypi:name==1", "names no file in a wheel"),
        ("pypi:--index-url==1#a.gguf", "names no file in a wheel"),
    ],
)
def test_what_can_be_no_model_is_refused_with_a_way_out(text: str, told: str) -> None:
    """The message says why, the remedy what to write."""
    with pytest.raises(BadInput) as caught:
        parse_reference(text)
    assert told in caught.value.message
    assert caught.value.remedy


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """Nothing but BadInput comes out; a path is always absolute."""
    try:
        meant = parse_reference(text)
    except BadInput:
        return
    assert not isinstance(meant, OnDisk) or meant.path.is_absolute()


@given(st.text(max_size=100))
def test_a_slug_is_always_a_model_id(text: str) -> None:
    """Lower-case words between single dots and dashes, never empty, at most 63 characters."""
    assert re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", slug(text))
    assert len(slug(text)) <= 63
