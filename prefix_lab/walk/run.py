"""The walk: every stage of prefix tuning on one model, done with our code and with PEFT's, and told as values.

for result in walk(model, PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)):
    print(result.stage.name, result.equal)
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from prefix_lab import PrefixTuningConfig, prepare_prompt_learning_config
from prefix_lab.beside.wrapping import MODEL_TYPE_TO_PEFT_MODEL_MAPPING
from prefix_lab.config import TaskType
from prefix_lab.locale import _
from prefix_lab.prepare import NUM_ATTENTION_HEADS, TOKEN_DIM, text_config
from prefix_lab.shapes import name_axes_of
from prefix_lab.sizes import cache_sizes, heads_of
from prefix_lab.stages import STAGES, Flow, Stage
from prefix_lab.walk.compare import Check, Difference, compare
from prefix_lab.walk.describe import DESCRIPTIONS, Described, Fact, dtype
from prefix_lab.walk.libraries import installed_peft, on_meta, ours
from prefix_lab.walk.model import random_batch, vocab_of
from prefix_lab.walk.steps import STEPS, Outcome, Run, Side, attempt, error_in_words


class Seen(NamedTuple):
    """Something that entered or left a stage: a tensor with its named shape, or (`shape` is None) a value in words."""

    name: str
    shape: tuple[int, ...] | None = None
    axes: tuple[str, ...] | None = None  # names that give the seen size; a bare number where none does
    dtype: str | None = None
    value: str | int | float | None = None
    note: str = ""


class Stop(NamedTuple):
    """Why the walk ends at this stage: our error, what PEFT does there, and the fields that would let it go on."""

    error: str
    peft: str = ""
    way_out: dict[str, int] = {}  # noqa: RUF012  a NamedTuple's default is never changed


class StageResult(NamedTuple):
    """One stage of one run. `ours` and `peft` are the dotted names of what ran; `checks` is empty without PEFT."""

    stage: Stage
    ours: str
    peft: str
    takes: tuple[Seen, ...]
    gives: tuple[Seen, ...]
    facts: tuple[Fact, ...]
    checks: tuple[Check, ...]
    stop: Stop | None = None

    @property
    def equal(self) -> bool | None:
        """Whether PEFT's own result is the same; None when it was not compared."""
        return all(check.equal for check in self.checks) if self.checks else None


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
        yield result_of(stage, side, peft, outcome, theirs, run)
        if outcome.error:
            return
        if theirs and theirs.error:
            peft = None  # there is nothing to hold the later stages against


def axis_sizes(run: Run, prefix_len: int | None, model_config: Any, encoder_hidden: int | None) -> dict[str, int]:
    """What the axes' names stand for in this run, from the options and the model's config, not from tensors: a name
    that is shown was predicted, and then found. Without the names that have no size here: `target` for a decoder alone.
    """
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


def result_of(
    stage: Stage, side: Side, peft: Side | None, outcome: Outcome, theirs: Outcome | None, run: Run
) -> StageResult:
    """What ours made, in words, and PEFT's held against it."""
    row = StageResult(stage, in_use(stage.ours, side), in_use(stage.peft, side), (), (), (), ())
    if outcome.error:
        return row._replace(stop=explain_stop(stage.name, outcome.error, side, peft, theirs, run))
    described = DESCRIPTIONS[stage.name](side, run)
    prepared = side.made.get("prepare", side.config)
    sizes = axis_sizes(run, prepared.num_virtual_tokens, side.base.config, prepared.encoder_hidden_size)
    return row._replace(
        takes=tuple(seen(stage.takes, described, sizes)),
        gives=tuple(seen(stage.gives, described, sizes)),
        facts=described.facts,
        checks=checks_of(stage.name, outcome, theirs),
    )


def in_use(dotted: str, side: Side) -> str:
    """The table names one task's class; here is the name with the class of this run."""
    tasks = {row.__name__ for row in MODEL_TYPE_TO_PEFT_MODEL_MAPPING.values()}
    chosen = side.made.get("choose")
    if chosen and dotted.startswith("prefix_lab.tasks."):
        return f"{chosen.forward.__module__}.{chosen.forward.__qualname__}"
    return ".".join(chosen.__name__ if chosen and part in tasks else part for part in dotted.split("."))


def seen(flows: tuple[Flow, ...], described: Described, sizes: Mapping[str, int]) -> Iterator[Seen]:
    """What the table says goes in or out, as far as this run has it: logits or hidden states, say."""
    for flow in flows:
        value, note = described.values.get(flow.name), described.notes.get(flow.name, "")
        if isinstance(value, Tensor):
            yield seen_tensor(flow, value, sizes, note)
        elif value is not None:
            yield Seen(flow.name, value=name_of(value), note=note)


def seen_tensor(flow: Flow, tensor: Tensor, sizes: Mapping[str, int], note: str) -> Seen:
    """The shape, with the names that hold; a tensor of another rank than the table says has none."""
    shape, axes = tuple(tensor.shape), flow.axes or ()
    names = name_axes_of(shape, axes, sizes) if len(axes) == len(shape) else tuple(map(str, shape))
    one_number = tensor.item() if not shape and not tensor.is_meta else None
    return Seen(flow.name, shape, names, dtype(tensor), one_number, note)


def name_of(value: Any) -> str | int:
    return value if isinstance(value, str | int) else getattr(value, "__name__", type(value).__name__)


def checks_of(name: str, outcome: Outcome, theirs: Outcome | None) -> tuple[Check, ...]:
    """Ours against PEFT's; an error of PEFT's alone is a difference too."""
    if theirs is None:
        return ()
    if theirs.error:
        text = _("runs, and PEFT's raises {error}").format(error=error_in_words(theirs.error))
        return (Check("call", 1, (Difference(name, text),)),)
    return compare(name, outcome.value, theirs.value)


def explain_stop(name: str, error: Exception, side: Side, peft: Side | None, theirs: Outcome | None, run: Run) -> Stop:
    """`theirs` is what PEFT's same step came to."""
    way_out = fitting_token_dim(side.config, side.base.config) or fitting_prefix_len(side, run)
    return Stop(error_in_words(error), what_peft_does(name, peft, theirs, run) if peft and theirs else "", way_out)


def what_peft_does(name: str, peft: Side, theirs: Outcome, run: Run) -> str:
    """PEFT's error at this stage, or at the later one where it comes, or that none comes."""
    if theirs.error:
        return _("fails here too: {error}").format(error=error_in_words(theirs.error))
    names = list(STEPS)
    for later in names[names.index(name) + 1 :]:
        outcome = attempt(later, peft, run)
        if outcome.error:
            text = _("goes on, and fails in {stage}: {error}")
            return text.format(stage=repr(later), error=error_in_words(outcome.error))
    return _("goes through all stages with this")


def fitting_token_dim(config: PrefixTuningConfig, model_config: Any) -> dict[str, int]:
    """The token_dim that preparation accepts where it does not accept this config's; empty if that is not the cause."""
    head_dim = cache_sizes(model_config).head_dim
    if not head_dim or prepared_copy(config, model_config):
        return {}
    other = copy.copy(config)
    other.token_dim = heads_of(model_config) * head_dim
    return {"token_dim": other.token_dim} if prepared_copy(other, model_config) else {}


def prepared_copy(config: PrefixTuningConfig, model_config: Any) -> PrefixTuningConfig | None:
    """A copy of the config with its sizes filled; None where `prepare` refuses it."""
    try:
        return prepare_prompt_learning_config(copy.copy(config), model_config)
    except (ValueError, TypeError):
        return None


def fitting_prefix_len(side: Side, run: Run) -> dict[str, int]:
    """The longest prefix that leaves room for the texts, if the model has a table of positions and this is longer."""
    known = text_config(side.base.config)
    positions = known.get("max_position_embeddings") or known.get("n_positions")
    tokens = run.batch["decoder_attention_mask" if "decoder_attention_mask" in run.batch else "input_ids"].shape[1]
    room = positions - tokens if positions else 0
    return {"num_virtual_tokens": room} if 0 < room < (side.config.num_virtual_tokens or 0) else {}
