"""`prepare_prompt_learning_config`: the same sizes from every family's own names, without any weights."""

import peft
import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st
from peft.utils.other import _prepare_prompt_learning_config
from transformers import T5Config

import prefix_lab
from tests.tiny_models import FAMILIES


def prepared(given, **fields):
    """The filled fields of both libraries; PEFT's preparation is private, and is called by its own name."""
    ours = prefix_lab.PrefixTuningConfig(num_virtual_tokens=3, **fields)
    theirs = peft.PrefixTuningConfig(num_virtual_tokens=3, **fields)
    return (
        prefix_lab.prepare_prompt_learning_config(ours, given).to_dict(),
        _prepare_prompt_learning_config(theirs, given).to_dict(),
    )


@pytest.mark.parametrize("name", [name for name, _ in FAMILIES.values()])
def test_the_sizes_are_those_that_peft_finds_for(name):
    wider = {"token_dim": 6 * 64} if name in ("MT5", "UMT5") else {}  # whose heads are not d_model / heads wide
    ours, theirs = prepared(getattr(transformers, f"{name}Config")(), **wider)
    assert ours == theirs


@pytest.mark.parametrize(
    ("field", "value"),
    [("num_layers", 6), ("token_dim", 512), ("num_attention_heads", 8), ("encoder_hidden_size", 77)],
)
def test_a_size_that_the_user_set_is_kept(field, value):
    ours, theirs = prepared(T5Config(), **{field: value})
    assert ours == theirs
    assert ours[field] == value


NAMES = {
    "layers": ["num_hidden_layers", "num_layers", "n_layer"],
    "hidden": ["hidden_size", "n_embd", "d_model"],
    "heads": ["num_attention_heads", "n_head", "num_heads", "encoder_attention_heads"],
}


SIZES = {"layers": st.integers(1, 6), "hidden": st.sampled_from([12, 24, 36]), "heads": st.sampled_from([1, 2, 3, 4])}


@st.composite
def model_configs(draw):
    """A dict that may say each size under several names, each time differently, with grouped-query heads or not."""
    given = {name: draw(SIZES[size]) for size, names in NAMES.items() for name in draw(st.sets(st.sampled_from(names)))}
    if draw(st.booleans()):
        given["num_key_value_heads"] = draw(st.integers(1, 4))
        given |= draw(st.sampled_from([{}, {"head_dim": None}, {"head_dim": 7}]))
    return {"text_config": given} if draw(st.booleans()) else given


@given(model_configs())
def test_any_mixture_of_names_gives_the_same_sizes_or_is_refused_by_both(given):
    try:
        theirs = _prepare_prompt_learning_config(peft.PrefixTuningConfig(num_virtual_tokens=3), given).to_dict()
    except ValueError as refusal:
        field = str(refusal).split("`")[1]
        with pytest.raises(ValueError, match=f"^{field} cannot be found"):
            prefix_lab.prepare_prompt_learning_config(prefix_lab.PrefixTuningConfig(num_virtual_tokens=3), given)
        return
    assert prepared(given)[0] == theirs
