"""The three tasks with a head of their own: PEFT runs the backbone, then does dropout, head and loss itself.

Mirrors `PeftModelForSequenceClassification`, `PeftModelForTokenClassification` and `PeftModelForQuestionAnswering` of
`peft.peft_model`. A BERT with a head takes no `past_key_values`, but the BERT inside does.
"""

from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss
from transformers.modeling_outputs import QuestionAnsweringModelOutput, SequenceClassifierOutput, TokenClassifierOutput

from prefix_lab.beside.adapters import PeftModel
from prefix_lab.beside.check import backbone, takes_past
from prefix_lab.config import PeftConfig
from prefix_lab.models import Mask
from prefix_lab.tasks import Embeds, Ids, get_batch_size

Labels = Int[Tensor, "..."] | Float[Tensor, "..."] | None
Hidden = Float[Tensor, "*batch hidden"]


class PeftModelWithHead(PeftModel):
    """What the three share: the head trains beside the prefix, and the forward pass ends in it."""

    head_names: tuple[str, ...] = ("classifier", "score")

    def __init__(
        self,
        model: nn.Module,
        peft_config: PeftConfig,
        adapter_name: str = "default",
        *args: Any,
        **kwargs: Any,
    ):
        super().__init__(model, peft_config, adapter_name, *args, **kwargs)
        if peft_config.is_prompt_learning:
            self.name_the_head(peft_config)  # a second time: PEFT's saved configs hold each name twice
        names = peft_config.modules_to_save
        heads = [name for name, _ in model.named_children() if any(part in name for part in names)]
        self.cls_layer_name = heads[0] if heads else None

    def add_adapter(self, adapter_name: str, peft_config: PeftConfig, *args: Any, **kwargs: Any) -> None:
        """As `PeftModel.add_adapter`, with a trained copy of the head. Raises `ValueError` as that does."""
        self.check_adapter(adapter_name, peft_config)  # before the config is changed
        self.name_the_head(peft_config)
        super().add_adapter(adapter_name, peft_config, *args, **kwargs)

    def name_the_head(self, peft_config: PeftConfig) -> None:
        """The head trains too, whether the user named it or not."""
        peft_config.modules_to_save = [*(peft_config.modules_to_save or []), *self.head_names]

    def run_with_prefix(
        self,
        input_ids: Ids,
        attention_mask: Mask,
        inputs_embeds: Embeds,
        targets: dict[str, Any],
        return_dict: bool | None,
        kwargs: dict[str, Any],
    ) -> tuple[Any, Tensor | None, bool]:
        """The finished output where the base model reads caches itself; else the backbone's output and the logits.

        Raises `ValueError` for a model whose head has another name than `modules_to_save` says.
        """
        self.shift_position_ids(kwargs, drop_token_types=False)
        return_dict = self.config.return_dict if return_dict is None else return_dict
        kwargs |= {
            "past_key_values": self.get_prompt(get_batch_size(input_ids, inputs_embeds)),
            "input_ids": input_ids,
            "attention_mask": self.prepend_prefix(attention_mask),
            "inputs_embeds": inputs_embeds,
            "return_dict": return_dict,
        }
        if takes_past(self.base_model):
            return self.base_model(**targets, **kwargs), None, return_dict
        if self.cls_layer_name is None:
            names = self.active_peft_config.modules_to_save
            raise ValueError(f"modules_to_save={names} names no head of this model.")
        outputs = backbone(self.base_model)(**kwargs)
        features = self.features(outputs)
        if hasattr(self.base_model, "dropout"):
            features = self.base_model.dropout(features)
        return outputs, self.base_model.get_submodule(self.cls_layer_name)(features), return_dict

    def features(self, outputs: Any) -> Hidden:
        """What the head reads: one vector a token."""
        return outputs[0]


class PeftModelForSequenceClassification(PeftModelWithHead):
    """One answer for a text. Source: `peft.peft_model.PeftModelForSequenceClassification`."""

    def forward(
        self,
        input_ids: Ids = None,
        attention_mask: Mask = None,
        inputs_embeds: Embeds = None,
        labels: Labels = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """Logits (batch, labels), and the loss for `labels`: cross entropy, squared error, or one yes-no a label.

        Which loss is told by `config.problem_type`, and guessed from the labels once, as in PEFT.
        Source: `peft.peft_model.PeftModelForSequenceClassification.forward`.
        """
        kwargs |= {"output_attentions": output_attentions, "output_hidden_states": output_hidden_states}
        outputs, logits, return_dict = self.run_with_prefix(
            input_ids, attention_mask, inputs_embeds, {"labels": labels}, return_dict, kwargs
        )
        if logits is None:
            return outputs
        loss = None if labels is None else self.loss(logits, labels)
        if not return_dict:
            return with_loss(loss, (logits, *outputs[2:]))
        return SequenceClassifierOutput(
            loss=loss, logits=logits, hidden_states=outputs.hidden_states, attentions=outputs.attentions
        )

    def features(self, outputs: Any) -> Hidden:
        """The pooled vector where the backbone has one."""
        second = outputs[1] if len(outputs) > 1 else None
        return second if isinstance(second, Tensor) else outputs[0]  # PEFT takes hidden states for the pooled vector

    def loss(self, logits: Float[Tensor, "batch labels"], labels: Labels) -> Float[Tensor, ""]:
        """As transformers' own: which one is told by `config.problem_type`, or guessed from the labels and kept."""
        num_labels = self.base_model.num_labels
        if self.config.problem_type is None:
            whole = not labels.is_floating_point()
            several = "single_label_classification" if whole else "multi_label_classification"
            self.config.problem_type = "regression" if num_labels == 1 else several
        if self.config.problem_type == "regression":
            return mse_loss(logits.squeeze(), labels.squeeze()) if num_labels == 1 else mse_loss(logits, labels)
        if self.config.problem_type == "single_label_classification":
            return cross_entropy(logits.view(-1, num_labels), labels.view(-1))
        return binary_cross_entropy_with_logits(logits, labels)


class PeftModelForTokenClassification(PeftModelWithHead):
    """One answer for each token. Source: `peft.peft_model.PeftModelForTokenClassification`."""

    def forward(
        self,
        input_ids: Ids = None,
        attention_mask: Mask = None,
        inputs_embeds: Embeds = None,
        labels: Labels = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """Logits (batch, tokens, labels) and cross entropy. Virtual tokens get no answer: they are past.

        Source: `peft.peft_model.PeftModelForTokenClassification.forward`.
        """
        kwargs |= {"output_attentions": output_attentions, "output_hidden_states": output_hidden_states}
        outputs, logits, return_dict = self.run_with_prefix(
            input_ids, attention_mask, inputs_embeds, {"labels": labels}, return_dict, kwargs
        )
        if logits is None:
            return outputs
        loss = None if labels is None else cross_entropy(logits.view(-1, self.num_labels), labels.view(-1))
        if not return_dict:
            return with_loss(loss, (logits, *outputs[2:]))
        return TokenClassifierOutput(
            loss=loss, logits=logits, hidden_states=outputs.hidden_states, attentions=outputs.attentions
        )


class PeftModelForQuestionAnswering(PeftModelWithHead):
    """Where in the text the answer starts and ends. Source: `peft.peft_model.PeftModelForQuestionAnswering`."""

    head_names = ("qa_outputs",)
    forgets = ("token_type_ids", "position_ids")

    def forward(
        self,
        input_ids: Ids = None,
        attention_mask: Mask = None,
        token_type_ids: Ids = None,
        position_ids: Ids = None,
        inputs_embeds: Embeds = None,
        start_positions: Labels = None,
        end_positions: Labels = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """Two logits for each token, and the mean of two cross entropies. Positions beyond the text do not count.

        `token_type_ids` and `position_ids` are taken and not used, as in PEFT, whose forward names and forgets them.
        Source: `peft.peft_model.PeftModelForQuestionAnswering.forward`.
        """
        targets = {"start_positions": start_positions, "end_positions": end_positions}
        kwargs |= {"output_attentions": output_attentions, "output_hidden_states": output_hidden_states}
        outputs, logits, return_dict = self.run_with_prefix(
            input_ids, attention_mask, inputs_embeds, targets, return_dict, kwargs
        )
        if logits is None:
            return outputs
        start_logits, end_logits = (part.squeeze(-1).contiguous() for part in logits.split(1, dim=-1))
        loss = None
        if start_positions is not None and end_positions is not None:
            tokens = start_logits.size(1)
            starts, ends = (p.squeeze(-1) if p.dim() > 1 else p for p in (start_positions, end_positions))
            start_loss = cross_entropy(start_logits, starts.clamp(0, tokens), ignore_index=tokens)
            end_loss = cross_entropy(end_logits, ends.clamp(0, tokens), ignore_index=tokens)
            loss = (start_loss + end_loss) / 2
        if not return_dict:
            return with_loss(loss, (start_logits, end_logits, *outputs[2:]))
        return QuestionAnsweringModelOutput(
            loss=loss,
            start_logits=start_logits,
            end_logits=end_logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )


def with_loss(loss: Tensor | None, output: tuple) -> tuple:
    """transformers' plain form: the loss first, where there is one."""
    return output if loss is None else (loss, *output)
