"""`layout="paper"`: encoder, decoder and cross-attention read a prefix each, and every row is read by one layer."""

import copy

import pytest
import torch
from torch import nn

from prefix_lab import PeftModel, PrefixTuningConfig, get_peft_model
from tests.tiny_models import random_ids, refuses, tiny_bart, tiny_gpt2, tiny_t5, two_texts

every_model = pytest.mark.parametrize("make_model", [tiny_t5, tiny_bart])


def deeper(make_model, decoder_layers):
    name = "num_decoder_layers" if make_model is tiny_t5 else "decoder_layers"
    return make_model(layers=2, **{name: decoder_layers})


BASES = {
    f"{name}, {kind}": base
    for name, make in (("T5", tiny_t5), ("BART", tiny_bart))
    for kind, base in {
        "two layers": lambda make=make: make(2),
        "three layers": lambda make=make: make(3),
        "decoder deeper": lambda make=make: deeper(make, 3),
        "decoder shallower": lambda make=make: deeper(make, 1),
    }.items()
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


@torch.no_grad()
@every_base
def test_the_encoder_reads_its_prefix_unlike_in_pefts_layout(base):
    plain = BASES[base]()
    batch = two_texts()
    expected = plain(**batch).encoder_last_hidden_state
    assert torch.equal(wrapped(BASES[base](), layout="peft")(**batch).encoder_last_hidden_state, expected)
    assert not torch.allclose(wrapped(BASES[base]())(**batch).encoder_last_hidden_state, expected)


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


def slow_bart(model, rows, batch):
    """A BART of one layer each, written plainly with its prefixes."""
    bart, heads_wide = model.base_model.model, 4**-0.5
    rows = [rows[:, number] for number in range(6)]

    def attention(layer, x, source, key_prefix, value_prefix, mask):
        key, value = in_heads(layer.k_proj(source)), in_heads(layer.v_proj(source))
        query = in_heads(layer.q_proj(x))
        found = attend(query, before(key_prefix, key), before(value_prefix, value), heads_wide, mask)
        return layer.out_proj(joined(found))

    def start(stack, ids, offset=0):
        places = torch.arange(ids.shape[1]) + 2 + offset
        return stack.layernorm_embedding(stack.embed_tokens(ids) + stack.embed_positions.weight[places])

    def feed(layer, x):
        return layer.final_layer_norm(x + layer.fc2(nn.functional.gelu(layer.fc1(x))))

    layer, mask = bart.encoder.layers[0], readable(batch["attention_mask"])
    x = start(bart.encoder, batch["input_ids"])
    x = layer.self_attn_layer_norm(x + attention(layer.self_attn, x, x, *rows[:2], mask))
    source = feed(layer, x)
    layer, ids = bart.decoder.layers[0], batch["decoder_input_ids"]
    x = start(bart.decoder, ids, offset=3)
    x = layer.self_attn_layer_norm(x + attention(layer.self_attn, x, x, *rows[2:4], causal(ids.shape[1])))
    x = layer.encoder_attn_layer_norm(x + attention(layer.encoder_attn, x, source, *rows[4:], mask))
    return model.base_model.lm_head(feed(layer, x)) + model.base_model.final_logits_bias


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


@pytest.mark.parametrize(("make_model", "slow"), [(tiny_t5, slow_t5), (tiny_bart, slow_bart)])
def test_the_outputs_are_those_of_plain_attention_over_prefix_and_text(make_model, slow):
    model = wrapped(make_model(layers=1))
    batch = two_texts()
    del batch["labels"]
    batch["decoder_input_ids"] = random_ids(2, 5, seed=4)
    rows = grouped(model.prompt_encoder["default"].embedding.weight, model)
    with torch.no_grad():
        assert torch.allclose(model(**batch).logits, slow(model, rows, batch), rtol=1e-4, atol=1e-4)


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
def test_the_likeliest_beam_has_the_score_that_forward_gives_it(base):
    model = wrapped(BASES[base]())
    batch = source()
    options = {"num_beams": 3, "max_new_tokens": 5, "min_new_tokens": 5, "length_penalty": 0.0}
    found = model.generate(**batch, **options, return_dict_in_generate=True, output_scores=True)
    with torch.no_grad():
        logits = model(**batch, decoder_input_ids=found.sequences[:, :-1]).logits
    scores = logits.log_softmax(-1).gather(2, found.sequences[:, 1:, None])[..., 0].sum(1)
    assert torch.allclose(scores, found.sequences_scores, rtol=1e-4, atol=1e-4)


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
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_both_kinds_of_attention_give_the_same(make_model, attention):
    usual, other = wrapped(make_model()), wrapped(make_model())
    other.base_model.set_attn_implementation(attention)
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
    model = wrapped(BASES[base]())
    batch = two_texts()
    with torch.no_grad():
        expected, with_prefix = BASES[base]()(**batch).logits, model(**batch).logits
        with model.disable_adapter():
            assert torch.equal(model(**batch).logits, expected)
        assert torch.equal(model(**batch).logits, with_prefix)
        assert torch.equal(model.base_model(**batch).logits, expected)
    assert not any(module._forward_pre_hooks for module in model.modules())


@every_model
def test_without_the_adapter_the_base_model_generates(make_model):
    model, options = wrapped(make_model()), {**source(), "max_new_tokens": 4}
    with model.disable_adapter():
        assert torch.equal(model.generate(**options), make_model().generate(**options))
    assert not torch.equal(model.generate(**options), make_model().generate(**options))


@every_model
def test_an_error_within_leaves_no_hook(make_model):
    model = wrapped(make_model())
    with pytest.raises(IndexError):
        model(input_ids=torch.full((1, 3), 999), labels=torch.ones(1, 2, dtype=torch.long))
    assert not any(module._forward_pre_hooks for module in model.modules())


@every_model
def test_two_models_share_one_base_and_each_reads_its_own_prefix(make_model):
    base = make_model()
    first, second = wrapped(base), wrapped(base, prefix_len=2, layout="peft")
    third = wrapped(base, prefix_len=4)
    expected = [
        wrapped(make_model(), **fields) for fields in ({}, {"prefix_len": 2, "layout": "peft"}, {"prefix_len": 4})
    ]
    for model, alone in zip((first, second, third), expected, strict=True):
        with torch.no_grad():
            assert torch.equal(model(**two_texts()).logits, alone(**two_texts()).logits)
        assert torch.equal(model.generate(**source(), max_new_tokens=5), alone.generate(**source(), max_new_tokens=5))


@every_model
def test_training_lowers_the_loss_and_leaves_the_base_as_it_was(make_model):
    model = wrapped(make_model())
    before = {name: tensor.clone() for name, tensor in model.base_model.state_dict().items()}
    optimizer = torch.optim.Adam(model.prompt_encoder.parameters(), lr=0.1)
    losses = []
    for _ in range(8):
        loss = model(**two_texts()).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert all(torch.equal(before[name], tensor) for name, tensor in model.base_model.state_dict().items())


@every_model
def test_adapters_of_either_layout_live_on_one_model(make_model):
    model = wrapped(make_model())
    model.add_adapter("flat", PrefixTuningConfig("SEQ_2_SEQ_LM", num_virtual_tokens=2))
    paper = model(**two_texts()).logits
    model.set_adapter("flat")
    assert not torch.equal(model(**two_texts()).logits, paper)
    model.set_adapter("default")
    assert torch.equal(model(**two_texts()).logits, paper)


def test_an_adapter_in_the_papers_layout_joins_a_model_wrapped_for_pefts():
    model = get_peft_model(tiny_t5(), PrefixTuningConfig("SEQ_2_SEQ_LM", num_virtual_tokens=3))
    with torch.no_grad():
        before = model(**two_texts()).logits
        model.add_adapter("papers", PrefixTuningConfig("SEQ_2_SEQ_LM", num_virtual_tokens=3, layout="paper"))
        assert torch.equal(model(**two_texts()).logits, before)
        model.set_adapter("papers")
        assert not torch.equal(model(**two_texts()).logits, before)


@every_model
def test_the_encoders_output_may_be_given(make_model):
    """It was made with the prefix or without: whoever computed it chose."""
    model = wrapped(make_model())
    batch = two_texts()
    with torch.no_grad():
        whole = model(**batch)
        given = model(**batch, encoder_outputs=(whole.encoder_last_hidden_state,))
    assert torch.equal(given.logits, whole.logits)


def test_a_model_with_one_stack_is_refused():
    model, config = tiny_gpt2(), PrefixTuningConfig("CAUSAL_LM", num_virtual_tokens=3, layout="paper")
    with refuses(ValueError, "layout='paper' knows the attention layers of T5 and BART", leaving=(model, config)):
        get_peft_model(model, config)


@pytest.mark.parametrize("make_model", [tiny_t5, tiny_bart])
def test_an_encode_once_prefix_gives_the_same_here_too(make_model):
    usual, once = wrapped(make_model()), wrapped(make_model(), encode="once")
    with torch.no_grad():
        assert torch.allclose(usual(**two_texts()).logits, once(**two_texts()).logits, rtol=1e-6, atol=1e-6)
