"""How each engine goes on with an answer that another one began: the last message of the chat is the assistant's, unfinished.

llama.cpp goes on from such a message by itself (its server: "prefill assistant's response"). vLLM and SGLang must be told
not to open a new turn (their OpenAI servers' `continue_final_message`, `add_generation_prompt`). Chat templates may cut
blanks from the end of a message, so the beginning is given without them, and they are not said twice. An engine that is
not named here cannot go on; nor can thinking text, tools, guided output, several answers or log-probabilities.
"""

from collections.abc import Mapping
from typing import Final

CONTINUES: Final[Mapping[str, Mapping[str, bool]]] = {
    "llama.cpp": {},
    "llama.cpp-cuda": {},
    "vllm": {"continue_final_message": True, "add_generation_prompt": False},
    "sglang": {"continue_final_message": True},
}
"""By engine, what is added to the request."""
