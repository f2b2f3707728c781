# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 08 · How GPT-2 and Llama read it
#
# The prefix is in the cache. How does a model with one stack of layers read it? In this lesson you stand inside the
# attention layer, and measure what a prefix takes from the text. At the end you will be able to say
#
# - what grows by prefix_len, and what does not;
# - at which position the text begins, and why;
# - whose key a head reads when there are fewer keys than heads;
# - what a prefix can, and cannot, change in the very first layer.
#
# It takes about 25 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready()

import peft
import torch
from transformers.models.gpt2 import modeling_gpt2
from transformers.models.llama import modeling_llama

import prefix_lab
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import load_tiny_t5, show_progress, show_stage, small_gpt2, small_llama
from prefix_lab.course.lessons.lesson_08 import (
    check_content,
    check_kv_head,
    check_with_prefix,
    draw_attention,
    draw_shares,
)
from prefix_lab.shapes import named
from prefix_lab.tasks import PeftModelForCausalLM
from prefix_lab.widgets import ShapeFlow, TensorView

# %% [markdown] lang="en"
# ## Where is it?
#
# A prefix of 5 virtual tokens, a text of 10 letters. How many logits will come out: 10 or 15? How many tokens does
# attention look at? Decide, then run the cell. (Random weights do here: what we look at is the same in every GPT-2.)

# %%
model = small_gpt2(layers=3, heads=4, head_dim=8)  # or GPT2LMHeadModel.from_pretrained(…, attn_implementation="eager")
_, tokenizer = load_tiny_t5()  # reads bytes; for a model of yours, take its own tokenizer

torch.manual_seed(0)
config = prefix_lab.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5)
peft_model = prefix_lab.get_peft_model(model, config)

text = "never read"
batch = tokenizer([text], return_tensors="pt", add_special_tokens=False)
sizes = {"batch": 1, "prefix_len": 5, "source": len(text), "heads": 4, "head_dim": 8, "hidden": 32, "vocab": 384}


def show(name, tensor, axes):
    print(f"{name:20}{named(tensor.shape, axes, sizes)}")


with torch.no_grad():
    output = peft_model(**batch, output_attentions=True)
show("input_ids", batch.input_ids, "batch source")
show("logits", output.logits, "batch source vocab")
show("attention, layer 0", output.attentions[0], "batch heads source prefix_len+source")

# %% [markdown] lang="en"
# There are logits for the text alone. The prefix is only read: it has keys and values, but no queries, so nothing is
# predicted at its places. That is why the labels stay as they are, too.
#
# ## What PEFT changes on the way in
#
# Its forward for language models has three lines that matter. Ours says the same in one screen.

# %%
show_stage(
    "attend",
    pair=(PeftModelForCausalLM.forward, peft.PeftModelForCausalLM.forward),
    mark=("prefix_attention_mask", "self.prepend_prefix(", "get_prompt(", "shift_position_ids(", "_adjust_prompt"),
)

# %% [markdown] lang="en"
# To see what arrives, we put a hook (lesson 1) in two places: before the base model, and before GPT-2's table of
# positions.

# %%
arrived = {}
listeners = [
    model.register_forward_pre_hook(lambda module, args, kwargs: arrived.update(kwargs), with_kwargs=True),
    model.transformer.wpe.register_forward_pre_hook(lambda module, args: arrived.update(position_ids=args[0])),
]
with torch.no_grad():
    peft_model(**batch)
for listener in listeners:
    listener.remove()

show("mask that we gave", batch.attention_mask, "batch source")
show("mask that arrived", arrived["attention_mask"], "batch prefix_len+source")
print("positions:", arrived["position_ids"].tolist())

# %% [markdown] lang="en"
# ### Exercise 1 · mask and positions
#
# Write what has to be given to the base model when the prefix is in its cache: the mask, (batch, prefix_len+source),
# and the position of each token of the text, (batch, source).

# %% [markdown] lang="en" tags=["hint"]
# Every virtual token may be read: ones. The prefix is the text's past: do they stand before the mask, or behind it?

# %% [markdown] lang="en" tags=["hint"]
# `torch.cat([…, attention_mask], dim=1)`. And GPT-2 counts from 0: if
# prefix_len tokens came before the text, at which position does it begin?


# %% tags=["exercise"]
def with_prefix(attention_mask, prefix_len):
    batch, source = attention_mask.shape
    mask = ...
    position_ids = ...
    return mask, position_ids


check_with_prefix(with_prefix)


# %% tags=["solution"]
def with_prefix(attention_mask, prefix_len):
    batch, source = attention_mask.shape
    mask = torch.cat([torch.ones(batch, prefix_len), attention_mask], dim=1)
    position_ids = torch.arange(prefix_len, prefix_len + source).expand(batch, source)
    return mask, position_ids


check_with_prefix(with_prefix)

# %% [markdown] lang="en"
# ## Inside the layer, with a debugger
#
# A breakpoint at the beginning of `eager_attention_forward`, where GPT-2 multiplies queries with keys. The lesson
# types for you behind `(Pdb)`. The last command prints layer 0's mask, 1 where a query may look: find the columns of
# the prefix.

# %%
with stop_at(
    modeling_gpt2.eager_attention_forward,
    commands=[
        "p module.layer_idx",
        "p tuple(query.shape)",
        "p tuple(key.shape)",
        "p tuple(value.shape)",
        "p (attention_mask[0, 0] == 0).int()",
        "c",
    ],
    debugger="pdb",
):
    peft_model(**batch)

# %% [markdown] lang="en"
# There are 10 queries and 15 keys: the prefix's five came out of the cache, and the text's ten were put behind them. In
# the five columns on the left every row has a 1: even the first letter may look at the whole prefix.

# %% [markdown] lang="en"
# ## Fewer keys than heads
#
# A Llama saves memory: several heads that ask share one key and one value. So its prefix is narrower, too. Look at the
# sizes that preparation fills in, for six heads and two cached ones.

# %%
llama = small_llama(layers=3, heads=6, kv_heads=2, head_dim=8)
llama_config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5)
torch.manual_seed(0)
llama_model = peft.get_peft_model(llama, llama_config).eval()

sizes |= {"heads": 6, "kv_heads": 2, "hidden": 48, "layers": 3}
print("num_attention_heads", llama_config.num_attention_heads, " token_dim", llama_config.token_dim)
show("the table", llama_model.prompt_encoder["default"].embedding.weight, "prefix_len 2·layers·kv_heads·head_dim")
show("key of layer 0", llama_model.get_prompt(1).layers[0].keys, "batch kv_heads prefix_len head_dim")
with torch.no_grad():
    before = llama_model(**batch, output_attentions=True).attentions[0]
show("attention, layer 0", before, "batch heads source prefix_len+source")

# %% [markdown] lang="en"
# Keys for two heads, attention for six. In between, `repeat_kv` hands each cached head to its group:

# %%
with stop_at(
    modeling_llama.repeat_kv,
    commands=["p tuple(hidden_states.shape)", "p n_rep", "u", "p module.num_key_value_groups", "c"],
    debugger="pdb",
):
    llama_model(**batch)

# %% [markdown] lang="en"
# ### Exercise 2 · whose key does a head read?
#
# `heads` heads share `kv_heads` cached ones, in groups of equal size. Write which cached head the head number `head`
# reads; both are counted from 0.

# %% [markdown] lang="en" tags=["hint"]
# With 6 heads and 2 cached ones, each serves a group of 3. Heads side by side are a group.


# %% tags=["exercise"]
def kv_head_of(head, heads, kv_heads):
    return ...


check_kv_head(kv_head_of)


# %% tags=["solution"]
def kv_head_of(head, heads, kv_heads):
    return head // (heads // kv_heads)


check_kv_head(kv_head_of)

# %% [markdown] lang="en"
# Is it so? We change the prefix of cached head 1 in layer 0, and nothing else. Which of the six heads look elsewhere?

# %%
table = llama_model.prompt_encoder["default"].embedding.weight
kept = table.detach().clone()
with torch.no_grad():
    table.view(5, 6, 2, 8)[:, 0, 1] += 1.0  # (prefix_len, 2·layers, kv_heads, head_dim): piece 0 is layer 0's key
    after = llama_model(**batch, output_attentions=True).attentions[0]
    table.copy_(kept)  # as it was
for head in range(6):
    moved = (after[0, head] - before[0, head]).abs().max()
    print(f"head {head}: attention moved by up to {moved:.3f}")

# %% [markdown] lang="en"
# For a big Llama this makes the prefix four times smaller. `ShapeFlow` shows the whole journey for Llama 3 8B, 32
# heads with 8 cached: move `kv_heads`, and see what the cache and the trained table weigh.

# %%
ShapeFlow("llama-3-8b", prefix_len=20)

# %% [markdown] lang="en"
# ## What a prefix does to layer 0
#
# Back to GPT-2. The prefix's columns take a share of each query's attention, and the text gets the rest. How large the
# share is depends on layer and head:

# %%
draw_shares(output.attentions, prefix_len=5)

# %% [markdown] lang="en"
# The text's part has become smaller. Has it also become **another**? Let us take the prefix's columns away, and make
# the rest add up to 1 again.
#
# ### Exercise 3 · attention without the prefix's share

# %% [markdown] lang="en" tags=["hint"]
# `attention[..., prefix_len:]` keeps the text's columns. Their sum over the last axis is what was left for the text.

# %% [markdown] lang="en" tags=["hint"]
# What makes numbers add up to 1 that add up to something else? `keepdim=True` lets the shapes fit.


# %% tags=["exercise"]
def content(attention, prefix_len):
    return ...


check_content(content)


# %% tags=["solution"]
def content(attention, prefix_len):
    kept = attention[..., prefix_len:]
    return kept / kept.sum(dim=-1, keepdim=True)


check_content(content)

# %% [markdown] lang="en"
# Now the same text through the base model, without any prefix. Its positions would begin at 0; we let them begin at 5,
# as they did behind the prefix. (The next cells use our own `content`, so that they run before yours does.)


# %%
def content_ours(attention, prefix_len):
    return torch.nn.functional.normalize(attention[..., prefix_len:], p=1, dim=-1)


with torch.no_grad():
    positions = torch.arange(len(text))[None]
    shifted = model(**batch, position_ids=positions + 5, output_attentions=True).attentions
    unshifted = model(**batch, position_ids=positions, output_attentions=True).attentions

for layer, attention in enumerate(output.attentions):
    kept = content_ours(attention, 5)
    far = [(kept - base[layer]).abs().max().item() for base in (shifted, unshifted)]
    print(f"layer {layer}: largest difference {far[0]:.1e} with positions from 5, {far[1]:.1e} from 0")

# %%
head = 1
draw_attention(
    {
        "with prefix": output.attentions[0][0, head],
        "its text alone, rescaled": content_ours(output.attentions[0], 5)[0, head],
        "the base model": shifted[0][0, head],
    },
    text,
)

# %% [markdown] lang="en"
# In layer 0 the two are the same: softmax gives the prefix its share, and leaves the text's weights in proportion. A
# prefix **cannot** make a head of layer 0 prefer another letter. It adds the same few values to each query's result,
# more or less of them: that is lesson 2's law again, and [Petrov, Torr and Bibi](https://arxiv.org/abs/2310.19698)
# prove it. In layer 1 the inputs differ already, so anything may move.

# %% [markdown] lang="en"
# ### And Llama?
#
# GPT-2 adds a vector for each position; a Llama turns queries and keys by an angle, and only the distance of two
# tokens counts. Will it matter there where the positions begin?

# %%
with torch.no_grad():
    attention = llama_model(**batch, output_attentions=True).attentions[0]
    for start in (5, 0):
        base = llama(**batch, position_ids=positions + start, output_attentions=True).attentions[0]
        print(f"positions from {start}: largest difference {(content_ours(attention, 5) - base).abs().max():.1e}")

# %% [markdown] lang="en"
# Among the letters it makes no difference. (The prefix's own keys are never turned: a Llama turns keys before it caches
# them, and the prefix is in the cache from the start. But the queries are turned, each by its position, so how much of
# its attention a letter gives to the prefix does depend on its position.)
#
# Look at all heads yourself; the first five columns are the prefix.

# %%
TensorView(output.attentions[0], "batch heads source prefix_len+source")

# %% [markdown] lang="en"
# ## What you have seen
#
# - The prefix has keys and values and no queries. The mask grows by prefix_len ones in front; ids, labels and logits
#   stay; positions begin at prefix_len.
# - Grouped-query models cache few heads, and the prefix has only those.
# - In layer 0 a prefix rescales: it takes a share, and the text keeps its proportions.
#
# Read next: `PeftModelForCausalLM` in `prefix_lab/tasks.py`, which shows `generate` too; in transformers
# `modeling_llama.py`, from `repeat_kv` to `LlamaAttention`. Lesson 9 asks how a T5 reads its prefix.

# %%
show_progress(8)
