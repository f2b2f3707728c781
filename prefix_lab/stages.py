"""The stages of the walk: one table that the terminal walk, the lessons and the breakpoints read.

Each stage names our function and PEFT's, and the tensors that go in and come out with their axes. An axis may be
written in several ways with `|` between them; the first that gives the seen size is shown.
"""

import pkgutil
from collections.abc import Callable
from typing import NamedTuple

WIDTH, HEADS = "hidden|kv_heads·head_dim|heads·head_dim", "heads|kv_heads"
ROW = "|".join(f"2·layers·{way}" for way in WIDTH.split("|"))


class Flow(NamedTuple):
    """Something that enters or leaves a stage; `axes` is None when it is not a tensor."""

    name: str
    axes: tuple[str, ...] | None = None


class Stage(NamedTuple):
    """One stage: `ours` and `peft` are dotted names of what runs there."""

    name: str
    ours: str
    peft: str
    takes: tuple[Flow, ...]
    gives: tuple[Flow, ...]
    sentence: str

    def function(self, where: str = "ours") -> Callable:
        """The function or class itself, from the installed package. `where` is "ours" or "peft".

        Raises `LookupError` when the installed version does not have it, `ImportError` when PEFT is not installed.
        """
        if where not in ("ours", "peft"):
            raise ValueError(f"where={where!r}, expected 'ours' or 'peft'.")
        return resolve(getattr(self, where), self.name)


# Five lines a stage: its name, our function, PEFT's, what flows in → out, and a sentence. What flows is separated by
# `;`. After a colon stand a tensor's axes, one a word: `mask: batch target|source` is a mask of (batch, target), or of
# (batch, source). Without a colon it is no tensor; with nothing after it, a single number.
WALK = f"""
choose
prefix_lab.mapping.get_peft_model
peft.mapping_func.get_peft_model
model; config.task_type → task class
The task type picks the class that will wrap the model.

prepare
prefix_lab.prepare.prepare_prompt_learning_config
peft.utils.other._prepare_prompt_learning_config
model.config → num_layers; token_dim; num_attention_heads; encoder_hidden_size
The sizes that the user left out are read from the model.

wrap
prefix_lab.models.PeftModel._setup_prompt_encoder
peft.peft_model.PeftModel._setup_prompt_encoder
base model → embedding.weight: prefix_len {ROW}|{WIDTH}; \
transform.0.weight: encoder_hidden {WIDTH}; transform.2.weight: {ROW} encoder_hidden
The base model is frozen, and a prefix encoder stands beside it.

encode
prefix_lab.encoder.PrefixEncoder.forward
peft.tuners.prefix_tuning.model.PrefixEncoder.forward
prompt_tokens: batch prefix_len → past_key_values: batch prefix_len {ROW}
Each virtual token becomes one long vector: a key and a value for every layer.

split
prefix_lab.past.past_key_values
peft.peft_model.PeftModel.get_prompt
past_key_values: batch prefix_len {ROW} → key of layer 0: batch {HEADS} prefix_len head_dim; \
value of layer 0: batch {HEADS} prefix_len head_dim
The long vector is cut into layers, keys and values, and heads, and put into a cache.

attend
prefix_lab.tasks.PeftModelForSeq2SeqLM.forward
peft.peft_model.PeftModelForSeq2SeqLM.forward
mask: batch target|source → mask in the model: batch prefix_len+target|prefix_len+source; \
logits: batch target|source vocab; last_hidden_state: batch source hidden
The model runs with the cache as its past; the mask grows by prefix_len.

learn
torch.Tensor.backward
torch.Tensor.backward
loss: → embedding.weight.grad: prefix_len {ROW}|{WIDTH}
The gradient goes through the frozen model into the prefix, and nowhere else.

keep
prefix_lab.checkpoint.save_pretrained
peft.peft_model.PeftModel.save_pretrained
past_key_values: batch prefix_len {ROW} → prompt_embeddings: prefix_len {ROW}
The computed prefix is written; the projection that made it is not.
"""


def read(block: str) -> Stage:
    """A stage from its five lines."""
    name, ours, peft, flow, sentence = block.strip().splitlines()
    sides = [[one.strip().partition(":") for one in side.split(";")] for side in flow.split("→")]
    takes, gives = (tuple(Flow(n, tuple(axes.split()) if colon else None) for n, colon, axes in one) for one in sides)
    return Stage(name, ours, peft, takes, gives, sentence)


STAGES: tuple[Stage, ...] = tuple(read(block) for block in WALK.split("\n\n"))


def stage(name: str) -> Stage:
    """The stage of that name. Raises `ValueError` that lists the names."""
    found = {row.name: row for row in STAGES}
    if name not in [*found]:
        raise ValueError(f"name={name!r} is not a stage of the walk. The stages are {', '.join(found)}.")
    return found[name]


def resolve(dotted: str, stage_name: str) -> Callable:
    """What a dotted name stands for. Raises `LookupError` if it is gone."""
    try:
        return pkgutil.resolve_name(dotted)
    except AttributeError as error:
        raise LookupError(
            f"Stage {stage_name!r} expects {dotted}, and the installed {dotted.split('.')[0]} has no such name. "
            "Install the tested versions: pip install -c constraints.txt."
        ) from error
