# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 13 · LoRA, the other branch
#
# One docstring in PEFT has been copied into many notebooks: t5-base, LoRA on `q` and `v`, and a number that
# `print_trainable_parameters` prints. Run it today, and the number is another. Who is wrong? On the way to the answer
# you will learn to
#
# - make a config from a dict, and say who reads which field;
# - see where `get_peft_model` parts for LoRA and for a prefix, and why;
# - write a LoRA layer, and merge it.
#
# It takes about 20 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready()

import inspect

import peft
import torch

import prefix_lab
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import listen, load_tiny_t5, make_batch, show_progress, show_stage
from prefix_lab.course.lessons.lesson_13 import (
    check_lora_count,
    check_lora_layer,
    check_merge,
    check_stale_total,
    example_of,
    numbers_in,
    record_wrapping,
    where_they_part,
    without_weights,
)
from prefix_lab.widgets import ParameterBars, Stepper

torch.set_num_threads(1)  # so small a model is no faster on two, and on a busy machine ten times slower

# %% [markdown] lang="en"
# ## The famous example
#
# It stands in the docstring of the class for `SEQ_2_SEQ_LM`, in your own installation. `example_of` takes the config
# and the printed line out of the text.

# %%
docstring = inspect.getdoc(peft.PeftModelForSeq2SeqLM)
print(docstring[docstring.index("Example:") :])
example, printed = example_of(peft.PeftModelForSeq2SeqLM)

# %% [markdown] lang="en"
# `get_peft_config` looks at one field, `peft_type`, picks the class, and gives it the whole dict. Ours does the same,
# from a table that you can read:

# %%
config, own = peft.get_peft_config(example), prefix_lab.get_peft_config(example)
print("PEFT's:", type(config).__module__, type(config).__name__, "· ours:", type(own).__module__, type(own).__name__)
print()
print(inspect.getsource(peft.get_peft_config))
print(inspect.getsource(prefix_lab.get_peft_config))

# %% [markdown] lang="en"
# So each field of the dict has to be one of the class's. Many an old copy of this example has one more, `enable_lora`,
# which PEFT had once. Who complains, and of what?

# %%
try:
    peft.get_peft_config(example | {"enable_lora": None})
except TypeError as error:
    print("TypeError:", error)

# %% [markdown] lang="en"
# ## t5-base, without one weight
#
# On torch's meta device a tensor has a shape and no numbers. That is enough to count, needs no download, and takes no
# memory. Another size is one word away: `"t5-large"`, `"t5-small"`.

# %%
t5_base = without_weights("t5-base")
base_total = sum(parameter.numel() for parameter in t5_base.parameters())
q = t5_base.encoder.block[0].layer[0].SelfAttention.q
print(f"{base_total:,} parameters, all on {q.weight.device}; a q layer is {q}")

# %% [markdown] lang="en"
# ### Exercise 1 · how many numbers does LoRA train?
#
# Each replaced layer gets two matrices: A leads from `wide_in` to `r`, B from `r` to `wide_out`. Neither has a bias.

# %% [markdown] lang="en" tags=["hint"]
# A holds `r * wide_in` numbers. B?


# %% tags=["exercise"]
def lora_count(replaced, wide_in, wide_out, r):
    return ...


check_lora_count(lora_count)


# %% tags=["solution"]
def lora_count(replaced, wide_in, wide_out, r):
    return replaced * r * (wide_in + wide_out)


check_lora_count(lora_count)

# %% [markdown] lang="en"
# Which layers? `q` and `v` of every attention: 12 in the encoder, 12 in the decoder, and 12 cross-attentions.

# %%
peft_model = peft.get_peft_model(without_weights("t5-base"), config)
replaced = [name for name, module in peft_model.named_modules() if isinstance(module, peft.tuners.lora.Linear)]
r, wide = config.r, q.in_features
print(f"{len(replaced)} replaced layers, r={r}, {wide} wide: {len(replaced) * r * (wide + wide):,} numbers train\n")
print("the docstring:", printed)
print("today:        ", end=" ")
peft_model.print_trainable_parameters()

# %% [markdown] lang="en"
# As many numbers train, but *all params* is another. (Commas and rounding came later, too.) Now you are the detective:

# %%
then_trains, then_all = numbers_in(printed)[:2]
now_trains, now_all = peft_model.get_nb_trainable_parameters()
difference = then_all - now_all
print(f"{then_all:,} - {now_all:,} = {difference:,}")
print(f"divided by the replaced layers: {difference / len(replaced):,}")

# %% [markdown] lang="en"
# For each replaced layer 768 numbers, as many as such a layer is wide, frozen, and gone since. What has one number for
# each output? Ask a debugger: stop where PEFT makes its own layer from the old one, and look at both.

# %%
one_layer = peft.LoraConfig(task_type="SEQ_2_SEQ_LM", r=8, target_modules=["decoder.block.0.layer.0.SelfAttention.q"])
with stop_at(
    peft.tuners.lora.Linear.__init__,
    commands=["p base_layer", "p base_layer.bias", "p torch.nn.Linear(768, 768).bias.shape", "c"],
    debugger="pdb",
):
    peft.get_peft_model(without_weights("t5-base"), one_layer)

# %% [markdown] lang="en"
# T5's `q` has no bias, and today PEFT keeps that very layer, as `base_layer`. In its first years PEFT's LoRA layer
# *was* an `nn.Linear` of its own (until November 2023, commit 5a3a5acff), and in the very first ones it was made with
# torch's usual bias, which nothing trained. The bias went on 1 December 2022, with `bias = target.bias is not None` in
# commit e3d6568a1. That commit also wrote the docstring: the number was counted before the mend that came with it.

# %% [markdown] lang="en"
# ### Exercise 2 · the stale total
#
# Prove it: what does the count print, if each replaced layer has a bias besides? `base` is the model before LoRA.

# %% [markdown] lang="en" tags=["hint"]
# There are three parts, and two of them you know already. How many numbers has the bias of one replaced layer?


# %% tags=["exercise"]
def stale_total(base, replaced, wide_in, wide_out, r):
    return ...


check_stale_total(stale_total)


# %% tags=["solution"]
def stale_total(base, replaced, wide_in, wide_out, r):
    return base + replaced * r * (wide_in + wide_out) + replaced * wide_out


check_stale_total(stale_total)

# %% [markdown] lang="en"
# With t5-base's own numbers, to the last digit:

# %%
rebuilt = base_total + now_trains + len(replaced) * wide
print(f"trainable params: {then_trains} || all params: {rebuilt} || trainable%: {100 * then_trains / rebuilt}")
print("the docstring's line, rebuilt:", str(rebuilt) in printed and str(100 * then_trains / rebuilt) in printed)

# %% [markdown] lang="en"
# ## Where the branches part
#
# `get_peft_model` is the same for LoRA and for a prefix. Here it is recorded for both, on the tiny T5. In which line do
# they part?

# %%
prefix_config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)
lora_config = peft.LoraConfig(task_type="SEQ_2_SEQ_LM", r=8, target_modules=["q", "v"])
with_prefix = record_wrapping(load_tiny_t5()[0], prefix_config)
with_lora = record_wrapping(load_tiny_t5()[0], lora_config)
fork, prefix_line, lora_line = where_they_part(with_prefix, with_lora, "PeftModel.__init__")
print(f"in {fork.function}, both run:  {fork.text.strip()}")
print(f"then the prefix:                 {prefix_line.text.strip()}")
print(f"then LoRA:                       {lora_line.text.strip()}")

# %% [markdown] lang="en"
# The stepper stands at LoRA's first line. One step back is the question; a few steps on, `PEFT_TYPE_TO_TUNER_MAPPING`
# gives the class that will replace the layers.

# %%
Stepper(with_lora, at=lora_line, height="520px")

# %% [markdown] lang="en"
# One question decides: `is_prompt_learning`. A prefix is something to *read*, so the wrapper keeps the base as it is
# and must know the task, to hand a cache over. LoRA *changes layers*, so a `LoraModel` replaces them, and the call goes
# straight through. That is why LoRA may do without a `task_type`, too. Ours gives LoRA a wrapper of its own, whose
# call goes straight through:

# %%
show_stage(
    "choose", mark=("is_prompt_learning", "self.base_model("), also=("prefix_lab.beside.lora.LoraPeftModel.forward",)
)

# %% [markdown] lang="en"
# And in the forward? `listen`, from lesson 10, shows what arrives at the base model.

# %%
_, tokenizer = load_tiny_t5()
batch = make_batch(tokenizer, ["garden"], ["nedrag"]) | {"decoder_attention_mask": torch.ones(1, 7, dtype=torch.long)}
for name, one in {"prefix": prefix_config, "LoRA": lora_config}.items():
    _, arrived, _ = listen(peft.get_peft_model(load_tiny_t5()[0], one).eval(), batch)
    mask, cache = arrived["decoder_attention_mask"], arrived.get("past_key_values")
    print(f"{name:8} decoder_attention_mask {tuple(mask.shape)}, past_key_values {type(cache).__name__}")

# %% [markdown] lang="en"
# ## What each way trains
#
# Move the sliders: how long may a prefix be until it trains as much as LoRA does?

# %%
ParameterBars("t5-base", prefix_len=20, r=8)


# %% [markdown] lang="en"
# ### Exercise 3 · a LoRA layer of your own
#
# Five lines are missing. `down` is A, `up` is B; the call gives `W x + alpha / r · B A x`, and at the start nothing has
# changed.

# %% [markdown] lang="en" tags=["hint"]
# `torch.nn.Linear(a, b, bias=False)` leads from a to b. `base.in_features` and `base.out_features` know the widths.

# %% [markdown] lang="en" tags=["hint"]
# `torch.nn.init.zeros_(self.up.weight)` sets B to zero. If A were zero as well, neither would ever get a gradient.


# %% tags=["exercise"]
class MyLora(torch.nn.Module):
    def __init__(self, base, r, alpha):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = ...
        self.up = ...
        # here: B starts at zero
        self.scaling = ...

    def forward(self, x):
        return ...


check_lora_layer(MyLora)


# %% tags=["solution"]
class MyLora(torch.nn.Module):
    def __init__(self, base, r, alpha):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = torch.nn.Linear(base.in_features, r, bias=False)
        self.up = torch.nn.Linear(r, base.out_features, bias=False)
        torch.nn.init.zeros_(self.up.weight)
        self.scaling = alpha / r

    def forward(self, x):
        return self.base(x) + self.scaling * self.up(self.down(x))


check_lora_layer(MyLora)

# %% [markdown] lang="en"
# ### Exercise 4 · merge it
#
# The addition is linear, so one matrix can do both: W with the addition inside. `a` is (r, wide_in), `b` is
# (wide_out, r), `weight` is (wide_out, wide_in).

# %% [markdown] lang="en" tags=["hint"]
# `@` multiplies matrices. Which order gives (wide_out, wide_in)?


# %% tags=["exercise"]
def merged(weight, a, b, scaling):
    return ...


check_merge(merged)


# %% tags=["solution"]
def merged(weight, a, b, scaling):
    return weight + scaling * b @ a


check_merge(merged)

# %% [markdown] lang="en"
# PEFT calls it `merge_and_unload`. Here with an addition that is not zero any more; then the same wish for a prefix.

# %%
torch.manual_seed(0)
tuned = peft.get_peft_model(
    load_tiny_t5()[0], peft.LoraConfig(task_type="SEQ_2_SEQ_LM", target_modules=["q", "v"])
).eval()
with torch.no_grad():
    for name, parameter in tuned.named_parameters():
        if "lora_B" in name:
            parameter.normal_(std=0.02)
    apart = tuned(**batch).logits
    plain_again = tuned.merge_and_unload()
    together = plain_again(**batch).logits
print(type(plain_again).__name__, "· largest difference of a logit:", f"{(apart - together).abs().max().item():.1e}")

prefixed = prefix_lab.get_peft_model(
    load_tiny_t5()[0], prefix_lab.PrefixTuningConfig("SEQ_2_SEQ_LM", num_virtual_tokens=20)
)
try:
    prefixed.merge_and_unload()
except ValueError as error:
    print("ValueError:", error)

# %% [markdown] lang="en"
# ## What you have seen
#
# A number in a docstring can be wrong for years. You can find out why: count, divide, and look with a debugger. And two
# branches: LoRA changes what a layer computes, and can be merged into it. A prefix changes what a layer reads, and
# cannot.
#
# Read next: `prefix_lab/beside/lora.py`, from `LoraLinear` on, and section 4.1 of the paper (Hu and others, “LoRA:
# Low-Rank Adaptation of Large Language Models”, 2021, [arXiv 2106.09685](https://arxiv.org/abs/2106.09685)). Then the
# bug hunts of lesson 14.

# %%
show_progress(13)
