"""Texts whose names say that they are secret are left out; the words of those who read texts with models are not."""

# ruff: noqa: F841 - what is bound is what is looked at

from __future__ import annotations

import pytest

from prefix_lab.debugger import Recording
from prefix_lab.debugger.secrets import is_secret
from tests.debugger.recorded import every_hook, recorded

SECRET = (
    "password",
    "db_password",
    "userPasswd",
    "client_secret",
    "api_key",
    "apiKey",
    "OPENAI_API_KEY",
    "private_key",
)
ORDINARY = ("tokens", "token_type_ids", "num_virtual_tokens", "tokenizer", "pad_token_id", "key", "keys", "past_key")
ORDINARY += ("secretary", "password_field_size", "pad_token", "token", "bos_token", "author", "api_keys_url")
KEY = "ghp_0123456789abcdefghij"


class Client:
    def __init__(self, api_key):
        self.api_key, self.name = api_key, "mine"


def signs_in(password, user):
    access_token, token, pad_token = KEY, "▁piano", "<|end_of_text|>"
    client = Client("sk-1")
    settings = {"DB_PASSWORD": "hunter2", "tokens": ["a"]}
    passwd = 1234
    return user


@pytest.mark.parametrize("name", SECRET)
def test_a_text_is_secret_by_its_name(name):
    assert is_secret(name, "x")
    assert is_secret(name, b"x")
    assert not is_secret(name, "")


@pytest.mark.parametrize("name", ORDINARY)
def test_the_words_of_language_models_are_not_secret(name):
    assert not any(is_secret(name, text) for text in ("▁piano", "<|begin_of_text|>", "<extra_id_0>", "word"))


@pytest.mark.parametrize("name", ["token", "access_token", "hfToken"])
def test_a_token_is_secret_if_it_looks_like_a_key(name):
    assert is_secret(name, KEY)
    assert not is_secret(name, "internationalisation")


@every_hook
def test_secrets_are_left_out_of_locals_fields_and_dicts_and_of_the_file(hooks, tmp_path):
    recording = recorded(lambda: signs_in("hunter2", "me"), [signs_in, Client], hooks=hooks)
    (last,) = recording.find(event="return", function="signs_in")
    said = {name: str(value) for name, value in last.locals.items()}
    assert [name for name, text in said.items() if "left out" in text] == [
        "password",
        "access_token",
        "client",
        "settings",
    ]
    assert (said["token"], said["pad_token"], said["passwd"]) == ("'▁piano'", "'<|end_of_text|>'", "1234")
    assert "'mine'" in said["client"]
    assert any("secrets=True" in note for note in recording.notes)
    recording.save(tmp_path / "one")
    values = map(str, Recording.load(tmp_path / "one").columns.values)
    assert not any(secret in text for text in values for secret in ("hunter2", KEY, "sk-1"))


@every_hook
def test_secrets_are_kept_on_request(hooks):
    recording = recorded(lambda: signs_in("hunter2", "me"), [signs_in, Client], hooks=hooks, secrets=True)
    (last,) = recording.find(event="return", function="signs_in")
    assert str(last.locals["password"]) == "'hunter2'"
    assert not recording.notes
