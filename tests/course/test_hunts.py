"""Lesson 14's hunts: each mend that is right passes, and each plausible wrong one is told its cause."""

import inspect
from typing import Any, NamedTuple

import pytest
import torch

from prefix_lab.course import hunts
from prefix_lab.course.checking import NotYet
from prefix_lab.course.lessons import lesson_14
from prefix_lab.course.trials import found, mend


class Hunt(NamedTuple):
    """The wrong line, mends that are right, and for each wrong mend (of that line, or of another one) its cause."""

    wrong: str
    right: list[str]
    mistakes: dict[str, str | tuple[str, str]]


HEAD = "class Hunt1(tasks.PeftModelForSeq2SeqLM):"
FREEZE = "for child in self.children():"
ROWS = "rows = rows.permute(2, 0, 1, 3, 4).reshape(2 * layers, batch, heads, prefix_len, head_dim)"
ADD = "PeftModel.add_adapter(self, adapter_name, peft_config, autocast_adapter_dtype)\nself.name_the_head(peft_config)"
NAME = "self.name_the_head(peft_config)"
CONFIG = 'config = PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=prefix_len)'
NEW = 'PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=prefix_len{})'
LOOP = "wrapped.append(get_peft_model(model, config))"
ENCODER = "self.prompt_encoder[adapter_name] = encoder.to({})"
CACHE = "cache = EncoderDecoderCache(own, cross)"
ALL = "cache.is_updated = dict.fromkeys(range(len(blocks)), {})"
SHIFT = "if not filled:\n    self.shift_position_ids(model_kwargs)"

HUNTS = {
    1: Hunt(
        FREEZE,
        ["for child in self.base_model.children():", "for child in [self.base_model]:"],
        {
            "wrong way round": "for child in self.prompt_encoder.children():",
            "still nothing trains": "for child in self.modules():",
            "of the base model too": ("child.requires_grad_(False)", "child.requires_grad_(True)"),
            "with prefix_projection=True": (
                "child.requires_grad_(False)",
                "child.requires_grad_(False)\nself.prompt_encoder[adapter_name].embedding.requires_grad_(True)",
            ),
        },
    ),
    2: Hunt(
        ROWS,
        ["rows = rows.permute(2, 0, 3, 1, 4)", "rows = rows.permute(2, 0, 3, 1, 4).contiguous()"],
        {
            "reshape alone renumbers": "rows = rows.reshape(2 * layers, batch, heads, prefix_len, head_dim)",
            "have not changed places": "rows = rows.permute(2, 0, 1, 3, 4)",
            "which old axis": "rows = rows.permute(2, 0, 4, 1, 3).reshape(2 * layers, batch, heads, prefix_len, -1)",
            "expected (key and value": "rows = rows.permute(2, 3, 0, 1, 4)",
            "expected one for each": ("return rows.split(2)", "return rows.split(layers)"),
            "expected a tuple": ("return rows.split(2)", "return rows"),
        },
    ),
    3: Hunt(
        "attention_mask=attention_mask,",
        ["attention_mask=self.prepend_prefix(attention_mask),"],
        {
            "no mask arrives": "attention_mask=None,",
            "as long as the text": "attention_mask=attention_mask.float() if attention_mask is not None else None,",
            "stand behind the text": "attention_mask=None if attention_mask is None else __import__('torch').cat("
            "(attention_mask, self.prepend_prefix(attention_mask)[:, : -attention_mask.shape[1]] * 0 + 1), dim=1),",
            "0 hides, 1 shows": "attention_mask=None if attention_mask is None else __import__('torch').nn.functional."
            "pad(attention_mask, (self.active_peft_config.num_virtual_tokens, 0)),",
            "expected (batch, prefix_len+tokens)": "attention_mask=None if attention_mask is None else "
            "self.prepend_prefix(self.prepend_prefix(attention_mask)),",
        },
    ),
    4: Hunt(
        "key, value = rows[number::layers]",
        [
            "key, value = rows[2 * number : 2 * number + 2]",
            "key, value = rows[2 * number], rows[2 * number + 1]",
            "key, value = rows.split(2)[number]",
        ],
        {
            "the key comes first": "value, key = rows[2 * number : 2 * number + 2]",
            "at the other end": "key, value = rows.split(2)[-1 - number]",
            "reads rows (1, 2)": "key, value = rows[number : number + 2]",
            "reads rows (0, 0)": "key, value = rows[2 * number], rows[2 * number]",
        },
    ),
    5: Hunt(
        ADD,
        ["\n".join(reversed(ADD.splitlines())), NAME + "\n" + ADD],
        {
            "it is never saved": (NAME, NAME + "\nself.base_model.classifier.requires_grad_(True)"),
            "besides, not instead": 'peft_config.modules_to_save = ["classifier", "score"]\n' + ADD.splitlines()[0],
            "when is the head named": (NAME, "self.name_the_head(self.peft_config[adapter_name])"),
            "which PEFT leaves frozen": NAME + "\n" + ADD + "\nself.base_model.bert.embeddings.requires_grad_(True)",
        },
    ),
    6: Hunt(
        LOOP,
        [
            f"wrapped.append(get_peft_model(model, {NEW.format('')}))",
            "from copy import deepcopy\nwrapped.append(get_peft_model(model, deepcopy(config)))",
            f"config = {NEW.format('')}\n{LOOP}",
        ],
        {
            "differ in layers": "from copy import copy\nconfig = copy(config)\n" + LOOP,
            "differ in heads and widths": f"config = {NEW.format(', token_dim=models[0].config.n_embd')}\n{LOOP}",
            "they share one config": LOOP + "\nconfig.num_layers = None",
            "no list": LOOP + "\nbreak",
        },
    ),
    7: Hunt(
        "labels=self.next_tokens(labels),",
        ["labels=labels,"],
        {
            "one place late": "labels=None if labels is None else labels.roll(1, dims=1),",
            "which computes the loss": "labels=None,",
            "can copy them": "labels=labels,\ndecoder_input_ids=labels,",
            "one place early": "labels=None if labels is None else labels.roll(-1, dims=1),",
            "other labels": "labels=None if labels is None else labels.clamp(min=0),",
        },
    ),
    8: Hunt(
        ENCODER.format("next(self.base_model.parameters())"),
        [
            ENCODER.format("next(self.base_model.parameters()).device"),
            ENCODER.format("self.base_model.device"),
        ],
        {
            "kept in torch.bfloat16": ENCODER.format("self.base_model.dtype"),
            "gets keys in torch.float32": ENCODER.format("self.base_model.float().device"),
            "to its device": "self.prompt_encoder[adapter_name] = encoder",
            "kept in torch.float64": ENCODER.format("torch.float64"),
            "something rounded it": ENCODER.format("self.base_model.dtype).to(torch.float32"),
        },
    ),
    9: Hunt(
        CACHE,
        [
            "cache = EncoderDecoderCache(own, DynamicCache())",
            f"{CACHE}\ncache.cross_attention_cache = DynamicCache()\n{ALL.format(False)}",
        ],
        {
            "come behind it": f"{CACHE}\n{ALL.format(False)}",
            "is_updated says": f"{CACHE}\ncache.cross_attention_cache = DynamicCache()",
            "never asked for": f"{CACHE}\n{ALL.format(True)}",
            "positions of past": "cache = EncoderDecoderCache(DynamicCache(), DynamicCache())",
            "full and says so": (
                "cross = DynamicCache([(block[2], block[3]) for block in blocks])",
                "cross = DynamicCache([(block[2] * 0, block[3] * 0) for block in blocks])",
            ),
        },
    ),
    10: Hunt(
        SHIFT,
        ["self.shift_position_ids(model_kwargs)\nif not filled:"],
        {
            "the prefix is not counted": "if not filled:",
            "the prefix is counted twice": "self.shift_position_ids(model_kwargs)\n" + SHIFT,
            "call 2": SHIFT + "\n    self.shift_position_ids({})",
            "call 1 puts": "if filled:\n    self.shift_position_ids(model_kwargs)\nif not filled:",
            "count what stands before it": "self.shift_position_ids(model_kwargs)\n"
            "if model_kwargs.get('position_ids') is not None:\n    model_kwargs['position_ids'] += 1\nif not filled:",
        },
    ),
}


def check(number: int, wrong: Any, right: Any) -> Any:
    return lesson_14.check_hunt(number, wrong, right)


@pytest.mark.parametrize(("number", "right"), [(number, right) for number in HUNTS for right in HUNTS[number].right])
def test_a_right_mend_passes(number, right):
    verdict = check(number, HUNTS[number].wrong, right)
    assert verdict.passed, verdict


@pytest.mark.parametrize(("number", "cause"), [(number, cause) for number in HUNTS for cause in HUNTS[number].mistakes])
def test_a_wrong_mend_is_told_its_cause(number, cause):
    mistake = HUNTS[number].mistakes[cause]
    wrong, right = (HUNTS[number].wrong, mistake) if isinstance(mistake, str) else mistake
    verdict = check(number, wrong, right)
    assert not verdict.passed
    assert cause.lower() in verdict.text.lower()


@pytest.mark.parametrize("number", HUNTS)
def test_the_stub_is_not_answered_yet_and_the_copy_as_it_stands_is_not_right(number):
    assert "Put your answer" in check(number, ..., ...).text
    assert "Put your answer" in check(number, HUNTS[number].wrong, ...).text
    assert "as it stood" in check(number, HUNTS[number].wrong, HUNTS[number].wrong).text
    harmless = check(number, HUNTS[number].wrong, HUNTS[number].wrong + "  # a remark")
    assert not harmless.passed


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        (3, "pass", "wrong is 3"),
        (FREEZE, ["pass"], "right is ['pass']"),
        ("", "pass", "wrong is empty"),
        ("for child in self.childs():", "pass", "Did you mean: for child in self.children():"),
        ("<script>alert(1)</script>", "pass", "The copy has no such line"),
        (FREEZE, "for child in", "no Python any more"),
        (FREEZE, "", "no Python any more"),
        (FREEZE, "raise SystemExit('<script>')\nfor child in ():", "it stops, SystemExit"),
        (FREEZE, "raise ZeroDivisionError\nfor child in ():", "it stops, ZeroDivisionError"),
        (HEAD, HEAD.replace("Hunt1", "Other"), "there is no Hunt1 any more"),
        (HEAD, "class Hunt1(no_such_module.Base):", "cannot be loaded, NameError"),
    ],
)
def test_a_hostile_answer_is_answered_in_words(wrong, right, said):
    verdict = check(1, wrong, right)
    assert not verdict.passed
    assert said in verdict.text
    assert "<script>" not in verdict._repr_html_()


def test_a_line_that_stands_there_twice_is_to_be_given_with_its_neighbour():
    lines = ["    x = 1", "    y = 2", "    x = 1"]
    with pytest.raises(NotYet, match="more than once"):
        found(lines, ["x = 1"])
    assert found(lines, ["x = 1", "y = 2"]) == (0, 2)


def test_a_mend_keeps_the_indentation_of_the_line():
    mended = mend(hunts.hunt_6, f"        {LOOP}  ", f"    if True:\n        {LOOP}\n    pass")
    assert f"        if True:\n            {LOOP}\n        pass\n" in inspect.getsource(mended)


def test_a_mend_leaves_the_copy_as_it_was():
    before = inspect.getsource(hunts.hunt_2)
    assert check(2, ROWS, HUNTS[2].right[0]).passed
    assert inspect.getsource(hunts.hunt_2) == before
    assert hunts.hunt_2(torch.zeros(2, 3, 80), 2, 5)[0].shape == (2, 2, 5, 3, 4)


@pytest.mark.parametrize("number", [1, 9])
def test_a_check_leaves_the_learners_random_numbers_alone(number):
    torch.manual_seed(0)
    first = torch.rand(3)
    torch.manual_seed(0)
    check(number, HUNTS[number].wrong, HUNTS[number].right[0])
    assert torch.equal(torch.rand(3), first)
