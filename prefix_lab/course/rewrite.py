"""Prefix tuning in one file: Mika's rewrite of PEFT's, for T5 and GPT-2. In lesson 14, each branch of it has one bug.

From top to bottom: the sizes, the encoder, the model with a prefix, a class for each task, the files. What comes out is
what PEFT gives, bit for bit. Compare `peft.peft_model` and `peft.tuners.prefix_tuning`.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers.cache_utils import Cache, DynamicCache, EncoderDecoderCache

from prefix_lab.config import PrefixTuningConfig, TaskType

NAMES = {
    "num_layers": ("num_hidden_layers", "num_layers", "n_layer"),
    "token_dim": ("hidden_size", "n_embd", "d_model"),
    "num_attention_heads": ("num_attention_heads", "n_head", "num_heads"),
}
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def get_peft_model(model: nn.Module, config: PrefixTuningConfig, adapter_name: str = "default") -> "PrefixModel":
    """Wrap the model: from here on, a prefix trains and the model itself does not."""
    prepare(config, model.config.to_dict())
    kind = TextToText if config.task_type == TaskType.SEQ_2_SEQ_LM else TextThatGoesOn
    return kind(model, config, adapter_name)


def prepare(config: PrefixTuningConfig, settings: Mapping[str, Any]) -> PrefixTuningConfig:
    """Fill in what the user left open."""
    for field, names in NAMES.items():
        if getattr(config, field) is None:
            setattr(config, field, first_known(settings, names))
    if config.encoder_hidden_size is None:
        config.encoder_hidden_size = config.token_dim
    config.num_transformer_submodules = 2 if config.task_type == TaskType.SEQ_2_SEQ_LM else 1
    return config


def first_known(settings: Mapping[str, Any], names: tuple[str, ...]) -> int:
    """What the model calls a size depends on its family."""
    return next(settings[name] for name in names if settings.get(name) is not None)


class PrefixEncoder(nn.Module):
    """A number for each virtual token in, (batch, prefix_len); its keys and values for every layer out."""

    def __init__(self, config: PrefixTuningConfig):
        super().__init__()
        hidden, width = config.token_dim, config.prefix_width
        self.projected = config.prefix_projection and not config.inference_mode
        self.embedding = nn.Embedding(config.num_virtual_tokens, hidden if self.projected else width)
        if self.projected:
            inner = config.encoder_hidden_size
            self.transform = nn.Sequential(nn.Linear(hidden, inner), nn.Tanh(), nn.Linear(inner, width))

    def look_up(self, numbers: Tensor) -> Tensor:
        """(batch, prefix_len) → (batch, prefix_len, the table's width)."""
        return nn.functional.embedding(numbers, self.embedding.weight)

    def forward(self, numbers: Tensor) -> Tensor:
        """(batch, prefix_len) → (batch, prefix_len, 2·layers·hidden)."""
        found = self.look_up(numbers)
        return self.transform(found) if self.projected else found


class PrefixModel(nn.Module):
    """A frozen model, and a prefix encoder for each adapter. A subclass knows where its task puts the prefix."""

    def __init__(self, model: nn.Module, config: PrefixTuningConfig, adapter_name: str = "default"):
        super().__init__()
        self.base_model = model.requires_grad_(False)
        self.base_prepare = model.prepare_inputs_for_generation
        self.active_adapter = adapter_name
        self.prompt_encoder = nn.ModuleDict()
        self.peft_config: dict[str, PrefixTuningConfig] = {}
        self.made: dict[Any, Any] = {}  # what need not be made twice
        self.add_adapter(adapter_name, config)

    def add_adapter(self, adapter_name: str, config: PrefixTuningConfig) -> None:
        """One more prefix; the one in use stays in use."""
        prepare(config, self.base_model.config.to_dict())
        self.prompt_encoder[adapter_name] = self.placed(PrefixEncoder(config))
        self.peft_config[adapter_name] = config

    def placed(self, encoder: PrefixEncoder) -> PrefixEncoder:
        """An encoder lives where the model lives."""
        reference = next(self.base_model.parameters())
        return encoder.to(reference.device)

    def set_adapter(self, adapter_name: str) -> None:
        """Use this prefix from now on."""
        self.active_adapter = adapter_name

    @property
    def config(self) -> PrefixTuningConfig:
        """The configuration of the prefix in use."""
        return self.peft_config[self.active_adapter]

    def get_nb_trainable_parameters(self) -> tuple[int, int]:
        """How many numbers train, and how many there are."""
        sizes = [(parameter.numel(), parameter.requires_grad) for parameter in self.parameters()]
        return sum(size for size, trains in sizes if trains), sum(size for size, _ in sizes)

    def get_prompt(self, batch_size: int) -> Cache:
        """The prefix as the cache that the model reads."""
        prefix = self.encode(batch_size)
        cache = self.to_cache(self.to_rows(prefix))
        return cache

    def virtual_tokens(self, batch_size: int) -> Tensor:
        """0, 1, 2, … for each text, (batch, prefix_len)."""
        key = (self.active_adapter, batch_size)
        if key not in self.made:
            numbers = torch.arange(self.config.num_virtual_tokens * self.config.num_transformer_submodules)
            self.made[key] = numbers[: self.config.num_virtual_tokens].expand(batch_size, -1)
        return self.made[key]

    def encode(self, batch_size: int) -> Tensor:
        """What the encoder makes for each text, (batch, prefix_len, 2·layers·hidden), in the model's precision."""
        encoder = self.prompt_encoder[self.active_adapter]
        prefix = encoder(self.virtual_tokens(batch_size).to(encoder.embedding.weight.device))
        return prefix.to(self.base_model.dtype)

    def to_rows(self, prefix: Tensor) -> Tensor:
        """(batch, prefix_len, 2·layers·hidden) → (2·layers, batch, heads, prefix_len, head_dim)."""
        batch, prefix_len, _ = prefix.shape
        rows = prefix.view(batch, prefix_len, 2 * self.config.num_layers, self.config.num_attention_heads, -1)
        rows = rows.movedim(2, 0).transpose(2, 3)
        return rows

    def to_cache(self, rows: Tensor) -> Cache:
        """A key and a value for each layer; a decoder's are rows 4i and 4i+1 of the doubled ones, as in PEFT."""
        if self.config.num_transformer_submodules == 1:
            return DynamicCache([(key, value) for key, value in rows.split(2)])
        blocks = torch.cat((rows, rows)).split(4)
        own = DynamicCache([(key, value) for key, value, _, _ in blocks])
        return EncoderDecoderCache(own, DynamicCache())

    def with_prefix(self, mask: Tensor | None) -> Tensor | None:
        """(batch, tokens) → (batch, prefix_len+tokens): every virtual token may be read."""
        if mask is None:
            return None
        return nn.functional.pad(mask.float(), (self.config.num_virtual_tokens, 0), value=1.0)

    def behind_prefix(self, positions: Tensor | None, filled: int = 0) -> Tensor | None:
        """Where the tokens stand, when the prefix stands before them; `filled` places of the cache are taken."""
        if positions is None:
            return None
        return positions + self.config.num_virtual_tokens

    @contextmanager
    def preparing(self) -> Iterator[nn.Module]:
        """Inside, the model's own loop asks us before each token."""
        self.base_model.prepare_inputs_for_generation = self.prepare_inputs_for_generation
        try:
            yield self.base_model
        finally:
            self.base_model.prepare_inputs_for_generation = self.base_prepare

    def generate(self, **inputs: Any) -> Tensor:
        """As the model's own, with the prefix before the first token."""
        with self.preparing() as model:
            return model.generate(**inputs)

    @torch.no_grad()
    def get_prompt_embedding_to_save(self, adapter_name: str) -> Tensor:
        """What is kept of an adapter, (prefix_len, 2·layers·hidden)."""
        encoder, config = self.prompt_encoder[adapter_name], self.peft_config[adapter_name]
        numbers = torch.arange(config.num_virtual_tokens, device=encoder.embedding.weight.device)
        return encoder(numbers[None])[0].cpu()

    def save_pretrained(self, folder: str | Path) -> None:
        """Weights and config of each adapter: of "default" in the folder, of another in a folder of its name inside."""
        for name, config in self.peft_config.items():
            place = Path(folder, "" if name == "default" else name)
            place.mkdir(parents=True, exist_ok=True)
            save_file({"prompt_embeddings": self.get_prompt_embedding_to_save(name).clone()}, place / WEIGHTS)
            (place / CONFIG).write_text(replace(config, inference_mode=True).to_json(), encoding="utf-8")

    @torch.no_grad()
    def load_adapter(self, folder: str | Path, adapter_name: str) -> None:
        """One more adapter, from the folder that has its files."""
        config = json.loads(Path(folder, CONFIG).read_text(encoding="utf-8"))
        self.add_adapter(adapter_name, PrefixTuningConfig(**config))
        table = self.prompt_encoder[adapter_name].embedding.weight
        table.copy_(load_file(Path(folder, WEIGHTS))["prompt_embeddings"])

    def get_base_model(self) -> nn.Module:
        """The model that was wrapped."""
        return self.base_model


class TextToText(PrefixModel):
    """A T5: the prefix is the past of its decoder, and its encoder never sees it."""

    def forward(self, input_ids: Tensor, decoder_attention_mask: Tensor | None = None, **inputs: Any) -> Any:
        """The model's forward, with the prefix in the decoder's cache."""
        inputs["past_key_values"] = self.get_prompt(input_ids.shape[0])
        mask = self.with_prefix(decoder_attention_mask)
        return self.base_model(input_ids=input_ids, decoder_attention_mask=mask, **inputs)

    def prepare_inputs_for_generation(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Before the first token, the prefix goes into the cache; the loop keeps it."""
        ready = self.base_prepare(*args, **kwargs)
        if kwargs.get("is_first_iteration", not ready.get("past_key_values")):
            ready["past_key_values"] = self.get_prompt(ready["decoder_input_ids"].shape[0])
        return ready


class TextThatGoesOn(PrefixModel):
    """A GPT-2: the prefix is the past of its only stack of layers."""

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        **inputs: Any,
    ) -> Any:
        """The model's forward; mask and positions make room for the prefix, the labels need none."""
        inputs["past_key_values"] = self.get_prompt(input_ids.shape[0])
        inputs["position_ids"] = self.behind_prefix(position_ids)
        return self.base_model(input_ids=input_ids, attention_mask=self.with_prefix(attention_mask), **inputs)

    def prepare_inputs_for_generation(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """For each token: its id alone, the whole mask, its position behind the prefix."""
        ready = self.base_prepare(*args, **kwargs)
        cache = ready.get("past_key_values")
        filled = 0 if cache is None else cache.get_seq_length()
        if filled and filled >= ready["input_ids"].shape[1]:
            ready["input_ids"] = ready["input_ids"][:, -1:]
        ready["attention_mask"] = self.with_prefix(ready.get("attention_mask"))
        ready["position_ids"] = self.behind_prefix(ready.get("position_ids"), filled)
        if not filled:
            ready["past_key_values"] = self.get_prompt(ready["input_ids"].shape[0])
        return ready
