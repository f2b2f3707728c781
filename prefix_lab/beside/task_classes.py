"""Each task's class as users have it: what the essence has no place for, and the three tasks with a head of their own.

Mirrors the `PeftModelFor…` classes of `peft.peft_model`. The paths of the two that generate are in `tasks`. Of the
three with a head, PEFT runs the backbone, then does dropout, head and loss itself: a BERT with a head takes no
`past_key_values`, but the BERT inside does.
"""

import warnings
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss
from transformers.modeling_outputs import QuestionAnsweringModelOutput, SequenceClassifierOutput, TokenClassifierOutput

from prefix_lab import tasks
from prefix_lab.beside.adapters import PeftModel
from prefix_lab.beside.refusals import backbone, can_generate, takes_past
from prefix_lab.config import PeftConfig
from prefix_lab.models import Mask
from prefix_lab.tasks import Embeds, Ids, get_batch_size

Labels = Int[Tensor, "..."] | Float[Tensor, "..."] | None
Hidden = Float[Tensor, "*batch hidden"]


class Generates:
    """What the two language-model tasks share beside the essence: what keeps a prefix from being read is refused."""

    hands_on = False  # whether an assigned generation config reaches the base model, as PEFT has it

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        """As the base model's `generate`, with the prefix before the first token.

        Raises `ValueError` for a static cache before which no prefix can stand. With `use_cache=False` a decoder alone
        reads a fresh prefix for each token; T5 and BART read the prefix too, but from the second token on also what
        the cache holds of the tokens that they are given again, and give other tokens than with a cache: as in PEFT.
        """
        self.hand_on_generation_config()
        with can_generate(self, kwargs):
            return super().generate(*args, **kwargs)

    def hand_on_generation_config(self) -> None:
        """A generation config that was assigned to this model is the base model's, where PEFT hands it on.

        For an encoder-decoder PEFT does not, and what is assigned there has no effect: a warning says so, as it does
        for a base model whose own `model` gets it instead (Llama's, say), where `generate` does not look.
        """
        assigned = self.__dict__.get("generation_config")
        if assigned is None:
            return
        if self.hands_on:
            inner = getattr(self.base_model, "model", self.base_model)
            inner.generation_config = assigned
        if self.get_base_model().generation_config is not assigned:
            warnings.warn(
                "The generation_config that was assigned to the wrapped model has no effect, as in PEFT. Assign it to "
                "model.base_model, or pass generate(generation_config=...).",
                stacklevel=4,
            )


class PeftModelForSeq2SeqLM(Generates, tasks.PeftModelForSeq2SeqLM, PeftModel):
    """Text to text, with an encoder and a decoder. Source: `peft.peft_model.PeftModelForSeq2SeqLM`."""

    def generate(self, **kwargs: Any) -> Any:
        """As the base model's `generate`. Raises `ValueError` without `input_ids`, as PEFT does."""
        if "input_ids" not in kwargs:
            raise ValueError("input_ids must be provided for Peft model generation: pass generate(input_ids=...).")
        self.shift_position_ids(kwargs)
        return super().generate(**kwargs)


class PeftModelForCausalLM(Generates, tasks.PeftModelForCausalLM, PeftModel):
    """Text that goes on, with one stack of layers. Source: `peft.peft_model.PeftModelForCausalLM`."""

    hands_on = True


class PeftModelForFeatureExtraction(PeftModel):
    """Hidden states, for use elsewhere. Source: `peft.peft_model.PeftModelForFeatureExtraction`."""

    def forward(
        self,
        input_ids: Ids = None,
        attention_mask: Mask = None,
        inputs_embeds: Embeds = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """The base model's forward; `attention_mask` grows from (batch, tokens) to (batch, prefix_len+tokens).

        Raises `ValueError` for padding in the mask of an encoder-decoder, whose encoder has no prefix to mask: PEFT
        fails inside torch there. Source: `peft.peft_model.PeftModelForFeatureExtraction.forward`.
        """
        two = getattr(self.config, "is_encoder_decoder", False)
        if attention_mask is not None and two and not attention_mask.all():
            raise ValueError(
                "attention_mask would mask the encoder, which does not see the prefix: run texts of one length "
                "together, without padding."
            )
        batch_size = get_batch_size(input_ids, inputs_embeds)
        self.shift_position_ids(kwargs)
        kwargs |= {"output_attentions": output_attentions, "output_hidden_states": output_hidden_states}
        kwargs["return_dict"] = return_dict
        kwargs["past_key_values"] = self.get_prompt(batch_size)
        return self.base_model(
            input_ids=input_ids,
            attention_mask=self.prepend_prefix(attention_mask),
            inputs_embeds=inputs_embeds,
            **kwargs,
        )


class PeftModelWithHead(PeftModel):
    """What the three share: the head trains beside the prefix, and the forward pass ends in it."""

    head_names: tuple[str, ...] = ("classifier", "score")
    output_class: type = TokenClassifierOutput

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
        targets: dict[str, Labels],
        output_attentions: bool | None,
        output_hidden_states: bool | None,
        return_dict: bool | None,
        kwargs: dict[str, Any],
    ) -> Any:
        """The base model's own output where it reads caches itself; else the backbone's, finished by the head.

        Raises `ValueError` for a model whose head has another name than `modules_to_save` says.
        """
        self.shift_position_ids(kwargs, drop_token_types=False)
        return_dict = self.config.return_dict if return_dict is None else return_dict
        kwargs |= {
            "past_key_values": self.get_prompt(get_batch_size(input_ids, inputs_embeds)),
            "input_ids": input_ids,
            "attention_mask": self.prepend_prefix(attention_mask),
            "inputs_embeds": inputs_embeds,
            "output_attentions": output_attentions,
            "output_hidden_states": output_hidden_states,
            "return_dict": return_dict,
        }
        if takes_past(self.base_model):
            return self.base_model(**targets, **kwargs)
        if self.cls_layer_name is None:
            names = self.active_peft_config.modules_to_save
            raise ValueError(f"modules_to_save={names} names no head of this model.")
        outputs = backbone(self.base_model)(**kwargs)
        features = self.features(outputs)
        if hasattr(self.base_model, "dropout"):
            features = self.base_model.dropout(features)
        answers = self.answers(self.base_model.get_submodule(self.cls_layer_name)(features))
        wanted = list(targets.values())
        loss = None if any(one is None for one in wanted) else self.loss(*answers.values(), *wanted)
        if not return_dict:  # transformers' plain form: the loss first, where there is one
            return (*([] if loss is None else [loss]), *answers.values(), *outputs[2:])
        more = {"hidden_states": outputs.hidden_states, "attentions": outputs.attentions}
        return self.output_class(loss=loss, **answers, **more)

    def features(self, outputs: Any) -> Hidden:
        """What the head reads: one vector a token."""
        return outputs[0]

    def answers(self, logits: Float[Tensor, "*batch labels"]) -> dict[str, Tensor]:
        """What the head gives, under the names that the output has for it."""
        return {"logits": logits}


class PeftModelForSequenceClassification(PeftModelWithHead):
    """One answer for a text. Source: `peft.peft_model.PeftModelForSequenceClassification`."""

    output_class = SequenceClassifierOutput

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
        asked = output_attentions, output_hidden_states, return_dict
        return self.run_with_prefix(input_ids, attention_mask, inputs_embeds, {"labels": labels}, *asked, kwargs)

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
        asked = output_attentions, output_hidden_states, return_dict
        return self.run_with_prefix(input_ids, attention_mask, inputs_embeds, {"labels": labels}, *asked, kwargs)

    def loss(self, logits: Float[Tensor, "batch tokens labels"], labels: Labels) -> Float[Tensor, ""]:
        """The mean over all tokens that have a label."""
        return cross_entropy(logits.view(-1, self.num_labels), labels.view(-1))


class PeftModelForQuestionAnswering(PeftModelWithHead):
    """Where in the text the answer starts and ends. Source: `peft.peft_model.PeftModelForQuestionAnswering`."""

    head_names = ("qa_outputs",)
    output_class = QuestionAnsweringModelOutput
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
        asked = output_attentions, output_hidden_states, return_dict
        return self.run_with_prefix(input_ids, attention_mask, inputs_embeds, targets, *asked, kwargs)

    def answers(self, logits: Float[Tensor, "*batch two"]) -> dict[str, Tensor]:
        """How likely each token is the first of the answer, and the last."""
        start_logits, end_logits = (part.squeeze(-1).contiguous() for part in logits.split(1, dim=-1))
        return {"start_logits": start_logits, "end_logits": end_logits}

    def loss(self, start_logits: Tensor, end_logits: Tensor, starts: Labels, ends: Labels) -> Float[Tensor, ""]:
        """The mean of both; a position beyond the text does not count."""
        tokens = start_logits.size(1)
        starts, ends = (place.squeeze(-1) if place.dim() > 1 else place for place in (starts, ends))
        start_loss = cross_entropy(start_logits, starts.clamp(0, tokens), ignore_index=tokens)
        end_loss = cross_entropy(end_logits, ends.clamp(0, tokens), ignore_index=tokens)
        return (start_loss + end_loss) / 2
