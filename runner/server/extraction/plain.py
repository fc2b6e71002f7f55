"""Text, Markdown and source code: what is written is what is found."""

from __future__ import annotations

from runner.server.extraction import read_text

EXTENSIONS = frozenset("c cpp cs css go java js json md php py rb sh tex ts txt".split())
extract = read_text
