"""What a hub of a class sets: the course is in each home at the first login, and a learner's own work stays."""

from pathlib import Path

from traitlets.config import PyFileConfigLoader

ROOT = Path(__file__).parents[2]


def settings(name):
    return PyFileConfigLoader(name, path=str(ROOT / "class")).load_config()


def test_a_learner_gets_the_course_at_the_first_login_and_keeps_what_they_wrote_at_later_ones(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    settings("jupyter_server_config.py")
    lessons = [*ROOT.glob("notebooks/*/*.ipynb")]
    copied = [tmp_path / "prefix_lab" / path.relative_to(ROOT / "notebooks") for path in lessons]
    assert all(own.read_bytes() == path.read_bytes() for own, path in zip(copied, lessons, strict=True))
    copied[0].write_text("mine")
    copied[1].unlink()
    settings("jupyter_server_config.py")
    assert copied[0].read_text() == "mine"
    assert copied[1].is_file()


def test_a_home_that_cannot_be_written_to_lets_the_server_start_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    assert settings("jupyter_server_config.py").MappingKernelManager.cull_idle_timeout == 1800


def test_the_hub_opens_a_lesson_that_there_is_with_the_servers_settings_beside_it(monkeypatch):
    spawner = settings("jupyterhub_config.py").Spawner
    [option] = spawner.args
    assert Path(option.removeprefix("--config=")).is_file()
    assert (ROOT / spawner.default_url.replace("/lab/tree/prefix_lab", "notebooks")).is_file()
    assert spawner.environment.to_dict()["update"]["OMP_NUM_THREADS"] == "1"
