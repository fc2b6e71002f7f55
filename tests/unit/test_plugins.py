"""A plug-in is a module or a folder of its package, found by its name, and looked for once."""

from __future__ import annotations

import pkgutil

import pytest

from runner.plugins import load_plugin, plugin_names


@pytest.fixture
def package(tmp_path, monkeypatch, request):
    """The name of a package of its own for each test."""
    name = f"plugged_{abs(hash(request.node.nodeid))}"
    folder = tmp_path / name
    (folder / "folder").mkdir(parents=True)
    for path in ("__init__", "module", "import_", "_helper", "folder/__init__", "folder/part"):
        (folder / f"{path}.py").write_text(f"WHERE = '{path}'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_modules_and_folders_are_plug_ins_and_helpers_are_none(package):
    assert plugin_names(package) == ("folder", "import", "module")
    found = {name: load_plugin(package, name).WHERE for name in plugin_names(package)}
    assert found == {"folder": "folder/__init__", "import": "import_", "module": "module"}


def test_a_name_that_is_none_is_a_key_error(package):
    for name in ("_helper", "helper", "import_", "nothing"):
        with pytest.raises(KeyError):
            load_plugin(package, name)


def test_a_package_is_listed_once(package, monkeypatch):
    listed: list[object] = []
    look = pkgutil.iter_modules
    monkeypatch.setattr(pkgutil, "iter_modules", lambda path: listed.append(path) or look(path))
    for _ in range(3):
        load_plugin(package, "module")
        plugin_names(package)
    assert len(listed) == 1
