"""Floor 0: the one tree of errors of a world that fails. An expected no is a value, not one of these.

AlliageError
├── BadInput             what the caller gave cannot be used            (HTTP 400, exit 2)
├── Unauthorized         no key, or one that is not known               (HTTP 401)
├── Forbidden            the key may not do this                        (HTTP 403)
├── NotFound             no such service, replica, node, key, model     (HTTP 404)
├── Conflict             the name is taken, the state moved on          (HTTP 409)
├── Unavailable          a process of ours cannot be reached or is not ready (HTTP 503)
│   └── NotRunning       no cloud runs in this home folder          (exit 3)
├── HomeError            the home folder or a port cannot be used
├── StoreError           the database cannot be used
│   └── SchemaTooNew     it was written by a newer Alliage
├── WeightsError         a model's files cannot be had
│   ├── ChecksumMismatch they are not the files the card names
│   ├── DiskFull         they do not fit on the disk
│   └── UnsafeFile       they are of a kind that can run code (pickle, scripts)
├── BadModelFile         a file is no model, or is cut off
└── LinkError            the line between control, gateway and agent broke
"""

from typing import ClassVar


class AlliageError(Exception):
    """What was wrong, with which value (`message`), and the way out (`remedy`)."""

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


class BadInput(AlliageError):
    """What the caller gave cannot be used."""

    code = "bad_input"
    http_status = 400


class Unauthorized(AlliageError):
    """No key, or one that is not known."""

    code = "unauthorized"
    http_status = 401


class Forbidden(AlliageError):
    """The key may not do this."""

    code = "forbidden"
    http_status = 403


class NotFound(AlliageError):
    """There is no such thing; the message names the ones there are."""

    code = "not_found"
    http_status = 404


class Conflict(AlliageError):
    """The name is taken, or the state moved on."""

    code = "conflict"
    http_status = 409


class Unavailable(AlliageError):
    """A process of ours cannot be reached or is not ready."""

    code = "unavailable"
    http_status = 503


class NotRunning(Unavailable):
    """No cloud runs in this home folder: the command line has nobody to ask."""

    code = "not_running"


class HomeError(AlliageError):
    """The home folder or a port cannot be used."""

    code = "home"


class StoreError(AlliageError):
    """The database cannot be used."""

    code = "store"


class SchemaTooNew(StoreError):
    """The database was written by a newer Alliage."""

    code = "schema_too_new"


class WeightsError(AlliageError):
    """A model's files cannot be had."""

    code = "weights"
    http_status = 422


class ChecksumMismatch(WeightsError):
    """The files are not the ones the card names."""

    code = "checksum_mismatch"


class DiskFull(WeightsError):
    """The files do not fit on the disk."""

    code = "disk_full"


class UnsafeFile(WeightsError):
    """The files are of a kind that can run code."""

    code = "unsafe_file"


class BadModelFile(AlliageError):
    """A file is no model, or is cut off."""

    code = "bad_model_file"
    http_status = 422


class LinkError(AlliageError):
    """The line between control, gateway and agent broke."""

    code = "link"
