# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 04 · From task type to class
#
# You write `task_type="SEQ_2_SEQ_LM"`, and your model comes back as a `PeftModelForSeq2SeqLM`. Who read that text, and
# what if it had been another one? In this lesson you ask PEFT itself, while it decides. At the end you will be able to
#
# - find in a debugger which class a config leads to, before it is made;
# - recognise a wrong task type: by its error, or by a loss that comes without one;
# - climb the stack to the line that fills a table.
#
# It takes about 20 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import importlib
import inspect

import peft
import torch
from peft.config import PeftConfigMixin
from peft.utils import register_peft_method

import prefix_lab
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import after_exercise, load_tiny, show_progress, show_stage, table
from prefix_lab.course.lessons.lesson_04 import (
    check_classes,
    check_no_task_type,
    check_outcomes,
    check_who_fills,
    draw_choice,
)

# %% [markdown] lang="en"
# ## The place
#
# Look for the line in which the task type is used as a key. In PEFT's function it stands at the very end; what comes
# before are names, warnings, and two other ways out.

# %%
show_stage(
    "choose",
    mark=("MODEL_TYPE_TO_PEFT_MODEL_MAPPING", "mixed", "is_prompt_learning"),
    also=("prefix_lab.mapping.choose_task_class",),
)

# %% [markdown] lang="en"
# A table can be asked at any time, also before the program comes to the line that uses it. Stop on the first line of
# PEFT's `get_peft_model` and ask: which class will wrap this BERT?

# %%
bert, _ = load_tiny("bert")
config = peft.PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=4)
with stop_at(
    "choose",
    where="peft",
    suggest=[
        "p peft_config.task_type",
        "p MODEL_TYPE_TO_PEFT_MODEL_MAPPING[peft_config.task_type].__name__",
        "pp list(MODEL_TYPE_TO_PEFT_MODEL_MAPPING)",
        "c",
    ],
):
    wrapped = peft.get_peft_model(bert, config)
print(type(wrapped).__name__)

# %% [markdown] lang="en"
# Six entries, and none of them is about a family of models. `pp` prints like `p`, one part on each line.
#
# ### Exercise 1 · which class for which job?
#
# Six jobs. Write the name of the class that should wrap the model, or the class itself, such as
# `peft.PeftModelForCausalLM`.
#
# | | the job |
# |---|---|
# | `summary` | T5 reads a long text and writes a summary |
# | `go_on` | GPT-2 writes on where a text ends |
# | `spam` | BERT says of a message: spam or not |
# | `names` | BERT marks every word that is a name |
# | `answer_place` | BERT finds where in a text an answer begins and ends |
# | `search` | BERT turns a text into vectors for a search |

# %% [markdown] lang="en" tags=["hint"]
# What comes out of the model? A text, one label, a label for each token, two places in the text, or vectors?

# %% tags=["exercise"]
check_classes({"summary": ..., "go_on": ..., "spam": ..., "names": ..., "answer_place": ..., "search": ...})

# %% tags=["solution"]
check_classes(
    {
        "summary": peft.PeftModelForSeq2SeqLM,
        "go_on": peft.PeftModelForCausalLM,
        "spam": peft.PeftModelForSequenceClassification,
        "names": peft.PeftModelForTokenClassification,
        "answer_place": peft.PeftModelForQuestionAnswering,
        "search": peft.PeftModelForFeatureExtraction,
    }
)

# %% [markdown] lang="en"
# ## The way as a picture
#
# Three questions, in this order. Filled boxes are those that this config passes. Change the config and run the cell
# again: another task type, none at all, a `LoraConfig(task_type=None)`, or `draw_choice(config, mixed=True)`.

# %%
config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)
draw_choice(config)

# %% [markdown] lang="en"
# ### Exercise 2 · what happens then?
#
# Four calls, each with a T5. Say what comes of each: `"KeyError"`, `"ValueError"`, `"PeftModel"`,
# `"PeftModelForCausalLM"` or `"PeftModelForSeq2SeqLM"`.
#
# | | the config |
# |---|---|
# | `prefix_none` | `PrefixTuningConfig(task_type=None)` |
# | `prefix_summarize` | `PrefixTuningConfig(task_type="SUMMARIZE")` |
# | `lora_none` | `LoraConfig(task_type=None)` |
# | `prefix_causal` | `PrefixTuningConfig(task_type="CAUSAL_LM")` |

# %% [markdown] lang="en" tags=["hint"]
# Three of the four you can follow in the picture. The name that does not exist never gets as far as that.

# %% [markdown] lang="en" tags=["hint"]
# For `prefix_causal`: which of the three questions asks for the model?

# %% tags=["exercise"]
check_outcomes({"prefix_none": ..., "prefix_summarize": ..., "lora_none": ..., "prefix_causal": ...})

# %% tags=["solution"]
check_outcomes(
    {
        "prefix_none": "KeyError",
        "prefix_summarize": "ValueError",
        "lora_none": "PeftModel",
        "prefix_causal": "PeftModelForCausalLM",
    }
)


# %% [markdown] lang="en"
# Now run them, PEFT's and ours. Which of the messages would help you?


# %%
def outcome(library, kind, task_type, **fields):
    model, _ = load_tiny("t5")
    try:
        config = getattr(library, kind)(task_type=task_type, **fields)
        return type(library.get_peft_model(model, config)).__name__
    except (KeyError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


rows = []
for library in (peft, prefix_lab):
    for task_type in (None, "SUMMARIZE", "CAUSAL_LM"):
        said = outcome(library, "PrefixTuningConfig", task_type, num_virtual_tokens=4)
        rows.append((library.__name__, "PrefixTuningConfig", task_type, said))
    said = outcome(library, "LoraConfig", None, target_modules=["q", "v"])
    rows.append((library.__name__, "LoraConfig", None, said))
after_exercise(2, table(("library", "config", "task_type", "outcome"), rows))

# %% [markdown] lang="en"
# ### Exercise 3 · where the two part
#
# LoRA without a task type becomes a `PeftModel`; a prefix without one becomes `KeyError: None`. The same function ran
# both times. The stop below is reached twice, first with LoRA's config, then with the prefix's. Find the value that the
# two do not share, **at both stops**, and write its name into `answer`. (The debugger opens for you when you run the
# cell. `c` leads from the first stop to the second, and from there out.)

# %% [markdown] lang="en" tags=["hint"]
# The line that decides begins with `if peft_config.task_type not in`. It joins two questions with `and`. `ll` shows the
# whole function.

# %% [markdown] lang="en" tags=["hint"]
# You need not step to that line: all that it asks is known on the first line already. Print each half, at both stops.

# %% tags=["exercise"]
answer = ...
with stop_at("choose", where="peft", suggest=["p type(peft_config).__name__", "p peft_config.task_type", "c"]) as stop:
    for config in (peft.LoraConfig(target_modules=["q"]), peft.PrefixTuningConfig(num_virtual_tokens=4)):
        try:
            print(type(peft.get_peft_model(load_tiny("t5")[0], config)).__name__)
        except KeyError as error:
            print("KeyError:", error)

check_no_task_type(stop, answer)

# %% tags=["solution"]
answer = "is_prompt_learning"
asked = ["p peft_config.task_type in MODEL_TYPE_TO_PEFT_MODEL_MAPPING", "p peft_config.is_prompt_learning", "c"]
with stop_at("choose", where="peft", commands=asked * 2) as stop:
    for config in (peft.LoraConfig(target_modules=["q"]), peft.PrefixTuningConfig(num_virtual_tokens=4)):
        try:
            print(type(peft.get_peft_model(load_tiny("t5")[0], config)).__name__)
        except KeyError as error:
            print("KeyError:", error)

check_no_task_type(stop, answer)

# %% [markdown] lang="en"
# Why does LoRA need no task type, when a prefix does? LoRA changes layers inside the model, and the model is called as
# before. A prefix comes from outside: it has to be made for the batch and put into the cache, and the mask has to grow.
# Only a class that knows the task's inputs can do that. Lesson 13 takes LoRA's branch.
#
# ## A name that does not exist
#
# `SUMMARIZE` was refused before `get_peft_model` was called at all. By whom? A dataclass may check itself as soon as it
# is made, in a method called `__post_init__`. `w` (where) prints the whole stack, your own cell at the top, the line
# where you stand at the bottom.

# %%
try:
    with stop_at(
        PeftConfigMixin.__post_init__, suggest=["p self.task_type", "p self.task_type in list(TaskType)", "w"]
    ):
        peft.PrefixTuningConfig(task_type="SUMMARIZE", num_virtual_tokens=4)
except ValueError as error:
    print(error)

# %% [markdown] lang="en"
# ## A name that exists, and is the wrong one
#
# PEFT does not compare the task type with the model. Here is a T5, wrapped by the class for models like GPT-2. In the
# first batch both texts have the same length; in the second they do not.

# %%
t5, tokenizer = load_tiny("t5")
torch.manual_seed(0)
wrong = peft.get_peft_model(t5, peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4))
for texts in (
    ["name amber bell food noodles", "name amber bridge food seafood"],
    ["name amber bell", "name amber bridge food seafood"],
):
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    try:
        print(tuple(batch.input_ids.shape), "loss", wrong(**batch, labels=batch.input_ids).loss.item())
    except RuntimeError as error:
        print(tuple(batch.input_ids.shape), error)

# %% [markdown] lang="en"
# The first batch gives a loss, and would be trained on. The second has padding, so the mask counts, and this class has
# made the *encoder's* mask longer by `prefix_len`, 4, while the prefix went to the decoder. If an error about shapes
# speaks of a size that is too large by exactly your `num_virtual_tokens`, look at the task type first.
#
# ## Who fills the tables?
#
# The *task type* chose the class that wraps the model. The *method* (prefix tuning, LoRA, …) chooses what is put
# inside, from a second table. In PEFT's source that table is empty:

# %%
lines = inspect.getsource(peft.mapping).splitlines()
print(*[line for line in lines if "_MAPPING: dict" in line], sep="\n")
print(len(peft.mapping.PEFT_TYPE_TO_CONFIG_MAPPING), len(peft.mapping.PEFT_TYPE_TO_TUNER_MAPPING))
for method in ("PREFIX_TUNING", "PROMPT_TUNING", "LORA"):
    config_class = peft.mapping.PEFT_TYPE_TO_CONFIG_MAPPING[method]
    inside = peft.mapping.PEFT_TYPE_TO_TUNER_MAPPING[method]
    print(f"{method:14} {config_class.__name__:20} {inside.__name__}")

# %% [markdown] lang="en"
# It is full before the first line of your own program runs: `register_peft_method` writes into it while PEFT is being
# imported. So we import one part of PEFT once more, and stop there.
#
# ### Exercise 4 · who calls it?
#
# You stand in `register_peft_method`. Climb to the line that called it (`u`, or read `w`), and write the file that this
# line is in. PEFT refuses to register a method twice, so at the end there is a `KeyError`, and nothing has changed.

# %% [markdown] lang="en" tags=["hint"]
# `u` goes one frame up: it prints that frame's file, the line number in brackets, and below it the line itself. If you
# come into `importlib`, that is Python importing the file: one too far, `d` goes down again.

# %% tags=["exercise"]
answer = ...  # such as "peft/peft_model.py"
try:
    with stop_at(register_peft_method, suggest=["p name", "p config_cls.__name__", "c"]) as stop:
        importlib.reload(peft.tuners.prefix_tuning)
except KeyError as error:
    print(error)

check_who_fills(stop, answer)

# %% tags=["solution"]
answer = "peft/tuners/prefix_tuning/__init__.py"
try:
    with stop_at(register_peft_method, commands=["p name", "u", "p __file__", "c"]) as stop:
        importlib.reload(peft.tuners.prefix_tuning)
except KeyError as error:
    print(error)

check_who_fills(stop, answer)

# %% [markdown] lang="en"
# Each method has a folder in `peft/tuners/`, and its `__init__.py` ends with such a line. A method of your own would be
# added in the same way.
#
# ## What you have seen
#
# - The task type is the key of a plain dictionary, and the class that it finds is called at once.
# - Without a task type, PEFT fails with `KeyError: None`. A name that does not exist is refused when the config is
#   made. The wrong name is accepted: the error comes later and in another place, or not at all.
# - The tables of methods are filled by `register_peft_method` while PEFT is imported.
#
# Read next: `prefix_lab/mapping.py`, and the table of all six in `prefix_lab/beside/wrapping.py`. Lesson 05 follows the
# config into the class.

# %%
show_progress(4)
