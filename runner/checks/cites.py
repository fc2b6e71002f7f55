"""The answer cites a file."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from runner.checks import BREAKS, FAILS, FILE_NAME, PASSES, Example, an_answer, parameters, text_field
from runner.checks._text import has_passage, normalise_wanted, quote, tell
from runner.domain.conversation import Citation, FileId, Run, SearchResult, Step
from runner.domain.report import Finding
from runner.errors import CheckBroken

MAIN_FIELD = "file"
NEEDS_TOOLS = ("file_search", "web_search", "code_interpreter", "mcp")
SCHEMA = parameters(
    "At least one citation in the answer names this file, and what it cites has this passage in it.",
    required=["file"],
    file=text_field(
        "The file's name, such as receipt.pdf; folders before it are ignored, as are capitals. * and ? stand for any "
        "characters and any one character.",
        "receipt.pdf",
        format=FILE_NAME,
        maxLength=300,
    ),
    passage=text_field(
        "A text in the cited place: in what the citation quotes, or else in what file search found in that file. "
        "Upper and lower case and kinds of space make no difference.",
        "within 30 days",
        maxLength=10_000,
    ),
)
_CITING = an_answer(
    "A refund takes 30 days.", citations=(Citation(position=22, file_id=FileId("f1"), filename="terms.md"),)
)
_RESULT = SearchResult(file_id=FileId("f1"), filename="terms.md", score=0.9, text="Refunds are paid within 30 days.")
_FOUND = replace(_CITING, steps=(Step(tool="file_search", completed=True, results=(_RESULT,)),))
EXAMPLES = (
    Example("cites: terms.md", _CITING, PASSES),
    Example("cites: '*.md'", _CITING, PASSES),
    Example("cites: {file: terms.md, passage: within 30 days}", _FOUND, PASSES),
    Example("cites: {file: terms.md, passage: 60 days}", _FOUND, FAILS),
    Example("cites: {file: terms.md, passage: 60 days}", _CITING, BREAKS),
    Example("cites: receipt.pdf", _CITING, FAILS),
    Example("cites: terms.md", "A refund takes 30 days.", FAILS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfFile:
    """A check that is about a file, or several, by a name with * and ?."""

    file: str

    def __post_init__(self) -> None:
        if not _base_name(self.file):
            raise ValueError(f"{self.file!r} names a folder; the name of a file is needed")

    def names(self, cited: str) -> bool:
        """Whether a file of this name is meant."""
        return fnmatchcase(_base_name(cited), _base_name(self.file).replace("[", "[[]"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(OfFile):
    passage: str | None = None

    def __post_init__(self) -> None:
        OfFile.__post_init__(self)
        if self.passage is not None:
            normalise_wanted(self.passage, case=False)

    def judge(self, run: Run) -> Finding:
        names = cited_names(run)
        known = sorted({name for name in names if name is not None})
        holds = any(self.names(name) for name in known)
        if not holds and None in names:
            raise CheckBroken("the answer cites a file whose name is not known, and no search result tells it")
        reason = ""
        if not holds:
            reason = f"the answer cites {', '.join(known)}" if known else "the answer cites nothing"
        elif self.passage is not None and not self._cites_passage(run, self.passage):
            reason = f"what it cites there hasn't {quote(self.passage)}"
        wanted = f"a citation of {quote(self.file)}{f' with {quote(self.passage)}' if self.passage else ''}"
        return tell(wanted, ", ".join(known) or "no citation", reason)

    def _cites_passage(self, run: Run, passage: str) -> bool:
        results = [result for step in run.steps for result in step.results]
        names = {result.file_id: result.filename for result in results}
        cited = [one for one in run.citations if self.names(one.filename or names.get(one.file_id) or "")]
        files = {one.file_id for one in cited if not one.quote}
        texts = [one.quote for one in cited if one.quote] + [one.text for one in results if one.file_id in files]
        if not texts:
            raise CheckBroken("it is not known which passage the answer cites: the API tells neither quote nor result")
        return any(has_passage(text, passage, case=False) for text in texts)


def cited_names(run: Run) -> set[str | None]:
    """The names of the cited files; None stands for those that neither citation nor search results name."""
    found = {result.file_id: result.filename for step in run.steps for result in step.results}
    return {citation.filename or found.get(citation.file_id) or None for citation in run.citations}


def _base_name(path: str) -> str:
    """Without folders, in one Unicode form (some systems store an accented letter as two characters) and case."""
    return unicodedata.normalize("NFC", path.strip()).casefold().replace("\\", "/").rsplit("/", 1)[-1]
