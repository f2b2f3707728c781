"""The three small models of the world, whose tokens are words: GPT-2, BERT and T5, pretrained and shipped.

Each is an ordinary transformers model of about a million parameters in an ordinary folder, `course/weights/NAME`, with
an ordinary fast tokenizer: `AutoTokenizer.from_pretrained` and any `AutoModel…` that fits read it as they read any
other. `python -m prefix_lab.course.pretrain NAME` made them.
"""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    AutoModelForPreTraining,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    BertConfig,
    GPT2Config,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    T5Config,
)
from transformers.utils import logging

from prefix_lab.course.small_models import quiet
from prefix_lab.course.world import vocabulary

FOLDER = Path(__file__).parent / "weights"
POSITIONS = 256  # the longest text has 51 words: the rest is room for a prefix, which moves the text to the right
LONGEST = 32  # the longest sentence has 30 words and signs, and its end
SPECIAL = {
    "gpt2": {"pad_token": "<pad>", "eos_token": "<end>", "unk_token": "<unk>"},
    "bert": {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    },
    "t5": {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"},
}
"""The signs of each model that are no words; their ids are 0, 1, … in this order."""
PRETRAINED_AS = {"gpt2": AutoModelForCausalLM, "bert": AutoModelForPreTraining, "t5": AutoModelForSeq2SeqLM}


def load_tiny(
    name: str, auto: Any = None, seed: int = 0, **fields: Any
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The model "gpt2", "bert" or "t5", in eval mode and float32, and its tokenizer: of words, without network, in
    under a second. (`load_tiny_t5` is another T5, which reads letters.)

    `auto` is an auto class of transformers, such as `AutoModelForSequenceClassification`; left out, the one that the
    model was pretrained as. A head that pretraining did not know is random by `seed`, and the caller's random numbers
    stay as they are. `fields` go to the config: `num_labels=2`, or `attn_implementation="eager"` to see attention.
    Raises `ValueError` for another name.
    """
    folder = FOLDER / known(name)
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # else it lists the weights that a head has or has not of those pretrained
    try:
        with quiet(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = (auto or PRETRAINED_AS[name]).from_pretrained(folder, local_files_only=True, **fields)
    finally:
        logging.set_verbosity(verbosity)
    return with_loss(model).eval(), AutoTokenizer.from_pretrained(folder, local_files_only=True)


def new_model(name: str, seed: int) -> PreTrainedModel:
    """An untrained model: hidden 128 = 4 heads · 32, without dropout. The caller's random numbers stay as they are."""
    tokenizer = new_tokenizer(known(name))
    tokens = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    if name == "gpt2":
        config = GPT2Config(
            n_embd=128,
            n_head=4,
            n_layer=4,
            n_positions=POSITIONS,
            bos_token_id=tokenizer.eos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            **tokens,
        )
    elif name == "bert":
        config = BertConfig(
            hidden_size=128,
            num_attention_heads=4,
            num_hidden_layers=4,
            intermediate_size=512,
            max_position_embeddings=POSITIONS,
            initializer_range=0.08,  # about 1/√hidden, as BERT's own 0.02 is for 768 and more
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            **tokens,
        )
    else:
        config = T5Config(
            d_model=128,
            num_heads=4,
            d_kv=32,
            d_ff=256,
            num_layers=3,
            dropout_rate=0.0,
            eos_token_id=tokenizer.eos_token_id,
            decoder_start_token_id=tokenizer.pad_token_id,
            **tokens,
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = PRETRAINED_AS[name].from_config(config)
    if name != "bert":
        model.generation_config.max_new_tokens = LONGEST
        model.generation_config.pad_token_id = tokenizer.pad_token_id
    return with_loss(model)


def with_loss(model: PreTrainedModel) -> PreTrainedModel:
    """GPT-2's loss by its name: transformers guesses it from the class's name, in vain, and says so."""
    if type(model).__name__ == "GPT2LMHeadModel":
        model.loss_type = "ForCausalLM"
    return model


def new_tokenizer(name: str) -> PreTrainedTokenizerFast:
    """A tokenizer with one token for each word and sign of the world; what it does not know is one unknown token.

    GPT-2's pads on the left, so that a batch of texts is written on at its right end, and adds no sign; T5's ends what
    it reads with `</s>`; BERT's writes `[CLS] … [SEP]`, and two texts as `[CLS] … [SEP] … [SEP]`, types 0 and 1.
    """
    special = SPECIAL[known(name)]
    ids = {word: index for index, word in enumerate([*special.values(), *vocabulary()])}
    words = Tokenizer(models.WordLevel(ids, unk_token=special["unk_token"]))
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.Split(Regex(r"\w+|[^\w\s]"), "removed", invert=True)
    signs = [decoders.Replace(f" {sign}", sign) for sign in ",.?!"]
    words.decoder = decoders.Sequence([decoders.WordPiece(prefix="##", cleanup=False), *signs])
    if name == "t5":
        words.post_processor = processors.TemplateProcessing(
            single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", ids["</s>"])]
        )
    elif name == "bert":
        words.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[(sign, ids[sign]) for sign in ("[CLS]", "[SEP]")],
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        model_max_length=POSITIONS,
        padding_side="left" if name == "gpt2" else "right",
        model_input_names=["input_ids", *(["token_type_ids"] if name == "bert" else []), "attention_mask"],
        **special,
    )


def known(name: str) -> str:
    """The name, where there is such a model."""
    if name not in SPECIAL:
        raise ValueError(f"name={name!r}, expected one of {', '.join(SPECIAL)}.")
    return name
