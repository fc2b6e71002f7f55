"""The answer does not cite a file."""

from __future__ import annotations

from dataclasses import dataclass

from runner.checks import BREAKS, FAILS, PASSES, Example, an_answer, parameters
from runner.checks._text import quote, tell
from runner.checks.cites import SCHEMA as CITES
from runner.checks.cites import OfFile, cited_names
from runner.domain.conversation import Citation, FileId, Run
from runner.domain.report import Finding
from runner.errors import CheckBroken

MAIN_FIELD = "file"
SCHEMA = parameters(
    "No citation in the answer names this file; `not_cites: '*'` is an answer that cites nothing. A pass on a file "
    "that the assistant doesn't get is weak.",
    required=["file"],
    file=CITES["properties"]["file"],
)
_TERMS = Citation(position=22, file_id=FileId("f1"), filename="terms.md")
EXAMPLES = (
    Example("not_cites: receipt.pdf", an_answer("A refund takes 30 days.", citations=(_TERMS,)), PASSES),
    Example("not_cites: '*'", an_answer("A refund takes 30 days.", citations=(_TERMS,)), FAILS),
    Example(
        "not_cites: receipt.pdf",
        an_answer("30 days.", citations=(Citation(position=7, file_id=FileId("unknown")),)),
        BREAKS,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(OfFile):
    def judge(self, run: Run) -> Finding:
        names = cited_names(run)
        known = sorted({name for name in names if name is not None})
        cited = [name for name in known if self.names(name)]
        if not cited and None in names and self.file != "*":
            raise CheckBroken("the answer cites a file whose name is not known, and no search result tells it")
        holds = not cited and not names if self.file == "*" else not cited
        found = ", ".join(known) or ("a file without a name" if names else "no citation")
        reason = "" if holds else f"the answer cites {', '.join(cited) or 'a file'}"
        return tell(f"no citation of {quote(self.file)}", found, reason)
