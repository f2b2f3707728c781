"""`layout="paper"`: encoder, decoder and cross-attention read a prefix each, and every row is read by one layer."""

import copy

import pytest
import torch

from prefix_lab import PeftModel, PrefixTuningConfig, get_peft_model
from tests.tiny_models import random_ids, tiny_bart, tiny_t5, two_texts

every_model = pytest.mark.parametrize("make_model", [tiny_t5, tiny_bart])


BASES = {
    "T5, two layers": tiny_t5,
    "T5, a deeper decoder": lambda: tiny_t5(2, num_decoder_layers=3),
    "BART, three layers": lambda: tiny_bart(3),
    "BART, a shallower decoder": lambda: tiny_bart(2, decoder_layers=1),
}
every_base = pytest.mark.parametrize("base", BASES)


def wrapped(model, prefix_len=3, **fields):
    torch.manual_seed(0)
    sizes = {"layout": "paper", "sizes": "model", "num_virtual_tokens": prefix_len}
    return get_peft_model(model, PrefixTuningConfig("SEQ_2_SEQ_LM", **{**sizes, **fields})).eval()


def depths(model):
    config = model.config
    return (
        getattr(config, "num_layers", None) or config.encoder_layers,
        getattr(config, "num_decoder_layers", None) or config.decoder_layers,
    )


def grouped(tensor, model):
    """(prefix_len, width) → (prefix_len, keys and values, hidden)."""
    return tensor.view(len(tensor), -1, model.active_peft_config.token_dim)


@every_base
def test_there_is_a_row_for_every_key_and_value_and_each_gets_a_gradient(base):
    model = wrapped(BASES[base]())
    encoder, decoder = depths(model)
    model(**two_texts()).loss.backward()
    gradients = grouped(model.prompt_encoder["default"].embedding.weight.grad, model)
    assert gradients.shape[1] == 2 * (encoder + 2 * decoder)
    assert (gradients.abs().sum(dim=(0, 2)) > 0).all()


@every_base
def test_each_row_is_read_by_one_attention_layer_alone(base):
    """Rows in their order: encoder layers, decoder layers, cross-attention; a change shows from that layer on."""
    model = wrapped(BASES[base]())
    encoder, decoder = depths(model)
    table = model.prompt_encoder["default"].embedding.weight
    cache = model.get_prompt(1)
    for part, first in ((cache.self_attention_cache, encoder), (cache.cross_attention_cache, encoder + decoder)):
        assert len(part.layers) == decoder
        for number, layer in enumerate(part.layers):
            rows = grouped(table, model)[:, 2 * (first + number) :]
            for have, row in ((layer.keys, rows[:, 0]), (layer.values, rows[:, 1])):
                assert torch.equal(have[0].transpose(0, 1).flatten(1), row)
    seen = [out.detach() for out in hidden_states(model)]
    for number in range(encoder):
        other = copy.deepcopy(model)
        with torch.no_grad():
            grouped(other.prompt_encoder["default"].embedding.weight, other)[:, 2 * number + 1].add_(1)
        differs = [not torch.equal(one, two) for one, two in zip(seen, hidden_states(other), strict=True)]
        assert differs == [False] * (number + 1) + [True] * (encoder - number)


@torch.no_grad()
def hidden_states(model):
    return model(**two_texts(), output_hidden_states=True).encoder_hidden_states


def attend(query, key, value, scaling, mask=None, bias=0.0):
    """Plain softmax attention; (batch, heads, tokens, head_dim)."""
    scores = query @ key.transpose(-1, -2) * scaling + bias
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(dim=-1) @ value


def in_heads(tensor, heads=3):
    return tensor.view(*tensor.shape[:2], heads, -1).transpose(1, 2)


def joined(tensor):
    return tensor.transpose(1, 2).flatten(2)


def before(rows, tensor):
    """The prefix's (prefix_len, hidden), for each text, before what was computed from the text."""
    return torch.cat([in_heads(rows.expand(len(tensor), -1, -1)), tensor], dim=2)


def readable(mask, prefix_len=3):
    return torch.cat([torch.ones(len(mask), prefix_len), mask], dim=1).bool()[:, None, None]


def causal(target, prefix_len=3):
    return torch.ones(target, prefix_len + target).tril(prefix_len).bool()


def slow_t5(model, rows, batch):
    """A T5 of one layer each, written plainly with its prefixes, which stand before the text in its distances too."""
    t5 = model.base_model
    rows = [rows[:, number] for number in range(6)]

    def attention(layer, x, source, key_prefix, value_prefix, mask, own):
        key, value = in_heads(layer.k(source)), in_heads(layer.v(source))
        bias = layer.compute_bias(x.shape[1], 3 + x.shape[1], past_seen_tokens=3) if own else 0.0
        found = attend(in_heads(layer.q(x)), before(key_prefix, key), before(value_prefix, value), 1.0, mask, bias)
        return layer.o(joined(found))

    def feed(block, x):
        return x + block.layer[-1].DenseReluDense(block.layer[-1].layer_norm(x))

    def own(block, x, prefix, mask):
        layer = block.layer[0]
        normed = layer.layer_norm(x)
        return x + attention(layer.SelfAttention, normed, normed, *prefix, mask, True)

    mask, block = readable(batch["attention_mask"]), t5.encoder.block[0]
    x = own(block, t5.shared(batch["input_ids"]), rows[:2], mask)
    source = t5.encoder.final_layer_norm(feed(block, x))
    block, ids = t5.decoder.block[0], batch["decoder_input_ids"]
    x = own(block, t5.shared(ids), rows[2:4], causal(ids.shape[1]))
    layer = block.layer[1]
    x = x + attention(layer.EncDecAttention, layer.layer_norm(x), source, *rows[4:], mask, False)
    x = t5.decoder.final_layer_norm(feed(block, x))
    return t5.lm_head(x * t5.config.d_model**-0.5 if t5.config.tie_word_embeddings else x)


def test_the_outputs_are_those_of_plain_attention_over_prefix_and_text():
    model = wrapped(tiny_t5(layers=1))
    batch = two_texts()
    del batch["labels"]
    batch["decoder_input_ids"] = random_ids(2, 5, seed=4)
    rows = grouped(model.prompt_encoder["default"].embedding.weight, model)
    with torch.no_grad():
        assert torch.allclose(model(**batch).logits, slow_t5(model, rows, batch), rtol=1e-4, atol=1e-4)


def source(batch=2):
    return {name: tensor for name, tensor in two_texts(batch).items() if name != "labels"}


@every_base
def test_generating_is_a_greedy_loop_of_forward(base):
    model = wrapped(BASES[base]())
    batch = source()
    generated = model.generate(**batch, max_new_tokens=6, min_new_tokens=6, do_sample=False)
    target = generated[:, :1]
    with torch.no_grad():
        for _ in range(6):
            logits = model(**batch, decoder_input_ids=target).logits[:, -1]
            logits[:, model.config.eos_token_id] = -torch.inf
            target = torch.cat([target, logits.argmax(-1, keepdim=True)], dim=1)
    assert torch.equal(generated, target)


@every_base
def test_padding_changes_nothing(base):
    model = wrapped(BASES[base]())
    batch, one = two_texts(), {}
    batch["decoder_input_ids"] = random_ids(2, 5, seed=4)
    del batch["labels"]
    with torch.no_grad():
        together = model(**batch).logits[1]
        kept = batch["attention_mask"][1].bool()
        one = {"input_ids": batch["input_ids"][1:, kept], "decoder_input_ids": batch["decoder_input_ids"][1:]}
        alone = model(**one, attention_mask=torch.ones_like(one["input_ids"])).logits[0]
        unmasked = model(**one).logits[0]
    assert torch.allclose(together, alone, rtol=1e-4, atol=1e-4)
    assert torch.allclose(unmasked, alone, rtol=1e-5, atol=1e-5)


@every_model
@pytest.mark.parametrize("change", ["eager attention", "sdpa attention", "encode once"])
def test_another_way_to_compute_it_gives_the_same(make_model, change):
    usual, other = wrapped(make_model()), wrapped(make_model(), encode="once" if "once" in change else "each")
    if "attention" in change:
        other.base_model.set_attn_implementation(change.split()[0])
    with torch.no_grad():
        assert torch.allclose(usual(**two_texts()).logits, other(**two_texts()).logits, rtol=1e-4, atol=1e-4)


@every_model
def test_in_bfloat16_the_prefix_trains_in_float32(make_model):
    model = wrapped(make_model().to(torch.bfloat16))
    model(**two_texts()).loss.backward()
    weight = model.prompt_encoder["default"].embedding.weight
    assert weight.dtype == weight.grad.dtype == torch.float32
    assert model.get_prompt(2).cross_attention_cache.layers[0].keys.dtype == torch.bfloat16
    assert model.generate(**source(), max_new_tokens=3).shape == (2, 4)


@every_base
@pytest.mark.parametrize("projection", [False, True])
def test_saved_and_loaded_it_answers_the_same(base, projection, tmp_path):
    model = wrapped(BASES[base](), prefix_projection=projection)
    model.save_pretrained(tmp_path)
    again = PeftModel.from_pretrained(BASES[base](), tmp_path)
    batch = two_texts(batch=1)
    with torch.no_grad():
        close = {"rtol": 1e-5, "atol": 1e-5}
        assert torch.allclose(again(**batch).logits, model(**batch).logits, **close)
    assert again.active_peft_config.layout == "paper"
    assert torch.equal(again.generate(**source(1), max_new_tokens=5), model.generate(**source(1), max_new_tokens=5))


@every_base
def test_without_the_adapter_the_base_model_answers_and_no_hook_stays(base):
    model, batch = wrapped(BASES[base]()), two_texts()
    options = {**source(), "max_new_tokens": 4}
    with torch.no_grad():
        expected, with_prefix = BASES[base]()(**batch).logits, model(**batch).logits
        with model.disable_adapter():
            assert torch.equal(model(**batch).logits, expected)
            if "deeper" not in base:  # of which transformers alone makes a cache that is too short
                assert torch.equal(model.generate(**options), BASES[base]().generate(**options))
        assert torch.equal(model(**batch).logits, with_prefix)
        assert torch.equal(model.base_model(**batch).logits, expected)
    with pytest.raises(IndexError):
        model(input_ids=torch.full((1, 3), 999), labels=torch.ones(1, 2, dtype=torch.long))
    assert not any(module._forward_pre_hooks for module in model.modules())


@every_model
def test_two_models_share_one_base_and_each_reads_its_own_prefix(make_model):
    base = make_model()
    first, second = wrapped(base), wrapped(base, prefix_len=2, layout="peft")
    third = wrapped(base, prefix_len=4)
    prefixes = ({}, {"prefix_len": 2, "layout": "peft"}, {"prefix_len": 4})
    for model, fields in zip((first, second, third), prefixes, strict=True):
        alone = wrapped(make_model(), **fields)
        with torch.no_grad():
            assert torch.equal(model(**two_texts()).logits, alone(**two_texts()).logits)
        assert torch.equal(model.generate(**source(), max_new_tokens=5), alone.generate(**source(), max_new_tokens=5))


@every_model
@pytest.mark.parametrize(("first", "second"), [("peft", "paper"), ("paper", "peft")])
def test_an_adapter_of_either_layout_joins_a_model_wrapped_for_the_other(make_model, first, second):
    model = wrapped(make_model(), layout=first)
    with torch.no_grad():
        before = model(**two_texts()).logits
        model.add_adapter("other", PrefixTuningConfig("SEQ_2_SEQ_LM", num_virtual_tokens=2, layout=second))
        assert torch.equal(model(**two_texts()).logits, before)
        model.set_adapter("other")
        assert not torch.equal(model(**two_texts()).logits, before)
        model.set_adapter("default")
        assert torch.equal(model(**two_texts()).logits, before)


@every_model
def test_the_encoders_output_may_be_given(make_model):
    """It was made with the prefix or without: whoever computed it chose."""
    model = wrapped(make_model())
    batch = two_texts()
    with torch.no_grad():
        whole = model(**batch)
        given = model(**batch, encoder_outputs=(whole.encoder_last_hidden_state,))
    assert torch.equal(given.logits, whole.logits)
