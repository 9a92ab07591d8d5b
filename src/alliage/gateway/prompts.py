"""What the access log is to have of a prompt, where its tenant wants it logged: the fields of the body that hold it, cut.

Nothing else of a body is ever taken. Apart from the compiled modules, because msgspec needs the types of fields at run time.
"""

from typing import Final

import msgspec

from alliage.gateway.forms import texts_of
from alliage.units import KIB

PROMPT_BYTES_MAX: Final = 16 * KIB
"""Of one request's prompt as JSON in UTF-8; what is beyond is not kept, only counted."""


class LoggedPrompt(msgspec.Struct, frozen=True, gc=False):
    """JSON in UTF-8, whole where `cut_bytes` is 0; else its beginning, up to a whole character."""

    text: bytes
    cut_bytes: int = 0


class _Fields(msgspec.Struct, gc=False):
    """All that the APIs of `endpoints` call a prompt, or a part of one."""

    system: msgspec.Raw = msgspec.Raw()
    instructions: msgspec.Raw = msgspec.Raw()
    messages: msgspec.Raw = msgspec.Raw()
    prompt: msgspec.Raw = msgspec.Raw()
    negative_prompt: msgspec.Raw = msgspec.Raw()
    suffix: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()
    query: msgspec.Raw = msgspec.Raw()
    queries: msgspec.Raw = msgspec.Raw()
    documents: msgspec.Raw = msgspec.Raw()
    items: msgspec.Raw = msgspec.Raw()
    text_1: msgspec.Raw = msgspec.Raw()
    text_2: msgspec.Raw = msgspec.Raw()
    data: msgspec.Raw = msgspec.Raw()
    data_1: msgspec.Raw = msgspec.Raw()
    data_2: msgspec.Raw = msgspec.Raw()
    tokens: msgspec.Raw = msgspec.Raw()


FIELDS: Final = _Fields.__struct_fields__
"""In the order in which they are written."""
FORM_FIELDS: Final = frozenset({b"prompt", b"negative_prompt"})
"""Those of forms; files are never taken."""
_decode: Final = msgspec.json.Decoder(_Fields).decode
_encode: Final = msgspec.json.Encoder().encode


def logged_prompt(body: bytes, form: bytes | None) -> LoggedPrompt:
    """Of a body that `read_ask` or `read_form` took, by the Content-Type `form`; `{}` where it has none of the fields."""
    if form is None:
        try:
            found = _decode(body)
        except (msgspec.MsgspecError, RecursionError):  # it was read with a little more of the stack left
            return LoggedPrompt(b"", len(body))
        parts = [(name, memoryview(raw)) for name in FIELDS if (raw := getattr(found, name))]
    else:
        texts = texts_of(body, form, FORM_FIELDS)
        parts = [
            (name, memoryview(_encode(texts[name.encode()].decode(errors="replace"))))
            for name in FIELDS
            if name.encode() in texts
        ]
    return _cut(parts)


def _cut(parts: list[tuple[str, memoryview]]) -> LoggedPrompt:
    """One object of all parts; no more than what is kept is copied."""
    text, size = bytearray(b"{"), len(b"{}")
    for number, (name, value) in enumerate(parts):
        lead = b'%b"%b":' % (b"," if number else b"", name.encode())
        size += len(lead) + len(value)
        text += (lead + value[:PROMPT_BYTES_MAX])[: max(0, PROMPT_BYTES_MAX - len(text))]
    text += b"}"
    if size <= PROMPT_BYTES_MAX:
        return LoggedPrompt(bytes(text))
    whole = bytes(text[:PROMPT_BYTES_MAX]).decode(errors="ignore").encode()
    return LoggedPrompt(whole, size - len(whole))
