"""Presentations as lines: slide after slide, each with its diagrams and notes."""

from __future__ import annotations

from functools import partial

from runner.server.extraction import MAX_PARTS, TOO_MANY_PARTS, Emit, Unreadable, read_text_in_child
from runner.server.extraction._office import Package, read_part

EXTENSIONS = frozenset({"pptx"})

_WITH_A_SLIDE = ("diagramData", "notesSlide")


extract = partial(read_text_in_child, "pptx.read")


def read(path: str, emit: Emit) -> None:
    with Package(path) as package:
        slides = _find_slides(package)
        if len(slides) > MAX_PARTS:
            raise Unreadable(TOO_MANY_PARTS)
        for slide in slides:
            links = package.links(slide)
            parts = [slide, *(link.part for kind in _WITH_A_SLIDE for link in links if link.kind == kind)]
            text = "\n".join(filter(None, (read_part(package, part) for part in parts)))
            emit({"text": text}, len(text))


def _find_slides(package: Package) -> list[str]:
    """The slides in the order of the show, which the names of their parts need not have."""
    presentation = package.main_part()
    parts = {link.id: link.part for link in package.links(presentation) if link.kind == "slide"}
    ids: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "p:sldId":
            ids.append(attributes.get("r:id", ""))

    package.parse(presentation, start)
    return [parts[slide_id] for slide_id in dict.fromkeys(ids) if slide_id in parts]
