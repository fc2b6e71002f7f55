"""Where in a file something was written."""

from __future__ import annotations

from dataclasses import dataclass

from runner.errors import Problem, on_one_line


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file as users see it; `line` and `column` start at 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{on_one_line(self.file)}:{self.line}:{self.column}"

    def problem(self, message: str, *, path: str = "", hint: str = "") -> Problem:
        """A mistake at this place."""
        return Problem(file=self.file, line=self.line, column=self.column, path=path, message=message, hint=hint)
