"""The tokenizer that lies with a model, if there is one that works."""

from typing import Any

from transformers import AutoTokenizer


def load_tokenizer(where: str, allowed: dict[str, bool], vocab: int | None) -> Any:
    """The tokenizer that lies with the model, or None.

    transformers makes an empty one where a folder holds none, and a folder may hold another model's: one that is used
    brings a text back, in ids that the model knows.
    """
    text = "upper: a prefix is a past that the model never read"
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, **allowed)
        ids = tokenizer(text)["input_ids"]
        back = tokenizer.decode(ids, skip_special_tokens=True)
    except Exception:  # no files, or a library that they need is not installed: random ids do as well
        return None
    pads = tokenizer.pad_token or tokenizer.eos_token
    return tokenizer if pads and letters(back) == letters(text) and max(ids) < (vocab or 0) else None


def letters(text: str) -> str:
    """What must survive a tokenizer; some drop capitals and move spaces."""
    return "".join(filter(str.isalnum, text.lower()))
