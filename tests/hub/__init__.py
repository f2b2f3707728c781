"""A class: a real JupyterHub with local learners."""
