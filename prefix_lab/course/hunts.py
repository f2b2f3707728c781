"""Ten copies of a stage of the walk for lesson 14, each with one mistake. Most raise no error.

Each says which stage it is, and where PEFT does it. `trials` puts a learner's line into one and runs it against PEFT.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from prefix_lab import PrefixTuningConfig, tasks
from prefix_lab.beside import task_classes
from prefix_lab.beside.adapters import PeftModel, find_word_embeddings
from prefix_lab.encoder import PrefixEncoder
from prefix_lab.past import split_layers
from prefix_lab.tasks import get_batch_size

# The ten are as a learner finds them. What is wrong with each is said in lesson 14, and nowhere here.


class Hunt1(tasks.PeftModelForSeq2SeqLM):
    """`wrap`: a T5, and a prefix encoder beside it. Compare `peft.peft_model.PeftModel._setup_prompt_encoder`."""

    def _setup_prompt_encoder(self, adapter_name: str, config: PrefixTuningConfig) -> None:
        """The prefix trains, the base model does not."""
        config.num_transformer_submodules = 2
        self.word_embeddings = find_word_embeddings(self.base_model)
        self.prompt_encoder = nn.ModuleDict()
        self.prompt_encoder[adapter_name] = PrefixEncoder(config)
        self.prompt_tokens = {adapter_name: torch.arange(2 * config.num_virtual_tokens)}
        for child in self.children():
            child.requires_grad_(False)


def hunt_2(prefix: Tensor, layers: int, heads: int) -> tuple[Tensor, ...]:
    """`split`: (batch, prefix_len, 2·layers·hidden) → a block for each layer, its key and its value.

    Compare `peft.peft_model.PeftModel.get_prompt`.
    """
    batch, prefix_len, width = prefix.shape
    head_dim = width // (2 * layers * heads)
    rows = prefix.view(batch, prefix_len, 2 * layers, heads, head_dim)
    rows = rows.permute(2, 0, 1, 3, 4).reshape(2 * layers, batch, heads, prefix_len, head_dim)
    return rows.split(2)


class Hunt3(tasks.PeftModelForCausalLM):
    """`attend`: a GPT-2, and text that goes on. Compare `peft.peft_model.PeftModelForCausalLM.forward`."""

    def forward(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        inputs_embeds: Any = None,
        labels: Any = None,
        **kwargs: Any,
    ) -> Any:
        """The base model's forward, with the prefix as its past."""
        batch_size = get_batch_size(input_ids, inputs_embeds)
        self.shift_position_ids(kwargs)
        kwargs["past_key_values"] = self.get_prompt(batch_size)
        return self.base_model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            inputs_embeds=inputs_embeds,
            labels=labels,
            **kwargs,
        )


def hunt_4(prefix: Tensor, layers: int, heads: int) -> DynamicCache:
    """`split`: (batch, prefix_len, 2·layers·hidden) → a cache with a key and a value for each layer.

    Compare `peft.peft_model.PeftModel.get_prompt`.
    """
    batch, prefix_len, width = prefix.shape
    head_dim = width // (2 * layers * heads)
    rows = prefix.view(batch, prefix_len, 2 * layers, heads, head_dim).permute(2, 0, 3, 1, 4)
    pairs = []
    for number in range(layers):
        key, value = rows[number::layers]
        pairs.append((key, value))
    return DynamicCache(pairs)


class Hunt5(task_classes.PeftModelForSequenceClassification):
    """`wrap`: a BERT that sorts texts. Compare `peft.peft_model.PeftModelForSequenceClassification.__init__`."""

    def add_adapter(
        self, adapter_name: str, peft_config: PrefixTuningConfig, autocast_adapter_dtype: bool = True
    ) -> None:
        """Attach a prefix, and a copy of every module that `modules_to_save` names."""
        PeftModel.add_adapter(self, adapter_name, peft_config, autocast_adapter_dtype)
        self.name_the_head(peft_config)


def hunt_6(models: Iterable[Any], prefix_len: int) -> list[Any]:
    """`prepare`: a prefix of the same length for each of several models, by PEFT itself.

    Compare `peft.utils.other._prepare_prompt_learning_config`.
    """
    from peft import PrefixTuningConfig, get_peft_model

    wrapped = []
    config = PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=prefix_len)
    for model in models:
        wrapped.append(get_peft_model(model, config))
    return wrapped


class Hunt7(tasks.PeftModelForSeq2SeqLM):
    """`attend`: a T5 with labels. Compare `peft.peft_model.PeftModelForSeq2SeqLM.forward`."""

    def next_tokens(self, labels: Tensor | None) -> Tensor | None:
        """(batch, target) → (batch, target): for each place the token after it, and -100 for the last."""
        if labels is None:
            return None
        nothing = torch.full_like(labels[:, :1], -100)
        return torch.cat((labels[:, 1:], nothing), dim=1)

    def forward(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        inputs_embeds: Any = None,
        decoder_attention_mask: Any = None,
        labels: Any = None,
        **kwargs: Any,
    ) -> Any:
        """The base model's forward, with the prefix in the decoder's cache."""
        kwargs["past_key_values"] = self.get_prompt(get_batch_size(input_ids, inputs_embeds))
        return self.base_model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            inputs_embeds=inputs_embeds,
            decoder_attention_mask=self.prepend_prefix(decoder_attention_mask),
            labels=self.next_tokens(labels),
            **kwargs,
        )


class Hunt8(tasks.PeftModelForSeq2SeqLM):
    """`wrap` and `encode`: a T5 in bfloat16. Compare `peft.peft_model.PeftModel.get_prompt`."""

    def _setup_prompt_encoder(self, adapter_name: str, config: PrefixTuningConfig) -> None:
        """The prefix lives on the base model's device."""
        for child in self.base_model.children():
            child.requires_grad_(False)
        config.num_transformer_submodules = 2
        self.word_embeddings = find_word_embeddings(self.base_model)
        self.prompt_encoder = nn.ModuleDict()
        encoder = PrefixEncoder(config)
        self.prompt_encoder[adapter_name] = encoder.to(next(self.base_model.parameters()))
        self.prompt_tokens = {adapter_name: torch.arange(2 * config.num_virtual_tokens)}

    def encode_prefix(self, batch_size: int) -> Tensor:
        """(batch, prefix_len, 2·layers·hidden), in the base model's precision."""
        config, encoder = self.active_peft_config, self.prompt_encoder[self.active_adapter]
        prompt_tokens = self.prompt_tokens[self.active_adapter][: config.num_virtual_tokens].expand(batch_size, -1)
        prefix = encoder(prompt_tokens.to(encoder.embedding.weight.device))
        return prefix.to(self.base_model.dtype)


class Hunt9(tasks.PeftModelForSeq2SeqLM):
    """`split`: a T5, up to the cache. Compare `peft.peft_model.PeftModel.get_prompt`."""

    def get_prompt(self, batch_size: int) -> EncoderDecoderCache:
        """The prefix as the cache that the base model reads."""
        config = self.active_peft_config
        prefix = self.encode_prefix(batch_size)
        return self.as_cache(split_layers(prefix, config.num_layers, config.num_attention_heads, 2))

    def as_cache(self, blocks: Sequence[Tensor]) -> EncoderDecoderCache:
        """Blocks of four rows, two for self- and two for cross-attention → a decoder's cache."""
        own = DynamicCache([(block[0], block[1]) for block in blocks])
        cross = DynamicCache([(block[2], block[3]) for block in blocks])
        cache = EncoderDecoderCache(own, cross)
        return cache


class Hunt10(tasks.PeftModelForCausalLM):
    """`attend`: a GPT-2 that writes. Compare `peft.peft_model.PeftModelForCausalLM`."""

    def prepare_inputs_for_generation(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """What the base model is called with for each new token."""
        model_kwargs = self.base_model_prepare_inputs_for_generation(*args, **kwargs)
        cache = model_kwargs.get("past_key_values")
        filled = 0 if cache is None else cache.get_seq_length()
        if filled and filled >= model_kwargs["input_ids"].shape[1]:
            model_kwargs["input_ids"] = model_kwargs["input_ids"][:, -1:]
        model_kwargs["attention_mask"] = self.prepend_prefix(model_kwargs.get("attention_mask"))
        if not filled:
            self.shift_position_ids(model_kwargs)
            model_kwargs["past_key_values"] = self.get_prompt(model_kwargs["input_ids"].shape[0])
        return model_kwargs
