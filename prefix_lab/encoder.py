"""The prefix encoder: a number for each virtual token in, its keys and values for every layer out.

Mirrors `peft.tuners.prefix_tuning.model.PrefixEncoder`. The prefix itself is Li & Liang 2021, section 4.2; the MLP
that PEFT calls projection is their section 4.3.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from prefix_lab.config import PrefixTuningConfig


class PrefixEncoder(nn.Module):
    """(batch, prefix_len) → (batch, prefix_len, 2·layers·hidden): one key and one value for each layer.

    Without projection the table holds the keys and values themselves: prefix_len · 2·layers·hidden parameters. With
    projection a small table goes through an MLP that all virtual tokens share, which the paper found steadier to
    train; in inference mode the MLP has done its work, and only the flat table remains.
    Source: `peft.tuners.prefix_tuning.model.PrefixEncoder`.
    """

    def __init__(self, config: PrefixTuningConfig):
        super().__init__()
        self.prefix_projection = config.prefix_projection
        prefix_len, token_dim, inner = config.num_virtual_tokens, config.token_dim, config.encoder_hidden_size
        key_values = config.prefix_width  # 2·layers·hidden: a key and a value for every layer

        if config.prefix_projection and not config.inference_mode:
            self.embedding = nn.Embedding(prefix_len, token_dim)
            self.transform = nn.Sequential(nn.Linear(token_dim, inner), nn.Tanh(), nn.Linear(inner, key_values))
            last = [self.transform[-1].weight, self.transform[-1].bias]
        else:
            self.embedding = nn.Embedding(prefix_len, key_values)
            last = [self.embedding.weight]

        if config.init_weights == "zero":
            for parameter in last:
                nn.init.zeros_(parameter)

    def forward(self, prefix: Int[Tensor, "batch prefix_len"]) -> Float[Tensor, "batch prefix_len prefix_width"]:
        """Look the virtual tokens up, and project them if so configured."""
        if not self.prefix_projection:
            return self.embedding(prefix)  # (batch, prefix_len) → (batch, prefix_len, 2·layers·hidden)
        prefix_tokens = self.embedding(prefix)  # (batch, prefix_len) → (batch, prefix_len, hidden)
        past_key_values = self.transform(prefix_tokens)  # → (batch, prefix_len, 2·layers·hidden)
        return past_key_values

    @torch.no_grad()
    def load_prompt_embeddings(self, prompt_embeddings: Float[Tensor, "prefix_len prefix_width"]) -> None:
        """Copy keys and values into the flat table, the only one that can hold them: no projection can be inverted.

        Source: `peft.tuners.prefix_tuning.model.PrefixEncoder.load_prompt_embeddings`.
        """
        given, table = tuple(prompt_embeddings.shape), tuple(self.embedding.weight.shape)
        if self.prefix_projection or given != table:
            raise ValueError(
                f"prompt_embeddings of shape {given} cannot be loaded into a table of {table} with "
                f"prefix_projection={self.prefix_projection}. Give (prefix_len, 2·layers·hidden), without projection."
            )
        self.embedding.weight.copy_(prompt_embeddings)
