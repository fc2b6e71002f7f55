"""Python imports this at the start of every process whose PYTHONPATH has this folder: the children of the tests."""

import app_listening

app_listening.install()
