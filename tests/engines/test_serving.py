"""Which paths are told to the gateways of the engines behind them."""

from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from alliage.catalog.records import ApiPath, Task
from alliage.engines.continuing import CONTINUES
from alliage.engines.serving import REHEARSED_PATHS, serves
from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import REHEARSED, Upstream
from alliage.gateway.endpoints import ENDPOINTS
from tests.builders import CATALOG
from tests.models.alphabet import write_alphabet
from tests.models.serving import served


def an_upstream(engine: str) -> Upstream:
    """A replica of this engine."""
    return Upstream(replica=ReplicaId("a"), host="h", port=1, key="k", concurrency=1, engine=engine)


def test_engines_that_run_are_told_and_no_others() -> None:
    """By the catalogue; a rehearsed one serves what rehearsed ones do, whichever it stands for."""
    rehearsed = replace(an_upstream("sglang"), is_rehearsed=True)
    told = serves((an_upstream("mindie"), an_upstream("mindie"), an_upstream("unknown"), rehearsed), CATALOG.engines)
    assert told == {"mindie": (ApiPath.CHAT,), REHEARSED: REHEARSED_PATHS}


def test_who_goes_on_with_chats_serves_them() -> None:
    """An answer is continued by a chat request."""
    for engine in CONTINUES:
        assert ApiPath.CHAT in CATALOG.engines[engine].paths


@pytest.mark.parametrize(("embeds", "task"), [(False, Task.CHAT), (True, Task.EMBED)])
def test_llama_cpp_has_each_path_that_is_said_of_it(tmp_path: Path, *, embeds: bool, task: Task) -> None:
    """The real server, as it is bundled, started for chat or for embeddings: none of its paths is a 404 or a 501."""
    model = tmp_path / "model.gguf"
    write_alphabet(model, embedding=embeds)
    wanted = {"model": "m", "max_tokens": 1, "max_output_tokens": 1, "prompt": "a", "input": "a"}
    body = {**wanted, "messages": [{"role": "user", "content": "a"}]}
    with served(model, embedding=embeds) as running:
        for path in CATALOG.engines["llama.cpp"].paths:
            if ENDPOINTS[path.encode()].task is task:
                assert httpx2.post(running.url + path, json=body).status_code == 200, path
