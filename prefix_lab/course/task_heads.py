"""The tasks that do not generate: a label for a text, one for each word, a place in a text, and a vector.

Examples are plain tuples; each class says which. See `tasks` for what all of them share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from prefix_lab.course.tasks import IGNORED, Batch, Task, TaskOfExamples, answering, moved


class TaskForSequenceClassification(TaskOfExamples):
    """One label for a text: an example is (text, label). The model has a head of `len(labels)`, in this order."""

    task_type = "SEQ_CLS"

    def __init__(
        self,
        name: str,
        train: Sequence[Any],
        test: Sequence[Any] | None = None,
        labels: Sequence[str] | None = None,
    ):
        super().__init__(name, train, test)
        self.labels = list(labels) if labels is not None else sorted({*self.labels_in([*self.train, *self.test])})

    def labels_in(self, examples: Sequence[Any]) -> Iterator[str]:
        """All labels of these examples."""
        return (label for _, label in examples)

    def batch(self, tokenizer: Any, examples: Sequence[Any]) -> Batch:
        """input_ids and attention_mask (batch, tokens), labels (batch,): which of `labels`."""
        texts = tokenizer([text for text, _ in examples], padding=True, return_tensors="pt")
        return as_read(texts) | {"labels": torch.tensor([self.labels.index(label) for _, label in examples])}

    def answers(self, model: nn.Module, tokenizer: Any, examples: Sequence[Any]) -> list[str]:
        """The likeliest label of each text."""
        return [self.labels[best] for best in logits_for(self, model, tokenizer, examples).logits.argmax(-1).tolist()]


class TaskForTokenClassification(TaskForSequenceClassification):
    """One label for each word: an example is (words, labels), two lists of one length. Right is one without error."""

    task_type = "TOKEN_CLS"

    def source(self, example: Any) -> str:
        return " ".join(example[0])

    def labels_in(self, examples: Sequence[Any]) -> Iterator[str]:
        """All labels of these examples."""
        return (label for _, labels in examples for label in labels)

    def batch(self, tokenizer: Any, examples: Sequence[Any]) -> Batch:
        """input_ids, attention_mask and labels (batch, tokens); of a word in several tokens the first has the label."""
        texts = tokenizer([words for words, _ in examples], is_split_into_words=True, padding=True, return_tensors="pt")
        labels = torch.full_like(texts["input_ids"], IGNORED)
        for row, (words, wanted) in enumerate(examples):
            labels[row, first_tokens(texts, row, len(words))] = torch.tensor([self.labels.index(one) for one in wanted])
        return as_read(texts) | {"labels": labels}

    def answers(self, model: nn.Module, tokenizer: Any, examples: Sequence[Any]) -> list[list[str]]:
        """The likeliest label of each word."""
        best = logits_for(self, model, tokenizer, examples).logits.argmax(-1)
        texts = tokenizer([words for words, _ in examples], is_split_into_words=True, padding=True)
        return [
            [self.labels[one] for one in best[row, first_tokens(texts, row, len(words))].tolist()]
            for row, (words, _) in enumerate(examples)
        ]


class TaskForQuestionAnswering(TaskOfExamples):
    """Where the answer stands in a text: an example is (question, text, answer), and the answer is a piece of the text.

    Training points at its first occurrence, or at the character that a fourth part of the example names.
    """

    task_type = "QUESTION_ANS"

    def source(self, example: Any) -> str:
        return f"{example[0]} {example[1]}"

    def target(self, example: Any) -> str:
        return example[2]

    def batch(self, tokenizer: Any, examples: Sequence[Any]) -> Batch:
        """input_ids and attention_mask (batch, tokens), start_positions and end_positions (batch,): both included."""
        texts = self.read(tokenizer, examples)
        places = []
        for row, (_, text, answer, *begins) in enumerate(examples):
            start = begins[0] if begins else text.find(answer)
            if not answer or not text.startswith(answer, max(start, 0)):
                raise ValueError(f"The answer {answer!r} is no piece of its text: {text!r}.")
            places.append([texts.char_to_token(row, at, 1) for at in (start, start + len(answer) - 1)])
        starts, ends = torch.tensor(places).T
        return as_read(texts) | {"start_positions": starts, "end_positions": ends}

    def answers(self, model: nn.Module, tokenizer: Any, examples: Sequence[Any]) -> list[str]:
        """From the likeliest first token to the likeliest last one after it, as they stand in the text."""
        output = logits_for(self, model, tokenizer, examples)
        texts, found = self.read(tokenizer, examples), []
        for row, (_, text, *_) in enumerate(examples):
            within = [at for at, sequence in enumerate(texts.sequence_ids(row)) if sequence == 1]
            start = max(within, key=output.start_logits[row].tolist().__getitem__)
            end = max((at for at in within if at >= start), key=output.end_logits[row].tolist().__getitem__)
            found.append(text[texts.token_to_chars(row, start).start : texts.token_to_chars(row, end).end])
        return found

    def read(self, tokenizer: Any, examples: Sequence[Any]) -> Any:
        """Question and text as one row of tokens."""
        questions, texts = [row[0] for row in examples], [row[1] for row in examples]
        return tokenizer(questions, texts, padding=True, return_tensors="pt")


class TaskForFeatureExtraction(TaskOfExamples):
    """Texts of one meaning close together: an example is (text, the same said otherwise).

    A text's vector is the mean of its tokens' hidden states. Right is a text whose nearest, among the second texts of
    all the examples that are measured with it, is its own: the more there are, the harder.
    """

    task_type = "FEATURE_EXTRACTION"
    temperature = 0.05  # SimCSE's (Gao et al. 2021)

    def batch(self, tokenizer: Any, examples: Sequence[Any]) -> Batch:
        """input_ids and attention_mask (2·batch, tokens): first all first texts, then all second ones."""
        return as_read(tokenizer([row[side] for side in (0, 1) for row in examples], padding=True, return_tensors="pt"))

    def loss(self, model: nn.Module, batch: Batch) -> Float[Tensor, ""]:
        """Cross entropy: each text has to find its own second text among those of the batch."""
        firsts, seconds = self.vectors(model, batch)
        return cross_entropy(firsts @ seconds.T / self.temperature, torch.arange(len(firsts), device=firsts.device))

    def vectors(
        self, model: nn.Module, batch: Batch
    ) -> tuple[Float[Tensor, "rows hidden"], Float[Tensor, "rows hidden"]]:
        """A vector of length 1 for each first text, and for each second one."""
        hidden = model(**batch)[0]  # (2·batch, tokens, hidden)
        mask = batch["attention_mask"].unsqueeze(-1)  # → (2·batch, tokens, 1)
        mean = (hidden * mask).sum(1) / mask.sum(1)  # → (2·batch, hidden)
        return normalize(mean, dim=-1).chunk(2)

    def answers(self, model: nn.Module, tokenizer: Any, examples: Sequence[Any]) -> list[str]:
        """The second text that is nearest to each first one."""
        with answering(model) as device:
            firsts, seconds = self.vectors(model, moved(self.batch(tokenizer, examples), device))
        return [examples[nearest][1] for nearest in (firsts @ seconds.T).argmax(-1).tolist()]


def logits_for(task: Task, model: nn.Module, tokenizer: Any, examples: Sequence[Any]) -> Any:
    """The output of the model's forward for these examples."""
    with answering(model) as device:
        return model(**moved(task.batch(tokenizer, examples), device))


def as_read(texts: Any) -> Batch:
    """What of a tokenizer's output a model with a prefix reads; which segment a token is in, PEFT leaves out too."""
    return {name: texts[name] for name in ("input_ids", "attention_mask")}


def first_tokens(texts: Any, row: int, words: int) -> list[int]:
    """Where the first token of each word stands in a row."""
    return [texts.word_to_tokens(row, word).start for word in range(words)]
