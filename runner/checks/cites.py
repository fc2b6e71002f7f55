"""The answer cites a file."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from fnmatch import fnmatchcase

from runner.checks import FAILS, FILE_NAME, PASSES, Example, an_answer
from runner.checks._text import quote, shorten
from runner.domain.conversation import Citation, FileId, Run
from runner.domain.report import Finding
from runner.errors import CheckBroken

MAIN_FIELD = "file"
SCHEMA = {
    "type": "object",
    "description": "At least one citation in the answer names this file.",
    "properties": {
        "file": {
            "type": "string",
            "format": FILE_NAME,
            "examples": ["receipt.pdf"],
            "minLength": 1,
            "maxLength": 300,
            "description": "The file's name, such as receipt.pdf; folders before it are ignored. "
            "* and ? stand for any characters and any one character.",
        },
    },
    "required": ["file"],
    "additionalProperties": False,
}
_CITING = an_answer(
    "A refund takes 30 days.", citations=(Citation(position=22, file_id=FileId("f1"), filename="terms.md"),)
)
EXAMPLES = (
    Example("cites: terms.md", _CITING, PASSES),
    Example("cites: '*.md'", _CITING, PASSES),
    Example("cites: receipt.pdf", _CITING, FAILS),
    Example("cites: terms.md", "A refund takes 30 days.", FAILS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    file: str

    def __post_init__(self) -> None:
        if not _base_name(self.file):
            raise ValueError(f"{self.file!r} names a folder; the name of a file is needed")

    def judge(self, run: Run) -> Finding:
        names = _cited_names(run)
        known = sorted({name for name in names if name is not None})
        holds = any(self.names(name) for name in known)
        if not holds and None in names:
            raise CheckBroken("the answer cites a file whose name is not known, and no search result tells it")
        reason = ""
        if not holds:
            reason = f"the answer cites {', '.join(known)}" if known else "the answer cites nothing"
        return Finding(
            holds=holds,
            expected=f"a citation of {quote(self.file)}",
            found=shorten(", ".join(known)) or "no citation",
            reason=shorten(reason),
        )

    def names(self, cited: str) -> bool:
        """Whether a file of this name is meant."""
        wanted, name = _base_name(self.file), _base_name(cited)
        return name == wanted or fnmatchcase(name, wanted)


def _cited_names(run: Run) -> set[str | None]:
    """The names of the cited files; None stands for those that neither citation nor search results name."""
    found = {result.file_id: result.filename for step in run.steps for result in step.results}
    return {citation.filename or found.get(citation.file_id) or None for citation in run.citations}


def _base_name(path: str) -> str:
    """Without folders, in one Unicode form: some systems store an accented letter as two characters."""
    return unicodedata.normalize("NFC", path.strip()).replace("\\", "/").rsplit("/", 1)[-1]
