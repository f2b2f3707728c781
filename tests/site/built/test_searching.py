"""Chinese is searched for as it was put into the index: the page's splitting and that of the build are one."""

import json
import subprocess

import pytest

from tests.widgets.stepper.javascript import node
from website.pages import HERE
from website.searching import SearchChinese


@pytest.mark.parametrize("text", ["前缀微调", "用 PEFT 的 get_prompt 走一遍", "a prefix 的键，和值", "步", "3 层"])
def test_what_is_asked_for_in_chinese_is_split_as_what_is_found(text):
    run = f"{(HERE / 'splitting.js').read_text()}\nconsole.log(JSON.stringify(splitQuery({json.dumps(text)})));"
    done = subprocess.run([node(), "-e", run], capture_output=True, text=True, check=True)
    assert sorted(json.loads(done.stdout)) == sorted(SearchChinese({}).split(text))
