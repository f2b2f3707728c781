# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 02 · A prefix by hand
#
# Suppose you may add rows to what an attention head reads, and touch nothing else: no weight, no word. What can you
# make it do, and what can you never make it do? With one head of a real model and a few lines of torch you will
#
# - put keys and values before a head's own;
# - say how much of its attention they take, also when they are all zeros;
# - split the result exactly into what was there before, and what the prefix adds;
# - find the same line in a real model, with a debugger;
# - know when the order of the virtual tokens matters.
#
# It takes about 20 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %% [markdown] lang="zh"
# # 02 · 亲手做一个前缀
#
# 假设一个注意力头要读的东西，你只能在里面添几行，别的都不能碰：不动权重，也不动词。你能让它做到什么？又有什么是你永远做不到的？用一个真实模型的一个头，加上几行 torch 代码，你会
#
# - 把键和值放到一个头自己的键和值前面；
# - 算出它们占去这个头多少注意力，全是零的时候也算；
# - 把结果精确地拆成两部分：原来就有的，和前缀加上的；
# - 用调试器，在真实模型里找到同一行；
# - 知道虚拟词元的顺序什么时候有影响。
#
# 这一课大约需要 20 分钟。从最上面开始：**Shift + Enter** 运行一个单元格，并跳到下一个。

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stop

import peft
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM
from transformers.cache_utils import DynamicLayer

from prefix_lab.breakpoints import stop_at
from prefix_lab.course import after_exercise, load_tiny_t5, show_progress, show_source, table
from prefix_lab.course.lessons.lesson_02 import (
    check_attend_with_prefix,
    check_order,
    check_prefix_share,
    check_same_line,
    draw_attention,
    draw_shares,
)
from prefix_lab.shapes import named

# %% [markdown] lang="en"
# ## One head, six letters
#
# The tiny T5 reads letters. We take one head of its decoder's first layer and let it read a word: each letter asks
# with its `query`, is found by its `key`, and gives its `value`. Mask and positions are left out for now.
#
# Take another `word` or `head` if you like. (For another model, load it here, and change the lines below that use T5's
# names.)

# %% [markdown] lang="zh"
# ## 一个头，六个字母
#
# 微型 T5 按字母读。我们取它的解码器第一层里的一个头，让它读一个单词：每个字母用自己的 `query`（查询）发问，凭自己的 `key`（键）被找到，给出自己的 `value`（值）。掩码和位置暂时不管。
#
# 你也可以换一个 `word` 或 `head`。（想换模型，就在这里加载它，并改掉下面几行里 T5 专用的名字。）

# %%
model, tokenizer = load_tiny_t5()
word, head = "garden", 0

layer = model.decoder.block[0].layer[0]
heads, head_dim = model.config.num_heads, model.config.d_kv
letters = tokenizer(word, add_special_tokens=False, return_tensors="pt").input_ids[0]
with torch.no_grad():
    hidden = layer.layer_norm(model.shared(letters))
    project = layer.SelfAttention
    query, keys, values = (
        each(hidden).view(-1, heads, head_dim)[:, head] for each in (project.q, project.k, project.v)
    )

sizes = {"source": len(word), "prefix_len": 4, "head_dim": head_dim, "hidden": model.config.d_model}
print("hidden ", named(hidden.shape, "source hidden", sizes))
print("query  ", named(query.shape, "source head_dim", sizes))


# %% [markdown] lang="en"
# Attention is two products with a softmax between them. (Many models divide the scores by √head_dim. T5 has that in
# its weights.)

# %% [markdown] lang="zh"
# 注意力就是两次乘法，中间隔着一个 softmax。（许多模型会把得分除以 √head_dim，head_dim 是一个头的宽度。T5 已经把这一步放进权重里了。）


# %%
def weights_of(query, keys):
    scores = query @ keys.T  # (source, head_dim) · (head_dim, source) → (source, source)
    return scores.softmax(-1)  # each row adds up to 1


def attend(query, keys, values):
    return weights_of(query, keys) @ values  # (source, head_dim)


base = attend(query, keys, values)
weights = weights_of(query, keys)
print("weights", named(weights.shape, "source source", sizes), "rows add up to", weights.sum(-1))
print("output ", named(base.shape, "source head_dim", sizes))

# %% [markdown] lang="en"
# ## Now the prefix
#
# Four virtual tokens. They have no letters and no queries, only a key and a value each: these are the numbers that
# prefix tuning learns. Ours are drawn by chance.

# %% [markdown] lang="zh"
# ## 现在加上前缀
#
# 四个虚拟词元。它们没有字母，也没有查询，各自只有一个键和一个值：前缀微调要学的就是这些数。我们这里的是随机取的。

# %%
dice = torch.Generator().manual_seed(1)
prefix_keys = torch.randn(4, head_dim, generator=dice)
prefix_values = torch.randn(4, head_dim, generator=dice)
print("prefix_keys", named(prefix_keys.shape, "prefix_len head_dim", sizes))

# %% [markdown] lang="en"
# ### Exercise 1 · attend with a prefix
#
# Let every letter read the prefix, too, as if those four tokens had come first. Three lines are enough.

# %% [markdown] lang="zh"
# ### 练习 1 · 带前缀的注意力
#
# 让每个字母也读到前缀，就像那四个词元排在最前面一样。三行就够。

# %% [markdown] lang="en" tags=["hint"]
# `torch.cat([a, b])` puts the rows of `b` below those of `a`. What has to grow: query, keys, values?

# %% [markdown] lang="zh" tags=["hint"]
# `torch.cat([a, b])` 把 `b` 的各行接在 `a` 的各行下面。要变长的是哪些：query、keys、values？

# %% [markdown] lang="en" tags=["hint"]
# The prefix is read, and asks nothing. So which two of the three grow? With those, `attend` from above does the rest.

# %% [markdown] lang="zh" tags=["hint"]
# 前缀只被读，不发问。那么三者之中是哪两个变长？有了它们，剩下的交给上面的 `attend`。


# %% tags=["exercise"]
def attend_with_prefix(query, keys, values, prefix_keys, prefix_values):
    return ...


check_attend_with_prefix(attend_with_prefix)


# %% tags=["solution"]
def attend_with_prefix(query, keys, values, prefix_keys, prefix_values):
    keys = torch.cat([prefix_keys, keys])  # (prefix_len+source, head_dim)
    values = torch.cat([prefix_values, values])  # (prefix_len+source, head_dim)
    return attend(query, keys, values)


check_attend_with_prefix(attend_with_prefix)

# %% [markdown] lang="en"
# ## Look at it
#
# Each row is a letter that asks, each column a key that is read. Compare the row of **d** on both sides, then that of
# **n**: who gives up more to the prefix, and to which virtual token? What happens to the order among the letters?

# %% [markdown] lang="zh"
# ## 看一看
#
# 每一行是一个发问的字母，每一列是一个被读的键。在左右两张图里比较 **d** 那一行，再比较 **n** 那一行：谁让给前缀的更多，让给了哪个虚拟词元？字母之间的高低次序有没有变？

# %%
after = weights_of(query, torch.cat([prefix_keys, keys]))
draw_attention(weights, after, word)

# %% [markdown] lang="en"
# ### Exercise 2 · the share that the prefix takes
#
# How much of each letter's attention goes to the prefix, all its virtual tokens together? One number for each letter.

# %% [markdown] lang="zh"
# ### 练习 2 · 前缀占去的份额
#
# 每个字母的注意力，有多少给了前缀（把它的虚拟词元全部加起来）？每个字母一个数。

# %% [markdown] lang="en" tags=["hint"]
# You have the weights of all keys: `weights_of(query, torch.cat([prefix_keys, keys]))`. Which columns are the prefix's?

# %% [markdown] lang="zh" tags=["hint"]
# 所有键的权重你都能算出来：`weights_of(query, torch.cat([prefix_keys, keys]))`。哪些列是前缀的？

# %% [markdown] lang="en" tags=["hint"]
# They came first in the `cat`, and there are `len(prefix_keys)` of them. A row is added up along the last axis.

# %% [markdown] lang="zh" tags=["hint"]
# 它们在 `cat` 里排在最前面，一共 `len(prefix_keys)` 列。对一行求和，就是沿最后一个轴求和。


# %% tags=["exercise"]
def prefix_share(query, keys, prefix_keys):
    return ...


check_prefix_share(prefix_share)


# %% tags=["solution"]
def prefix_share(query, keys, prefix_keys):
    weights = weights_of(query, torch.cat([prefix_keys, keys]))  # (source, prefix_len+source)
    return weights[:, : len(prefix_keys)].sum(-1)  # (source,)


check_prefix_share(prefix_share)

# %% [markdown] lang="en"
# ## The law
#
# With that share, everything that a prefix does to a head fits in one line:
#
# **output with prefix = (1 − share) · output without it + share · what the prefix alone would give**
#
# What the head gave before counts for less, and something is added to it. Nothing else happens. (Petrov, Torr and Bibi,
# “When Do Prompting and Prefix-Tuning Work? A Theory of Capabilities and Limitations”, 2023, [arXiv
# 2310.19698](https://arxiv.org/abs/2310.19698).) Does it hold? The share below is computed from the picture's weights,
# so that the cell runs before you have solved anything.

# %% [markdown] lang="zh"
# ## 定律
#
# 有了这个份额，前缀对一个头所做的一切，一行就能写完：
#
# **带前缀的输出 = (1 − 份额) · 不带前缀的输出 + 份额 · 只读前缀时的输出**
#
# 头原来的输出，分量变轻了；另外又添了一份。除此之外，什么也没有发生。（Petrov, Torr and Bibi，“When Do Prompting and Prefix-Tuning Work? A Theory of
# Capabilities and Limitations”，2023，[arXiv 2310.19698](https://arxiv.org/abs/2310.19698)。）它成立吗？下面的份额是用图里的权重算的，
# 所以即使练习一道也没做，这个单元格也能运行。

# %%
share = after[:, :4].sum(-1, keepdim=True)  # (source, 1)
added = attend(query, prefix_keys, prefix_values)  # what the prefix alone would give
with_prefix = after @ torch.cat([prefix_values, values])
by_the_law = (1 - share) * base + share * added
print(f"largest difference: {(with_prefix - by_the_law).abs().max():.1e}")

# %% [markdown] lang="en"
# And among themselves, do the letters keep their attention? Take the prefix's columns away and let each row add up to
# 1 again.

# %% [markdown] lang="zh"
# 那么字母之间的注意力，比例变了吗？去掉前缀的那几列，再让每一行加起来重新等于 1。

# %%
among_letters = after[:, 4:] / after[:, 4:].sum(-1, keepdim=True)
print(f"largest difference to the weights without a prefix: {(among_letters - weights).abs().max():.1e}")

# %% [markdown] lang="en"
# So this is what a prefix **can never do** to this head: make `g` prefer `r` to `a` if it did not before. It can only
# take attention away from the whole word, and add something of its own. (The next layer then reads changed letters, so
# across several layers it can do more.)
#
# *Short path: go on to lesson 03 from here.*
#
# ## A prefix of zeros
#
# PEFT offers `init_weights="zero"`: all keys and values zero. Guess first: does a prefix of zeros change anything?

# %% [markdown] lang="zh"
# 所以，有一件事是前缀对这个头**永远做不到的**：如果 `g` 原来并不看重 `r` 胜过 `a`，前缀没法让它变成这样。前缀只能从整个单词那里拿走注意力，再添上一点自己的东西。（下一层读到的，是已经变了的字母，所以层数一多，
# 它能做到的也更多。）
#
# *短路线：从这里直接去第 3 课。*
#
# ## 全零的前缀
#
# PEFT 提供 `init_weights="zero"`：所有的键和值都是零。先猜一猜：全零的前缀会改变什么吗？

# %%
zero_shares = {}
for prefix_len in (1, 5, 20):
    zero_keys = torch.zeros(prefix_len, head_dim)
    zero_shares[prefix_len] = weights_of(query, torch.cat([zero_keys, keys]))[:, :prefix_len].sum(-1)
draw_shares(zero_shares, word)

# %% [markdown] lang="en"
# It does. A zero key scores 0 with every query, and e⁰ is 1, not 0: it takes its share of the softmax, and its value
# brings nothing in return. So a prefix of zeros makes a head quieter, the longer the more: twenty zero tokens take 60
# to 81 % of what five of these letters have to give, and only 19 % of `d`, which has a high score of its own. Quieter,
# then, but not silent. To take nothing at all, a key would have to score −∞, and that is what a mask does.

# %% [markdown] lang="zh"
# 会。全零的键与任何查询的得分都是 0，而 e⁰ 是 1，不是 0：它照样占去 softmax 的一份，它的值却什么也没有带来。所以全零的前缀会让一个头变得安静，前缀越长越安静：二十个全零的词元，会从五个字母那里各拿走 60 到 81 % 的注意力，从 `d` 那里却只拿走 19 %，因为 `d` 自己就有一个很高的得分。只是安静了些，并没有完全沉默。要想什么也不拿走，键的得分必须是 −∞，而这正是掩码做的事。

# %% [markdown] lang="en"
# ## The same in a real model
#
# A model that writes keeps the keys and values of what it has read, so that it need not compute them again: that is its
# *cache*. Whatever a layer computes next is put behind what its part of the cache holds. There stands your `torch.cat`:

# %% [markdown] lang="zh"
# ## 真实模型里也是如此
#
# 模型写下去的时候，会把读过的内容的键和值留着，免得重新计算：这就是它的**缓存**（cache）。一层接下来算出的键和值，总是接在缓存里属于这一层的那部分后面。你的 `torch.cat` 就在那里：

# %%
show_source(DynamicLayer.update, mark="torch.cat(")

# %% [markdown] lang="en"
# So PEFT has to change nothing in any model. It hands over a cache that is not empty: five virtual tokens for each
# layer, as if they had been read before.

# %% [markdown] lang="zh"
# 所以 PEFT 不需要改动任何模型。它只是交给模型一个不空的缓存：每一层有五个虚拟词元，就像之前已经读过它们一样。

# %%
torch.manual_seed(0)
config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=5)
peft_model = peft.get_peft_model(model, config)

garden = tokenizer("garden", add_special_tokens=False, return_tensors="pt").input_ids
plain_text = {"input_ids": garden, "attention_mask": torch.ones_like(garden)}
text = plain_text | {"decoder_input_ids": garden}  # it reads the word and, to keep it simple, writes the same one

# %% [markdown] lang="en"
# ### Exercise 3 · the same line, in a debugger
#
# `get_prompt` makes the cache that PEFT hands over; here we hand it to the frozen model ourselves. Stop where its first
# layer reads it. How many keys does that layer hold `before` the line with `torch.cat` has run, and how many `after`
# it? Then climb from the cache up to the attention: it is `asked_by` which class? Look first; below, you write it down.

# %% [markdown] lang="zh"
# ### 练习 3 · 在调试器里看同一行
#
# PEFT 交出去的缓存，是 `get_prompt` 造的；这里由我们自己把它交给冻结的模型。停在第一层读它的地方。`torch.cat`
# 那一行运行之前（`before`），这一层里有多少个键？运行之后（`after`）呢？然后从缓存往上走到注意力：是哪个类要的（`asked_by`）？先看，再把答案写在下面。

# %%
cache = peft_model.get_prompt(batch_size=1)
with stop_at(DynamicLayer.update, times=1, suggest=["p self.keys.shape", "p key_states.shape"]) as stop:
    output = model(**text, past_key_values=cache)

# %% [markdown] lang="en" tags=["hint"]
# A shape here is (batch, heads, tokens, head_dim). Your `cat` joined along axis 0; where do the tokens stand now?

# %% [markdown] lang="zh" tags=["hint"]
# 这里的形状是 (batch, heads, tokens, head_dim)，也就是（批次、头、词元、头的宽度）。你的 `cat` 是沿第 0 轴接的；现在词元在哪个轴上？

# %% [markdown] lang="en" tags=["hint"]
# `n` runs one line. The arrow shows the line that comes next, so a line has run when the arrow is below it.

# %% [markdown] lang="zh" tags=["hint"]
# `n` 运行一行。箭头指的是接下来要运行的那一行，所以箭头到了某一行下面，那一行才算运行过。

# %% [markdown] lang="en" tags=["hint"]
# `u` climbs to the caller. The first one is the cache of all layers; climb again. `p type(self)` asks whose method it
# is.

# %% [markdown] lang="zh" tags=["hint"]
# `u` 向上到调用者。第一个是所有层的缓存；再向上一层。`p type(self)` 能问出这个方法属于哪个类。

# %% tags=["exercise"]
check_same_line(stop, {"before": ..., "after": ..., "asked_by": ...})

# %% tags=["solution"]
held, climb = "p self.keys.shape", ["u", "u", "p type(self)", "c"]
cache = peft_model.get_prompt(batch_size=1)
with stop_at(DynamicLayer.update, times=1, commands=[held, "p key_states.shape", "n", "n", held, *climb]) as stop:
    model(**text, past_key_values=cache)

check_same_line(stop, {"before": 5, "after": 11, "asked_by": "T5Attention"})

# %% [markdown] lang="en"
# You gave the frozen model nothing but that cache. Is this already all that PEFT's model does?

# %% [markdown] lang="zh"
# 除了那个缓存，你没有给冻结的模型任何东西。PEFT 的模型所做的，就只有这些吗？

# %%
torch.equal(output.logits, peft_model(**text).logits)  # every logit, to the last bit

# %% [markdown] lang="en"
# ### Exercise 4 · does the order of virtual tokens matter?
#
# Shuffle the rows of a trained prefix, each key with its value. Is the answer another one? Say it for our head, then
# for three models. `True`: it matters.

# %% [markdown] lang="zh"
# ### 练习 4 · 虚拟词元的顺序有影响吗？
#
# 把一个训练好的前缀的各行打乱，每个键都和它的值一起移动。输出会变吗？先说我们的这个头，再说三个模型。`True` 表示有影响。

# %% [markdown] lang="en" tags=["hint"]
# Try it with our head: `order = [2, 0, 3, 1]`, then compare `attend_with_prefix` for `prefix_keys[order]` and
# `prefix_values[order]` with the unshuffled one.

# %% [markdown] lang="zh" tags=["hint"]
# 用我们的头试一试：`order = [2, 0, 3, 1]`，然后给 `attend_with_prefix` 用 `prefix_keys[order]` 和
# `prefix_values[order]`，再与没有打乱的结果比较。

# %% [markdown] lang="en" tags=["hint"]
# How do models know positions? GPT-2 adds a vector to the *embedding* of each token. Llama turns each *key* by its
# position, before it goes into the cache. T5 adds a number to each *score*, by the distance of the two places.

# %% [markdown] lang="zh" tags=["hint"]
# 模型怎样知道位置？GPT-2 给每个词元的**嵌入**加上一个向量。Llama 在每个**键**放进缓存之前，按它的位置旋转它。T5 按两个位置之间的距离，给每个**得分**加上一个数。

# %% [markdown] lang="en" tags=["hint"]
# The prefix is in the cache from the start. It never was an embedding, and nobody turned its keys. But it has scores.

# %% [markdown] lang="zh" tags=["hint"]
# 前缀一开始就在缓存里。它从来不是嵌入，也没有谁旋转过它的键。但它有得分。

# %% tags=["exercise"]
check_order({"head": ..., "GPT-2": ..., "Llama": ..., "T5": ...})

# %% tags=["solution"]
check_order({"head": False, "GPT-2": False, "Llama": False, "T5": True})


# %% [markdown] lang="en"
# Now measure it. GPT-2 and Llama are tiny and random here, which is enough: what matters is how they read.

# %% [markdown] lang="zh"
# 现在测一测。这里的 GPT-2 和 Llama 又小又随机，不过已经够了：要看的是它们怎样读。


# %%
def moved_by_order(model, task_type, text):
    # By how much the logits change when the virtual tokens are shuffled, and how large they are
    config = peft.PrefixTuningConfig(task_type=task_type, num_virtual_tokens=4)
    peft_model = peft.get_peft_model(model.eval(), config)
    table = peft_model.prompt_encoder["default"].embedding.weight  # a row for each virtual token
    with torch.no_grad():
        table.normal_(std=3)
        before = peft_model(**text).logits
        table.copy_(table[[2, 0, 3, 1]])
        return (peft_model(**text).logits - before).abs().max(), before.std()


torch.manual_seed(0)
small = {"vocab_size": 384, "bos_token_id": 0, "eos_token_id": 1}
gpt2 = GPT2LMHeadModel(GPT2Config(n_layer=2, n_head=4, n_embd=32, **small))
llama = LlamaForCausalLM(
    LlamaConfig(num_hidden_layers=2, hidden_size=32, num_attention_heads=4, intermediate_size=64, **small)
)
measured = {
    "GPT-2": moved_by_order(gpt2, "CAUSAL_LM", plain_text),
    "Llama": moved_by_order(llama, "CAUSAL_LM", plain_text),
    "T5": moved_by_order(load_tiny_t5()[0], "SEQ_2_SEQ_LM", text),
}
rows = [(name, f"{moved:.1e}", f"{spread:.1e}") for name, (moved, spread) in measured.items()]
after_exercise(4, table(("model", "logits move by", "their own spread"), rows))

# %% [markdown] lang="en"
# A prefix in GPT-2 or Llama is a **set** of virtual tokens. In T5 it is a list, since T5 gives a token far back in the
# cache another score than one close by.
#
# ## What you have seen
#
# - A prefix is rows of keys and values, put before a head's own. The query stays.
# - One softmax over both: the prefix takes a share, and the letters keep their proportions.
# - A prefix of zeros is not an empty prefix: it takes its share of the attention.
#
# Read next: section 3 of Petrov, Torr and Bibi, from which the law is. In lesson 03 the rows that were random numbers
# here are learnt.

# %% [markdown] lang="zh"
# 在 GPT-2 或 Llama 里，前缀是虚拟词元的**集合**。在 T5 里，它是一个列表，因为缓存里的词元离得远还是近，T5 给的得分不一样。
#
# ## 你看到了什么
#
# - 前缀就是几行键和值，放在一个头自己的键和值前面。查询不变。
# - 两者共用一个 softmax：前缀占去一份，字母之间的比例不变。
# - 全零的前缀不等于没有前缀：它照样占去一份注意力。
#
# 接着读：Petrov、Torr 和 Bibi 论文的第 3 节，定律就出自那里。在这里还是随机数的那几行，到了第 3 课就是学出来的。

# %%
show_progress(2)
