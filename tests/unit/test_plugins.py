"""A plug-in is a module or a folder of its package, found by its name, and looked for once."""

from __future__ import annotations

import pkgutil
import sys

import pytest

from runner import plugins
from runner.errors import UsageError
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


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A distribution whose module is a check, as pip leaves it."""
    (tmp_path / "polite-1.0.dist-info").mkdir()
    ours = "[assistant_runner.checks]\npolite = polite_checks.polite\ncontains = evil\n"
    entry_points = f"[console_scripts]\nx = y:z\n\n{ours}"
    (tmp_path / "polite-1.0.dist-info" / "entry_points.txt").write_text(entry_points)
    (tmp_path / "polite_checks").mkdir()
    (tmp_path / "polite_checks" / "__init__.py").write_text("")
    source = "WHERE, MAIN_FIELD, EXAMPLES, Check = 'installed', 'v', (), object\nSCHEMA = {'properties': {'v': {}}}\n"
    (tmp_path / "polite_checks" / "polite.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins._find_modules.cache_clear()
    yield
    plugins._find_modules.cache_clear()
    plugins.load_plugin.cache_clear()
    for name in ("polite_checks", "polite_checks.polite"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("installed")
def test_an_installed_distribution_adds_checks_and_replaces_none():
    assert "polite" in plugin_names("runner.checks")
    assert load_plugin("runner.checks", "polite").WHERE == "installed"
    assert load_plugin("runner.checks", "contains").__name__ == "runner.checks.contains"
    assert "polite" not in plugin_names("runner.backends")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("def", "SyntaxError: "),
        ("SCHEMA, MAIN_FIELD, EXAMPLES = {}, 'x', ()", "it has no Check"),
        ("SCHEMA, MAIN_FIELD, EXAMPLES, Check = {'properties': {}}, 'x', (), 1", "its MAIN_FIELD is none of"),
        ("SCHEMA, MAIN_FIELD, EXAMPLES, Check = 7, 'x', (), 1", "TypeError: "),
    ],
)
def test_an_installed_check_that_is_broken_is_named_with_its_package(tmp_path, source, problem):
    (tmp_path / "polite_checks" / "polite.py").write_text(source)

    with pytest.raises(UsageError) as caught:
        load_plugin("runner.checks", "polite")

    assert str(caught.value).startswith("the check 'polite' of an installed package, polite_checks.polite, can't be ")
    assert problem in str(caught.value)
