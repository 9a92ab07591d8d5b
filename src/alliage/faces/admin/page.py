"""The API page: the OpenAPI document as one HTML page without scripts, so that it works where no internet is."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from fastapi.responses import HTMLResponse

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Frame-Options": "DENY",
}
_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b2733 }
h2 { margin: 2rem 0 0; font-size: 1.1rem } code, pre { font-family: ui-monospace, monospace; background: #f2f4f7 }
table { border-collapse: collapse; margin: .5rem 0 } td, th { text-align: left; padding: .15rem 1rem .15rem 0;
vertical-align: top } .method { display: inline-block; min-width: 4.5rem; color: #0a5f8a } pre { padding: .7rem }
"""
Document = Mapping[str, Any]


def api_page(document: Document, *, address: str) -> HTMLResponse:
    """The page for an OpenAPI document; `address` is where it was asked for, such as `http://127.0.0.1:8001/`."""
    about = "Try one, where KEY is what <code>admin.key</code> in the home folder holds, or another key:"
    example = f'curl -H "Authorization: Bearer $KEY" {address}v1/status'
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>',
        f"<h1>{title}</h1><p>{escape(document['info'].get('description', ''))}</p>",
        f"<p>As data: <a href='/openapi.json'>/openapi.json</a>. {about}</p><pre>{escape(example)}</pre>",
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts.extend(_operation(document, path, method, operation))
    return HTMLResponse("".join(parts) + "</html>", headers=_HEADERS)


def _operation(document: Document, path: str, method: str, operation: Document) -> Iterator[str]:
    yield f"<h2><code><span class='method'>{escape(method.upper())}</span> {escape(path)}</code></h2>"
    yield f"<p>{escape(operation.get('summary', ''))}. {escape(operation.get('description', ''))}</p>"
    rows = [
        (each["name"], each["in"], each["schema"], each.get("required", False))
        for each in operation.get("parameters", ())
    ]
    body = _resolve(document, _json_schema(operation.get("requestBody", {})))
    needed = body.get("required", ())
    rows += [(name, "body", schema, name in needed) for name, schema in body.get("properties", {}).items()]
    if rows:
        yield "<table><tr><th>field</th><th>in</th><th>kind</th><th>meaning</th></tr>"
        yield from (_row(document, *row) for row in rows)
        yield "</table>"
    answers = (f"{status}: {_named(answer)}" for status, answer in operation.get("responses", {}).items())
    yield f"<p>Answers {escape('; '.join(answers))}</p>"


def _row(document: Document, name: str, place: str, schema: Document, required: object) -> str:
    kind = _kind(document, schema) + ("" if required else ", optional")
    meaning = _resolve(document, schema).get("description", schema.get("description", ""))
    cells = (f"<code>{escape(name)}</code>", place, escape(kind), escape(meaning))
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _kind(document: Document, schema: Document) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(document, each) for each in schema["anyOf"])
    found = _resolve(document, schema)
    if "enum" in found:
        return " or ".join(str(each) for each in found["enum"])
    return str(found.get("type", "any"))


def _json_schema(part: Document) -> Document:
    schema: Document = part.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _named(answer: Document) -> str:
    reference = str(_json_schema(answer).get("$ref", ""))
    return reference.rpartition("/")[2] or str(answer.get("description", ""))


def _resolve(document: Document, schema: Document) -> Document:
    """The schema that a reference points to; itself where it is none."""
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    found: Document = document["components"]["schemas"][name] if name else schema
    return found
