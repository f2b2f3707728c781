"""The models that the lessons run on: the tiny T5 that ships, smaller ones with random weights, prefixes before them;
and what happens in them: the walk line by line, and what arrives at a model's door.

The tiny T5 has about one million parameters and is real enough to be steered by a prefix. It is an ordinary
transformers T5 over bytes (transformers' ByT5Tokenizer), in an ordinary folder, pretrained by
`prefix_lab.course.pretrain`. The others are made when they are asked for, the same in every run, and leave the caller's
random numbers as they are.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import transformers  # its families are imported where one is made, each in its turn
from torch import nn
from transformers import PreTrainedModel
from transformers.utils import logging

import prefix_lab
from prefix_lab.debugger import Recording, record
from prefix_lab.shapes import name_axes
from prefix_lab.walk.libraries import PEFT_ASKS_BY_AN_OLD_NAME, without_warning

WEIGHTS = Path(__file__).parent / "weights" / "tiny_t5"
VOCAB = 384  # transformers' ByT5Tokenizer
SPECIAL = {"pad_token_id": 0, "eos_token_id": 1}


def load_tiny_t5(
    folder: str | Path = WEIGHTS,
) -> tuple[transformers.T5ForConditionalGeneration, transformers.ByT5Tokenizer]:
    """The model, in eval mode and float32, and its tokenizer: from a local folder, without network, in under a second.

    `folder` is one that `python -m prefix_lab.course.pretrain --out folder` wrote; the shipped one by default. Raises
    `FileNotFoundError` when the folder holds no model.
    """
    folder = Path(folder)
    if not (folder / "model.safetensors").is_file():
        raise FileNotFoundError(
            f"folder={str(folder)!r} holds no model.safetensors, expected a folder written by the pretraining; run "
            f"`python -m prefix_lab.course.pretrain --out {folder}` to write it."
        )
    with quiet():
        model = transformers.T5ForConditionalGeneration.from_pretrained(folder, local_files_only=True)
        tokenizer = transformers.ByT5Tokenizer.from_pretrained(folder, local_files_only=True)
    return model.eval(), tokenizer


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars from transformers inside, and afterwards as before: one second of work needs none."""
    shown = logging.is_progress_bar_enabled()
    if shown:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def small_gpt2(layers: int = 3, heads: int = 4, head_dim: int = 8) -> transformers.GPT2LMHeadModel:
    """A GPT-2 that never ends a text by itself, with attention that gives its weights on demand."""
    config = transformers.GPT2Config(
        n_layer=layers,
        n_head=heads,
        n_embd=heads * head_dim,
        vocab_size=VOCAB,
        n_positions=128,
        initializer_range=0.2,
        bos_token_id=2,
        eos_token_id=None,
        pad_token_id=0,
        attn_implementation="eager",
    )
    model = built(lambda: transformers.GPT2LMHeadModel(config))
    model.loss_type = "ForCausalLM"  # transformers guesses it from the class's name, in vain, and says so
    return model


def small_llama(layers: int = 3, heads: int = 6, kv_heads: int = 2, head_dim: int = 8) -> transformers.LlamaForCausalLM:
    """A Llama with grouped-query attention: `heads` ask, `kv_heads` are cached."""
    config = transformers.LlamaConfig(
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        hidden_size=heads * head_dim,
        intermediate_size=96,
        vocab_size=VOCAB,
        max_position_embeddings=128,
        initializer_range=0.2,
        bos_token_id=2,
        attn_implementation="eager",
        **SPECIAL,
    )
    return built(lambda: transformers.LlamaForCausalLM(config))


def small_t5(layers: int = 3, heads: int = 4, head_dim: int = 8) -> transformers.T5ForConditionalGeneration:
    """A T5 with as many encoder layers as decoder layers."""
    config = transformers.T5Config(
        num_layers=layers,
        num_heads=heads,
        d_kv=head_dim,
        d_model=heads * head_dim,
        d_ff=64,
        vocab_size=VOCAB,
        decoder_start_token_id=0,
        **SPECIAL,
    )
    return built(lambda: transformers.T5ForConditionalGeneration(config))


def small_bert(layers: int = 3, heads: int = 4, head_dim: int = 8) -> transformers.BertForSequenceClassification:
    """A BERT that sorts texts into three classes."""
    config = transformers.BertConfig(
        num_hidden_layers=layers,
        num_attention_heads=heads,
        hidden_size=heads * head_dim,
        intermediate_size=64,
        vocab_size=VOCAB,
        max_position_embeddings=128,
        initializer_range=0.2,
        num_labels=3,
    )
    return built(lambda: transformers.BertForSequenceClassification(config))


def small_encoder(
    prefix_len: int, layers: int, hidden: int, encoder_hidden: int, projection: bool
) -> prefix_lab.PrefixEncoder:
    """A prefix encoder without a model, with one head."""
    config = prefix_lab.PrefixTuningConfig(
        num_virtual_tokens=prefix_len,
        num_layers=layers,
        token_dim=hidden,
        encoder_hidden_size=encoder_hidden,
        prefix_projection=projection,
    )
    return built(lambda: prefix_lab.PrefixEncoder(config))


def built(build: Callable[[], nn.Module]) -> Any:
    """The module in eval mode, the same in every run; the caller's random numbers stay as they are."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build().eval()


def small_ids(batch: int = 2, tokens: int = 7, seed: int = 2) -> torch.Tensor:
    """Random tokens, (batch, tokens); none of them pads, begins or ends a text."""
    return torch.randint(3, VOCAB, (batch, tokens), generator=torch.Generator().manual_seed(seed))


def before(model: PreTrainedModel, by: Any, prefix_len: int = 5, **wanted: Any) -> Any:
    """A copy of the model with a random prefix before it, the same one each time.

    `by` is who puts it there: `peft`, `prefix_lab`, or a class of one of the hunts; `wanted` are fields of its config.
    """
    library = by if isinstance(by, ModuleType) else prefix_lab
    task = "CAUSAL_LM"
    if model.config.is_encoder_decoder:
        task = "SEQ_2_SEQ_LM"
    elif model.config.model_type == "bert":
        task = "SEQ_CLS"
    config = library.PrefixTuningConfig(task_type=task, num_virtual_tokens=prefix_len, **wanted)
    wrap = library.get_peft_model if isinstance(by, ModuleType) else by
    base = copy.deepcopy(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return wrap(base, config)


WORDS = ("garden", "piano")
SOURCES = {
    "peft": ("peft",),
    "prefix_lab": tuple(
        f"prefix_lab.{name}" for name in ("mapping", "models", "prepare", "config", "encoder", "past", "tasks")
    ),
}
MODEL = ("transformers.models.t5",)


def record_walk(
    where: str = "peft",
    *,
    projection: bool = True,
    prefix_len: int = 20,
    model: bool = True,
    keep: str = "shapes",
    named: bool = True,
    install: bool | None = None,
) -> Recording:
    """Build a prefix on the tiny T5, run it forwards and backwards once, and keep every line.

    `where` is whose source runs: "peft", "prefix_lab", or the PEFT of another year, "peft==0.4.0", which is installed
    once, into an environment of its own, after a question that `install` answers. `model=False` leaves the base
    model's own lines out. `keep="statistics"` keeps enough to compare values.

    Raises `ValueError` that names a wrong `where`, `RuntimeError` for a PEFT that cannot be had.
    """
    base, tokenizer = load_tiny_t5()
    batch = tokenizer(list(WORDS), padding=True, return_tensors="pt")
    if where.startswith("peft=="):
        from prefix_lab.years.recorded import record_old_walk

        numbers = {name: one.tolist() for name, one in batch.items()}
        asked = {"projection": projection, "prefix_len": prefix_len, "keep": keep, "named": named}
        return record_old_walk(where, install, model=str(WEIGHTS), with_model=model, **numbers, **asked)
    if where not in SOURCES:
        others = ", ".join(map(repr, SOURCES))
        raise ValueError(f"where={where!r}, expected one of {others}, or a release such as 'peft==0.4.0'.")
    library = importlib.import_module(where)
    config = library.PrefixTuningConfig(
        task_type="SEQ_2_SEQ_LM", num_virtual_tokens=prefix_len, prefix_projection=projection
    )

    def walk():
        peft_model = library.get_peft_model(base, config)
        loss = peft_model(**batch, labels=batch["input_ids"]).loss
        loss.backward()
        return loss

    included = [*SOURCES[where], *(MODEL if model else ()), walk]
    with (
        without_warning(*PEFT_ASKS_BY_AN_OLD_NAME),
        torch.random.fork_rng(),
        record(included, keep=keep) as recording,
    ):
        torch.manual_seed(0)
        walk()
    return recording.with_names(name_axes(f"T5, {'projected' if projection else 'direct'}")) if named else recording


def arriving(model: nn.Module, name: str, call: Callable[[], Any]) -> list[Any]:
    """What comes in at a model's door under this name, at each of its calls, while `call()` runs; also if it fails
    behind the door."""
    seen: list[Any] = []
    hook = model.register_forward_pre_hook(lambda _, args, kwargs: seen.append(kwargs.get(name)), with_kwargs=True)
    try:
        call()
    except Exception:
        if not seen:
            raise
    finally:
        hook.remove()
    return seen
