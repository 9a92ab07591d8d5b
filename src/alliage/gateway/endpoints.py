"""The endpoints that there are. Which engine serves which is a fact of the catalogue (`serving`); a path here is one more entry."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from alliage.catalog.records import ApiPath, Task


class Action(Enum):
    """What an endpoint does."""

    HEALTH = auto()
    METRICS = auto()
    MODELS = auto()
    MODEL = auto()
    RELAY = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A path and its one method; for relayed ones the task that a model must have, None where its engine is left to judge."""

    path: bytes
    method: bytes
    action: Action
    line: bytes = b""
    """The request line that an engine gets."""
    task: Task | None = None
    streams: bool = False
    """Whether `stream_options` has a meaning here."""
    is_anthropic: bool = False
    """Whether its streams and errors have Anthropic's shape."""
    takes_forms: bool = False
    """Whether a body may be `multipart/form-data`."""
    reads: bool = True
    """Whether the model reads the prompt, so that its replica then holds it; not where tokens are only counted."""
    first: bytes = b""
    """What the first piece of a stream that brings a token has in it; empty where any piece does."""


def _relayed(
    path: ApiPath, task: Task | None = None, *, streams: bool = False, forms: bool = False, first: bytes = b""
) -> Endpoint:
    return Endpoint(
        path=path.encode(),
        method=b"POST",
        action=Action.RELAY,
        line=b"POST %b HTTP/1.1\r\n" % path.encode(),
        task=task,
        streams=streams,
        is_anthropic=path in {ApiPath.MESSAGES, ApiPath.COUNT_TOKENS},
        takes_forms=forms,
        reads=path not in {ApiPath.COUNT_TOKENS, ApiPath.TOKENIZE, ApiPath.DETOKENIZE},
        first=first,
    )


MODEL_PREFIX: Final = b"/v1/models/"
MODEL: Final = Endpoint(path=MODEL_PREFIX, method=b"GET", action=Action.MODEL)
RELAYED: Final = (
    _relayed(ApiPath.CHAT, Task.CHAT, streams=True),
    _relayed(ApiPath.COMPLETIONS, Task.CHAT, streams=True),
    _relayed(ApiPath.RESPONSES, Task.CHAT, first=b'.delta"'),
    _relayed(ApiPath.MESSAGES, Task.CHAT, first=b"content_block_delta"),
    _relayed(ApiPath.COUNT_TOKENS, Task.CHAT),
    _relayed(ApiPath.EMBEDDINGS, Task.EMBED),
    _relayed(ApiPath.RERANK),
    _relayed(ApiPath.RERANK_V1),
    _relayed(ApiPath.RERANK_V2),
    _relayed(ApiPath.SCORE),
    _relayed(ApiPath.SCORE_V1),
    _relayed(ApiPath.CLASSIFY),
    _relayed(ApiPath.CLASSIFY_V1),
    _relayed(ApiPath.POOLING),
    _relayed(ApiPath.TOKENIZE),
    _relayed(ApiPath.DETOKENIZE),
    _relayed(ApiPath.TRANSCRIPTIONS, forms=True),
    _relayed(ApiPath.TRANSLATIONS, forms=True),
    _relayed(ApiPath.SPEECH),
    _relayed(ApiPath.IMAGES),
    _relayed(ApiPath.IMAGE_EDITS, forms=True),
)
ENDPOINTS: Final = {
    endpoint.path: endpoint
    for endpoint in (
        *RELAYED,
        Endpoint(path=b"/v1/models", method=b"GET", action=Action.MODELS),
        Endpoint(path=b"/health", method=b"GET", action=Action.HEALTH),
        Endpoint(path=b"/metrics", method=b"GET", action=Action.METRICS),
    )
}
HEALTH: Final = ENDPOINTS[b"/health"]
