"""`runner serve`: the embedded server for any client that speaks OpenAI's API."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli._session import state_folder
from runner.errors import UsageError

if TYPE_CHECKING:
    from socket import socket

    from runner.domain.assistant import InferenceChoice
    from runner.server.app import Service

DEFAULT_PORT = 8787
TOKEN_VARIABLE = "RUNNER_TOKEN"
MIN_TOKEN_CHARACTERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """The command line of `serve`, as given."""

    port: int
    host: str
    state: Path | None
    token: str | None = field(repr=False)
    inference: str
    model: str | None
    embedding_model: str | None
    key_env: str | None
    slots: int | None
    sandbox: str
    faults: Path | None
    quiet: bool


@click.command(name="serve", short_help="Serve the embedded server to any client.")
@click.option("-p", "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="0: any.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--state", type=click.Path(path_type=Path), help="Its folder, instead of the project's .runner/embedded.")
@click.option(
    "--token",
    help=f"The key that clients need, {MIN_TOKEN_CHARACTERS} characters at least, instead of a random one; "
    f"better set {TOKEN_VARIABLE}.",
)
@click.option("--inference", default="offline", show_default=True, help="offline, scripted=FILE, or a URL up to /v1.")
@click.option("--model", metavar="NAME", help="With a URL: the model to ask for, instead of each assistant's own.")
@click.option("--embedding-model", metavar="NAME", help="With a URL: the model for embeddings, for file search.")
@click.option("--key-env", metavar="NAME", help="With a URL: the environment variable that holds its key.")
@click.option("--slots", type=click.IntRange(1), help="With a URL: how many runs the endpoint works on at once.")
@click.option("--sandbox", default="monty", show_default=True, help="What runs the code interpreter's code.")
@click.option("--faults", type=click.Path(path_type=Path), help="A file of what is to go wrong on its connections.")
@click.option("-q", "--quiet", is_flag=True, help="No line for each request.")
def command(**arguments: Any) -> int:
    """Serve the embedded server on this machine until Ctrl-C, and print the lines that point a client at it.

    Whoever has the token may do everything. The state folder may be shared with other servers, `play` and `sync`.

    Exits 0 when it is stopped (Ctrl-C or SIGTERM), 2 if it can't start as asked, 3 if the state can't be used.
    """
    import asyncio

    from runner.cli._targets import open_faults, open_inference
    from runner.server.app import Service, names_of
    from runner.server.embedded import open_listener
    from runner.server.sandboxes import need_sandbox
    from runner.server.tools import ToolSettings

    wanted = Arguments(**arguments)
    choice = read_inference(wanted)
    token = _read_token(wanted.token)
    inference = open_inference(choice, _read_key(wanted.key_env))
    faults = open_faults(wanted.faults)
    need_sandbox(wanted.sandbox)
    with open_listener(wanted.host, wanted.port) as listener:
        state = wanted.state or _find_state(Path.cwd())
        tools = ToolSettings(sandbox=wanted.sandbox)
        tell = None if wanted.quiet else partial(click.echo, err=True)
        service = Service(
            state=state,
            inference=inference,
            token=token,
            hosts=names_of(wanted.host),
            tools=tools,
            faults=faults,
            tell=tell,
        )
        asyncio.run(_serve(wanted, listener, service))
    return 0


def read_inference(wanted: Arguments) -> InferenceChoice:
    """Raises UsageError for what is no inference."""
    from runner.config.declared_targets import inferences_by_name
    from runner.domain.assistant import ByName, ChatEndpoint, Scripted

    is_url = wanted.inference.startswith(("http://", "https://"))
    if is_url:
        return ChatEndpoint(
            base_url=wanted.inference,
            model=wanted.model,
            embedding_model=wanted.embedding_model,
            key_variable=wanted.key_env,
            slots=wanted.slots,
        )
    if wanted.model or wanted.embedding_model or wanted.key_env or wanted.slots:
        raise UsageError("--model, --embedding-model, --key-env and --slots go with an --inference that is a URL")
    if wanted.inference in inferences_by_name():
        return ByName(name=wanted.inference)
    name, separator, path = wanted.inference.partition("=")
    if name != "scripted" or not separator or not path:
        names = ", ".join(inferences_by_name())
        raise UsageError(
            f"--inference {wanted.inference!r}: write {names}, scripted=FILE, or a URL such as http://127.0.0.1:11434/v1"
        )
    return Scripted(script=Path(path))


def _read_key(variable: str | None) -> str:
    key = os.environ.get(variable, "") if variable else ""
    if variable and not key:
        raise UsageError(f"the environment variable {variable} (--key-env) is not set, or empty")
    return key


def _read_token(token: str | None) -> str:
    """Given, from the environment, or a new one. Raises UsageError, which never shows it."""
    from runner.server.embedded import make_token

    given = token if token is not None else os.environ.get(TOKEN_VARIABLE)
    if given is None:
        return make_token()
    if len(given) < MIN_TOKEN_CHARACTERS:
        raise UsageError(f"the token has fewer than {MIN_TOKEN_CHARACTERS} characters; leave it out for a random one")
    if not given.isascii() or not given.isprintable() or " " in given:
        raise UsageError("the token has a character in it that a header can't hold; use letters and digits")
    return given


def _find_state(cwd: Path) -> Path:
    """That of the nearest project, whose `play` and `sync` then see the same objects; else in `cwd`."""
    from runner.config.paths import find_project_file

    try:
        root = find_project_file(None, cwd).parent
    except UsageError:
        root = cwd
    return state_folder(root) / "embedded"


async def _serve(wanted: Arguments, listener: socket, service: Service) -> None:
    from runner.cli import tie_stop
    from runner.server.app import Server, serve

    def started(server: Server) -> None:
        tie_stop(server)
        _say_hello(wanted, listener, service)

    await serve(service, listener, started)
    click.echo("runner: stopped", err=True)


def _say_hello(wanted: Arguments, listener: socket, service: Service) -> None:
    """On stdout: comments, and the lines to paste into a shell."""
    from shlex import quote

    from runner.domain.hosts import is_loopback
    from runner.escaping import terminal_line
    from runner.server.app import is_wildcard
    from runner.server.embedded import LOOPBACK, base_url

    url = base_url(listener, LOOPBACK if is_wildcard(wanted.host) else wanted.host)
    answered_by = (
        "offline rules, not a language model" if service.inference.name == "offline" else service.inference.name
    )
    is_from_environment = wanted.token is None and TOKEN_VARIABLE in os.environ
    shown_token = f'"${TOKEN_VARIABLE}"' if is_from_environment else quote(service.token)
    click.echo(f"# serving {url} · answered by {terminal_line(answered_by)}")
    click.echo(f"# state in {terminal_line(str(service.state))} · Ctrl-C stops")
    click.echo(f"export OPENAI_BASE_URL={quote(url)}")
    click.echo(f"export OPENAI_API_KEY={shown_token}")
    if not is_loopback(wanted.host):
        click.echo(
            f"runner: warning: {wanted.host} can be reached from other machines, unencrypted; "
            "whoever has the token, or listens on the way, may do everything",
            err=True,
        )
