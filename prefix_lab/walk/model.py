"""What a walk is made with: a base model, the task it is for, and a small batch.

The model comes from a folder, a hub, or is only its sizes, on the meta device. Nothing here reaches for a network
before the local files were tried, and then it asks once. The batch is real text where there is a tokenizer, random
token ids where there is none; the texts differ in length, so that a mask with zeros in it shows.
"""

from collections.abc import Callable
from contextlib import nullcontext
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer
from transformers import PreTrainedConfig as ModelConfig
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

from prefix_lab.config import TaskType
from prefix_lab.locale import _, ngettext
from prefix_lab.prepare import text_config
from prefix_lab.walk.libraries import LOADED_OTHERWISE, without_log, without_progress_bars
from prefix_lab.widgets.sizes import shipped, sizes_of


def choose_task(model_config: Any) -> tuple[str, str]:
    """The task type, and the reason: what the config says of encoder and decoder, its architecture, or its family."""
    architecture = (getattr(model_config, "architectures", None) or [""])[0]
    family = getattr(model_config, "model_type", "")
    if getattr(model_config, "is_encoder_decoder", False):
        return TaskType.SEQ_2_SEQ_LM.value, _("the model's config says is_encoder_decoder=True")
    if architecture.endswith(("ForCausalLM", "LMHeadModel")):
        return TaskType.CAUSAL_LM.value, _("the model's architecture is {name}").format(name=architecture)
    if family in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and family not in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        return TaskType.CAUSAL_LM.value, _("model_type {family} is a decoder alone").format(family=family)
    if family in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        return TaskType.FEATURE_EXTRACTION.value, _("model_type {family} is an encoder alone").format(family=family)
    headless = _("model_type {family} has no language-model head that generates")
    return TaskType.FEATURE_EXTRACTION.value, headless.format(family=family)


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


HUB_NAMES = {
    "bart-base": "facebook/bart-base",
    "bert-base": "google-bert/bert-base-uncased",
    "flan-t5-small": "google/flan-t5-small",
    "llama-3-8b": "meta-llama/Meta-Llama-3-8B",
}
"""What a shipped size is called on the hub, where that is another name."""


class Base(NamedTuple):
    """A model to walk with. `notes` say what a reader should know of how it was loaded."""

    model: nn.Module
    tokenizer: Any
    name: str
    notes: tuple[str, ...] = ()


class CannotLoad(ValueError):
    """A model that cannot be had; its text says what was tried."""


def size_like(name: str) -> str:
    """The shipped size that a hub's name is likely to mean, or a well-known one."""
    last = name.rsplit("/", 1)[-1]
    return next(
        (size for size in sorted(shipped()) if last in (size, HUB_NAMES.get(size, "").rsplit("/", 1)[-1])), "t5-base"
    )


def load_base(name: str, config_only: bool = False) -> Base:
    """The model of that name: a local folder, a shipped size or a hub's name. Raises `CannotLoad`."""
    folder = Path(name).expanduser()
    if (folder / "config.json").is_file():
        return load(str(folder), name, config_only, local=True)
    if config_only and name in shipped():
        return shipped_base(name)
    if folder.is_dir():
        raise CannotLoad(f"{name!r} is a folder without a config.json, so no transformers model is in it.")
    if folder.is_absolute() or name.startswith((".", "~")):
        raise CannotLoad(f"{name!r} is not a folder.")
    return load_by_name(HUB_NAMES.get(name, name), name, config_only)


def load_by_name(hub_name: str, name: str, config_only: bool) -> Base:
    """Files that were downloaded earlier, else the hub."""
    try:
        return load(hub_name, name, config_only, local=True)
    except CannotLoad:
        if not hub_answers():
            raise CannotLoad(
                f"{name!r} is not a folder here, is not among the models downloaded earlier, and no hub was reached."
            ) from None
    return load(hub_name, name, config_only, local=False)


def hub_answers() -> bool:
    """One short question, so that being offline costs seconds and not minutes."""
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=5)
    except Exception:  # offline by choice, no route, no name, a proxy's own error: all of them mean no
        return False
    return True


def load(where: str, name: str, config_only: bool, local: bool) -> Base:
    """From a folder or under a hub's name. Code that comes with a model is never run."""
    allowed = {"local_files_only": local, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(where, **allowed)
        if config_only:
            raw, _ = ModelConfig.get_config_dict(where, local_files_only=local)
            return base_of_shape(config, name, raw.get("tie_word_embeddings", True))
        with without_log(*LOADED_OTHERWISE), without_progress_bars() if local else nullcontext():
            model, report = auto_class(config).from_pretrained(where, output_loading_info=True, **allowed)
    except Exception as error:  # each library on the way has errors of its own; the user needs their first line
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CannotLoad(f"{name!r} could not be loaded: {first}") from error
    missing = len(report["missing_keys"])
    random = ngettext(
        "{count} of its tensors was not among the saved weights, and is random",
        "{count} of its tensors were not among the saved weights, and are random",
        missing,
    )
    notes = (random.format(count=missing),) if missing else ()
    return Base(model.eval(), load_tokenizer(where, allowed, text_config(config).get("vocab_size")), name, notes)


def auto_class(config: Any) -> Any:
    """transformers' class for the task that the config stands for."""
    task, _ = choose_task(config)
    classes: dict[str, Callable] = {
        TaskType.SEQ_2_SEQ_LM.value: AutoModelForSeq2SeqLM,
        TaskType.CAUSAL_LM.value: AutoModelForCausalLM,
    }
    return classes.get(task, AutoModel)


def shipped_base(name: str) -> Base:
    """A well-known model's sizes, from the JSON file that ships."""
    fields = sizes_of(name).config
    return base_of_shape(AutoConfig.for_model(**fields), name, fields.get("tie_word_embeddings", True))


def base_of_shape(model_config: Any, name: str, tied: bool = True) -> Base:
    """A model without values: on torch's meta device a tensor has a shape and a type, and takes no memory.

    transformers 5 ties T5's output to its input embeddings whatever the config says, until weights are loaded that
    differ; `tied=False` keeps the two apart, as the config file of a flan-T5 says and its weights are.
    """
    with torch.device("meta"):
        model = auto_class(model_config).from_config(model_config)
        head, words = model.get_output_embeddings(), model.get_input_embeddings()
        if not tied and head is not None and head.weight is words.weight:
            head.weight = nn.Parameter(torch.empty_like(words.weight))
    return Base(model.eval(), None, name)


INSTRUCTED = (
    ("reverse: prefix", "xiferp"),
    ("upper: model", "MODEL"),
    ("sort: attention", "aeinnottt"),
    ("vowels: tuning", "ui"),
)
"""Written instructions and answers, of the kind that the course's tiny T5 knows."""

SENTENCES = (
    "A prefix is a past that the model never read.",
    "Only the prefix learns.",
    "Every layer reads its own keys and values.",
    "The base model stays as it is.",
)

Batch = dict[str, Tensor]
Texts = list[tuple[str, str]]


def example(base: Base, task: str, count: int, seed: int) -> tuple[Batch, Texts]:
    """What the model of this task is called with, and the texts in it: none when the ids are random."""
    encoder_decoder, generative = task == TaskType.SEQ_2_SEQ_LM, task != TaskType.FEATURE_EXTRACTION
    vocab = vocab_of(base.model)
    if base.tokenizer is None:
        return random_batch(vocab, encoder_decoder, generative, count, seed), []
    known = INSTRUCTED if encoder_decoder else tuple((sentence, "") for sentence in SENTENCES)
    pairs = list(islice(cycle(known), count))
    return text_batch(base.tokenizer, pairs, generative), pairs


def vocab_of(model: nn.Module) -> int:
    """How many tokens the model knows. Raises `ValueError` for one that reads no tokens."""
    vocab = text_config(model.config).get("vocab_size")
    if vocab is None:
        raise ValueError(
            f"model is a {type(model).__name__}, whose config has no vocab_size, expected one that reads text."
        )
    return vocab


def text_batch(tokenizer: Any, pairs: Texts, generative: bool) -> Batch:
    """The texts as token ids: padded, masked, and with labels where the task has some."""
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # GPT-2 and Llama have none; the mask hides it

    def ids(side: list[str]) -> Batch:
        read = tokenizer(side, padding=True, padding_side="right", return_tensors="pt")
        return {"input_ids": read["input_ids"], "attention_mask": read["attention_mask"]}

    sources, targets = [source for source, _ in pairs], [target for _, target in pairs]
    return batch_of(ids(sources), ids(targets) if any(targets) else None, generative)


def random_batch(vocab: int, encoder_decoder: bool, generative: bool, count: int, seed: int) -> Batch:
    """Random ids, the last text two tokens shorter than the others."""
    generator = torch.Generator().manual_seed(seed)

    def ids(length: int) -> Batch:
        mask = torch.ones(count, length, dtype=torch.long)
        if count > 1:
            mask[-1, -2:] = 0
        low = min(3, vocab - 1)  # the first few are padding, end and begin, in most families
        return {"input_ids": torch.randint(low, vocab, (count, length), generator=generator), "attention_mask": mask}

    return batch_of(ids(9), ids(7) if encoder_decoder else None, generative)


def batch_of(read: Batch, written: Batch | None, generative: bool) -> Batch:
    """What the model is called with; `written` is for a decoder that has an encoder.

    The decoder's mask is usually left out; here it shows how it grows.
    """
    batch = dict(read)
    if generative:
        answer = written or read
        batch["labels"] = answer["input_ids"].masked_fill(answer["attention_mask"] == 0, -100)  # no loss on padding
    if written:
        batch["decoder_attention_mask"] = written["attention_mask"]
    return batch
