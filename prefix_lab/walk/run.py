"""The walk: every stage of prefix tuning on one model, done with our code and with PEFT's, and told as values.

for result in walk(model, PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)):
    print(result.stage.name, result.equal)
"""

import copy
from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from prefix_lab.config import PrefixTuningConfig, TaskType
from prefix_lab.stages import STAGES
from prefix_lab.walk.attempt import attempt
from prefix_lab.walk.example import random_batch, vocab_of
from prefix_lab.walk.library import installed_peft, ours
from prefix_lab.walk.results import StageResult
from prefix_lab.walk.setting import on_meta
from prefix_lab.walk.sides import Run, Side
from prefix_lab.walk.tell import tell


def walk(
    model: nn.Module,
    config: PrefixTuningConfig,
    batch: Mapping[str, Tensor] | None = None,
    *,
    batch_size: int = 2,
    seed: int = 0,
    beside_peft: bool = True,
) -> Iterator[StageResult]:
    """Yield a result for each stage, as it is done.

    `model` is wrapped in place, as `get_peft_model` does; PEFT gets a copy, and `config` is not changed. `batch` is
    what the model will be called with; without one, `batch_size` random texts. A stage that fails is the last one.

    Raises `TypeError` for a config that is not ours; `ValueError` for one in inference mode, in which nothing learns,
    and for a model that reads no tokens, unless there is a batch for it.
    """
    if not isinstance(config, PrefixTuningConfig):
        raise TypeError(f"config is a {type(config).__qualname__}, expected a PrefixTuningConfig of prefix_lab.")
    if config.inference_mode:
        raise ValueError("inference_mode=True, but the walk goes through training. Set inference_mode=False.")
    if batch is None:
        batch = random_batch(
            vocab=vocab_of(model),
            encoder_decoder=config.task_type == TaskType.SEQ_2_SEQ_LM,
            generative=config.task_type != TaskType.FEATURE_EXTRACTION,
            count=batch_size,
            seed=seed,
        )
    device = next(model.parameters()).device
    batch = {name: tensor.to(device) for name, tensor in batch.items()}
    return results(model, config, Run(batch, len(batch["input_ids"]), seed, on_meta(model)), beside_peft)


def results(model: nn.Module, config: PrefixTuningConfig, run: Run, beside_peft: bool) -> Iterator[StageResult]:
    """The walk itself, once what was asked for is known to make sense."""
    library = installed_peft() if beside_peft else None
    peft = Side(library, copy.deepcopy(model), library.config(config)) if library else None
    side = Side(ours(), model, ours().config(config))
    for stage in STAGES:
        outcome = attempt(stage.name, side, run)
        theirs = attempt(stage.name, peft, run) if peft else None
        yield tell(stage, side, peft, outcome, theirs, run)
        if outcome.error:
            return
        if theirs and theirs.error:
            peft = None  # there is nothing to hold the later stages against
