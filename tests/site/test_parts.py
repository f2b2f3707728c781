"""What the site is made of: links of documents, what a run leaves of itself."""

import os
import subprocess
from pathlib import Path

import pytest

from notebooks.taught import TAUGHT
from prefix_lab.debugger.summary import Summary
from tests.widgets.stepper.javascript import node
from website.functions import given_back, short
from website.pages import ROOT, chosen, linked_anew, script
from website.place import place
from website.shapes import lines_of
from website.steady import cleaned, steady


@pytest.mark.parametrize(
    ("written", "leads"),
    [
        ("[a](../notebooks/en/00_start_here.ipynb)", "[a](lessons/00_start_here.ipynb)"),
        ("[a](../../docs/zh/glossary.md)", "[a](glossary.md)"),
        ("[print](cheat-sheet.html)", '<a href="cheat-sheet-print.html">print</a>'),
        ("# T\n\nEnglish · [中文](zh/glossary.md)\n\nText", "# T\n\nText"),
    ],
)
def test_a_documents_links_lead_where_the_site_has_it(written, leads):
    assert linked_anew(written, "") == leads


def test_what_differs_from_run_to_run_is_taken_out():
    said = "<A at 0x7f12ab34cd> in /home/someone/.venv/lib/python3.11/site-packages/peft/a.py, /tmp/ipykernel_12/34.py"
    assert cleaned(said) == "<A at 0x…> in peft/a.py, cell 34"
    assert steady("calls/0", [["f", 1, 2, 3, 4, 0.25, 6, 7, 8]]) == [["f", 1, 2, 3, 4, 0, 6, 7, 8]]
    held = {"5": ["int", "94332592114752"], "6": ["tuple", f"(cpu, 94332592114752, 3840) of {ROOT}/my-prefix"]}
    assert steady("values/0", held) == {"5": ["int", "…"], "6": ["tuple", "(cpu, …, 3840) of my-prefix"]}


def test_a_debuggers_colours_stay_whole_before_a_path_and_nobodys_home_is_named():
    said = f"> \x1b[32m{ROOT}/.venv/lib/python3.11/site-packages/peft/peft_model.py\x1b[39m(771), {Path.home()}/a.json"
    assert cleaned(said) == "> \x1b[32mpeft/peft_model.py\x1b[39m(771), ~/a.json"


def test_lessons_run_at_a_path_of_one_length_wherever_the_clone_lies_and_two_builds_do_not_meet():
    asked = "import os, sysconfig as at, website.steady as own; print(os.getcwd(), own.ROOT, at.get_path('purelib'))"
    seen, files = [], [ROOT / "website" / f"{name}.py" for name in ("__init__", "steady")]
    with place(files) as one, place(files) as two:
        for here in (one, two):
            surroundings = os.environ | here.environment
            run = subprocess.run([here.python, "-c", asked], cwd=here.folder, env=surroundings, capture_output=True)
            seen.append(run.stdout.decode())
            assert str(ROOT) not in seen[-1]
    assert one.folder != two.folder
    assert seen[0].replace(one.folder.name, two.folder.name) == seen[1]
    assert len(one.folder.name) == len(two.folder.name)
    assert not one.folder.exists()
    # By what lies on Python's own path a file's name is shortened: the old PEFT's is not to lose its middle.
    assert not Path(one.environment["PREFIX_LAB_CACHE"]).is_relative_to(one.folder)


def test_a_value_that_was_cut_within_the_name_of_its_folder_is_the_same_at_each_build():
    assert cleaned("'/tmp/prefix_lab-ab1c_d2e/a/b.json', /tmp/prefix_lab-ab1…") == "'a/b.json', …"


def test_a_cache_is_shown_by_the_axes_in_one_layer_and_how_many_layers_there_are():
    tensor = Summary("torch.Tensor", "", {"shape": (2, 4), "axes": ("batch", "heads")})
    parts = tuple((f"{layer}.{name}", tensor) for layer in range(3) for name in ("keys", "values"))
    own = Summary("transformers.cache_utils.DynamicCache", "", {"length": 3}, parts)
    both = Summary("transformers.cache_utils.EncoderDecoderCache", "cut…", parts=(("one", own), ("other", own)))
    axes = "`(batch, heads)` = `(2, 4)`"
    said = [given_back(line, "en") for line in lines_of(Summary("dict", "cut…", parts=(("past", both), ("n", 1))))]
    assert said == [
        "`dict`",
        "`past` `EncoderDecoderCache`",
        f"`past.one` `DynamicCache` of 3 layers, each: key {axes}, value {axes}",
        f"`past.other` `DynamicCache` of 3 layers, each: key {axes}, value {axes}",
    ]
    uneven = Summary(
        own.type, "cut…", {"length": 3}, (*parts, ("3.keys", Summary("torch.Tensor", "", {"shape": (1,)})))
    )
    assert [given_back(line, "en") for line in lines_of(uneven)][-2:] == [f"`2.values` {axes}", "`3.keys` `(1)`"]


def test_a_passage_in_two_wordings_is_the_one_for_this_site():
    text = "A\n<!-- published -->\nclone {repository}\n<!-- or -->\nask\n<!-- end -->\nB\n"
    assert chosen(text, "") == "A\nask\nB\n"
    assert chosen(text, "me/it") == "A\nclone me/it\nB\n"


def test_a_method_is_called_by_its_class_and_a_function_by_its_name():
    names = [short(name) for functions in TAUGHT.values() for name in functions]
    assert {"PeftModel.get_prompt", "get_peft_model", "_prepare_prompt_learning_config"} <= {*names}


def test_the_pages_script_is_one_that_a_browser_takes_from_the_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFIX_LAB_LANGUAGE", "zh")  # which the script sets, and a test leaves as it was
    (tmp_path / "site.js").write_text(script("zh"))
    said = subprocess.run([node(), "--check", tmp_path / "site.js"], capture_output=True, text=True).stderr
    assert said == ""
    assert "跳过" in (tmp_path / "site.js").read_text()
