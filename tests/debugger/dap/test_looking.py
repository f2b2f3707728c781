"""What is shown at a stop: stacks, scopes, values and their inside, expressions, sources."""

from __future__ import annotations

import copy

import pytest

from prefix_lab.debugger import Recording, record
from prefix_lab.debugger.summary import Summary
from tests.debugger.dap.client import connected
from tests.debugger.dap.conftest import line_of


def with_axes(value):
    """A value with names for the tests' tensors, as `prefix_lab.shapes` would find them."""
    if not isinstance(value, Summary):
        return value
    facts = value.facts
    if facts.get("shape") == (4, 20, 128):
        facts = facts | {"axes": ("batch", "prefix_len", "hidden")}
    parts = tuple((name, with_axes(part)) for name, part in value.parts)
    return Summary(value.type, value.text, facts, parts, value.number)


def makes(size):
    import torch

    prefix = torch.zeros(4, 20, size)
    held = {"key": prefix, "odd name": [1, 2.5, "text", None], "many": list(range(100))}
    text = "\x1b[31mred\ud800"
    prefix.add_(1)
    return held, text


@pytest.fixture(scope="module")
def tensors():
    with record([makes]) as recording:
        makes(128)
    return altered(recording, values=[with_axes(value) for value in recording.columns.values])


@pytest.fixture
def client(tensors):
    """Stands before the return of `makes`."""
    with connected(tensors) as client:
        client.start(step=len(tensors) - 2)
        yield client


def test_a_tensor_is_its_shape_dtype_and_axes(client):
    prefix = client.scopes()["Locals"]["prefix"]
    assert prefix["value"] == "Tensor (batch 4, prefix_len 20, hidden 128) float32"
    assert prefix["type"] == "torch.Tensor"
    inside = {name: one["value"] for name, one in client.inside(prefix["variablesReference"]).items()}
    assert inside["shape"] == "(4, 20, 128)"
    assert inside["axes"] == "(batch, prefix_len, hidden)"
    assert inside["dtype"] == "float32"
    assert inside["version"] == "1"


def test_what_the_line_before_changed_is_marked(client):
    found = client.scopes()["Locals"]
    assert [name for name, one in found.items() if "changed" in one["presentationHint"]["attributes"]] == ["prefix"]


def test_a_value_opens_to_its_parts_and_each_can_be_asked_for_by_its_expression(client):
    held = client.scopes()["Locals"]["held"]
    parts = client.inside(held["variablesReference"])
    assert parts["key"]["value"].startswith("Tensor (batch 4, prefix_len 20, hidden 128) float32")
    odd = client.inside(parts["odd name"]["variablesReference"])
    assert [odd[name]["value"] for name in "0123"] == ["1", "2.5", "'text'", "None"]
    many = client.inside(parts["many"]["variablesReference"])
    assert (many["left out"]["value"], len(many)) == ("76 of 100 items were not recorded", 26)
    asked = [odd["2"], *client.inside(parts["key"]["variablesReference"]).values()]
    frame = client.stack()[0]["id"]
    for one in asked:
        answer = client.request("evaluate", expression=one["evaluateName"], frameId=frame)
        assert answer["result"].strip("'") in one["value"].replace(",)", ")") or one["name"] in ("shape", "axes")


def test_text_of_the_program_cannot_steer_a_terminal(client):
    assert client.locals()["text"] == r"'\x1b[31mred\ud800'"


def test_scopes_say_what_a_line_gives_and_what_is_watched(walk):
    client, path = walk
    client.break_at(path, line_of(path, "y.append(x)"))
    client.move("continue")
    scopes = client.scopes()
    assert list(scopes) == ["Locals", "Watched"]
    assert client.gives() == {"y": "[0, 0]"}
    assert scopes["Watched"]["len(y)"]["value"] == "1"
    assert client.request("evaluate", expression="len(y)")["result"] == "1"
    assert client.scopes(frame=1)["Locals"]["i"]["value"] == "0"
    pane = client.request("scopes", frameId=client.stack()[0]["id"])["scopes"][0]["variablesReference"]
    client.move("next")
    assert "is not known at this step" in client.refused("variables", variablesReference=pane)


def test_a_stack_comes_in_pages(walk):
    client, path = walk
    client.break_at(path, line_of(path, "y.append(x)"))
    client.move("continue")
    answer = client.request("stackTrace", threadId=1, startFrame=1, levels=1)
    assert [frame["name"] for frame in answer["stackFrames"]] == ["main"]
    assert answer["totalFrames"] == 3
    assert client.stack(startFrame=3) == []


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("prefix.shape[1] * 2", "40"),
        ("prefix.shape", "(4, 20, 128)"),
        ("held['key'].dtype", "'float32'"),
        ("len(held) == 3 and size > 100", "True"),
        (" size ", "128"),
        ("held['odd name'][1] / 2", "1.25"),
    ],
)
def test_expressions_over_recorded_names_are_worked_out(client, expression, result):
    for context in ("watch", "hover", "repl", "clipboard"):
        assert client.request("evaluate", expression=expression, context=context)["result"] == result


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("nothing", "nothing has no value here. Names that have: size, torch, prefix, held, text."),
        ("prefix.grad", "was not recorded"),
        ("held['lost']", "was not recorded"),
        ("prefix.shape[9]", "IndexError"),
        ("size / 0", "ZeroDivisionError"),
        ("__import__('os')", "cannot be worked out on a recording"),
        ("prefix.zero_()", "cannot be worked out on a recording"),
        ("size =", "is not an expression"),
        ("", "is not an expression"),
        ("(" * 999, "expression"),
    ],
    ids=lambda text: text[:20],
)
def test_what_cannot_be_worked_out_is_said(client, expression, told):
    assert told in client.refused("evaluate", expression=expression)
    assert client.locals()["size"] == "128"


def test_a_file_that_is_here_as_recorded_is_named_by_its_path(doubles):
    recording, path = doubles
    with connected(recording) as client:
        client.start()
        assert client.stack()[0]["source"] == {"name": "program.py", "path": str(path)}
        assert client.request("loadedSources")["sources"] == [{"name": "program.py", "path": str(path)}]
        found = client.request("source", sourceReference=0, source={"path": str(path)})
        assert found["content"] == recording.sources[str(path)]


def test_a_file_that_has_changed_or_gone_is_served_as_it_was(tmp_path, doubles):
    recording, path = doubles
    text = recording.sources[str(path)]
    moved = elsewhere(recording, str(path), str(tmp_path / "package" / "program.py"))
    (tmp_path / "package").mkdir()
    for there in (None, "# another text\n"):
        if there:
            (tmp_path / "package" / "program.py").write_text(there)
        with connected(moved) as client:
            client.start()
            source = client.stack()[0]["source"]
            assert source["origin"] == "recorded"
            number = source["sourceReference"]
            assert client.request("source", sourceReference=number)["content"] == text
            breakpoints = client.request(
                "setBreakpoints", source=source, breakpoints=[{"line": line_of(path, "total = 0")}]
            )["breakpoints"]
            assert breakpoints[0]["verified"]
            client.move("continue")
            assert client.at() == ("main", line_of(path, "total = 0"))
            assert "there is no source" in client.refused("source", sourceReference=99)


def test_a_file_recorded_in_another_folder_is_found_by_the_end_of_its_path(tmp_path, doubles):
    recording, path = doubles
    moved = elsewhere(recording, str(path), "/far/away/package/program.py")
    line = line_of(path, "total = 0")
    with connected(moved) as client:
        client.start()
        assert client.break_at(tmp_path / "package" / "program.py", line)[0]["verified"]
        assert not client.break_at(tmp_path / "other" / "program.py", line)[0]["verified"]
        assert client.break_at(path, line)[0]["verified"]  # no folder in common, and the same text


def elsewhere(recording: Recording, file: str, name: str) -> Recording:
    """The recording, as if it were of a file of that name."""
    functions = [(name, *rest) for _, *rest in recording.columns.functions]
    found = altered(recording, functions=functions)
    found.sources = {name: recording.sources[file]}
    return found


def altered(recording: Recording, **tables: list) -> Recording:
    """A copy of a recording, with other tables."""
    found = copy.copy(recording)
    found._columns = copy.copy(recording.columns)
    vars(found._columns).update(tables)
    return found


def test_a_question_without_an_answer_raises_no_window(walk):
    client, _ = walk
    answer = client.response(client.send("evaluate", expression="nothing", context="watch"))
    assert answer["body"]["error"]["showUser"] is False
    assert client.response(client.send("gotoTargets", source={"path": "/no"}, line=1))["body"]["error"]["showUser"]


@pytest.mark.parametrize("command", ["setVariable", "setExpression"])
def test_a_value_cannot_be_set_and_a_sentence_says_what_to_do(walk, command):
    assert "nothing in it can be changed. To see what another value would do" in walk[0].refused(command)


def test_the_console_completes_names_and_what_is_known_of_a_value(client):
    def completed(text):
        return [one["label"] for one in client.request("completions", text=text, column=len(text) + 1)["targets"]]

    assert completed("pre") == ["prefix"]
    assert completed("size + he") == ["held"]
    assert {"dtype", "shape"} <= {*completed("prefix.")}
    assert completed("prefix.sh") == ["shape"]
    assert completed("nothing.") == []


def test_names_hold_within_the_lines_of_their_function(walk):
    client, path = walk
    client.break_at(path, line_of(path, "y.append(x)"))
    client.move("continue")
    inner, outer = (client.request("scopes", frameId=client.stack()[at]["id"])["scopes"][0] for at in (0, 1))
    assert (inner["line"], inner["endLine"]) == (1, line_of(path, "return sum(y)"))
    assert outer["line"] == line_of(path, "def main")


def test_a_client_that_shows_no_types_is_sent_none(doubles):
    with connected(doubles[0]) as client:
        client.request("initialize", adapterID="prefix-lab", supportsVariableType=False)
        client.request("launch")
        client.request("configurationDone")
        client.event("stopped")
        client.move("stepIn")
        assert all("type" not in one for one in client.scopes()["Locals"].values())


def test_our_extension_asks_for_stages_lines_counts_and_histories(walk):
    client, path = walk
    client.break_at(path, line_of(path, "return sum(y)"))
    client.move("continue")
    frame = client.stack()[0]["id"]
    told = client.request("prefixLab/stages")
    assert (told["stages"], told["changed"]) == ([], [])
    lines = client.request("prefixLab/lines", frameId=frame)["lines"]
    assert {"line": line_of(path, "y.append(x)"), "text": "y = [0, 0]"} in lines
    functions = client.request("prefixLab/counts", source={"path": str(path)})["functions"]
    assert {"name": "double", "line": 1, "calls": 4, "exceptions": 0} in functions
    assert {one["name"] for one in functions} == {"double", "main"}, "a module and a class are no functions"
    values = client.request("prefixLab/history", frameId=frame, name="y")["values"]
    assert [one["value"] for one in values] == ["[0]", "[0, 0]"]
    assert "never had a value" in client.refused("prefixLab/history", frameId=frame, name="z")
    client.request("prefixLab/goto", step=values[0]["step"])
    assert client.event("stopped")["reason"] == "goto"
    assert client.at() == ("double", line_of(path, "y = [x]"))


def test_a_stage_of_the_walk_is_a_function_breakpoint(walk):
    [found] = walk[0].request("setFunctionBreakpoints", breakpoints=[{"name": "encode"}])["breakpoints"]
    assert found["message"] == "The stage 'encode' was not come through in this recording."
