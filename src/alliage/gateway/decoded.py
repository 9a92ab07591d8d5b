"""What is decoded of requests and answers. Apart from the compiled modules, because msgspec needs the types of fields at run time."""

import msgspec


class StreamOptions(msgspec.Struct, gc=False):
    """What a client may ask of a stream; other members are left alone."""

    include_usage: bool | None = None


class Ask(msgspec.Struct, gc=False):
    """A request as far as routing needs it. Of doubled members the last counts, as in the engines."""

    model: str
    stream: bool | None = None
    stream_options: StreamOptions | msgspec.UnsetType | None = msgspec.UNSET
    max_tokens: int | float | str | None = None
    max_completion_tokens: int | float | str | None = None

    @property
    def wants_usage(self) -> bool:
        """Whether the client itself asked for the usage event."""
        return isinstance(self.stream_options, StreamOptions) and self.stream_options.include_usage is True


class Details(msgspec.Struct, gc=False):
    """Of a usage object's prompt."""

    cached_tokens: int | None = None


class Tokens(msgspec.Struct, gc=False):
    """Of an answer, as nearly all engines tell them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: Details | None = None


class PlainAnswer(msgspec.Struct, gc=False):
    """A whole answer, as far as it is read."""

    usage: Tokens | None = None


class Usage(msgspec.Struct, gc=False):
    """The same where an engine tells something else for numbers."""

    usage: dict[str, msgspec.Raw] | None = None


class Chunk(msgspec.Struct, gc=False):
    """An event of a stream, as far as it is read."""

    choices: list[msgspec.Raw] | None = None
    usage: dict[str, msgspec.Raw] | None = None
    message: msgspec.Raw = msgspec.Raw()
    """Anthropic's `message_start` has usage in it."""
    response: msgspec.Raw = msgspec.Raw()
    """That of Responses: `response.completed`, `response.incomplete`."""
