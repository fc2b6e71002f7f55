"""PDF as lines rebuilt from the glyphs and where they stand on the page."""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from math import cos, degrees, radians, sin
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unicodedata import category

from runner.server.extraction import (
    ENCRYPTED,
    MAX_PARTS,
    TIMEOUT_S,
    TOO_MANY_PARTS,
    Emit,
    Unreadable,
    picture,
    read_in_child,
)
from runner.server.extraction._layout import Glyph, form_words, read_lines

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

EXTENSIONS = frozenset({"pdf"})

_READER, _SECOND_READER = "pdf.read", "pdf.read_again"
_NO_TEXT_LAYER = "it has no text layer (a scan, or empty pages)"
_NO_READABLE_TEXT = "it has no readable text: its fonts don't say which characters their signs stand for"
_ROOT = re.compile(rb"\b([0-9]{1,9}) 0 obj\s{0,9}<<[^>]{0,999}/Type\s{0,9}/Catalog")
_PICTURE_SCALE = 2  # 144 dots an inch
_EM = 0.85  # of a font's box
_MAX_SLANT_DEGREES = 5  # a scan isn't quite straight
_MAX_GARBAGE = 0.3  # of the characters of a page whose text can be read
_HYPHENS = dict.fromkeys("\x02\xad\ufffe", "-")  # PDFium's signs for hyphens at the ends of lines


def extract(path: Path, timeout_s: float = TIMEOUT_S) -> str:
    reading = read_in_child(_READER, path, timeout_s)
    if reading.is_broken:
        second = read_in_child(_SECOND_READER, path, timeout_s)
        # An empty page where the first reader broke down tells nothing.
        is_better = any(part["text"] for part in second.parts) or bool(second.reason and not second.is_broken)
        reading = second if is_better else reading
    if reading.reason:
        raise Unreadable(reading.reason)
    pages = list(reading.parts)
    if any(page.get("is_drawn") and not page["text"] for page in pages) and picture.can_read_pictures():
        pictures = read_in_child("pdf.read_pictures", path, picture.TIMEOUT_S, picture.MAX_MEMORY_BYTES)
        for part in pictures.parts:
            pages[part["page"]] |= {"text": part["text"]}
    return _join_pages(pages)


def _join_pages(pages: Sequence[dict[str, Any]]) -> str:
    """The pages' texts; a page that shows something, but no text, is named."""
    if not any(page["text"] for page in pages):
        is_garbage = any(page.get("is_garbage") for page in pages)
        raise Unreadable((_NO_READABLE_TEXT if is_garbage else _NO_TEXT_LAYER) + _advice())
    shown = []
    for number, page in enumerate(pages, 1):
        if page["text"]:
            shown.append(page["text"])
        elif page.get("is_drawn"):
            shown.append(f"[page {number} has no {'readable ' if page['is_garbage'] else ''}text{_advice()}]")
    return "\n\n".join(shown)


def _advice() -> str:
    return "" if picture.can_read_pictures() else f"; {picture.NEEDS_EXTRA}"


def read(path: str, emit: Emit) -> None:
    """The first reader, with PDFium.

    Emits for each page `{"text": ..., "is_drawn": ..., "is_garbage": ...}`: whether there is anything on it, and
    whether its text has characters that stand for nothing.
    """
    document = _open(path)
    if len(document) > MAX_PARTS:
        raise Unreadable(TOO_MANY_PARTS)
    document.init_forms()
    for number in range(len(document)):
        page = document[number]
        text, is_garbage = _read_page(document, page)
        emit({"text": text, "is_drawn": any(page.get_objects()), "is_garbage": is_garbage}, len(text))
        page.close()


def read_pictures(path: str, emit: Emit) -> None:
    """The reader of pages without text. Emits `{"page": ..., "text": ...}` for each; pages count from 0."""
    document = _open(path)
    for number in range(len(document)):
        page = document[number]
        if not _read_page(document, page)[0]:
            text = picture.read_picture(page.render(scale=_PICTURE_SCALE).to_numpy())
            emit({"page": number, "text": text}, len(text))
        page.close()


def _open(path: str) -> PdfDocument:
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise Unreadable(ENCRYPTED) from error
        # A file whose end was cut off lacks what says where its pages are; PDFium finds all else by itself.
        content = Path(path).read_bytes()
        roots = _ROOT.findall(content)
        if not roots:
            raise
        return pypdfium2.PdfDocument(content + b"\ntrailer <</Root %s 0 R>>\n%%%%EOF" % roots[-1])


def _read_page(document: PdfDocument, page: PdfPage) -> tuple[str, bool]:
    """The text of a page, and whether it is none because the characters stand for nothing."""
    drawn = [*_find_glyphs(page), *_find_values(document, page)]
    signs = [one.glyph.text for one in drawn if not one.glyph.text.isspace()]
    if _are_garbage(signs):
        return "", True
    sizes = Counter(one.angle for one in drawn)
    # Margin notes and watermarks stand across the page, in a direction of their own.
    groups = ([one.glyph for one in drawn if one.angle == angle] for angle, _ in sizes.most_common())
    return "\n".join(line for glyphs in groups for line in read_lines(form_words(glyphs))).strip("\n"), False


def _are_garbage(signs: Sequence[str]) -> bool:
    """Whether the characters of a page stand for nothing, or many of them for the same."""
    unknown = sum(sign == "\ufffd" or category(sign[0]) in {"Cc", "Cn", "Co", "Cs"} for sign in signs)
    return unknown > _MAX_GARBAGE * len(signs) or (len(signs) > 20 and len(set(signs)) < 3)


class _Drawn(NamedTuple):
    """A glyph, placed in the direction in which it is to be read: `angle` is that, in degrees."""

    glyph: Glyph
    angle: int


def _find_glyphs(page: PdfPage) -> Iterator[_Drawn]:
    """The glyphs within the visible part of the page, in the order of drawing."""
    import pypdfium2.raw as pdfium

    text_page = page.get_textpage()
    text = ctypes.cast(text_page.raw, ctypes.c_void_p).value
    left, bottom, right, top = page.get_bbox()
    origin, box = (ctypes.c_double * 2)(), (ctypes.c_float * 4)()
    x_at, y_at, box_at = ctypes.addressof(origin), ctypes.addressof(origin) + 8, ctypes.addressof(box)
    find_drawing = _bind(pdfium.FPDFText_GetTextObject, ctypes.c_void_p)
    find_sign = _bind(pdfium.FPDFText_GetUnicode, ctypes.c_uint)
    is_unknown = _bind(pdfium.FPDFText_HasUnicodeMapError, ctypes.c_int)
    find_origin = _bind(pdfium.FPDFText_GetCharOrigin, ctypes.c_int, 2)
    find_box = _bind(pdfium.FPDFText_GetLooseCharBox, ctypes.c_int, 1)
    stroke, drawing, angle = 0, None, 0.0
    for number in range(pdfium.FPDFText_CountChars(text_page.raw)):
        drawing_before, drawing = drawing, find_drawing(text, number)
        if drawing is None:  # a space or line end that PDFium adds where it sees fit
            continue
        if drawing != drawing_before:
            stroke += 1
            angle = -degrees(pdfium.FPDFText_GetCharAngle(text_page.raw, number))
        find_origin(text, number, x_at, y_at)
        find_box(text, number, box_at)
        start, upper, end, lower = box
        if left <= (start + end) / 2 <= right and bottom <= (lower + upper) / 2 <= top:
            sign = "\ufffd" if is_unknown(text, number) == 1 else chr(find_sign(text, number))
            yield _place(_HYPHENS.get(sign, sign), stroke, (origin[0], origin[1]), (start, lower, end, upper), angle)
    text_page.close()


def _bind(function: Any, result: type, addresses: int = 0) -> Any:
    """A function of PDFium's that takes a page, a number and addresses; ctypes' own typed one takes thrice the time."""
    address = ctypes.cast(function, ctypes.c_void_p).value or 0
    arguments = (ctypes.c_void_p, ctypes.c_int, *[ctypes.c_void_p] * addresses)
    return ctypes.CFUNCTYPE(result, *arguments)(address)


Rectangle = tuple[float, float, float, float]
"""Left, bottom, right, top."""


def _place(sign: str, stroke: int, origin: tuple[float, float], box: Rectangle, angle: float) -> _Drawn:
    """A glyph on the page turned until what is written at `angle`, counted against the clock, is upright."""
    turn = round(angle) % 360
    if turn <= _MAX_SLANT_DEGREES or turn >= 360 - _MAX_SLANT_DEGREES:
        return _Drawn(Glyph(sign, stroke, *origin, box[2], _EM * (box[3] - box[1])), 0)
    x, y = _turn(*origin, turn)
    _, bottom, right, top = _turn_box(box, turn)
    return _Drawn(Glyph(sign, stroke, x, y, right, _EM * (top - bottom)), turn)


def _turn(x: float, y: float, turn: int) -> tuple[float, float]:
    across, up = cos(radians(turn)), sin(radians(turn))
    return (x * across + y * up, y * across - x * up) if turn else (x, y)


def _turn_box(box: Rectangle, turn: int) -> Rectangle:
    corners = [_turn(x, y, turn) for x in (box[0], box[2]) for y in (box[1], box[3])]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


def _find_values(document: PdfDocument, page: PdfPage) -> Iterator[_Drawn]:
    """What was filled into the fields of a form, and notes that stand on the page, each in its place."""
    import pypdfium2.raw as pdfium

    box = pdfium.FS_RECTF()
    turn = page.get_rotation()
    for number in range(pdfium.FPDFPage_GetAnnotCount(page.raw)):
        note = pdfium.FPDFPage_GetAnnot(page.raw, number)
        if not pdfium.FPDFAnnot_GetFlags(note) & (pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW):
            value = _read_value(document, note)
            pdfium.FPDFAnnot_GetRect(note, box)
            place = _turn_box((box.left, box.bottom, box.right, box.top), turn)
            yield from (_Drawn(glyph, turn) for glyph in _write_into(value.splitlines(), place))
        pdfium.FPDFPage_CloseAnnot(note)


def _read_value(document: PdfDocument, note: Any) -> str:
    import pypdfium2.raw as pdfium

    kind = pdfium.FPDFAnnot_GetSubtype(note)
    if kind == pdfium.FPDF_ANNOT_FREETEXT:
        return _read_string(pdfium.FPDFAnnot_GetStringValue, note, b"Contents")
    if kind != pdfium.FPDF_ANNOT_WIDGET or document.formenv is None:
        return ""
    field = pdfium.FPDFAnnot_GetFormFieldType(document.formenv.raw, note)
    if field in {pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON}:
        return "[x]" if pdfium.FPDFAnnot_IsChecked(document.formenv.raw, note) else ""
    return _read_string(pdfium.FPDFAnnot_GetFormFieldValue, document.formenv.raw, note)


def _read_string(read_into: Any, *arguments: object) -> str:
    """What one of PDFium's functions writes as UTF-16 into a buffer, whose length it says first."""
    length = read_into(*arguments, None, 0)
    buffer = ctypes.create_string_buffer(length)
    read_into(*arguments, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), length)
    return buffer.raw.decode("utf-16-le", "replace").rstrip("\0")


def _write_into(lines: Sequence[str], box: Rectangle) -> Iterator[Glyph]:
    """Lines into a box: a single one in the middle of its height, several from its top."""
    left, bottom, _, top = box
    height = min(12.0, _EM * (top - bottom) / max(1, len(lines)))
    first = (top + bottom) / 2 - 0.35 * height if len(lines) == 1 else top - height
    for number, line in enumerate(lines):
        for place, sign in enumerate(line):
            x, y = left + place * height / 2, first - number * 1.2 * height
            yield Glyph(sign, -number, x, y, x + height / 2, height)


def read_again(path: str, emit: Emit) -> None:
    """The second reader: the lines without their places."""
    from pypdf import PdfReader

    document = PdfReader(path)
    if document.is_encrypted and not document.decrypt(""):
        raise Unreadable(ENCRYPTED)
    if len(document.pages) > MAX_PARTS:
        raise Unreadable(TOO_MANY_PARTS)
    for page in document.pages:
        text = page.extract_text(extraction_mode="layout")
        lines = "\n".join(" ".join(line.split()) for line in text.splitlines()).strip("\n")
        emit({"text": lines}, len(text))
