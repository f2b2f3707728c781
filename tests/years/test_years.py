"""PEFT of another year: installed once, walked through there, brought back with names, and held beside today's."""

import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from prefix_lab.course import record_walk
from prefix_lab.debugger import Breakpoint
from prefix_lab.terminal.commands import main
from prefix_lab.widgets import Mirror
from prefix_lab.years import environment
from prefix_lab.years.beside import then_and_now
from prefix_lab.years.environment import CannotHave, Release, release

OPTIONS = {"keep": "statistics", "model": False}
BETWEEN = ("0.8.2", "0.13.2")
EMPTY = {"peft": "0.4.99", "transformers": "4.31.99"}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A folder where no old PEFT is yet."""
    monkeypatch.setenv("PREFIX_LAB_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def of_2023(peft_of_2023):
    return record_walk("peft==0.4.0", **OPTIONS)


@pytest.fixture(scope="session")
def of_today():
    return record_walk("peft", named=False, **OPTIONS)


def test_the_walk_of_2023_ran_in_its_own_source_and_its_axes_have_names(of_2023):
    assert any(file.endswith("peft/tuners/prefix_tuning.py") for file in of_2023.sources)
    cursor = of_2023.cursor()
    assert cursor.run_to(Breakpoint("PrefixEncoder.forward"))
    for _ in range(4):
        cursor.step_over()
    shown = {name: value.facts["axes"] for name, value in cursor.locals.items() if "axes" in value.facts}
    assert shown["prefix"] == ("batch", "prefix_len")
    assert shown["past_key_values"] == ("batch", "prefix_len", "2·layers·hidden")


def test_each_stage_says_what_is_equal_what_moved_and_what_is_new(of_2023, of_today):
    said = {one.stage: dict(one.lines()) for one in then_and_now(of_2023, of_today)}
    assert said["choose"]["moved"] == "from peft/mapping.py to peft/mapping_func.py"
    assert "low_cpu_mem_usage" in said["choose"]["new"]
    assert said["prepare"]["ran"] == "2 times then, 1 now"
    assert said["encode"]["equal"] == "self, prefix_tokens, past_key_values, the result"
    assert "EncoderDecoderCache" in said["split"]["other"]
    assert "digits" not in said["split"]["other"]
    assert "the last digits alone" in said["attend"]["other"]


def test_a_mirror_walks_then_and_now_in_step_stage_by_stage(of_2023, of_today):
    mirror = Mirror(of_2023, of_today, labels=("2023", "now"))
    assert mirror.parted is None
    for stage in ("choose", "wrap", "encode", "split", "attend"):
        mirror.goto_stage(stage, end=True)
        ours, theirs = (cursor.step.function.rpartition(".")[2] for cursor in mirror.cursors)
        assert ours == theirs


@pytest.mark.parametrize("number", BETWEEN)
def test_releases_between_are_installed_and_walked_through_as_well(number, cache):
    walked = record_walk(f"peft=={number}", install=True, named=False, **OPTIONS)
    assert any(file.startswith(str(cache)) for file in walked.sources)
    assert {"PrefixEncoder.forward", "PeftModel.get_prompt"} <= {name for _, name, _ in walked.columns.functions}


def test_what_was_installed_once_needs_no_network_and_no_question(of_2023, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://localhost:1/nowhere")
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("it asked again"))
    assert len(record_walk("peft==0.4.0", **OPTIONS)) == len(of_2023)


def test_the_command_prints_both(of_2023, capsys):
    assert main(["walk", "--peft", "0.4.0"]) == 0
    printed = capsys.readouterr().out
    assert "PEFT 0.4.0 with transformers 4.31.0, beside PEFT" in printed
    assert re.search(r"encode\n +then +peft/tuners/prefix_tuning\.py", printed)


def test_without_consent_nothing_is_installed(cache, monkeypatch):
    asked = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "n")
    with pytest.raises(CannotHave, match=r"not here yet\. They take about 130 MB .* --peft 0\.5\.0 --yes"):
        record_walk("peft==0.5.0")
    assert [*cache.iterdir()] == []
    assert re.fullmatch(r"peft==0\.5\.0 and .* about 130 MB .* Install them now\? \[y/N\] ", asked[0])


def test_where_nobody_can_be_asked_nothing_is_installed(cache):
    program = "from prefix_lab.course import record_walk; record_walk('peft==0.5.0')"
    done = subprocess.run([sys.executable, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.stderr.count("peft==0.5.0 and transformers==4.33.3 are not here yet") == 1


def test_a_release_that_cannot_be_had_says_why_and_leaves_nothing_behind(cache):
    wanted = Release("0.4.99", "4.31.0")
    with pytest.raises(CannotHave, match=r"could not be installed.*0\.4\.99"):
        environment.have(wanted, lambda _: True)
    assert not wanted.folder.exists()
    assert [one.suffix for one in wanted.folder.parent.iterdir()] == [".lock"]


def wheels(folder):
    """Where pip finds a peft and a transformers that have nothing in them, without the net."""
    folder.mkdir()
    for name, number in EMPTY.items():
        with ZipFile(folder / f"{name}-{number}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}.py", "")
            wheel.writestr(f"{name}-{number}.dist-info/METADATA", f"Name: {name}\nVersion: {number}\n")
            wheel.writestr(f"{name}-{number}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr(f"{name}-{number}.dist-info/RECORD", "")
    return folder


@pytest.fixture
def wants(cache, tmp_path_factory):
    """Has another process want a release of empty packages; it prints the folder in the end."""
    found = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels(tmp_path_factory.mktemp("net") / "wheels"))}
    program = f"""if True:
        from prefix_lab.years.environment import Release, have
        print(have(Release(*{tuple(EMPTY.values())}), lambda asked: True).folder)
    """

    def start(python=sys.executable):
        command, environment = [python, "-c", program], {**os.environ, **found}
        return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    return start


PYTHON = Path(sys.executable).relative_to(sys.prefix)


def made_by(*processes):
    """The folders that they print in the end, each with what it takes to run."""
    folders = [Path(process.communicate()[0].strip()) for process in processes]
    for folder in folders:
        program = "from importlib.metadata import version; print(version('peft'), version('transformers'))"
        found = subprocess.check_output([folder / PYTHON, "-c", program], text=True).split()
        assert found == [*EMPTY.values()]
    return folders


def test_of_two_who_want_it_at_once_one_makes_it_and_the_other_finds_it(wants):
    both = [wants(), wants()]
    said = [process.stderr.read() for process in both]
    assert len({*made_by(*both)}) == 1
    assert sorted(text.count("Installing") for text in said) == [0, 1]


def test_two_pythons_with_one_torch_have_a_folder_each_and_leave_the_others_alone(wants, tmp_path_factory):
    other = tmp_path_factory.mktemp("python")
    venv.create(other, symlinks=os.name != "nt")
    of_other = Path(sysconfig.get_path("purelib", vars={"base": str(other)}))
    (of_other / "ours.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    [first] = made_by(wants())
    made = first.stat()
    second, again = made_by(wants(other / PYTHON), wants())
    assert second != first == again
    assert (first.stat().st_ino, first.stat().st_mtime) == (made.st_ino, made.st_mtime)


def test_what_was_made_through_a_link_lasts_when_the_link_is_gone(wants, tmp_path):
    link = tmp_path / "venv"
    link.symlink_to(sys.prefix)
    [folder] = made_by(wants(link / PYTHON))
    link.unlink()
    assert made_by(wants()) == [folder]
    subprocess.check_call([folder / PYTHON, "-c", "from importlib.metadata import version; version('packaging')"])


def test_one_who_is_interrupted_leaves_nothing_that_is_taken_for_whole(wants, cache):
    killed = wants()
    assert killed.stderr.readline().startswith("Installing")
    killed.kill()
    killed.communicate()
    [folder] = made_by(wants())
    assert sorted(cache.joinpath("years").iterdir()) == [folder, folder.with_name(f"{folder.name}.lock")]


def test_an_environment_is_the_same_by_whichever_link_one_comes_to_it(peft_of_2023, tmp_path, monkeypatch):
    (tmp_path / "venv").symlink_to(sys.prefix)
    monkeypatch.setattr(sys, "executable", sys.executable.replace(sys.prefix, str(tmp_path / "venv")))
    assert release("peft==0.4.0").is_here


def test_a_folder_that_cannot_be_written_is_said(cache, monkeypatch):
    (cache / "years").touch()
    with pytest.raises(CannotHave, match=r"cannot be written: .* Set PREFIX_LAB_CACHE"):
        environment.have(Release("0.5.0", "4.33.3"), lambda asked: True)


def test_a_transformers_that_does_not_fit_says_so(of_2023, monkeypatch):
    monkeypatch.setattr(Release, "python", property(lambda self: sys.executable))
    monkeypatch.setattr(Release, "is_here", True)
    with pytest.raises(CannotHave, match=r"The walk through peft==0.4.0 .* failed: .*Try the transformers of another"):
        record_walk("peft==0.4.0", **OPTIONS | {"keep": "no such"})


@pytest.mark.parametrize("asked", ["peft==x", "peft==", "peft==0.4.0 torch==1.0", "peft==0.99.0", "peft==0.4.0 peft"])
def test_a_text_that_names_no_release_is_refused_with_what_was_expected(asked):
    with pytest.raises(ValueError, match=rf"where='{re.escape(asked)}'.*transformers"):
        release(asked)


def test_an_option_that_does_not_go_with_another_peft_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["walk", "--peft", "0.4.0", "--batch", "3"])
    assert "--batch does not go with --peft" in capsys.readouterr().err
