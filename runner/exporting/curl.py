"""One command for a shell, with everything in it but the question and the key."""

from __future__ import annotations

import re
import shlex

from runner.exporting import OPENAI_URL, PLACEHOLDER_QUESTION, Export, json_text

_END = "REQUEST"
_SPECIAL = re.compile(r"[\\$`]")


def render(export: Export) -> str:
    """The body comes in on standard input: an argument may have 128 KiB on Linux, instructions have more."""
    body = {**export.body, "input": PLACEHOLDER_QUESTION}
    key = [f'--header "Authorization: Bearer ${export.key_variable}"'] if export.key_variable else []
    parts = [f"curl --silent --show-error --fail-with-body {_url(export)}", *key]
    parts.append(f"--header 'Content-Type: application/json' --data-binary @- <<{_document(export, body)}")
    return " \\\n  ".join(parts)


def _url(export: Export) -> str:
    if export.address is None:
        path = f"${{{OPENAI_URL}%/v1}}{export.embedded_path}" if export.embedded_path else f"${OPENAI_URL}"
        return f'"{path}/responses"'
    url = export.address.rstrip("/") + "/responses"
    parts = list(export.split(url))
    return "".join(shlex.quote(part) if isinstance(part, str) else f'"${{{part.name}}}"' for part in parts)


def _document(export: Export, body: dict[str, object]) -> str:
    """The shell looks into the document for variables only where there are some."""
    names = sorted(set(export.secrets.values()))
    marked = json_text(export.show(body, "\0{}\0".format))
    mark = re.compile(rf"\\u0000({'|'.join(map(re.escape, names))})\\u0000")
    if not names or not mark.search(marked):
        return f"'{_END}'\n{marked}\n{_END}"
    texts_and_names = mark.split(marked)
    texts = [_SPECIAL.sub(r"\\\g<0>", text) for text in texts_and_names[::2]]
    variables = [f"${{{name}}}" for name in texts_and_names[1::2]]
    filled = "".join(text + name for text, name in zip(texts, [*variables, ""], strict=True))
    return f"{_END}\n{filled}\n{_END}"
