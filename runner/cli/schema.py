"""`runner schema`: the JSON Schemas of our files, for editors and other tools."""

from __future__ import annotations

import click


@click.command(name="schema", short_help="Print the JSON Schema of our files.")
@click.argument("kind", type=click.Choice(["assistants", "report", "scenario"]))
def command(kind: str) -> None:
    """Print the JSON Schema (2020-12) of assistants.yaml, of a scenario file, or of the JSON report.

    For an editor that speaks the YAML language server, save it and begin the YAML file with
    `# yaml-language-server: $schema=PATH`.
    """
    from runner.config.file_schemas import schema_text
    from runner.reporting import report_schema

    click.echo(report_schema() if kind == "report" else schema_text(kind), nl=False)
