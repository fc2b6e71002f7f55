"""Lines about large files where there is no terminal."""

from __future__ import annotations

import io
from contextlib import closing
from pathlib import Path

from runner.cli.sync import UploadProgress
from runner.domain.files import FileUse, LocalFile
from runner.errors import Location
from runner.sync import Uploading
from runner.sync.desired import Fingerprint, HashedFile

SIZE_BYTES = 250_000_000


def make_file(name: str) -> HashedFile:
    file = LocalFile(
        path=Path(name),
        name=name,
        size_bytes=SIZE_BYTES,
        use=FileUse.CODE_INTERPRETER,
        location=Location("assistants.yaml", 1, 1),
    )
    return HashedFile(file=file, sha256="a" * 64, fingerprint=Fingerprint(SIZE_BYTES, 0))


def test_a_line_at_the_start_and_for_each_hundred_megabytes() -> None:
    shown: list[str] = []
    file = make_file("big.zip")
    with closing(UploadProgress(io.StringIO(), shown.extend, str)) as progress:
        for sent_bytes in range(0, SIZE_BYTES + 1, 10_000_000):
            progress.on_upload(Uploading(file=file, sent_bytes=sent_bytes))
        progress.on_upload(Uploading(file=file, sent_bytes=SIZE_BYTES, is_over=True))
    assert shown == [
        "uploading 'big.zip', 250.0 MB",
        "uploading 'big.zip', 100.0 MB of 250.0 MB",
        "uploading 'big.zip', 200.0 MB of 250.0 MB",
    ]


def test_a_file_that_is_sent_again_after_a_failure_starts_anew() -> None:
    shown: list[str] = []
    file = make_file("big.zip")
    with closing(UploadProgress(io.StringIO(), shown.extend, str)) as progress:
        for _ in range(2):
            progress.on_upload(Uploading(file=file, sent_bytes=0))
            progress.on_upload(Uploading(file=file, sent_bytes=5, is_over=True))
    assert shown == ["uploading 'big.zip', 250.0 MB"] * 2


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_names_and_lines_are_harmless_and_without_secrets() -> None:
    terminal = Terminal()
    with closing(UploadProgress(terminal, lambda _: None, lambda text: text.replace("s3cret-key", "***"))) as progress:
        progress.on_upload(Uploading(file=make_file("s3cret-key\x1b]0;a\x07.zip"), sent_bytes=1))
        progress.show(["a line with s3cret-key\x1b]0;b\x07"])
    assert "s3cret-key" not in terminal.getvalue()
    assert "\x1b]0;" not in terminal.getvalue()
    assert "a line with ***\\x1b]0;b\\x07" in terminal.getvalue()
