"""A scenario for each row: where rows come from, what they become, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.config import Configuration, load_configuration
from runner.domain.scenario import Scenario
from runner.errors import ConfigError, UsageError

PROJECT = "version: 1\nnamespace: demo\nassistants:\n  guide: {model: m, tools: [file_search]}\n"
SUMS = """\
name: sums
assistant: guide
cases: CASES
turns:
  - ask: What is ${a} plus ${b}?
    expect: [{number: "${sum}"}]
"""


def load(folder: Path, text: str, **files: str) -> Configuration:
    (folder / "scenarios").mkdir(exist_ok=True)
    (folder / "assistants.yaml").write_text(PROJECT)
    (folder / "scenarios" / "s.yaml").write_text(text)
    for name, content in files.items():
        (folder / "scenarios" / name.replace("_", ".")).write_text(content, encoding="utf-8")
    return load_configuration(file=None, scenario_paths=(), cwd=folder, environment={"HOME": "/root"})


def scenarios(folder: Path, text: str, **files: str) -> tuple[Scenario, ...]:
    return load(folder, text, **files).scenarios


def mistakes(folder: Path, text: str, **files: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, **files)
    return [str(problem) for problem in caught.value.problems]


def told(found: tuple[Scenario, ...]) -> list[tuple[str, str, str, object]]:
    return [
        (one.name, str(one.location), one.turns[0].ask, one.turns[0].expectations[0].parameters["value"])
        for one in found
    ]


CSV = 'a,b,sum\n2,3,5\n"20","30",50\n'
LINES = '{"a": 2, "b": 3, "sum": 5}\n\n{"a": "20", "b": 30, "sum": "50"}\n'
ARRAY = '[{"a": 2, "b": 3,\n "sum": 5},\n{"a": 20, "b": 30, "sum": 50.0}]'


@pytest.mark.parametrize(
    ("name", "content", "lines"),
    [
        ("rows_csv", CSV, (2, 3)),
        ("rows_csv", CSV.replace(",", ";"), (2, 3)),
        ("rows_csv", "\ufeff" + CSV.replace("\n", "\r\n"), (2, 3)),
        ("rows_jsonl", LINES, (1, 3)),
        ("rows_json", ARRAY, (1, 3)),
    ],
)
def test_a_file_gives_a_scenario_a_row_with_its_line(
    tmp_path: Path, name: str, content: str, lines: tuple[int, int]
) -> None:
    file = name.replace("_", ".")
    found = scenarios(tmp_path, SUMS.replace("CASES", file), **{name: content})
    assert told(found) == [
        ("sums [1]", f"scenarios/{file}:{lines[0]}:1", "What is 2 plus 3?", 5),
        ("sums [2]", f"scenarios/{file}:{lines[1]}:1", "What is 20 plus 30?", 50),
    ]
    assert found[0].turns[0].expectations[0].location.line == 6, "a check stands where it is written"
    assert found[0].item == {"a": 2, "b": 3, "sum": 5}


def test_rows_can_stand_in_the_scenario_with_names_of_their_own(tmp_path: Path) -> None:
    text = SUMS.replace("CASES", "[{name: small, a: 2, b: 3, sum: 5}, {name: large, a: 20, b: 30, sum: 50}]")
    found = scenarios(tmp_path, text)
    assert [(one.name, one.location.line, one.location.column) for one in found] == [
        ("sums [small]", 3, 9),
        ("sums [large]", 3, 44),
    ]


def test_names_come_from_a_column_or_are_put_together(tmp_path: Path) -> None:
    content = CSV.replace("a,b,sum", "id,b,sum").replace("\n2", "\nx/2: y").replace("${a}", "${id}")
    text = SUMS.replace("CASES", "{file: rows.csv, name: id}").replace("${a}", "${id}")
    assert [one.name for one in scenarios(tmp_path, text, rows_csv=content)] == ["sums [x 2 y]", "sums [20]"]
    text = SUMS.replace("CASES", "rows.csv").replace("name: sums", "name: '${a} and ${b}'")
    assert [one.name for one in scenarios(tmp_path, text, rows_csv=CSV)] == ["2 and 3", "20 and 30"]


def test_defaults_reach_cases_and_other_scenarios_stay_what_they_are(tmp_path: Path) -> None:
    text = """\
defaults: {assistant: guide, tags: [x], repeat: 3}
scenarios:
  - {name: plain, turns: [{ask: Hi, expect: [contains: hi]}]}
  - name: hi
    tags: [y]
    cases: [{word: hello}, {word: bye}]
    turns: [{ask: "${word}", expect: [contains: "${word}"]}]
"""
    found = scenarios(tmp_path, text)
    assert [(one.name, one.tags, one.repeat) for one in found] == [
        ("plain", ("x",), 3),
        ("hi [1]", ("y",), 3),
        ("hi [2]", ("y",), 3),
    ]


def test_columns_go_into_attachments_checks_and_function_answers_whole_or_in_part(tmp_path: Path) -> None:
    (tmp_path / "assistants.yaml").write_text(PROJECT)
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "a.pdf").write_bytes(b"%PDF")
    (tmp_path / "scenarios" / "r.json").write_text(
        json.dumps([{"file": "a", "words": ["x", "y"], "order": {"lines": [{"price": 1.5}]}, "text": "39.50"}])
    )
    found = scenarios(
        tmp_path,
        """\
name: s
assistant: guide
cases: r.json
turns:
  - ask: Costs ${order.lines.0.price}?
    attach: ["${file}.pdf"]
    expect: [{contains: "${words}"}, {equals: "${text}"}, {number: "${order.lines.0.price}"}]
""",
    )
    (turn,) = found[0].turns
    assert (turn.ask, turn.attachments[0].name) == ("Costs 1.5?", "a.pdf")
    assert [one.parameters["value"] for one in turn.expectations[:2]] == [["x", "y"], "39.50"]
    assert str(turn.expectations[2].parameters["value"]) == "1.5"


def test_data_never_asks_for_the_environment(tmp_path: Path) -> None:
    text = SUMS.replace("CASES", "rows.jsonl").replace('number: "${sum}"', 'contains: "${sum}"')
    rows = json.dumps({"a": "${env:HOME}", "b": "$${x}", "sum": "${secret:KEY}"})
    (found,) = scenarios(tmp_path, text, rows_jsonl=rows)
    assert found.turns[0].ask == "What is ${env:HOME} plus $${x}?"
    assert found.turns[0].expectations[0].parameters["value"] == "${secret:KEY}"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows_csv", "a,b,sum\n2,3,five\n", "6:23: turns[0].expect[0].number: expected a number, found 'five'"),
        ("rows_csv", "a,b,sum\n2,3\n", "rows.csv:2:1: 2 values for 3 columns; a value is missing"),
        ("rows_csv", "a,b,sum\n2,3,5,6\n", "rows.csv:2:1: 4 values for 3 columns; quote values that hold ','"),
        ("rows_csv", 'a,b,sum\n2,"3\n', "rows.csv:2:1: unexpected end of data"),
        ("rows_csv", "a,a,sum\n2,3,5\n", "rows.csv:1:1: the column 'a' is there twice"),
        ("rows_csv", "a,,sum\n2,3,5\n", "rows.csv:1:1: column 2 has no name"),
        ("rows_csv", "a,b,sum\n", "has no rows"),
        ("rows_csv", "", "has no rows"),
        (
            "rows_csv",
            "x,b,sum\n2,3,5\n",
            "5:10: there is no column 'a' in the row scenarios/rows.csv:2; its columns are x, b",
        ),
        ("rows_jsonl", '{"a": 1\n', "rows.jsonl:1:1: not valid JSON"),
        ("rows_jsonl", '{"a": 1, "b": NaN}\n', "rows.jsonl:1:1: not valid JSON: NaN is no number"),
        ("rows_jsonl", "[1]\n", "rows.jsonl:1:1: it is no object"),
        ("rows_jsonl", "[" * 100_000, "rows.jsonl:1:1: "),
        ("rows_json", '{"a": 1}', "holds no list of rows"),
        (
            "rows_json",
            '[{"a": 1, "b": 2, "sum": 3},\n{"a": 2, "a": 3}]',
            "rows.json:2:1: not valid JSON: the key 'a' is there twice",
        ),
        ("rows_json", '[{"a": 1, "b": 2, "sum": 3},\n{"a": NaN}]', "rows.json:2:1: not valid JSON: NaN is no number"),
        ("rows_jsonl", '{"a": {"x": 1, "x": 2}}', "rows.jsonl:1:1: not valid JSON: the key 'x' is there twice"),
        ("rows_jsonl", '{"a": ' + "[" * 900 + "]" * 900 + "}", "rows.jsonl:1:1: it is nested too deeply"),
        ("rows_jsonl", '{"a": "\\ud800"}', "rows.jsonl:1:1: \\ud800 is half of a character"),
        ("rows_jsonl", '{"\\udc00": 1}', "rows.jsonl:1:1: \\udc00 is half of a character"),
        ("rows_jsonl", '{"a": ' + "9" * 5000 + "}", "rows.jsonl:1:1: not valid JSON: a number of 5,000 digits"),
        ("rows_json", '[{"a": 1}\n{"a": 2}]', "rows.json:2:1: not valid JSON"),
        ("rows_json", '[{"a": [1], "b": 2, "sum": 3}]', "the column 'a' holds a list; it can only stand alone"),
    ],
)
def test_what_is_wrong_with_rows_is_one_clear_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    (found,) = mistakes(tmp_path, SUMS.replace("CASES", name.replace("_", ".")), **{name: content})
    assert message in found
    assert found.startswith("scenarios/rows." if message.startswith("rows.") else "scenarios/s.yaml:")


@pytest.mark.parametrize(
    ("kind", "rows"), [("csv", "a,b,sum\n2,3\n2,3,5\n2,3,5,6\n"), ("jsonl", '1\n{"a": 2, "b": 3, "sum": 5}\n{\n')]
)
def test_each_broken_row_is_told(tmp_path: Path, kind: str, rows: str) -> None:
    found = mistakes(tmp_path, SUMS.replace("CASES", f"rows.{kind}"), **{f"rows_{kind}": rows})
    first = 2 if kind == "csv" else 1
    assert [one.split(":")[:2] for one in found] == [[f"scenarios/rows.{kind}", str(first + more)] for more in (0, 2)]


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ("rows.txt", "there is no file 'rows.txt'"),
        ("s.yaml", "'s.yaml' is no file of rows"),
        ("../../etc/passwd", "leads out of the project"),
        ("[]", "cases"),
        ("[1]", "cases[0]"),
        ("{name: a}", "cases"),
        ("{file: rows.csv, nam: a}", "nam"),
    ],
)
def test_what_is_wrong_with_cases_is_said_where_they_stand(tmp_path: Path, cases: str, message: str) -> None:
    found = mistakes(tmp_path, SUMS.replace("CASES", cases), rows_csv=CSV)
    assert len(found) == 1, found
    assert message in found[0]
    assert found[0].startswith("scenarios/s.yaml:3:")


def test_a_mistake_of_the_scenario_is_told_once_and_one_of_rows_for_each(tmp_path: Path) -> None:
    rows = "a,b,sum\n" + "1,2,3\n" * 50
    (found,) = mistakes(tmp_path, SUMS.replace("CASES", "rows.csv").replace("ask:", "ask: x\n    aks:"), rows_csv=rows)
    assert "'aks'" in found
    many = mistakes(tmp_path, SUMS.replace("CASES", "rows.csv"), rows_csv="a,b,sum\n" + "1,2,x\n" * 50)
    assert len(many) == 20
    assert "(the row scenarios/rows.csv:21)" in many[-1]


def test_two_rows_with_one_name_are_a_mistake(tmp_path: Path) -> None:
    text = SUMS.replace("CASES", "{file: rows.csv, name: a}")
    (found,) = mistakes(tmp_path, text, rows_csv="a,b,sum\n2,3,5\n2,4,6\n")
    assert found.startswith("scenarios/rows.csv:3:1: the name 'sums [2]' is also used in scenarios/rows.csv:2;")


def test_each_place_that_a_row_fills_wrongly_names_the_row(tmp_path: Path) -> None:
    text = SUMS.replace("CASES", "rows.csv").replace('"${sum}"', "{value: '${sum}', tolerance: '${sum}'}")
    found = mistakes(tmp_path, text, rows_csv="a,b,sum\n2,3,1e5\n2,4,\n2,5,007\n")
    assert [one.partition(": expected a number, found ")[2] for one in found] == [
        "'1e5' (the row scenarios/rows.csv:2); write only digits and a point, as in 1234.50",
        "'' (the row scenarios/rows.csv:3); it is empty: write a number",
        "'007' (the row scenarios/rows.csv:4); write only digits and a point, as in 1234.50",
    ] * 2


def test_a_dollar_sign_of_a_row_in_the_file_is_written_as_everywhere_in_it(tmp_path: Path) -> None:
    text = SUMS.replace("CASES", "[{a: '$${name}', b: ['$${'], sum: 5}]").replace("plus ${b}", "plus ${b.0}")
    (found,) = scenarios(tmp_path, text)
    assert found.turns[0].ask == "What is ${name} plus ${?"
    assert found.item == {"a": "${name}", "b": ["${"], "sum": 5}


def test_a_dollar_sign_that_is_meant_keeps_rows_apart(tmp_path: Path) -> None:
    found = scenarios(
        tmp_path, SUMS.replace("CASES", "rows.csv").replace("name: sums", 'name: "in $${x}"'), rows_csv=CSV
    )
    assert [one.name for one in found] == ["in ${x} [1]", "in ${x} [2]"]


def test_a_line_or_a_name_chooses_one_case_or_all(tmp_path: Path) -> None:
    text = SUMS.replace("CASES", "\n  - {a: 2, b: 3, sum: 5}\n  - {a: 20, b: 30, sum: 50}")
    load(tmp_path, text)

    def chosen(place: str) -> list[str]:
        wanted: Any = (f"scenarios/s.yaml{place}",)
        found = load_configuration(file=None, scenario_paths=wanted, cwd=tmp_path, environment={})
        return [one.name for one in found.scenarios]

    assert chosen(":4") == ["sums [1]"]
    assert chosen(":5") == ["sums [2]"]
    assert chosen(":1") == ["sums [1]", "sums [2]"]
    assert chosen("::sums") == ["sums [1]", "sums [2]"]
    assert chosen("::sums [2]") == ["sums [2]"]
    assert chosen("::2") == ["sums [2]"], "the row is called so"


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (("small", "large"), ["small", "large"]),
        (("Anna", "", "ANNA", "Anna", "3", "x/ y"), ["Anna", "2", "ANNA 3", "Anna 4", "3", "x y"]),
        (("2", "2"), ["2", "2 2"]),
        (("a" * 70 + "1", "a" * 70 + "2"), ["a" * 60, "a" * 60 + " 2"]),
        (("1e5", "null"), ["1e5", "null"]),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "inline"])
def test_rows_are_called_by_their_name_wherever_they_stand_and_a_doubled_one_has_its_number(
    tmp_path: Path, names: tuple[str, ...], labels: list[str], kind: str
) -> None:
    rows: list[dict[str, object]] = [{"name": name, "a": 1, "b": 2, "sum": 3} for name in names]
    text = SUMS.replace("CASES", json.dumps(rows) if kind == "inline" else f"rows.{kind}")
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    csv = "name,a,b,sum\n" + "".join(f"{name},1,2,3\n" for name in names)
    files = {"rows_csv": csv, "rows_jsonl": lines, "rows_json": json.dumps(rows)}
    assert [one.name for one in scenarios(tmp_path, text, **files)] == [f"sums [{label}]" for label in labels]


def test_a_row_whose_name_is_no_text_or_missing_has_its_number(tmp_path: Path) -> None:
    values = ("null", '{"first": "Anna"}', "[1]", "7")
    rows = "".join(f'{{"name": {value}, "a": 1, "b": 2, "sum": 3}}\n' for value in values)
    found = scenarios(tmp_path, SUMS.replace("CASES", "rows.jsonl"), rows_jsonl=rows + rows.replace('"name": 7, ', ""))
    assert [one.name[5:] for one in found][:4] == ["[1]", "[2]", "[3]", "[7]"]
    assert found[-1].name == "sums [8]"


ROWS = 'name,a,b,sum\nsmall,2,3,5\nlarge,"20\n",30,50\nhuge,200,300,500\n'


def asked(folder: Path, *paths: str, cwd: str = "") -> list[str]:
    found = load_configuration(file=None, scenario_paths=paths, cwd=folder / cwd, environment={})
    return [one.name for one in found.scenarios]


def test_a_file_of_rows_stands_for_the_scenarios_that_have_it_as_their_cases(tmp_path: Path) -> None:
    text = SUMS.replace('number: "${sum}"', 'contains: "${sum}"').replace("CASES", "rows.csv")
    load(tmp_path, text, rows_csv=ROWS, other_yaml=text.replace("name: sums", "name: more"))
    (tmp_path / "scenarios" / "about.yaml").write_text(
        text.replace("sums", "rows.csv").replace(": rows.csv", ": [{a: 1}]")
    )
    rows, both = "scenarios/rows.csv", ["more [{}]", "sums [{}]"]

    for place, row in ((":2", "small"), (":3", "large"), (":4:1", "large"), (":5", "huge"), ("::LARGE", "large")):
        assert sorted(asked(tmp_path, rows + place)) == [one.format(row) for one in both], place
    for place in ("", ":1"):
        assert len(asked(tmp_path, rows + place)) == 6, place
    assert asked(tmp_path, rows + "::sums [huge]", rows + ":2") == ["more [small]", "sums [small]", "sums [huge]"]
    assert len(asked(tmp_path, rows + ":2", "scenarios/s.yaml")) == 4
    assert len(asked(tmp_path, "rows.csv:2", cwd="scenarios")) == 2


@pytest.mark.parametrize("kind", ["json", "jsonl"])
def test_rows_in_json_have_places_too(tmp_path: Path, kind: str) -> None:
    load(tmp_path, SUMS.replace("CASES", f"rows.{kind}"), rows_json=ARRAY, rows_jsonl=LINES)
    assert asked(tmp_path, f"scenarios/rows.{kind}:3") == ["sums [2]"]
    assert asked(tmp_path, f"scenarios/rows.{kind}") == ["sums [1]", "sums [2]"]


def test_rows_need_not_lie_below_the_scenarios_nor_these_in_their_folder(tmp_path: Path) -> None:
    for folder in ("data", "evals/rows"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "rows.csv").write_text(ROWS.replace('"20\n"', "20"))
    (tmp_path / "evals" / "s.yaml").write_text(SUMS.replace("CASES", "rows/rows.csv"))
    found = load(tmp_path, SUMS.replace("CASES", "../data/rows.csv").replace("name: sums", "name: one"))

    assert str(found.scenarios[1].location) == "data/rows.csv:3:1"
    assert asked(tmp_path, "data/rows.csv:3") == ["one [large]"]
    assert asked(tmp_path, "evals/rows/rows.csv:3") == ["sums [large]"]


def test_a_scenario_in_json_is_no_row(tmp_path: Path) -> None:
    load(tmp_path, SUMS.replace("CASES", "rows.csv"), rows_csv=CSV)
    turns = [{"ask": "Hi", "expect": [{"contains": "hi"}]}]
    (tmp_path / "scenarios" / "hi.json").write_text("\n" + json.dumps({"assistant": "guide", "turns": turns}))
    assert asked(tmp_path, "scenarios/hi.json:1") == ["hi"]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("scenarios/lost.csv:3", "'scenarios/lost.csv:3' is of a file of rows, and no scenario has it as its `cases`"),
        ("scenarios/told.csv", "'scenarios/told.csv' is of a file of rows, and no scenario has it as its `cases`"),
        ("scenarios/rows.csv::larg", "'scenarios/rows.csv::larg': no row is called so; did you mean 'large'?"),
        ("scenarios/rows.csv:99", "scenarios/rows.csv has 4 lines, and no line 99; scenarios begin on 2, 3, 4"),
        ("scenarios/row.csv:3", "there is no file or folder 'scenarios/row.csv'; did you mean 'scenarios/rows.csv'?"),
    ],
)
def test_rows_that_nothing_is_made_of_lead_to_what_can_be_played(tmp_path: Path, place: str, message: str) -> None:
    text = SUMS.replace("CASES", "rows.csv  # not told.csv")
    load(tmp_path, text, rows_csv=ROWS.replace('"20\n"', "20"), lost_csv=CSV, told_csv=CSV)
    with pytest.raises(UsageError) as caught:
        asked(tmp_path, place)
    assert message in str(caught.value)


def test_a_place_in_a_list_that_is_no_number_is_no_column(tmp_path: Path) -> None:
    text = 'name: s\nassistant: guide\nsmoke: true\ncases: [{a: [1, 2]}]\nturns: [{ask: "${a.²}"}]\n'

    assert mistakes(tmp_path, text)[0].startswith("scenarios/s.yaml:5:15: there is no column 'a.²'")


@pytest.mark.parametrize(
    ("rows", "check", "unused"),
    [
        ("name,a,b,sum\nx,1,2,3\n", '{number: "${sum}"}', []),
        ("name,a,b,sum,_why\nx,1,2,3,small\n", "{number: 3}", ["sum"]),
        ("a,b,sum\n1,2,3\n", "{python: 'own.py:holds'}", []),
        ("a,b,sum\n1,2,3\n", "{not: {python: 'own.py:holds'}}", []),
    ],
)
def test_a_column_that_nothing_uses_is_noted(tmp_path: Path, rows: str, check: str, unused: list[str]) -> None:
    text = SUMS.replace("CASES", "rows.csv").replace('{number: "${sum}"}', check)

    found = load(tmp_path, text, rows_csv=rows, own_py="def holds(turn): return True\n")

    assert [note.split("'")[1] for note in found.notes] == unused
    assert all(note.startswith("scenarios/rows.csv:2: ") for note in found.notes)
