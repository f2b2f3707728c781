# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 01 · Step into get_peft_model
#
# In August 2023 somebody wanted to know how prefix tuning works, set a breakpoint on one line,
# `model = get_peft_model(model, peft_config)`, stepped in, and read PEFT's source from the inside. This course grew out
# of that walk. Now you make it, in the PEFT that is installed on your machine. At the end you will be able to
#
# - drive a debugger with a dozen one-letter commands, in a package that you did not write;
# - say which class wraps your model and in which table it was looked up; where each size came from; what is frozen,
#   when, and who asked for it;
# - say what has moved in PEFT since 2023.
#
# It takes about 35 minutes. Run each cell **by itself**, with Shift + Enter: at a stop, a line to type into opens below
# it. `c` lets the program go on, `q` leaves, and you cannot break anything. Afterwards the same cell is still the
# chosen one: go on with a click on the next.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import inspect

import peft
import torch
import transformers
from peft import PeftModelForSeq2SeqLM, PrefixTuningConfig, TaskType, get_peft_config, get_peft_model
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

import prefix_lab
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import show_passport, show_progress, show_source, show_stage
from prefix_lab.course.lessons.lesson_01 import (
    check_asked_by,
    check_chosen,
    check_frozen,
    check_sizes_from,
    check_who_prepares,
)
from prefix_lab.course.tiny import FOLDER

transformers.utils.logging.disable_progress_bar()

# %% [markdown] lang="en"
# ## Four lines
#
# This is all that one writes to get a T5 with a prefix. Say what the model is for and how many virtual tokens you want;
# load the model; wrap it. Here the model is the course's small T5, in a folder. With a network, a name on the hub goes
# there as well.

# %%
model_name_or_path = FOLDER / "t5"  # or "t5-base", from the hub

peft_config = PrefixTuningConfig(task_type=TaskType.SEQ_2_SEQ_LM, inference_mode=False, num_virtual_tokens=20)
model = AutoModelForSeq2SeqLM.from_pretrained(model_name_or_path)
model = get_peft_model(model, peft_config)
model.print_trainable_parameters()

# %% [markdown] lang="en"
# A million numbers are frozen, and 15,360 will train. Everything happened in the third line. So that you can step into
# it as often as you like, here it is with a fresh model each time (it changes the model and the config that it gets):


# %%
def wrap_t5():
    config = PrefixTuningConfig(task_type=TaskType.SEQ_2_SEQ_LM, inference_mode=False, num_virtual_tokens=20)
    return get_peft_model(AutoModelForSeq2SeqLM.from_pretrained(FOLDER / "t5"), config)


def wrap_gpt2():
    config = PrefixTuningConfig(task_type=TaskType.CAUSAL_LM, inference_mode=False, num_virtual_tokens=10)
    return get_peft_model(AutoModelForCausalLM.from_pretrained(FOLDER / "gpt2"), config)


# %% [markdown] lang="en"
# ## Choose: the last line
#
# `with stop_at("choose", where="peft"):` stops where PEFT's `get_peft_model` begins. The arrow points to the line that
# runs **next**. Type these, one after the other:
#
# | type | to |
# |---|---|
# | `n` | run this line (**n**ext) |
# | `p new_name` | **p**rint any expression |
# | `p model.config.d_model` | the same; `p model` alone shows the whole network |
# | `ll` | list the whole function, with its line numbers |
# | `c` | go on (**c**ontinue) |

# %%
with stop_at("choose", where="peft", suggest=["n", "n", "p new_name", "p model.config.d_model", "ll", "c"]):
    wrap_t5()

# %% [markdown] lang="en"
# (An empty Enter repeats the last command: handy after `n`. A name that does not exist yet gives a `NameError`, and
# nothing else happens.)
#
# Near the end of that list stands the line where it is decided: it looks something up in a table, and calls what it
# finds there. To press `n` until you are there is dull; `until` and a line number goes there at once. The number is
# that of *your* PEFT, and it moves with every release. So it is read from your installation:


# %%
def line_of(function, text):
    lines, first = inspect.getsourcelines(function)
    return first + max(at for at, line in enumerate(lines) if text in line)


last = line_of(get_peft_model, "return MODEL_TYPE_TO_PEFT_MODEL_MAPPING")
print("until", last)

# %% [markdown] lang="en"
# Go there, look, and step in:
#
# | type | to |
# |---|---|
# | `until` and that number | run to that line |
# | `p peft_config.task_type` | see what will be looked up |
# | `s` | **s**tep: go into a call |
# | `w` | **w**here: who called whom, the innermost last |
# | `u`, `d` | go **u**p to the caller and look around there, and **d**own again |
#
# The arguments of the call stand on lines of their own, and the arrow visits each of them before it goes in. So type
# `s` once, and then press Enter until you read `--Call--`.

# %%
into = [f"until {last}", "p peft_config.task_type", *["s"] * 7, "w", "u", "d", "c"]
with stop_at("choose", where="peft", suggest=into):
    wrap_t5()

# %% [markdown] lang="en"
# You came out in another file, `peft_model.py`, in a class that nobody had named: `PeftModelForSeq2SeqLM`.
#
# ### Exercise 1 · which class, and in which table?
#
# Now a GPT-2, which is made for another task. Stop, go to the last line, and find out there: what is the table called,
# and which class does it have for this task? Then write both names down, and run the cell again. (What you have seen
# counts: the second time, `c` is enough.)

# %% [markdown] lang="en" tags=["hint"]
# `until` with the number that was printed above. Now the arrow stands before the line with the table. `l` lists the
# lines around it.

# %% [markdown] lang="en" tags=["hint"]
# A part of a line can be printed before the line runs: type `p`, and behind it what stands between `return` and the
# first `(`. Or step in with `s`, and see where you come out.

# %% tags=["exercise"]
with stop_at("choose", where="peft", suggest=[f"until {line_of(get_peft_model, 'return MODEL_TYPE')}"]) as stop:
    wrap_gpt2()

check_chosen(stop, {"table": ..., "class": ...})

# %% tags=["solution"]
go_there, look = f"until {line_of(get_peft_model, 'return MODEL_TYPE')}", "MODEL_TYPE_TO_PEFT_MODEL_MAPPING"
with stop_at("choose", where="peft", commands=[go_there, f"p {look}[peft_config.task_type]", "c"]) as stop:
    wrap_gpt2()

check_chosen(stop, {"table": "MODEL_TYPE_TO_PEFT_MODEL_MAPPING", "class": "PeftModelForCausalLM"})

# %% [markdown] lang="en"
# ## Prepare: where the sizes come from
#
# You said 20 virtual tokens, and nothing of layers or heads. PEFT reads these from `model_config`, and each family of
# models has other names for them. So it tries one name after the other. In the debugger, the way that the arrow takes
# through `if` and `elif` *is* the answer. One more command:
#
# | type | to |
# |---|---|
# | `pp model_config` | **p**rint **p**retty: a long dictionary, one line for each entry |
# | `r` | run until this function is about to **r**eturn |

# %%
with stop_at("prepare", where="peft", suggest=["p peft_config.num_layers", "r", "p peft_config.num_layers", "c"]):
    wrap_t5()

# %% [markdown] lang="en"
# First `None`, then 3. But from where? `r` ran past the moment.
#
# ### Exercise 2 · from which names?
#
# Walk with `n` and Enter. For each of the three fields, write the name in the model's config that it was read from: the
# one in the branch that the arrow really took. On the way, print a field before it is filled and after.

# %% [markdown] lang="en" tags=["hint"]
# `n`, then Enter, about ten times: you come past `if hasattr(orig_model_config, ...)`. Does the arrow go into that
# branch, or on to the `elif`? (Do not trust `num_layers` because it sounds right.)

# %% [markdown] lang="en" tags=["hint"]
# The next lines say `token_dim = model_config[...]`, and further down `num_attention_heads = model_config[...]`. When
# you stand behind such a line, `p peft_config.token_dim` has its number.

# %% tags=["exercise"]
with stop_at("prepare", where="peft", suggest=["p peft_config.token_dim", "n"]) as stop:
    wrap_t5()

check_sizes_from(stop, {"num_layers": ..., "token_dim": ..., "num_attention_heads": ...})

# %% tags=["solution"]
with stop_at("prepare", where="peft", commands=[*["n"] * 15, "p peft_config.token_dim", "c"]) as stop:
    wrap_t5()

check_sizes_from(stop, {"num_layers": "num_hidden_layers", "token_dim": "d_model", "num_attention_heads": "num_heads"})

# %% [markdown] lang="en"
# A T5's config has no entry `num_hidden_layers`: transformers answers to that name on its behalf. Lesson 05 shows where
# such guesses go wrong.
#
# ## Wrap: what is frozen, and when
#
# `print_trainable_parameters` said that a million numbers do not train. Somewhere each of them was told so. That is in
# `_setup_prompt_encoder`, in a loop, before the encoder is made.
#
# ### Exercise 3 · before, after, and who called
#
# How many of the base model's parameters have `requires_grad` where the function begins, and how many behind the loop?
# And which function called `_setup_prompt_encoder`? To count, type this, at both places:
#
# `p sum(one.requires_grad for one in self.base_model.parameters())`

# %% [markdown] lang="en" tags=["hint"]
# `ll` shows the function with its line numbers. The loop begins with `for name, module in`; which line is the first
# behind it, as far to the left as the `for`? `until` and that number.

# %% [markdown] lang="en" tags=["hint"]
# `u` takes you to the caller. The line with the arrow then stands in the function that called, and its name is at the
# end of the line above, before the `()`.

# %% tags=["exercise"]
with stop_at(
    "wrap", where="peft", suggest=["p sum(one.requires_grad for one in self.base_model.parameters())"]
) as stop:
    wrap_t5()

check_frozen(stop, {"before": ..., "after": ..., "called_by": ...})

# %% tags=["solution"]
count = "p sum(one.requires_grad for one in self.base_model.parameters())"
behind = line_of(peft.PeftModel._setup_prompt_encoder, "if transformer_backbone is None:")
with stop_at("wrap", where="peft", commands=[count, f"until {behind}", count, "u", "p adapter_name", "c"]) as stop:
    wrap_t5()

check_frozen(stop, {"before": 68, "after": 0, "called_by": "add_adapter"})

# %% [markdown] lang="en"
# ## Encode: a first look
#
# Wrapped is not run. When the model gets a text, the virtual tokens become numbers in `PrefixEncoder.forward`. `r` runs
# to its end; the line `--Return--` says that the value is about to be handed back.


# %%
def run(peft_model, name):
    texts = ["the food is good.", "the food is poor.", "we eat noodles."]
    batch = AutoTokenizer.from_pretrained(FOLDER / name)(texts, padding=True, return_tensors="pt")
    return peft_model(**batch, labels=batch["input_ids"]) if name == "t5" else peft_model(**batch)


torch.manual_seed(0)
with stop_at("encode", where="peft", suggest=["p prefix.shape", "r", "p past_key_values.shape", "c"]):
    run(wrap_t5(), "t5")

# %% [markdown] lang="en"
# Three texts, 20 virtual tokens, and 768 numbers for each: 3 layers, a key and a value, 128 numbers.
#
# ### Exercise 4 · who asked for the prefix?
#
# The same with GPT-2. What shape does the encoder hand back? And which function of PEFT's asked for it? (Two functions
# of torch's lie between.)

# %% [markdown] lang="en" tags=["hint"]
# First `r`, and print the shape of `past_key_values`. Then climb: `u`, and look at the file above the arrow. Is it
# torch's?

# %% [markdown] lang="en" tags=["hint"]
# `u 3` climbs three at once; `w` shows them all. Print something there, `p batch_size` say.

# %% tags=["exercise"]
with stop_at("encode", where="peft", suggest=["r"]) as stop:
    run(wrap_gpt2(), "gpt2")

check_asked_by(stop, {"shape": ..., "asked_by": ...})

# %% tags=["solution"]
with stop_at("encode", where="peft", commands=["r", "p past_key_values.shape", "u 3", "p batch_size", "c"]) as stop:
    run(wrap_gpt2(), "gpt2")

check_asked_by(stop, {"shape": (3, 10, 1024), "asked_by": "get_prompt"})

# %% [markdown] lang="en"
# You have stood at four of the eight stages; the others have lessons of their own. **All commands of this lesson**:
#
# | to look | | to move | |
# |---|---|---|---|
# | `p`, `pp` | print, print pretty | `n` | run one line |
# | `l`, `ll` | list lines around, list the function | `s` | step into a call |
# | `w` | who called whom | `r` | run to the function's end |
# | `u`, `d` | up to the caller, down again | `until 198` | run to that line |
# | `shapes()` | all tensors here, their axes by name | `c`, `q` | go on; leave |
#
# `tbreak` with a line's number, or a function's name, stops there once, after `c`. Lesson 12 has the rest, and the
# mouse: JupyterLab's own debugger and VS Code's stop at the same places.
#
# *Short path: go on to lesson 02 from here.*
#
# ## Where the encoder comes from
#
# PEFT's file says that it is based on P-tuning v2's (Liu et al., “P-Tuning v2”, 2021, [arXiv
# 2110.07602](https://arxiv.org/abs/2110.07602); THUDM/P-tuning-v2, `model/prefix_encoder.py`). Here is that form, with
# the names of P-tuning v2: `pre_seq_len`, `prefix_hidden_size`, `trans`. PEFT's own follows.


# %%
class PTuningV2Encoder(torch.nn.Module):
    def __init__(self, pre_seq_len, hidden_size, num_hidden_layers, prefix_hidden_size):
        super().__init__()
        self.embedding = torch.nn.Embedding(pre_seq_len, hidden_size)
        self.trans = torch.nn.Sequential(
            torch.nn.Linear(hidden_size, prefix_hidden_size),
            torch.nn.Tanh(),
            torch.nn.Linear(prefix_hidden_size, num_hidden_layers * 2 * hidden_size),
        )

    def forward(self, prefix):
        return self.trans(self.embedding(prefix))


show_source(peft.PrefixEncoder.__init__, peft.PrefixEncoder.forward, mark=("Embedding(", "Sequential(", "transform("))

# %% [markdown] lang="en"
# | P-tuning v2 | PEFT |
# |---|---|
# | `pre_seq_len` | `num_virtual_tokens` |
# | `hidden_size`, `num_hidden_layers` | `token_dim`, `num_layers` |
# | `prefix_hidden_size`, 512 | `encoder_hidden_size`; left out, as large as `token_dim` |
# | `trans` | `transform` |
#
# Are they the same but for names? Give one the other's weights, and compare every bit.

# %%
theirs = PTuningV2Encoder(pre_seq_len=20, hidden_size=128, num_hidden_layers=3, prefix_hidden_size=512)
config = PrefixTuningConfig(
    num_virtual_tokens=20, token_dim=128, num_layers=3, encoder_hidden_size=512, prefix_projection=True
)
pefts = peft.PrefixEncoder(config)
pefts.load_state_dict({name.replace("trans.", "transform."): one for name, one in theirs.state_dict().items()})
tokens = torch.arange(20)[None]
torch.equal(theirs(tokens), pefts(tokens))

# %% [markdown] lang="en"
# (One thing they do differently later: P-tuning v2 applies dropout to the keys and values, PEFT does not.)
#
# ## The other example
#
# The docstring of the class in which you came out has an example with LoRA. It is the same call, with another config;
# here it runs on our T5. Copies of it from 2023 have a line `"enable_lora": None` more, which today is an error.

# %%
lora = {
    "peft_type": "LORA",
    "task_type": "SEQ_2_SEQ_LM",
    "inference_mode": False,
    "r": 8,
    "target_modules": ["q", "v"],
    "lora_alpha": 32,
    "lora_dropout": 0.1,
    "fan_in_fan_out": False,
    "bias": "none",
}
with_lora = PeftModelForSeq2SeqLM(AutoModelForSeq2SeqLM.from_pretrained(FOLDER / "t5"), get_peft_config(lora))
with_lora.print_trainable_parameters()
try:
    get_peft_config(lora | {"enable_lora": None})
except TypeError as error:
    print(error)

# %% [markdown] lang="en"
# Lesson 13 follows that branch, and finds out why the number in that docstring is wrong.
#
# ## What has moved since 2023
#
# PEFT 0.4.0 is what one stepped into in August 2023. The left column was found with it, installed beside today's; the
# right one you can ask your own:

# %%
print(get_peft_model.__module__, len(inspect.signature(get_peft_model).parameters))
print(peft.PrefixEncoder.__module__)
print(type(model.get_prompt(batch_size=1)).__name__)

# %% [markdown] lang="en"
# | 0.4.0, July 2023 | today |
# |---|---|
# | `get_peft_model` in `mapping.py`, three parameters | in `mapping_func.py`, seven |
# | it prepares the config, and `add_adapter` again | `add_adapter` alone, so it has no `model_config` to print |
# | the tables are written out | each method registers itself ([#2282](https://github.com/huggingface/peft/pull/2282)) |
# | `PrefixEncoder` in one file, `tuners/prefix_tuning.py` | in a folder, and can begin with zeros (`init_weights`) |
# | `get_prompt` gives a tuple of tensors | a `Cache` ([#2096](https://github.com/huggingface/peft/pull/2096)) |
#
# What has *not* moved: the loop that freezes, the table with the embedding, the way a vector becomes keys and values.
#
# ### Exercise 5 · who prepares today?
#
# At which call would you stop today, to see the config before it is filled in?
#
# - `"a"`: in `get_peft_model`, before its last line
# - `"b"`: in `PeftModel.add_adapter`
# - `"c"`: in `PrefixEncoder.__init__`
# - `"d"`: in the model's first `forward`

# %% [markdown] lang="en" tags=["hint"]
# At the stop in “Prepare” you can ask: `u`, or `w`, shows who called.

# %% tags=["exercise"]
check_who_prepares(...)

# %% tags=["solution"]
check_who_prepares("b")

# %% [markdown] lang="en"
# ## Ours beside PEFT's
#
# In the lessons that follow, each stage is shown twice: our own code, written to be read, and PEFT's, from your
# installation. The strip above tells where in the walk you are; what is not marked is folded. Here is `encode`, where
# you have just been:

# %%
show_stage("encode", mark=("self.embedding(prefix)", "self.transform("))

# %% [markdown] lang="en"
# Is it the same? The same seed, the same model, and every logit compared to the last bit:

# %%
logits = []
for library in (peft, prefix_lab):
    base = AutoModelForSeq2SeqLM.from_pretrained(FOLDER / "t5")
    torch.manual_seed(0)
    wrapped = library.get_peft_model(base, library.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20))
    logits.append(run(wrapped, "t5").logits)

torch.equal(*logits)

# %% [markdown] lang="en"
# ## What you have seen
#
# One line, `get_peft_model(model, peft_config)`: a table chose a class, a few names gave the sizes, a loop froze the
# model, and an encoder was put beside it. You have stood at each of these places, and your passport has the stamps.

# %%
show_passport()

# %% [markdown] lang="en"
# Read next: PEFT's `mapping_func.py`, the function that you stepped through, and ours, `prefix_lab/mapping.py`.

# %%
show_progress(1)
