"""The keyword index: what is found, in which order, from several stores, threads and processes."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.server.engine.search import Index, fold_text
from runner.server.inference import Vector

RECEIPT = "Receipt\n1 Burger 23.75\n3 Soda 15.50\nTotal 39.25"
GUIDE = "Lisbon on foot: start at the castle, walk down to the river and pay nothing."
RULES = "Tickets can be refunded up to three days before departure."


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    opened = Index(tmp_path / "state.db")
    yield opened
    opened.close()


def found(index: Index, query: str, *stores: str, limit: int = 20) -> list[str]:
    return [passage.filename for passage in index.search(stores or ("s1",), query, limit)]


def test_the_passage_that_has_the_words_comes_first(index: Index) -> None:
    for name, text in [("receipt", RECEIPT), ("guide", GUIDE), ("rules", RULES)]:
        index.put("s1", f"file_{name}", name, [text])
    assert found(index, "how much for the burger and soda, and where do I pay?")[0] == "receipt"
    assert found(index, "refunds of a ticket") == ["rules"]


def test_a_passage_has_its_text_its_file_and_a_score_between_0_and_1(index: Index) -> None:
    index.put("s1", "f1", "receipt.pdf", [RECEIPT])
    (passage,) = index.search(["s1"], "burger", 5)
    assert (passage.file_id, passage.filename, passage.text) == ("f1", "receipt.pdf", RECEIPT)
    assert 0 < passage.score <= 1


def test_word_forms_case_and_accents_make_no_difference(index: Index) -> None:
    index.put("s1", "f1", "menu", ["Zwei CAFÉS, three burgers"])
    assert found(index, "cafe BURGER") == ["menu"]


def test_only_the_stores_named_are_searched(index: Index) -> None:
    index.put("s1", "f1", "mine", [RECEIPT])
    index.put("s2", "f2", "theirs", [RECEIPT])
    assert found(index, "burger", "s1") == ["mine"]
    assert sorted(found(index, "burger", "s1", "s2")) == ["mine", "theirs"]
    assert index.search([], "burger", 5) == ()


def test_what_other_stores_hold_changes_no_score(index: Index) -> None:
    index.put("s1", "f1", "receipt", [RECEIPT])
    index.put("s1", "f2", "guide", [GUIDE])
    alone = index.search(["s1"], "burger by the river", 5)
    for number in range(100):
        index.put(f"other{number}", f"f{number}", "copy", [RECEIPT])
    assert index.search(["s1"], "burger by the river", 5) == alone


def test_a_file_in_two_stores_is_found_once_and_crowds_nothing_out(index: Index) -> None:
    for store in ("s1", "s2", "s3"):
        index.put(store, "f1", "receipt", [RECEIPT, "burger burger burger"])
    index.put("s1", "f2", "other", ["one burger"])
    assert sorted(found(index, "burger", "s1", "s2", "s3", limit=3)) == ["other", "receipt", "receipt"]


def test_putting_a_file_again_replaces_its_chunks(index: Index) -> None:
    index.put("s1", "f1", "receipt", ["burger 23.75", "soda 15.50"])
    index.put("s1", "f1", "receipt", ["burger 24.75"])
    assert [passage.text for passage in index.search(["s1"], "burger soda", 5)] == ["burger 24.75"]


def test_what_is_removed_is_found_no_more(index: Index, tmp_path: Path) -> None:
    index.put("s1", "f1", "one", [RECEIPT])
    index.put("s1", "f2", "two", [RECEIPT])
    index.put("s2", "f1", "three", [RECEIPT])
    index.remove("s1", "f1")
    assert found(index, "burger", "s1") == ["two"]
    index.remove_store("s1")
    assert found(index, "burger", "s1") == []
    assert found(index, "burger", "s2") == ["three"]
    index.remove_store("s2")
    database = sqlite3.connect(tmp_path / "state.db")
    (terms,) = database.execute("SELECT name FROM sqlite_master WHERE sql LIKE '%USING fts5%'").fetchone()
    database.execute(f"INSERT INTO {terms} ({terms}, rank) VALUES ('integrity-check', 1)")
    database.execute(f"CREATE VIRTUAL TABLE temp.left_over USING fts5vocab('main', '{terms}', 'row')")
    assert database.execute("SELECT * FROM temp.left_over").fetchall() == []
    database.close()


def test_the_order_is_the_same_every_time_ties_included(index: Index) -> None:
    for number in (3, 1, 2):
        index.put("s1", f"f{number}", f"file {number}", ["burger one", "burger two"])
    assert found(index, "burger") == ["file 1"] * 2 + ["file 2"] * 2 + ["file 3"] * 2
    assert len(index.search(["s1"], "burger", 4)) == 4


def test_a_smaller_limit_gives_the_beginning_of_the_same_list(index: Index) -> None:
    for store in ("s1", "s2"):
        for number in (3, 1, 2):
            index.put(store, f"f{number}", f"file {number}", ["burger one", "burger two", "burger and soda"])
    index.put("s2", "f0", "file 0", ["burger one"])
    whole = index.search(["s1", "s2"], "burger soda", 20)
    assert len(whole) == 10
    for limit in range(1, 11):
        assert index.search(["s1", "s2"], "burger soda", limit) == whole[:limit]


def test_a_smaller_limit_gives_the_beginning_of_the_same_list_by_meaning_too(index: Index) -> None:
    vectors = [Vector(model="m", values=(1.0, float(number))) for number in range(6)]
    index.put("s1", "f1", "menu", [f"burger {number}" for number in range(6)], vectors)
    query = Vector(model="m", values=(0.2, 1.0))
    whole = index.search(["s1"], "burger 3", 20, meaning=query)
    for limit in range(1, 7):
        assert index.search(["s1"], "burger 3", limit, meaning=query) == whole[:limit]


# The scale of scores: docs/adr/0017
FOODS = "The favourite food of several people:\nAda Summers: tacos\nEffie Miller: pizza\nFilip Carol: cake"
TALES = (
    "People of many towns eat tacos and like them.",
    "The food in the harbour is good, and most people like it.",
    "A town by the river, with a harbour and a castle.",
    "Some people walk, some take the tram to the castle.",
)


def score_of(index: Index, query: str, file_id: str = "foods") -> float:
    return next((one.score for one in index.search(["s1"], query, 500) if one.file_id == file_id), 0.0)


@pytest.fixture(params=[0, 1, 30], ids=lambda copies: f"beside-{copies}")
def foods(index: Index, request: pytest.FixtureRequest) -> Index:
    """The passage alone, among a few others, and among many."""
    index.put("s1", "foods", "foods", [FOODS])
    for copy in range(request.param):
        index.put("s1", f"tales{copy}", "tales", TALES)
    return index


@pytest.mark.parametrize("query", ["What is Filip's favourite food?", "Filip Carol cake", "effie", "Ada tacos"])
def test_a_passage_that_has_all_that_is_asked_for_scores_well_above_one_half(foods: Index, query: str) -> None:
    assert 0.65 < score_of(foods, query) < 1


def test_more_of_the_query_s_words_score_more(foods: Index) -> None:
    scores = [score_of(foods, f"Filip {rest}") for rest in ("zebra yacht", "zebra cake", "Carol cake")]
    assert scores == sorted(scores)
    assert scores[0] < 0.4 < scores[1] < 0.65 < scores[2]


def test_a_passage_that_shares_only_common_words_scores_well_below_one_half(index: Index) -> None:
    index.put("s1", "foods", "foods", [FOODS])
    for copy in range(30):
        index.put("s1", f"tales{copy}", "tales", TALES)
    assert 0 < score_of(index, "what do people in Effie's town like best", "tales0") < 0.35
    assert 0 < score_of(index, "people of zanzibar") < 0.1


def test_a_score_of_the_whole_query_does_not_hang_on_how_many_passages_there_are(index: Index) -> None:
    index.put("s1", "foods", "foods", [FOODS])
    alone = score_of(index, "Filip Carol cake")
    for copy in range(50):
        index.put("s1", f"tales{copy}", "tales", [f"{one} And so on, as everybody here has known." for one in TALES])
    assert score_of(index, "Filip Carol cake") == pytest.approx(alone, abs=0.05)


@pytest.mark.parametrize("query", ["", "   ", "?!", "the the the", '"', "*", "NEAR(", "text:burger AND", "a\0b", "-"])
def test_no_query_is_read_as_syntax(index: Index, query: str) -> None:
    index.put("s1", "f1", "receipt", [RECEIPT])
    assert all(passage.filename == "receipt" for passage in index.search(["s1"], query, 5))


def test_words_of_the_query_language_are_searched_as_words(index: Index) -> None:
    index.put("s1", "f1", "shop", ["near and or not"])
    index.put("s1", "f2", "receipt", [RECEIPT])
    assert found(index, "NEAR") == ["shop"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_can_be_indexed_and_searched(index: Index, text: str) -> None:
    index.put("s1", "f1", text, [text, RECEIPT])
    assert all(0 <= passage.score <= 1 for passage in index.search(["s1"], text + " burger", 5))


def test_a_question_of_fillers_only_is_still_searched(index: Index) -> None:
    index.put("s1", "f1", "song", ["to be or not to be"])
    assert found(index, "to be or to be?") == ["song"]


def test_a_large_index_leaves_out_words_that_most_passages_have(index: Index) -> None:
    chunks = [f"the price of item{number}" for number in range(2_500)]
    index.put("s1", "f1", "catalogue", chunks)
    assert [passage.text for passage in index.search(["s1"], "what is the price of item7", 5)] == [chunks[7]]


def test_a_large_index_still_answers_when_every_word_is_common(index: Index) -> None:
    index.put("s1", "f1", "catalogue", [f"the price of item{number}" for number in range(2_500)])
    assert len(index.search(["s1"], "the price", 5)) == 5


async def test_threads_may_put_and_search_at_once(index: Index) -> None:
    async def work(number: int) -> int:
        await asyncio.to_thread(index.put, f"s{number}", f"f{number}", "receipt", [RECEIPT] * 5)
        return len(await asyncio.to_thread(index.search, [f"s{number}"], "burger", 10))

    assert await asyncio.gather(*(work(number) for number in range(40))) == [1] * 40


@pytest.mark.slow
def test_processes_may_share_a_database(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from runner.server.engine.search import Index\n"
        "index = Index(Path(sys.argv[1]))\n"
        "for number in range(20): index.put('s1', f'{sys.argv[2]}-{number}', sys.argv[2], ['burger 23.75'])\n"
        "index.close()"
    )
    database = tmp_path / "state.db"
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(database), name], stderr=subprocess.PIPE)
        for name in ("one", "two", "three")
    ]
    assert [process.communicate(timeout=60)[1] for process in running] == [b""] * 3
    index = Index(database)
    names = [passage.filename for passage in index.search(["s1"], "burger", 100)]
    index.close()
    assert sorted(names) == ["one"] * 20 + ["three"] * 20 + ["two"] * 20


def test_what_was_put_is_there_after_a_restart(tmp_path: Path) -> None:
    first = Index(tmp_path / "state.db")
    first.put("s1", "f1", "receipt", [RECEIPT])
    first.close()
    second = Index(tmp_path / "state.db")
    assert found(second, "burger") == ["receipt"]
    second.close()


def test_a_put_that_breaks_off_leaves_what_was_there(index: Index) -> None:
    index.put("s1", "f1", "receipt", [RECEIPT])
    with pytest.raises(AttributeError):
        index.put("s1", "f1", "receipt", ["new text", None])  # type: ignore[list-item]  # a fault in the middle
    assert [passage.text for passage in index.search(["s1"], "burger new text", 5)] == [RECEIPT]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("我们的退款政策是三天", "退款"),
        ("我们的退款政策是三天", "退款政策是什么?"),
        ("我们的退款政策是三天", "退"),
        ("返金ポリシーについて", "ポリシー"),
        ("นโยบายการคืนเงินภายในสามวัน", "คืนเงิน"),
        ("환불은 삼 일 안에 됩니다", "환불을 받고 싶어요"),
        ("धनवापसी तीन दिन में", "धनवापसी"),
        ("سياسة الاسترداد", "الاِستِردَاد"),
        ("the best o\ufb00er of the year", "offer"),
        ("an offer", "o\ufb00er"),
        ("Hauptstraße 5", "hauptstrasse"),
        ("HAUPTSTRASSE 5", "Hauptstraße"),
        ("the terms of your insur-\nance are these", "insurance"),
        ("the terms of your insur\u00ad\nance are these", "insurance"),
        ("a co\u00adoperative", "cooperative"),
        ("ＡＢＣ　１２３", "abc 123"),
        ("Sum 273.879.750¹", "750"),
        ("CO₂ at 40 percent", "CO2"),
        ("Καφές και νερό", "ΚΑΦΕΣ"),
        ("El precio incluye el café", "cafe"),
        ("e\u0301clair", "éclair"),
    ],
)
@pytest.mark.slow
def test_a_text_is_found_in_every_script_and_spelling(index: Index, text: str, query: str) -> None:
    index.put("s1", "f1", "wanted", [text])
    index.put("s1", "f2", "other", ["Lisbon on foot, 参观城市, 도시 산책, เดินเล่นในเมือง"])
    assert found(index, query)[:1] == ["wanted"]
    index.remove("s1", "f1")
    assert "wanted" not in found(index, query)


@pytest.mark.parametrize("piece", ["a", "a-\n", "退", "e\u0301", "¹1", "\u00ad\n", "ﷺ", "1,"])
@pytest.mark.slow
def test_the_time_to_fold_grows_with_the_length_and_no_faster(piece: str) -> None:
    fold_text(piece * (300_000 // len(piece)))
