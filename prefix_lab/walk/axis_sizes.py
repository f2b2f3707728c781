"""The sizes that the axes' names stand for in one run: from the options and the models' configs, not from tensors.

A name that is shown was therefore predicted, and then found.
"""

from typing import Any

from prefix_lab.prepare import NUM_ATTENTION_HEADS, TOKEN_DIM, cache_sizes, text_config
from prefix_lab.walk.sides import Run


def axis_sizes(run: Run, prefix_len: int | None, model_config: Any, encoder_hidden: int | None) -> dict[str, int]:
    """Name → size, without the names that have no size here: `target` for a decoder alone, say."""
    known = text_config(model_config)
    cache = cache_sizes(model_config)

    def first(*names: str) -> int | None:
        return next((known[name] for name in names if known.get(name) is not None), None)

    labels = run.batch.get("labels") if "decoder_attention_mask" in run.batch else None
    sizes = {
        "batch": run.batch_size,
        "prefix_len": prefix_len,
        "layers": cache.layers,
        "heads": first("decoder_attention_heads", *NUM_ATTENTION_HEADS),
        "kv_heads": first("num_key_value_heads"),
        "head_dim": cache.head_dim,
        "hidden": first(*TOKEN_DIM),
        "source": run.batch["input_ids"].shape[1],
        "target": None if labels is None else labels.shape[1],
        "vocab": first("vocab_size"),
        "encoder_hidden": encoder_hidden,
    }
    return {name: size for name, size in sizes.items() if size is not None}
