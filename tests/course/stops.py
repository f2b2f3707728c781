"""Each check of a live stop: what is seen and answered there, and what a learner may have missed.

Check → what passes, and the mistakes: a part of what is said → the stop and the answer that are to hear it.
"""

from typing import Any, NamedTuple

from prefix_lab.breakpoints import stop_at
from prefix_lab.breakpoints.live import Asked, Visit


def typed(*asked: str, by: str = "hand", at: str | None = None) -> Any:
    """A stop at which this was asked: texts of the form `function: command → answer`, in their order."""
    stop = stop_at("encode")
    stop.by = by
    stop.asked = [
        Asked(*reversed(one.partition(" → ")[0].split(": ", 1)), 1, [one.partition(" → ")[2]]) for one in asked
    ]
    first = at or (stop.asked[0].function if asked else "forward")
    stop.visits = [Visit(first, "file.py", 1, {})]
    return stop


def never() -> Any:
    """A block that did not come to its stop."""
    stop = typed()
    stop.visits = []
    return stop


class Live(NamedTuple):
    """Stops and answers that pass, and those that are told a cause."""

    right: list[tuple[Any, Any]]
    mistakes: dict[str, tuple[Any, Any]]


UPDATE, ATTENTION = "DynamicLayer.update", "T5Attention.forward"
JOINED = typed(
    f"{UPDATE}: p self.keys.shape → torch.Size([1, 4, 11, 32])", f"{ATTENTION}: p type(self) → <class 'T5Attention'>"
)
KEYS = {"before": 5, "after": 11, "asked_by": "T5Attention"}
GRADIENT = {"before": 0, "after": 1, "shape": (10, 1024)}
ASKED_FOR, HANDED_BACK = "get_peft_model_state_dict", "BasePromptEncoder._get_adapter_state_dict"
COUNTED, MADE = (
    f"{ASKED_FOR}: p len(state_dict) → 59",
    f"{HANDED_BACK}: p prompt_embeddings.shape → torch.Size([10, 1024])",
)
KEPT = {"at_hand": 59, "of_projection": 4, "written": (10, 1024)}
LOADED = {"unexpected": "prompt_embeddings", "missing": 55}
COMPARED = typed("set_peft_model_state_dict: p len(load_result.missing_keys) → 55")
GET_PROMPT = "PeftModel.get_prompt"
EMPTY = typed(f"{GET_PROMPT}: p past_key_values.cross_attention_cache.get_seq_length() → 0")
HANDED_ON = {"now": "EncoderDecoderCache", "cross_then": 20, "cross_now": 0}
AFTERWARDS = typed("one_step: p with_gradient() → {'prompt_encoder.default.embedding.weight': (10, 1024)}")

LIVE = {
    "check_same_line": Live(
        [
            (JOINED, KEYS),
            (JOINED, KEYS | {"asked_by": "T5Attention.forward"}),
            (typed(by="debugger", at=UPDATE), KEYS),
        ],
        {
            "put your answer": (JOINED, KEYS | {"after": ...}),
            "the stop itself": (None, KEYS),
            "has not come to a stop": (never(), KEYS),
            "the lesson typed": (typed(f"{UPDATE}: p self.keys.shape → [1, 4, 5, 32]", by="lesson"), KEYS),
            "before the line had run": (typed(f"{UPDATE}: p self.keys.shape → torch.Size([1, 4, 5, 32])"), KEYS),
            "have not stood in `T5Attention.forward`": (
                typed(f"{UPDATE}: p self.keys.shape → torch.Size([1, 4, 11, 32])"),
                KEYS,
            ),
            "a whole number is wanted": (JOINED, KEYS | {"before": "five"}),
            "only virtual ones": (JOINED, KEYS | {"before": 4}),
            "the virtual tokens alone": (JOINED, KEYS | {"after": 5}),
            "the letters that came in": (JOINED, KEYS | {"after": 6}),
            "the prefix, and behind it": (JOINED, KEYS | {"after": 32}),
            "keeps what it is given": (JOINED, KEYS | {"asked_by": "EncoderDecoderCache"}),
            "only calls the attention": (JOINED, KEYS | {"asked_by": "T5LayerSelfAttention"}),
            "climb with `u`": (JOINED, KEYS | {"asked_by": 7}),
        },
    ),
    "check_gradient": Live(
        [
            (AFTERWARDS, GRADIENT),
            (typed("one_step: prefix.grad.shape → torch.Size([10, 1024])"), GRADIENT | {"shape": "[10, 1024]"}),
            (typed(by="debugger", at="Tensor.backward"), GRADIENT),
        ],
        {
            "put your answer": (AFTERWARDS, GRADIENT | {"after": ...}),
            "the lesson typed": (typed("one_step: p with_gradient() → {}", by="lesson"), GRADIENT),
            "without asking anything": (typed("Tensor.backward: c → "), GRADIENT),
            "`backward` has not run yet": (typed("one_step: p with_gradient() → {}"), GRADIENT),
            "have not stood in `one_step`": (
                typed("Tensor.backward: p with_gradient() → *** NameError: name 'with_gradient' is not defined"),
                GRADIENT,
            ),
            "a whole number is wanted": (AFTERWARDS, GRADIENT | {"before": "none"}),
            "threw all gradients away": (AFTERWARDS, GRADIENT | {"before": 1}),
            "runs `backward` to its end": (AFTERWARDS, GRADIENT | {"after": 0}),
            "how many names were there": (AFTERWARDS, GRADIENT | {"after": 53}),
            "behind the name": (AFTERWARDS, GRADIENT | {"shape": (1024, 10)}),
        },
    ),
    "check_kept_keys": Live(
        [
            (typed(COUNTED, MADE), KEPT | {"written": "torch.Size([10, 1024])"}),
            (typed(MADE, f"{ASKED_FOR}: p list(state_dict) → ['prompt_encoder.default.transform.0.weight']"), KEPT),
            (typed(by="debugger", at=HANDED_BACK), KEPT),
        ],
        {
            "put your answer": (typed(COUNTED, MADE), KEPT | {"written": ...}),
            "have not stood in `get_peft_model_state_dict`": (typed(MADE), KEPT),
            "before it had a value": (
                typed(COUNTED, f"{HANDED_BACK}: p prompt_embeddings → *** NameError: name 'prompt_embeddings' is not"),
                KEPT,
            ),
            "a whole number is wanted": (typed(COUNTED, MADE), KEPT | {"of_projection": True}),
            "counts them all": (typed(COUNTED, MADE), KEPT | {"at_hand": 1}),
            "that begin with": (typed(COUNTED, MADE), KEPT | {"of_projection": 2}),
            "the small table, `embedding`, too": (typed(COUNTED, MADE), KEPT | {"of_projection": 5}),
            "have `transformer` in them": (typed(COUNTED, MADE), KEPT | {"of_projection": 56}),
            "the shape of `prompt_embeddings`": (typed(COUNTED, MADE), KEPT | {"written": (10, 128)}),
        },
    ),
    "check_loaded": Live(
        [
            (COMPARED, LOADED),
            (typed("set_peft_model_state_dict: p load_result → _IncompatibleKeys(missing_keys=['wte'])"), LOADED),
            (COMPARED, LOADED | {"unexpected": ["prompt_embeddings"]}),
            (typed(by="debugger", at="BasePromptEncoder._load_adapter_state_dict"), LOADED),
        ],
        {
            "put your answer": (COMPARED, LOADED | {"missing": ...}),
            "the lesson typed": (typed("set_peft_model_state_dict: u → ", by="lesson"), LOADED),
            "have not stood in": (typed("BasePromptEncoder._load_adapter_state_dict: p list(state_dict) → []"), LOADED),
            "a name is wanted": (COMPARED, LOADED | {"unexpected": 1}),
            "the model has this one": (COMPARED, LOADED | {"unexpected": "prompt_encoder.default.embedding.weight"}),
            "load_result.unexpected_keys": (COMPARED, LOADED | {"unexpected": "weight"}),
            "a whole number is wanted": (COMPARED, LOADED | {"missing": "all"}),
            "that many were unexpected": (COMPARED, LOADED | {"missing": 1}),
            "counts them": (COMPARED, LOADED | {"missing": 59}),
        },
    ),
    "check_handed_on": Live(
        [
            (EMPTY, HANDED_ON),
            (typed(f"{GET_PROMPT}: p past_key_values → EncoderDecoderCache(…=DynamicCache(layers=[]))"), HANDED_ON),
            (EMPTY, HANDED_ON | {"now": "<class 'transformers.cache_utils.EncoderDecoderCache'>"}),
            (typed(by="debugger", at=GET_PROMPT), HANDED_ON),
        ],
        {
            "put your answer": (EMPTY, HANDED_ON | {"cross_now": ...}),
            "the lesson typed": (typed(f"{GET_PROMPT}: p past_key_values → …", by="lesson"), HANDED_ON),
            "what the split gives": (EMPTY, HANDED_ON | {"now": "tuple"}),
            "one half of it": (EMPTY, HANDED_ON | {"now": "DynamicCache"}),
            "now: not 5": (EMPTY, HANDED_ON | {"now": 5}),
            "a number of virtual tokens": (EMPTY, HANDED_ON | {"cross_then": "all"}),
            "four is how many tensors": (EMPTY, HANDED_ON | {"cross_then": 4}),
            "0 is today's": (EMPTY, HANDED_ON | {"cross_then": 0}),
            "in self-attention's part": (EMPTY, HANDED_ON | {"cross_now": 20}),
            "not 32": (EMPTY, HANDED_ON | {"cross_then": 32}),
            "so many are in": (
                typed(f"{GET_PROMPT}: p past_key_values.self_attention_cache.get_seq_length() → 20"),
                HANDED_ON,
            ),
            "not printed there": (typed(f"{GET_PROMPT}: p type(past_key_values) → <class 'Cache'>"), HANDED_ON),
        },
    ),
}
