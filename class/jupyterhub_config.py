"""What a JupyterHub sets for this course, beside all that is its own; docs/class.md says how the hub comes to read it.

`make class-test` starts a hub with this very file.
"""

import os

HERE = os.path.dirname(os.path.abspath(__file__))
c = get_config()

# All learners share the one environment beside the course: `make .venv/hub`.
c.Spawner.cmd = [os.path.join(os.path.dirname(HERE), ".venv", "bin", "jupyterhub-singleuser")]
# The file beside this one copies the course at the first login, and ends what is idle.
c.Spawner.args = [f"--config={HERE}/jupyter_server_config.py"]
c.Spawner.default_url = "/lab/tree/prefix_lab/en/00_start_here.ipynb"  # zh for a class in Chinese

c.Spawner.environment.update(
    {
        "OMP_NUM_THREADS": "1",  # thirty kernels with a thread for each core only wait for each other
        "TOKENIZERS_PARALLELISM": "false",
    }
)

# When all of them log in at once.
c.JupyterHub.concurrent_spawn_limit = 40
c.Spawner.start_timeout = 180
c.Spawner.http_timeout = 180
