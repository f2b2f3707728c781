"""Why a walk ends early: what failed, what PEFT does at the same place, and what would let it go on."""

import copy
from typing import Any

from prefix_lab.config import PrefixTuningConfig
from prefix_lab.prepare import cache_sizes, heads_of, prepare_prompt_learning_config, text_config
from prefix_lab.walk.attempt import Outcome, attempt, in_words
from prefix_lab.walk.results import Stop
from prefix_lab.walk.sides import Run, Side
from prefix_lab.walk.steps import STEPS


def explain_stop(name: str, error: Exception, side: Side, peft: Side | None, theirs: Outcome | None, run: Run) -> Stop:
    """`theirs` is what PEFT's same step came to."""
    way_out = fitting_token_dim(side.config, side.base.config) or fitting_prefix_len(side, run)
    return Stop(in_words(error), what_peft_does(name, peft, theirs, run) if peft and theirs else "", way_out)


def what_peft_does(name: str, peft: Side, theirs: Outcome, run: Run) -> str:
    """PEFT's error at this stage, or at the later one where it comes, or that none comes."""
    if theirs.error:
        return f"fails here too: {in_words(theirs.error)}"
    names = list(STEPS)
    for later in names[names.index(name) + 1 :]:
        outcome = attempt(later, peft, run)
        if outcome.error:
            return f"goes on, and fails in {later!r}: {in_words(outcome.error)}"
    return "goes through all stages with this"


def fitting_token_dim(config: PrefixTuningConfig, model_config: Any) -> dict[str, int]:
    """The token_dim that preparation accepts where it does not accept this config's; empty if that is not the cause."""
    head_dim = cache_sizes(model_config).head_dim
    if accepted(config, model_config) or not head_dim:
        return {}
    other = copy.copy(config)
    other.token_dim = heads_of(model_config) * head_dim
    return {"token_dim": other.token_dim} if accepted(other, model_config) else {}


def accepted(config: PrefixTuningConfig, model_config: Any) -> bool:
    """Whether `prepare` takes it."""
    try:
        prepare_prompt_learning_config(copy.copy(config), model_config)
    except (ValueError, TypeError):
        return False
    return True


def fitting_prefix_len(side: Side, run: Run) -> dict[str, int]:
    """The longest prefix that leaves room for the texts, if the model has a table of positions and this is longer."""
    known = text_config(side.base.config)
    positions = known.get("max_position_embeddings") or known.get("n_positions")
    tokens = run.batch["decoder_attention_mask" if "decoder_attention_mask" in run.batch else "input_ids"].shape[1]
    room = positions - tokens if positions else 0
    return {"num_virtual_tokens": room} if 0 < room < (side.config.num_virtual_tokens or 0) else {}
