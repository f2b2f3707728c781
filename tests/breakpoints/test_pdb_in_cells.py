"""pdb at a stage and `explain()` in a real kernel, whose input is the notebook's."""

import sys

import pytest

from tests.breakpoints.kernel import Kernel


def test_pdb_is_refused_while_the_debugger_is_on_and_works_when_it_is_off(kernel: Kernel):
    kernel.switch_on()
    if sys.version_info < (3, 12):
        assert "break_at('encode')" in kernel.run("with stop_at('encode'): ours(**batch)")
    kernel.switch_off()
    said = kernel.run("with stop_at('encode', commands=['p prefix.max().item()', 'c']): _ = ours(**batch)")
    assert "\n19\n" in said
    assert "WARNING" not in said


@pytest.mark.parametrize(("kind", "prompt"), [("pdb", "(Pdb) "), ("ipdb", "ipdb> "), (None, "ipdb> ")])
def test_pdb_in_a_cell_asks_through_the_kernels_standard_input(kernel: Kernel, kind, prompt):
    cell = kernel.start(f"with stop_at('split', where='peft', debugger={kind!r}): _ = theirs(**batch)\nprint('after')")
    for line in ("p batch_size", "u", "pp shapes()", "c"):
        assert kernel.asked() == prompt
        kernel.answer(line)
    said = kernel.finish(cell)
    assert "peft_model.py" in said
    assert "kwargs['labels']" in said
    assert "(2, 7)  int64" in said
    assert said.endswith("after\n")


def test_quitting_pdb_ends_the_block_and_later_cells_go_on(kernel: Kernel):
    cell = kernel.start("with stop_at('encode'):\n    ours(**batch)\n    print('not here')")
    assert kernel.asked() == "ipdb> "
    kernel.answer("q")
    said = kernel.finish(cell)
    assert "Quit: the rest of the block did not run." in said
    assert "not here" not in said
    assert "ran" in kernel.run("ours(**batch); print('ran')")


def test_explain_looks_at_the_last_cells_error(kernel: Kernel):
    kernel.run("import torch\nwrong = make(peft)\nwrong.prompt_encoder['default'].transform[0] = torch.nn.Linear(7, 5)")
    assert "RuntimeError" in kernel.run("wrong(**batch)")
    said = kernel.run("explain()")
    assert "self.transform(prefix_tokens)" in said
    assert "prefix_tokens: " in said
    assert "Stage 'encode', in PEFT's code" in said
    assert "Ours does this in prefix_lab/encoder.py" in said
