"""File search found a file, or a passage, at a good rank."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runner.checks import BREAKS, FAILS, FILE_NAME, PASSES, Example, an_answer, field, parameters, text_field
from runner.checks._text import has_passage, normalise_wanted, quote, tell
from runner.checks.cites import OfFile
from runner.checks.tool_called import calls_of
from runner.domain.conversation import FileId, Run, SearchResult, Step
from runner.domain.report import Finding
from runner.errors import CheckBroken

MAIN_FIELD = "file"
NEEDS_TOOLS = ("file_search",)
SCHEMA = parameters(
    "One of the results of a file search, at this rank or a better one, is from this file and has this passage in it: "
    "what the assistant was given to answer from. It is about the search, not the answer. Where an API doesn't tell "
    "what was found, the check is an error.",
    least=1,
    file=text_field("The file's name, as in `cites`.", "receipt.pdf", format=FILE_NAME, maxLength=300),
    passage=text_field(
        "A text in the result; upper and lower case and kinds of space make no difference.",
        "within 30 days",
        maxLength=10_000,
    ),
    rank=field(
        "integer", "The worst rank that passes: 1 is the first result of a search. Without it, any.", 3, minimum=1
    ),
)
_FOUND = (
    SearchResult(file_id=FileId("f1"), filename="terms.md", score=0.9, text="Refunds are paid within 30 days."),
    SearchResult(file_id=FileId("f2"), filename="receipt.pdf", score=0.4, text="Burger 23.75"),
)
_RUN = an_answer("30 days.", steps=(Step(tool="file_search", completed=True, results=_FOUND),))
EXAMPLES = (
    Example("searched: {file: terms.md, passage: within 30 days, rank: 1}", _RUN, PASSES),
    Example("searched: {file: receipt.pdf, rank: 1}", _RUN, FAILS),
    Example("searched: terms.md", "30 days.", FAILS),
    Example("searched: terms.md", an_answer("30 days.", steps=(Step(tool="file_search", completed=True),)), BREAKS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    file: str | None = None
    passage: str | None = None
    rank: int | None = None

    def __post_init__(self) -> None:
        if self.file is None and self.passage is None:
            raise ValueError("say `file`, `passage` or both")
        if self.file is not None:
            OfFile(file=self.file)
        if self.passage is not None:
            normalise_wanted(self.passage, case=False)

    def names(self, found: str) -> bool:
        """Whether a file of this name is meant."""
        return self.file is None or OfFile(file=self.file).names(found)

    def judge(self, run: Run) -> Finding:
        searches = calls_of(run, "file_search")
        ranked = [(rank, one) for search in searches for rank, one in enumerate(search.results, 1)]
        if searches and not ranked and any(search.completed for search in searches):
            raise CheckBroken("a search was made, but not what it found is known")
        ranks = list(self._ranks(ranked))
        holds = bool(ranks) and (self.rank is None or min(ranks) <= self.rank)
        reason = ""
        if not holds:
            reason = (
                f"its best rank is {min(ranks)}" if ranks else "no search was made" if not searches else "not found"
            )
        found = ", ".join(f"{rank}. {one.filename}" for rank, one in ranked[:30]) or "no search result"
        return tell(self._describe(), found, reason)

    def _ranks(self, ranked: list[tuple[int, SearchResult]]) -> Iterator[int]:
        for rank, one in ranked:
            if self.names(one.filename) and (not self.passage or has_passage(one.text, self.passage, case=False)):
                yield rank

    def _describe(self) -> str:
        what = [self.file or "any file"]
        what += [f"with {quote(self.passage)}"] if self.passage else []
        what += [f"at rank {self.rank} or better"] if self.rank else []
        return f"a search that finds {' '.join(what)}"
