"""In the child: talks to the Hugging Face hub (or what HF_ENDPOINT names) and turns its refusals into ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx2
from huggingface_hub import get_session, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]  # both are documented

from alliage.errors import AlliageError, BadInput, NotFound, WeightsError

TIMEOUT_S: Final = 10.0
"""For connecting, and for each wait for more bytes."""
_ELSEWHERE: Final = "models of the catalogue or on this disk need no hub"
_REFUSALS: Final[tuple[tuple[type[Exception], type[AlliageError], str, str], ...]] = (
    (GatedRepoError, WeightsError, "{what} is gated", "accept its terms on the hub and set HF_TOKEN to your token"),
    (RevisionNotFoundError, NotFound, "the hub has no such revision of {what}", "check what stands behind the @"),
    (RemoteEntryNotFoundError, NotFound, "the hub has no such file in {what}", "check what stands behind the #"),
    (
        RepositoryNotFoundError,
        NotFound,
        "the hub has no model {what}, or it is private",
        "check the name, or set HF_TOKEN to a token that may read it",
    ),
    (HFValidationError, BadInput, "{what} can be no model of the hub: {error}", "write hf:ORG/NAME"),
    (OfflineModeIsEnabled, WeightsError, "{what}: HF_HUB_OFFLINE forbids asking the hub", _ELSEWHERE),
)
"""The first that fits an error counts: the more special ones come before those that they are kinds of."""


@contextmanager
def hub_errors(what: str) -> Iterator[None]:
    """Raises NotFound, BadInput or WeightsError about `what` (`ORG/NAME`) for whatever the hub or the way to it does."""
    try:
        yield
    except (HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, httpx2.TransportError) as error:
        raise _refusal(what, error) from error


def _refusal(what: str, error: Exception) -> AlliageError:
    for kind, refusal, message, remedy in _REFUSALS:
        if isinstance(error, kind):
            return refusal(message.format(what=what, error=str(error)[:200]), remedy=remedy)
    if isinstance(error, HfHubHTTPError):
        return WeightsError(f"the hub answered {error.response.status_code} about {what}", remedy="try again later")
    return WeightsError(
        f"the hub cannot be reached for {what} ({type(error).__name__})",
        remedy=f"check the network, the proxy and HF_ENDPOINT; {_ELSEWHERE}",
    )


@contextmanager
def open_file(repository: str, path: str, revision: str, *, start: int, end: int | None) -> Iterator[httpx2.Response]:
    """The answer to a request for the bytes from `start` on (to `end`, not included). 416 is for the caller."""
    headers = build_hf_headers()
    headers["Accept-Encoding"] = "identity"
    if start or end is not None:
        headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
    url = hf_hub_url(repository, path, revision=revision)
    with get_session().stream("GET", url, headers=headers, timeout=TIMEOUT_S, follow_redirects=True) as response:
        if response.is_error and response.status_code != httpx2.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            response.read()
            hf_raise_for_status(response)
        yield response


def read_first(repository: str, path: str, revision: str, count: int) -> bytes:
    """The first `count` bytes of a file, also from a server that knows no ranges."""
    data = bytearray()
    with open_file(repository, path, revision, start=0, end=count) as response:
        for chunk in response.iter_bytes():
            data += chunk
            if len(data) >= count:
                break
    return bytes(data[:count])
