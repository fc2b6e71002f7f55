"""A script for the official SDK: it takes a question and prints the answer."""

from __future__ import annotations

from runner.backends.foundry.wire import keyword_arguments
from runner.exporting import Export
from runner.exporting._python_code import SERVE_NOTE, answering_stub, approval, begin_script, client_call, quoted, write

_SIMPLE = """\
response = client.responses.create(**REQUEST, input=sys.argv[1])
if response.status != "completed":
    sys.exit(f"the response is {response.status}: {response.error or response.incomplete_details}")
"""
_LOOP = """\
items: list = [{"role": "user", "content": sys.argv[1]}]
while True:
    response = client.responses.create(**REQUEST, input=items)
    if response.status != "completed":
        sys.exit(f"the response is {response.status}: {response.error or response.incomplete_details}")
    items += response.output
    answers: list = []
    for item in response.output:
        STEPS
    if not answers:
        break
    items += answers
"""
_CALL = """\
if item.type == "function_call":
            output = answer(item.name, json.loads(item.arguments))
            answers.append({"type": "function_call_output", "call_id": item.call_id, "output": output})"""
_APPROVAL = """\
if item.type == "mcp_approval_request":
            approval = {"approval_request_id": item.id, "approve": approves(item.server_label, item.name)}
            answers.append({"type": "mcp_approval_response", **approval})"""
_END = "print(response.output_text)"


def render(export: Export) -> str:
    request = f"REQUEST: dict = {write(keyword_arguments(export.body), export)}\n"
    client = f"client = {write(client_call('OpenAI', export), export)}\n"
    stubs = [answering_stub(export)] if export.functions else []
    stubs += [_approving(export)] if export.asking_servers else []
    steps = [_CALL] * bool(export.functions) + [_APPROVAL] * bool(export.asking_servers)
    return "".join(
        (
            begin_script(export, request + client),
            f"\nfrom openai import OpenAI\n\n{request}\n",
            *(f"\n{stub}\n" for stub in stubs),
            "\n" * bool(stubs),
            SERVE_NOTE * (export.address is None),
            client,
            _LOOP.replace("STEPS", "\n        ".join(steps)) if steps else _SIMPLE,
            _END,
        )
    )


def _approving(export: Export) -> str:
    """What the file approves, as `play` does."""
    lines = [
        "def approves(server: str, tool: str) -> bool:",
        '    """Whether a call of an MCP tool that the API asks about is approved."""',
        "    match server:",
    ]
    for server in export.asking_servers:
        lines += [f"        case {quoted(server.label)}:", f"            return {approval(server, 'tool')}"]
    return "\n".join([*lines, "        case _:", "            return False"]) + "\n"
