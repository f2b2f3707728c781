"""Lesson 12's checks: a stub is not yet right, the solution is, and plausible mistakes are told by their cause."""

import torch
from torch import nn

from prefix_lab import PrefixTuningConfig, get_peft_model
from prefix_lab.checkpoint import save_pretrained
from prefix_lab.course.lessons.lesson_12 import (
    anatomy,
    bytes_of,
    check_bytes,
    check_go_on,
    check_kept,
    check_serve,
    draw_bytes,
)
from tests.tiny_models import tiny_gpt2


def kept_bytes(prefix_len, layers, hidden, each):
    return prefix_len * 2 * layers * hidden * each


def kept(encoder):
    return encoder.transform(encoder.embedding.weight).detach()


def go_on(encoder, kept):
    with torch.no_grad():
        encoder.embedding.weight.copy_(kept)


def serve(model, requests, reply):
    before, replies = model.active_adapter, []
    for name, word in requests:
        if name is None:
            with model.disable_adapter():
                replies.append(reply(word))
        else:
            model.set_adapter(name)
            replies.append(reply(word))
    model.set_adapter(before)
    return replies


def without_tanh(encoder):
    return encoder.transform[2](encoder.transform[0](encoder.embedding.weight)).detach()


def changes_the_encoder(encoder):
    with torch.no_grad():
        encoder.embedding.weight.mul_(2)
    return kept(encoder)


def new_parameter(encoder, kept):
    encoder.embedding.weight = nn.Parameter(kept.clone())


def same_memory(encoder, kept):
    encoder.embedding.weight.data = kept


def frozen(encoder, kept):
    encoder.embedding.weight.requires_grad_(False).copy_(kept)


def in_place_with_grad(encoder, kept):
    encoder.embedding.weight.copy_(kept)


def doubled(encoder, kept):
    go_on(encoder, 2 * kept)


def one_answers_all(model, requests, reply):
    return [reply(word) for _, word in requests]


def none_is_skipped(model, requests, reply):
    return [serve(model, [(name or model.active_adapter, word)], reply)[0] for name, word in requests]


def left_elsewhere(model, requests, reply):
    replies = serve(model, requests, reply)
    model.set_adapter(requests[0][0])
    return replies


def grouped_and_left_so(model, requests, reply):
    return serve(model, sorted(requests, key=lambda request: str(request[0])), reply)


MISTAKES = {
    check_bytes: {
        "how many numbers there are": lambda prefix_len, layers, hidden, each: prefix_len * 2 * layers * hidden,
        "a key and a value": lambda prefix_len, layers, hidden, each: prefix_len * layers * hidden * each,
        "the small table": lambda prefix_len, layers, hidden, each: prefix_len * hidden * each,
        "not always 4": lambda prefix_len, layers, hidden, each: prefix_len * 2 * layers * hidden * 4,
        "one virtual token": lambda prefix_len, layers, hidden, each: 2 * layers * hidden * each,
        "whatever the projection was": lambda prefix_len, layers, hidden, each: 61440,
    },
    check_kept: {
        "the small table": lambda encoder: encoder.embedding.weight.detach(),
        "a batch axis too many": lambda encoder: kept(encoder)[None],
        "one row": lambda encoder: kept(encoder)[:1],
        "tanh is inside": lambda encoder: kept(encoder).tanh(),
        "tanh in the middle": without_tanh,
        "what transform makes": lambda encoder: kept(encoder) + 1,
        "detach()": lambda encoder: encoder.transform(encoder.embedding.weight),
        "has changed": changes_the_encoder,
        "expected a tensor": lambda encoder: encoder.state_dict(),
    },
    check_go_on: {
        "still holds the old one": new_parameter,
        "the same memory": same_memory,
        "nothing trains": frozen,
        "torch.no_grad()": in_place_with_grad,
        "not equal to what was kept": doubled,
        "as it was": lambda encoder, kept: None,
        "the encoder is": lambda encoder, kept: ...,
    },
    check_serve: {
        "one adapter answered everything": one_answers_all,
        "None asks for the base": none_is_skipped,
        "leave the model as it was": left_elsewhere,
        "in another order": grouped_and_left_so,
        "and you gave 1": lambda model, requests, reply: serve(model, requests[:1], reply),
        "which adapter is in use": lambda *given: [one.upper() for one in serve(*given)],
        "expected a list": lambda *given: "replies",
    },
}


def test_a_files_parts_add_up_to_its_bytes(tmp_path):
    model = get_peft_model(tiny_gpt2(), PrefixTuningConfig("CAUSAL_LM", num_virtual_tokens=5))
    save_pretrained(model, tmp_path)
    file = tmp_path / "adapter_model.safetensors"
    parts = anatomy(file)
    assert parts.number_bytes == bytes_of(model, trains=True) == 5 * 2 * 2 * 12 * 4
    assert 8 + parts.header_bytes + parts.number_bytes == file.stat().st_size
    assert "prompt_embeddings" in repr(parts)
    assert bytes_of(model) == bytes_of(model, trains=True) + bytes_of(model, trains=False)


def test_the_picture_of_the_bytes_tells_them():
    assert "the file: 61,560 bytes" in repr(draw_bytes([("the base", 4_000_000), ("the file", 61_560)]))
