"""Errors -> the one JSON shape that clients see. Registered on the application by `api`."""

import reprlib
from collections.abc import Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from alliage.errors import AlliageError
from alliage.faces.admin.answers import ErrorAnswer, ErrorDetail

_CODES: Final = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
_SHOWN: Final = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 100


def answer_error(error: AlliageError) -> JSONResponse:
    """An error of ours with its own status."""
    headers = {"WWW-Authenticate": "Bearer"} if error.http_status == 401 else None
    return _answer(error.http_status, error.code, error.message, error.remedy, headers)


def register_faults(app: FastAPI) -> None:
    """Give every expected error its shape; what is left is a bug and belongs to the guard."""

    async def ours(_request: Request, error: Exception) -> JSONResponse:
        return answer_error(error) if isinstance(error, AlliageError) else _answer(500, "internal", "", "")

    async def invalid(_request: Request, error: Exception) -> JSONResponse:
        found = error.errors() if isinstance(error, RequestValidationError) else ()
        message = "; ".join(_wrong(each) for each in found) or "the request cannot be read"
        return _answer(400, "bad_input", message, "see /docs for the fields of this request")

    async def plain(request: Request, error: Exception) -> JSONResponse:
        status = int(getattr(error, "status_code", 500))
        what = f"{request.method} {request.url.path}: {getattr(error, 'detail', '')}"
        return _answer(status, _CODES.get(status, "bad_input"), what, "see /docs for what there is")

    app.add_exception_handler(AlliageError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)


def _answer(status: int, code: str, message: str, remedy: str, headers: dict[str, str] | None = None) -> JSONResponse:
    body = ErrorAnswer(error=ErrorDetail(code=code, message=message, remedy=remedy))
    return JSONResponse(body.model_dump(), status_code=status, headers=headers)


def _wrong(problem: dict[str, Any]) -> str:
    """One validation problem with its field and the value that was given."""
    where: Sequence[Any] = problem["loc"]
    field = ".".join(str(part) for part in where[1:]) or "the body"
    if problem["type"] == "missing":
        return f"{field} is missing"
    if problem["type"] == "json_invalid":
        return f"the body is not JSON ({problem.get('ctx', {}).get('error', 'cannot be read')})"
    rule = problem["msg"].removeprefix("Value error, ")
    return f"{field} is {_SHOWN.repr(problem.get('input'))}: {rule[:1].lower()}{rule[1:]}"
