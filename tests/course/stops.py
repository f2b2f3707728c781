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
LOADED = {"inference_mode": True, "table": (10, 1024)}
WIDE = typed("PrefixEncoder.__init__: p self.embedding → Embedding(10, 1024)")
AFTERWARDS = typed("<module>: p with_gradient() → {'prompt_encoder.default.embedding.weight': (10, 1024)}")

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
            (typed("<module>: prefix.grad.shape → torch.Size([10, 1024])"), GRADIENT | {"shape": "[10, 1024]"}),
            (typed(by="debugger", at="Tensor.backward"), GRADIENT),
        ],
        {
            "put your answer": (AFTERWARDS, GRADIENT | {"after": ...}),
            "the lesson typed": (typed("<module>: p with_gradient() → {}", by="lesson"), GRADIENT),
            "without asking anything": (typed("Tensor.backward: c → "), GRADIENT),
            "`backward` has not run yet": (typed("<module>: p with_gradient() → {}"), GRADIENT),
            "have not stood in `<module>`": (
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
            (WIDE, LOADED),
            (typed(by="debugger", at="PrefixEncoder.__init__"), LOADED),
        ],
        {
            "put your answer": (WIDE, LOADED | {"table": ...}),
            "the lesson typed": (typed("PrefixEncoder.__init__: p config.inference_mode → True", by="lesson"), LOADED),
            "was not there yet": (
                typed("PrefixEncoder.__init__: p self.embedding → *** AttributeError: it has no attribute 'embedding'"),
                LOADED,
            ),
            "was not printed there": (typed("PrefixEncoder.__init__: p config.inference_mode → True"), LOADED),
            "true or false is wanted": (WIDE, LOADED | {"inference_mode": "yes"}),
            "a projection would have been made": (WIDE, LOADED | {"inference_mode": False}),
            "the small table": (WIDE, LOADED | {"table": "(10, 128)"}),
            "the shape of `self.embedding.weight`": (WIDE, LOADED | {"table": 10}),
        },
    ),
}
