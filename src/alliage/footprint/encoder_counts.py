"""Parameters of encoders that only embed (BERT, XLM-RoBERTa, Nomic BERT), computed from config.json."""

from typing import Final

from alliage.footprint.config_fields import Config, count_of, count_or_none

ENCODERS: Final = frozenset({"bert", "xlm-roberta", "nomic_bert"})


def count_encoder(text: Config) -> int | None:
    """All parameters; None where the configuration leaves numbers out.

    Shapes: BertModel and XLMRobertaModel of Transformers, with the pooler; NomicBertModel of its own repository, with
    rotary positions, gated feed-forward networks and no biases.
    """
    hidden = count_of(text, "hidden_size", "n_embd")
    inner = count_or_none(text, "intermediate_size", "n_inner")
    positions = count_or_none(text, "max_position_embeddings", "n_positions")
    if inner is None or positions is None:
        return None
    layers = count_of(text, "num_hidden_layers", "n_layer")
    types = count_or_none(text, "type_vocab_size", least=0) or 0
    words = (count_of(text, "vocab_size") + types) * hidden + 2 * hidden
    if text.get("model_type") == "nomic_bert":
        return words + layers * (4 * hidden**2 + 3 * hidden * inner + 4 * hidden)
    layer = 4 * hidden**2 + 2 * hidden * inner + inner + 9 * hidden
    return words + positions * hidden + layers * layer + hidden**2 + hidden
