"""The hub of `make class-test`: class/jupyterhub_config.py, and learners of this machine alone, each with a home."""

import os
from pathlib import Path

ROOT, FOLDER = Path(__file__).parents[2], Path(os.environ["CLASS_TEST_FOLDER"])
c = get_config()
load_subconfig(str(ROOT / "class" / "jupyterhub_config.py"))

c.JupyterHub.bind_url = os.environ["CLASS_TEST_URL"]
c.JupyterHub.hub_port = int(os.environ["CLASS_TEST_HUB_PORT"])
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{os.environ['CLASS_TEST_PROXY_PORT']}"
c.ConfigurableHTTPProxy.command = os.environ["CLASS_TEST_PROXY"].split("\n")
c.JupyterHub.db_url = f"sqlite:///{FOLDER / 'hub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(FOLDER / "secret")
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = os.environ["CLASS_TEST_TOKEN"]
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(FOLDER / "home" / "{username}")
c.Spawner.env_keep = ["LANG", "LC_ALL"]
if os.getuid() == 0:
    c.Spawner.args.append("--allow-root")
scopes = ["admin:users", "admin:servers", "access:servers"]
c.JupyterHub.services = [{"name": "class-test", "api_token": os.environ["CLASS_TEST_TOKEN"]}]
c.JupyterHub.load_roles = [{"name": "class-test", "scopes": scopes, "services": ["class-test"]}]
