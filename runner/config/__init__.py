"""Configuration: text to domain objects, or all the mistakes at once.

Here: the schemas of both files, what the schemas can't say, paths, and the words of other tools. Not here: reading
YAML by a schema (`yaml_text`), the environment and printing (`cli/`), anything remote. Nothing in here imports what a
user names.
"""

from __future__ import annotations

from runner.config.file_schemas import assistants_schema, scenario_schema
from runner.config.loading import Configuration, load_configuration

__all__ = ["Configuration", "assistants_schema", "load_configuration", "scenario_schema"]
