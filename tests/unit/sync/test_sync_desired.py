"""Hashes are right whatever the cache says, and the cache can be lost or spoiled at any time."""

import json
import os
from pathlib import Path

import pytest
from sync_memory import make_assistant, make_file

from runner.errors import UsageError
from runner.sync import ContentCache, read_desired
from runner.sync.desired import Fingerprint, hash_content, hash_file

NOW_NS = 2_000_000_000_000_000_000
LONG_AGO_NS = 1_000_000_000_000_000_000


def test_a_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    file = make_file(tmp_path / "abc.txt", "abc")
    assert hash_content(file.path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_file_that_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    file = make_file(tmp_path / "city.md")
    os.utime(file.path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    cache = ContentCache.load(tmp_path / "cache" / "sync.json")
    first = hash_file(file, cache, now_ns=NOW_NS)
    cache.save()

    file.path.chmod(0)
    file.path.rename(tmp_path / "away")
    (tmp_path / "city.md").write_text("x" * first.fingerprint.size_bytes)
    os.utime(file.path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    again = hash_file(file, ContentCache.load(tmp_path / "cache" / "sync.json"), now_ns=NOW_NS)

    assert again.sha256 == first.sha256


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    file = make_file(tmp_path / "city.md", "old")
    os.utime(file.path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    cache = ContentCache.load(tmp_path / "none.json")
    first = hash_file(file, cache, now_ns=NOW_NS)
    file.path.write_text("new")
    assert hash_file(file, cache, now_ns=NOW_NS).sha256 != first.sha256


def test_a_file_that_was_just_written_is_not_remembered(tmp_path: Path) -> None:
    file = make_file(tmp_path / "city.md")
    cache = ContentCache.load(tmp_path / "none.json")
    hashed = hash_file(file, cache, now_ns=file.path.stat().st_mtime_ns + 1_000_000_000)
    assert cache.find(file.path, hashed.fingerprint) is None


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xff\xfe\x00",
        b"[]",
        b"{",
        b"[" * 100_000,
        b'{"version": 99, "sha256": {}}',
        b'{"version": 1, "sha256": 7}',
        b'{"version": 1, "sha256": {"PATH": [1, 2]}}',
        b'{"version": 1, "sha256": {"PATH": [9, 1000000000000000000, "../../etc"]}}',
    ],
)
def test_garbage_in_the_cache_is_ignored(tmp_path: Path, garbage: bytes) -> None:
    file = make_file(tmp_path / "city.md", "nine byte")
    os.utime(file.path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    path = tmp_path / "sync.json"
    path.write_bytes(garbage.replace(b"PATH", str(file.path).encode()))
    cache = ContentCache.load(path)

    hashed = hash_file(file, cache, now_ns=NOW_NS)
    cache.save()

    assert hashed.sha256 == hash_content(file.path)
    assert json.loads(path.read_bytes())["sha256"].keys() == {str(file.path)}


def test_a_cache_that_can_not_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    cache = ContentCache.load(tmp_path / "cache" / "sync.json")
    cache.remember(tmp_path / "city.md", Fingerprint(1, 1), "0" * 64, now_ns=NOW_NS)
    cache.save()


async def test_a_file_that_is_gone_is_an_error_with_its_place(tmp_path: Path) -> None:
    file = make_file(tmp_path / "city.md")
    file.path.unlink()
    with pytest.raises(UsageError, match=r"assistants.yaml:1:1: cannot read 'city.md': No such file"):
        await read_desired([make_assistant(files=(file,))])
