"""What learners see and miss at the live stops of lessons 08 to 10, in the form of `stops.LIVE`."""

from tests.course.stops import Live, never, typed

FORWARD, UPDATE, LAYER = "PeftModelForCausalLM.forward", "DynamicLayer.update", "GPT2Attention.forward"
EARLY = f"{FORWARD}: p attention_mask.shape → torch.Size([1, 18])"
GROWN = f"{FORWARD}: p attention_mask.shape → torch.Size([1, 28])"
HANDED_ON = typed(EARLY, GROWN, f"{FORWARD}: p kwargs['position_ids'][0, 0] → tensor(10)")
ARRIVES = {"mask": 28, "first_position": 10}
BEFORE = f"{UPDATE}: p self.keys.shape → torch.Size([1, 4, 10, 32])"
AFTER = f"{UPDATE}: p self.keys.shape → torch.Size([1, 4, 28, 32])"
JOINED = typed(BEFORE, AFTER, f"{LAYER}: p self.layer_idx → 0")
KEYS = {"keys_before": 10, "keys_after": 28, "first": "prefix", "layer": 0}
ATTENTION = "T5Attention.forward"
ONE, OTHER = (f"{ATTENTION}: p keys[0, 0, 0, :2] → tensor([{first}, 0.2])" for first in (-0.5, 1.5))
TWINS = {"twin_of_0": 2, "twin_of_1": 3}
CROSSED = typed(f"{ATTENTION}: p cached → 0", f"{ATTENTION}: p key_states.shape → torch.Size([2, 4, 18, 32])")
CROSSING = {"cached": 0, "keys": 18}

LIVE = {
    "check_arrives": Live(
        [
            (HANDED_ON, ARRIVES),
            (typed(GROWN, f"{FORWARD}: p kwargs['position_ids'] → tensor([[10, 11, 12, 13]])"), ARRIVES),
            (typed(by="debugger", at=FORWARD), ARRIVES),
        ],
        {
            "put your answer": (HANDED_ON, ARRIVES | {"mask": ...}),
            "has not come to a stop": (never(), ARRIVES),
            "the lesson typed": (typed(GROWN, by="lesson"), ARRIVES),
            "is no number": (HANDED_ON, ARRIVES | {"mask": "wide"}),
            "ask again behind that line": (HANDED_ON, ARRIVES | {"mask": 18}),
            "put before the mask": (HANDED_ON, ARRIVES | {"mask": 10}),
            "the position that you gave": (HANDED_ON, ARRIVES | {"first_position": 0}),
            "the last virtual token's": (HANDED_ON, ARRIVES | {"first_position": 9}),
            "positions are counted from 0": (HANDED_ON, ARRIVES | {"first_position": 11}),
            "`r` leads there": (HANDED_ON, ARRIVES | {"first_position": 3}),
            "so wide it comes in": (typed(EARLY), ARRIVES),
            "was not printed there": (typed(GROWN), ARRIVES),
        },
    ),
    "check_keys_join": Live(
        [(JOINED, KEYS), (typed(by="debugger", at=UPDATE), KEYS)],
        {
            "put your answer": (JOINED, KEYS | {"first": ...}),
            "neither 'prefix' nor 'words'": (JOINED, KEYS | {"first": "keys"}),
            "from left to right": (JOINED, KEYS | {"first": "words"}),
            "how many were there before it": (JOINED, KEYS | {"keys_before": 28}),
            "one for each word": (JOINED, KEYS | {"keys_before": 18}),
            "run the line with torch.cat": (JOINED, KEYS | {"keys_after": 10}),
            "layers are counted from 0": (JOINED, KEYS | {"layer": 1}),
            "so many were there before": (typed(BEFORE), KEYS),
            "have not stood in `GPT2Attention.forward`": (typed(BEFORE, AFTER), KEYS),
        },
    ),
    "check_twins": Live(
        [
            (typed(ONE, OTHER, ONE, OTHER), TWINS),
            (typed(f"{ATTENTION}: p torch.equal(layers[0].keys, layers[2].keys) → True"), TWINS),
            (typed(by="debugger", at=ATTENTION), TWINS),
        ],
        {
            "put your answer": (typed(ONE, ONE), TWINS | {"twin_of_1": ...}),
            "the number of a layer": (typed(ONE, ONE), TWINS | {"twin_of_0": "the third"}),
            "that is the layer itself": (typed(ONE, ONE), TWINS | {"twin_of_1": 1}),
            "compare the numbers": (typed(ONE, ONE), TWINS | {"twin_of_0": 3}),
            "no two layers answered alike": (typed(ONE, OTHER), TWINS),
            "the lesson typed": (typed(ONE, ONE, by="lesson"), TWINS),
        },
    ),
    "check_crossing": Live(
        [(CROSSED, CROSSING), (typed(by="debugger", at=ATTENTION), CROSSING)],
        {
            "put your answer": (CROSSED, CROSSING | {"keys": ...}),
            "a number is wanted": (CROSSED, CROSSING | {"keys": "all"}),
            "counts the keys in its cache": (CROSSED, CROSSING | {"cached": 5}),
            "to the end of the function": (CROSSED, CROSSING | {"keys": 23}),
            "was not printed there": (typed(f"{ATTENTION}: p cached → 0"), CROSSING),
        },
    ),
}


def task(function, right, seen, early, wrong):
    """A stop of lesson 10: what is to be seen in a function, what may be seen too early, and wrong answers."""
    stop = typed(f"{function}: p seen → torch.Size([{seen}])")
    unseen = "comes in; ask" if function.endswith(".forward") else "was not printed there"
    return Live(
        [(stop, right), (typed(by="debugger", at=function), right)],
        {
            "put your answer": (stop, right | {next(iter(right)): ...}),
            "the lesson typed": (typed(f"{function}: p seen → torch.Size([{seen}])", by="lesson"), right),
            "is wanted": (stop, right | {next(iter(right)): "wide"}),
            "ask at the end of the function": (stop, right | {next(iter(right)): 1}),
            unseen: (typed(f"{function}: p seen → torch.Size([{early}])"), right),
            "have not stood in": (typed("BertModel.forward: p 1 → 1"), right),
        }
        | {cause: (stop, right | given) for cause, given in wrong.items()},
    )


INSIDE = "_prefix_tuning_forward"
EACH, ONES = {"head_reads": (2, 21, 128)}, {"head_reads": (2, 128)}
TASKS = {
    "causal_lm": (
        "PeftModelForCausalLM.forward",
        {"mask": 54, "labels": 49},
        ("2, 54", "2, 49"),
        {"so wide it comes in": {"mask": 49}, "before the mask": {"mask": 5}, "held against logits": {"labels": 54}},
    ),
    "seq_2_seq_lm": (
        "PeftModelForSeq2SeqLM.forward",
        {"attention_mask": 18, "decoder_attention_mask": 36},
        ("2, 36", "2, 31"),
        {"never sees the prefix": {"attention_mask": 23}, "target as it came in": {"decoder_attention_mask": 31}},
    ),
    "seq_cls": (
        f"PeftModelForSequenceClassification.{INSIDE}",
        {"mask": 26, "head_reads": (2, 128), "logits": [2, 2]},
        ("2, 2", "2, 128"),
        {"one vector for each token": EACH, "a shape is wanted": {"logits": 2}},
    ),
    "token_cls": (
        f"PeftModelForTokenClassification.{INSIDE}",
        {"mask": 26, "head_reads": (2, 21, 128), "logits": (2, 21, 4)},
        ("2, 21, 4", "2, 21, 128"),
        {"one for each text": ONES, "have no queries": {"logits": (2, 26, 4)}},
    ),
    "question_ans": (
        f"PeftModelForQuestionAnswering.{INSIDE}",
        {"mask": 39, "logits": (2, 34, 2), "token_type_ids": "dropped"},
        ("2, 34, 2", "2, 39"),
        {
            "an argument of that name": {"token_type_ids": "handed_on"},
            "none of handed_on, dropped": {"token_type_ids": "lost"},
        },
    ),
    "feature_extraction": (
        "PeftModelForFeatureExtraction.forward",
        {"mask": 33, "vectors": (4, 28, 128)},
        ("4, 33", "4, 28"),
        {"have no queries": {"vectors": (4, 33, 128)}, "one for each text": {"vectors": (4, 128)}},
    ),
}
LIVE |= {f"check_{name}": task(function, right, *seen, wrong) for name, (function, right, seen, wrong) in TASKS.items()}
