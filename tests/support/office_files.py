"""Office files made for the tests, with no more in them than a reader needs."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SHOW = "http://schemas.openxmlformats.org/presentationml/2006/main"
_BOOK = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"

Row = Sequence[str]


def docx(path: Path, *blocks: str | Sequence[Row], notes: Mapping[str, str] | None = None, doctype: str = "") -> Path:
    """A Word document: a text is a paragraph (or XML of its own), a list of rows a table.

    `notes` are further parts by kind: header, footer, footnotes.
    """
    body = "".join(_word_block(block) for block in blocks)
    parts = {
        "_rels/.rels": _rels(("officeDocument", "word/document.xml")),
        "word/_rels/document.xml.rels": _rels(*((kind, f"{kind}1.xml") for kind in notes or {})),
        "word/document.xml": f'{doctype}<x:document xmlns:x="{_WORD}"><x:body>{body}</x:body></x:document>',
    }
    for kind, text in (notes or {}).items():
        parts[f"word/{kind}1.xml"] = f'<x:part xmlns:x="{_WORD}">{_word_block(text)}</x:part>'
    return archive(path, parts)


def _word_block(block: str | Sequence[Row]) -> str:
    if isinstance(block, str):
        return block if block.startswith("<") else f"<x:p><x:r><x:t>{escape(block)}</x:t></x:r></x:p>"
    rows = ("".join(f"<x:tc>{_word_block(cell)}</x:tc>" for cell in row) for row in block)
    return f"<x:tbl>{''.join(f'<x:tr>{row}</x:tr>' for row in rows)}</x:tbl>"


def pptx(path: Path, *slides: Sequence[str], notes: Mapping[int, str] | None = None) -> Path:
    """A presentation: its slides' lines, shown in this order and stored in the reverse one."""
    last = len(slides)
    names = [f"slide{last - number}.xml" for number in range(last)]
    shown = "".join(f'<p:sldId id="{256 + number}" r:id="rId{number}"/>' for number in range(last))
    parts = {
        "_rels/.rels": _rels(("officeDocument", "/ppt/presentation.xml")),
        "ppt/_rels/presentation.xml.rels": _rels(*(("slide", f"slides/{name}") for name in names)),
        "ppt/presentation.xml": f'<p:presentation xmlns:p="{_SHOW}" xmlns:r="{_OFFICE}/relationships">'
        f"<p:sldIdLst>{shown}</p:sldIdLst></p:presentation>",
    }
    for number, (name, lines) in enumerate(zip(names, slides, strict=True)):
        parts[f"ppt/slides/{name}"] = _slide(lines)
        if note := (notes or {}).get(number):
            parts[f"ppt/slides/_rels/{name}.rels"] = _rels(("notesSlide", f"../notesSlides/{name}"))
            parts[f"ppt/notesSlides/{name}"] = _slide([note])
    return archive(path, parts)


def _slide(lines: Sequence[str]) -> str:
    texts = "".join(f"<a:p><a:r><a:t>{escape(line)}</a:t></a:r></a:p>" for line in lines)
    number = '<a:p><a:fld type="slidenum"><a:t>9</a:t></a:fld></a:p>'
    return f'<p:sld xmlns:p="{_SHOW}" xmlns:a="{_DRAWING}"><p:txBody>{texts}{number}</p:txBody></p:sld>'


def xlsx(path: Path, sheets: Mapping[str, str], *, texts: str = "", styles: str = "", setting: str = "") -> Path:
    """A workbook: the XML of each sheet's rows by its name, of the texts that they share, and of the cells' styles."""
    shown = "".join(
        f'<y:sheet name="{escape(name)}" sheetId="{number + 1}" r:id="rId{number}"/>'
        for number, name in enumerate(sheets)
    )
    files = [("worksheet", f"worksheets/sheet{number}.xml") for number in range(len(sheets))]
    parts = {
        "_rels/.rels": _rels(("officeDocument", "xl/workbook.xml")),
        "xl/_rels/workbook.xml.rels": _rels(*files, ("sharedStrings", "texts.xml"), ("styles", "styles.xml")),
        "xl/workbook.xml": f'<y:workbook xmlns:y="{_BOOK}" xmlns:r="{_OFFICE}/relationships"><y:workbookPr {setting}/>'
        f"<y:sheets>{shown}</y:sheets></y:workbook>",
        "xl/texts.xml": f'<sst xmlns="{_BOOK}">{texts}</sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{_BOOK}">{styles}</styleSheet>',
    }
    for (_, name), rows in zip(files, sheets.values(), strict=True):
        parts[f"xl/{name}"] = f'<worksheet xmlns="{_BOOK}"><sheetData>{rows}</sheetData></worksheet>'
    return archive(path, parts)


def _rels(*links: tuple[str, str]) -> str:
    items = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/relationships/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(links)
    )
    return f'<Relationships xmlns="{_PACKAGE}">{items}</Relationships>'


def archive(path: Path, parts: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return path


def doc(path: Path, text: str, *, wide: bool = True, flags: int = 0) -> Path:
    """A Word 97 document with one piece of text; `\\x06` stands for a cell mark that ends a row of a table."""
    marks = [number for number, sign in enumerate(text) if sign == "\x06"]
    plain = text.replace("\x06", "\x07")
    content = plain.encode("utf-16-le" if wide else "cp1252")
    width = 2 if wide else 1
    start = 1024
    page = _paragraph_page(start, width, len(plain), marks)
    stream = bytearray(start) + content
    stream += bytes(-len(stream) % 512)
    page_number = len(stream) // 512
    stream += page
    pieces = struct.pack("<II", 0, len(plain)) + struct.pack("<HIH", 0, start if wide else (start * 2) | 0x4000_0000, 0)
    clx = b"\x01" + struct.pack("<H", 4) + bytes(4) + b"\x02" + struct.pack("<I", len(pieces)) + pieces
    bins = struct.pack("<III", start, start + len(content), page_number)
    struct.pack_into("<HH", stream, 0, 0xA5EC, 0x00C1)
    struct.pack_into("<H", stream, 0x0A, 0x0200 | flags)
    struct.pack_into("<I", stream, 0x4C, len(plain))
    struct.pack_into("<II", stream, 0x01A2, 0, len(clx))
    struct.pack_into("<II", stream, 0x0102, len(clx), len(bins))
    return compound(path, {"WordDocument": bytes(stream), "1Table": clx + bins})


def _paragraph_page(start: int, width: int, length: int, marks: Sequence[int]) -> bytes:
    """Runs of paragraphs: those of row ends have the property that says so."""
    edges = sorted({0, length, *marks, *(mark + 1 for mark in marks)})
    count = len(edges) - 1
    page = bytearray(512)
    struct.pack_into(f"<{count + 1}I", page, 0, *(start + width * edge for edge in edges))
    page[400:408] = b"\x03\x00\x00\x17\x24\x01\x00\x00"
    for number in range(count):
        page[4 * (count + 1) + 13 * number] = 200 if edges[number] in marks else 0
    page[511] = count
    return bytes(page)


def compound(path: Path, streams: Mapping[str, bytes]) -> Path:
    """An OLE compound file with streams of at least 4,096 bytes (shorter ones are filled up)."""
    sector, end, free = 512, 0xFFFF_FFFE, 0xFFFF_FFFF
    # Directory entries are ordered by the length of their names first.
    ordered = sorted(streams.items(), key=lambda item: (len(item[0]), item[0]))
    bodies = {name: content + bytes(max(0, 4096 - len(content))) for name, content in ordered}
    table, data, entries = [0xFFFF_FFFD], b"", [_entry("Root Entry", 5, 1, end, 0)]
    for number, (name, content) in enumerate(bodies.items(), 1):
        first, size = len(table), -(-len(content) // sector)
        table += [*range(first + 1, first + size), end]
        data += content + bytes(-len(content) % sector)
        entries.append(_entry(name, 2, number + 1 if number < len(bodies) else free, first, len(content)))
    directory = b"".join(entries)
    directory += bytes(-len(directory) % sector)
    first_of_directory = len(table)
    size = len(directory) // sector
    table += [*range(first_of_directory + 1, first_of_directory + size), end]
    assert len(table) <= 128
    table += [free] * (128 - len(table))
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIII", 0, 1, first_of_directory, 0, 4096, end, 0, end, 0)
    header += struct.pack("<109I", 0, *[free] * 108)
    path.write_bytes(header + struct.pack("<128I", *table) + data + directory)
    return path


def _entry(name: str, kind: int, neighbour: int, first: int, size: int) -> bytes:
    """A directory entry; `neighbour` is the root's first child, or a stream's right sibling."""
    free = 0xFFFF_FFFF
    text = name.encode("utf-16-le")
    right, child = (free, neighbour) if kind == 5 else (neighbour, free)
    links = struct.pack("<III", free, right, child)
    return (
        text.ljust(64, b"\0")
        + struct.pack("<HBB", len(text) + 2, kind, 1)
        + links
        + bytes(36)
        + struct.pack("<IQ", first, size)
    )
