"""HTML source into tags and text, in time linear in its length.

The standard library's `HTMLParser` takes a minute for 80 KB of unclosed tags (Python 3.11.7) and holds the
interpreter's lock meanwhile. Here an unclosed construct ends the document, as the HTML standard has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Their content is no text of the page; it ends only at their own end tag.
_HIDDEN = frozenset("iframe noembed noframes script style template textarea xmp".split())
_TAG = re.compile(r"""<(/?)([a-zA-Z][^\s/>]*+)(?=(?P<rest>(?:[^"'>]++|"[^"]*+"|'[^']*+')*))(?P=rest)>""")
_END_TAGS = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in _HIDDEN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A start or end tag; `name` is in lower case."""

    name: str
    closes: bool


def read_markup(source: str) -> Iterator[Tag | str]:
    """Tags and the text between them (with its character references); comments and scripts are left out."""
    position = 0
    while (start := source.find("<", position)) >= 0:
        if start > position:
            yield source[position:start]
        if source.startswith("<!--", start):
            end = source.find("-->", start + 2)
            position = end + 3
        elif source.startswith(("<!", "<?"), start):
            end = source.find(">", start)
            position = end + 1
        elif re.match("/?[a-zA-Z]", source[start + 1 : start + 3]):
            match = _TAG.match(source, start)
            end = match.end() if match else -1
            if match:
                tag = Tag(name=match[2].lower(), closes=bool(match[1]))
                yield tag
                end = position = _skip_hidden(source, tag, end)
        else:
            yield "<"
            end = position = start + 1
        if end < 0:
            return
    yield source[position:]


def _skip_hidden(source: str, tag: Tag, position: int) -> int:
    """Where reading goes on after `tag`; -1 if its hidden content never ends."""
    if tag.closes or tag.name not in _HIDDEN:
        return position
    match = _END_TAGS[tag.name].search(source, position)
    return match.start() if match else -1
