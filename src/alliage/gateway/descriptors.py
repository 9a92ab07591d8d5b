"""File descriptors of this process: as many as it may have, and how many clients that is. Values and one call of the kernel."""

import errno
import resource
from dataclasses import dataclass
from typing import Final

KEPT_FREE: Final = 640
"""Not for clients' requests: 256 who are told that there is no place, 256 engines that are tried at once, 128 of our own."""
NONE_LEFT: Final = frozenset({errno.EMFILE, errno.ENFILE})
"""Errors that say nothing about whoever was to be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptors:
    """What the process got: `most` may be open; before it was `had`."""

    most: int
    had: int


def raise_descriptors() -> Descriptors:
    """Raise the soft limit to the hard one; where the kernel refuses it stays as it was."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        return Descriptors(most=soft, had=soft)
    return Descriptors(most=hard, had=soft)


def places(most: int, wanted: int) -> int:
    """Clients that fit, at most `wanted`: two thirds of what is not kept free, so that half of them can have an engine's too."""
    return max(1, min(wanted, max(most - KEPT_FREE, most // 2) * 2 // 3))
