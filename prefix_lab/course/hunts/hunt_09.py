"""The stage `split` of a T5, up to the cache. Compare `peft.peft_model.PeftModel.get_prompt`."""

from collections.abc import Sequence

from torch import Tensor
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from prefix_lab import tasks
from prefix_lab.past import split_layers


def encoder_decoder_cache(blocks: Sequence[Tensor]) -> EncoderDecoderCache:
    """Blocks of four rows, two for self- and two for cross-attention → a decoder's cache."""
    own = DynamicCache([(block[0], block[1]) for block in blocks])
    cross = DynamicCache([(block[2], block[3]) for block in blocks])
    cache = EncoderDecoderCache(own, cross)
    return cache


class PeftModelForSeq2SeqLM(tasks.PeftModelForSeq2SeqLM):
    """Text to text, with a prefix for the decoder."""

    def get_prompt(self, batch_size: int) -> EncoderDecoderCache:
        """The prefix as the cache that the base model reads."""
        config = self.active_peft_config
        prefix = self.encode_prefix(batch_size)
        return encoder_decoder_cache(split_layers(prefix, config.num_layers, config.num_attention_heads, 2))
