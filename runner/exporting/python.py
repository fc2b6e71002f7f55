"""A script for the official SDK: it takes a question and prints the answer."""

from __future__ import annotations

from runner.exporting import Export, answering_stub, python_text

_SIMPLE = """
response = client.responses.create(**REQUEST, input=sys.argv[1])
"""
_LOOP = """
items: list = [{"role": "user", "content": sys.argv[1]}]
while True:
    response = client.responses.create(**REQUEST, input=items)
    asked = len(items) + len(response.output)
    items += response.output
    for item in response.output:
        %s
    if len(items) == asked:
        break
"""
_CALL = """if item.type == "function_call":
            output = answer(item.name, json.loads(item.arguments))
            items.append({"type": "function_call_output", "call_id": item.call_id, "output": output})"""
_APPROVAL = """if item.type == "mcp_approval_request":
            approval = {"approval_request_id": item.id, "approve": approves(item.server_label, item.name)}
            items.append({"type": "mcp_approval_response", **approval})"""
_END = """
if response.status != "completed":
    sys.exit(f"the response is {response.status}: {response.error or response.incomplete_details}")
print(response.output_text)
"""


def render(export: Export) -> str:
    request = f"REQUEST: dict = {export.literal(dict(export.body))}\n"
    client = f"client = {export.literal(export.client('OpenAI'))}\n"
    steps = [_CALL] * bool(export.functions) + [_APPROVAL] * bool(export.asking_servers)
    stubs = [answering_stub(export)] if export.functions else []
    stubs += [_approving(export)] if export.asking_servers else []
    asking = _LOOP % "\n        ".join(steps) if steps else _SIMPLE
    before = "".join(f"\n\n{stub}" for stub in stubs) + "\n" * bool(stubs)
    imports = ["json"] * bool(export.functions) + ["os"] * ("os.environ[" in request + client) + ["sys"]
    head = f'"""The assistant {_title(export)}; ask it: python FILE "a question"."""\n\n'
    imported = "".join(f"import {name}\n" for name in imports) + "\nfrom openai import OpenAI\n\n"
    note = "# OPENAI_BASE_URL and OPENAI_API_KEY are as `runner serve` prints them.\n" if export.address is None else ""
    text = head + imported + request + before + "\n" + note + client + asking.lstrip("\n") + _END.lstrip("\n")
    return text.rstrip("\n")


def _title(export: Export) -> str:
    """The address, which has no quotes and no escapes in it."""
    return f"'{export.assistant.address}'"


def _approving(export: Export) -> str:
    """What the file approves, as `play` does."""
    lines = [
        "def approves(server: str, tool: str) -> bool:",
        '    """Whether a call of an MCP tool that the API asks about is approved."""',
        "    match server:",
    ]
    for server in export.asking_servers:
        approved = server.approved_tools
        tools = None if approved is None else "[" + ", ".join(map(python_text, sorted(approved))) + "]"
        lines += [f"        case {python_text(server.label)}:", f"            return {tools and f'tool in {tools}'}"]
    return "\n".join(lines).replace("return None", "return True") + "\n    return False\n"
