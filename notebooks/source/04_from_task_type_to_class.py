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
# what if it had been another one? At the end of this lesson you will be able to
#
# - say which class a config leads to, before running it;
# - find the tables behind it, and say who fills them, and when;
# - recognise a wrong task type: by its error, or by a loss that comes without one.
#
# It takes about 15 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready()

import inspect

import peft
import torch
from peft.utils import register_peft_method

import prefix_lab
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import after_exercise, load_tiny_t5, make_batch, record_walk, show_progress, show_stage, table
from prefix_lab.course.lessons.lesson_04 import check_classes, check_outcomes, check_registry, draw_choice
from prefix_lab.widgets import Mirror

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
# The table itself is a dictionary with six entries. It is imported, so its home is another file of PEFT.

# %%
classes = peft.mapping_func.MODEL_TYPE_TO_PEFT_MODEL_MAPPING
for task_type, task_class in classes.items():
    print(f"{task_type:20} → {task_class.__name__}")
print("\nthe same object as in peft.auto:", classes is peft.auto.MODEL_TYPE_TO_PEFT_MODEL_MAPPING)

# %% [markdown] lang="en"
# ### Exercise 1 · which class for which job?
#
# Six jobs. Write the name of the class that should wrap the model, or the class itself, such as
# `peft.PeftModelForCausalLM`.

# %% [markdown] lang="en" tags=["hint"]
# What comes out of the model? A text, one label, a label for each token, two places in the text, or vectors?

# %% tags=["exercise"]
check_classes(
    {
        "T5 writes a summary": ...,
        "GPT-2 writes on": ...,
        "BERT says: spam or not": ...,
        "BERT marks every name in a text": ...,
        "BERT finds where the answer stands": ...,
        "BERT turns a text into vectors for a search": ...,
    }
)

# %% tags=["solution"]
check_classes(
    {
        "T5 writes a summary": peft.PeftModelForSeq2SeqLM,
        "GPT-2 writes on": peft.PeftModelForCausalLM,
        "BERT says: spam or not": peft.PeftModelForSequenceClassification,
        "BERT marks every name in a text": peft.PeftModelForTokenClassification,
        "BERT finds where the answer stands": peft.PeftModelForQuestionAnswering,
        "BERT turns a text into vectors for a search": peft.PeftModelForFeatureExtraction,
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
# Four calls of PEFT. Say what comes of each: `"KeyError"`, `"ValueError"`, `"PeftModel"`, `"PeftModelForCausalLM"` or
# `"PeftModelForSeq2SeqLM"`.

# %% [markdown] lang="en" tags=["hint"]
# Three of the four you can follow in the picture. The name that does not exist never gets as far as that.

# %% [markdown] lang="en" tags=["hint"]
# For the T5: which of the three questions asks for the model?

# %% tags=["exercise"]
check_outcomes(
    {
        "a prefix, task_type=None": ...,
        "a prefix, task_type='SUMMARIZE'": ...,
        "LoRA, task_type=None": ...,
        "a prefix, task_type='CAUSAL_LM', and the model is a T5": ...,
    }
)

# %% tags=["solution"]
check_outcomes(
    {
        "a prefix, task_type=None": "KeyError",
        "a prefix, task_type='SUMMARIZE'": "ValueError",
        "LoRA, task_type=None": "PeftModel",
        "a prefix, task_type='CAUSAL_LM', and the model is a T5": "PeftModelForCausalLM",
    }
)


# %% [markdown] lang="en"
# Now run them, PEFT's and ours. Which of the messages would help you?


# %%
def outcome(library, kind, task_type, **fields):
    model, _ = load_tiny_t5()
    try:
        config = getattr(library, kind)(task_type=task_type, **fields)
        return type(library.get_peft_model(model, config)).__name__
    except (KeyError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


rows = []
for library in (peft, prefix_lab):
    for task_type in (None, "SUMMARIZE", "CAUSAL_LM"):
        said = outcome(library, "PrefixTuningConfig", task_type, num_virtual_tokens=4)
        rows.append((library.__name__, "a prefix", task_type, said))
    said = outcome(library, "LoraConfig", None, target_modules=["q", "v"])
    rows.append((library.__name__, "LoRA", None, said))
after_exercise(2, table(("library", "method", "task_type", "what comes of it"), rows))

# %% [markdown] lang="en"
# ## The trap
#
# PEFT does not compare the task type with the model. Here is a T5, wrapped by the class for models like GPT-2. In the
# first batch both words have the same length; in the second they do not.

# %%
model, tokenizer = load_tiny_t5()
torch.manual_seed(0)
config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
wrong = peft.get_peft_model(model, config)
for words in (["garden", "planet"], ["garden", "piano"]):
    batch = make_batch(tokenizer, words, [word[::-1] for word in words])
    try:
        print(words, "loss", wrong(**batch).loss.item())
    except RuntimeError as error:
        print(words, error)

# %% [markdown] lang="en"
# The first batch gives a loss, and would be trained on. The second has padding, so the mask counts, and this class has
# made the *encoder's* mask longer by `prefix_len`, while the prefix went to the decoder. If an error about shapes
# speaks of a size that is too large by exactly your `num_virtual_tokens`, look at the task type first.
#
# ## Stand in it
#
# Both libraries ran this walk on the tiny T5, and every line is kept. One row of buttons moves both: line by line, and
# with **stage ▶** to the next stage; the one that comes to its end first waits for the other. You are at `choose`. Step
# over (`n`) to where the class is looked up, then into it (`s`); to move one side alone, press `m` or choose it beside
# the buttons. The last pane says what both hold at this place, and whether it is equal.

# %%
ours, theirs = record_walk("prefix_lab", model=False), record_walk("peft", model=False)
mirror = Mirror(ours, theirs, labels=("ours", "PEFT's"))
mirror.goto_stage("choose")
mirror

# %% [markdown] lang="en"
# ## The other tables, and who fills them
#
# The *task type* chose the class that wraps the model. The *method* (prefix tuning, LoRA, …) chooses the config class,
# and what is put inside. These tables are empty in PEFT's source:

# %%
lines = inspect.getsource(peft.mapping).splitlines()
print(*[line for line in lines if "_MAPPING: dict" in line], sep="\n")
print("\nentries, now that PEFT is imported:", len(peft.mapping.PEFT_TYPE_TO_CONFIG_MAPPING))
for method in ("PREFIX_TUNING", "PROMPT_TUNING", "LORA"):
    config_class = peft.mapping.PEFT_TYPE_TO_CONFIG_MAPPING[method]
    inside = peft.mapping.PEFT_TYPE_TO_TUNER_MAPPING[method]
    print(f"{method:14} {config_class.__name__:20} {inside.__name__}")

# %% [markdown] lang="en"
# Each method's folder has a line that registers it, and runs when PEFT is imported. So a breakpoint on the table shows
# nothing: by the time your program runs, it is full.

# %%
print(inspect.getsource(peft.tuners.prefix_tuning).splitlines()[-1])

# %% [markdown] lang="en"
# To see it at work, register prefix tuning once more, and stop inside with pdb. What does it think of that?

# %%
try:
    with stop_at(
        register_peft_method,
        commands=["p name, config_cls.__name__", "p name.upper() in list(PeftType)", "c"],
        debugger="pdb",
    ):
        register_peft_method(name="prefix_tuning", config_cls=peft.PrefixTuningConfig, model_cls=peft.PrefixEncoder)
except KeyError as error:
    print(error)

# %% [markdown] lang="en"
# ### Exercise 3 · a registry of your own
#
# Write one that is kinder. `register(task_type, kind)` keeps a class under a name. `choose(task_type)` gives that class
# back; for a name that nobody registered it raises a `ValueError` that says the name and lists those that are known. A
# name that is taken is refused, also with a `ValueError`.

# %% [markdown] lang="en" tags=["hint"]
# A dict does the work: `self.classes[task_type] = kind`, and `task_type in self.classes` asks whether a name is there.

# %% [markdown] lang="en" tags=["hint"]
# `raise ValueError(f"task_type={task_type!r} is not known. Set one of {', '.join(self.classes)}.")`

# %% [markdown] lang="en" tags=["hint"]
# Ask before you write: in `register`, the `if` comes before the assignment. And make the dict in `__init__`, so that
# each registry has its own.


# %% tags=["exercise"]
class Registry:
    def __init__(self):
        self.classes = ...

    def register(self, task_type, kind): ...

    def choose(self, task_type):
        return ...


check_registry(Registry)


# %% tags=["solution"]
class Registry:
    def __init__(self):
        self.classes = {}

    def register(self, task_type, kind):
        if task_type in self.classes:
            raise ValueError(f"task_type={task_type!r} is taken by {self.classes[task_type].__name__}.")
        self.classes[task_type] = kind

    def choose(self, task_type):
        if task_type not in self.classes:
            raise ValueError(f"task_type={task_type!r} is not known. Set one of {', '.join(self.classes)}.")
        return self.classes[task_type]


check_registry(Registry)

# %% [markdown] lang="en"
# ## The other branch
#
# Why does LoRA need no task type, when a prefix does? LoRA changes layers inside the model, and the model is called as
# before. A prefix comes from outside: it has to be made for the batch and put into the cache, and the mask has to grow.
# Only a class that knows the task's inputs can do that. Lesson 13 takes LoRA's branch.

# %%
for name in ("PrefixTuningConfig", "LoraConfig"):
    print(f"{name:20} is_prompt_learning: {getattr(peft, name)(task_type='CAUSAL_LM').is_prompt_learning}")

# %% [markdown] lang="en"
# ## What you have seen
#
# - The task type is the key of a plain dictionary, and what it finds is called at once.
# - Without a task type, PEFT fails with `KeyError: None`. A name that does not exist is refused when the config is
#   made. The wrong name is accepted: the error comes later and in another place, or not at all.
# - The tables of methods are filled by `register_peft_method` while PEFT is imported.
#
# Read next: `prefix_lab/mapping.py`, and the table of all six in `prefix_lab/beside/wrapping.py`. Lesson 05 follows the
# config into the class.

# %%
show_progress(4)
