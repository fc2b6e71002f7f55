"""The checks on what a run did and cited: tool_called, tool_not_called, cites."""

from __future__ import annotations

from decimal import Decimal

import pytest

from runner.checks import an_answer, cites, code_ran, not_cites, searched, tool_called, tool_not_called
from runner.domain.conversation import Citation, FileId, Run, SearchResult, Step
from runner.errors import CheckBroken

SEARCH = Step(tool="file_search", completed=True)
CODE = Step(tool="code_interpreter", completed=True)
BROKEN_CODE = Step(tool="code_interpreter", completed=False)


def run(*steps: Step, citations: tuple[Citation, ...] = ()) -> Run:
    return an_answer("An answer.", steps=steps, citations=citations)


def cite(file_id: str, filename: str | None = None) -> Citation:
    return Citation(position=0, file_id=FileId(file_id), filename=filename)


class TestToolCalled:
    def test_one_completed_call_is_enough(self) -> None:
        assert tool_called.Check(tool="code_interpreter").judge(run(BROKEN_CODE, CODE, SEARCH)).holds

    def test_another_tool_is_not_it(self) -> None:
        finding = tool_called.Check(tool="code_interpreter").judge(run(SEARCH))

        assert not finding.holds
        assert finding.reason == "code_interpreter was not called"
        assert finding.found == "file_search"

    def test_a_call_that_did_not_complete_does_not_count(self) -> None:
        finding = tool_called.Check(tool="code_interpreter").judge(run(BROKEN_CODE))

        assert not finding.holds
        assert finding.reason == "code_interpreter was called once without completing"
        assert finding.found == "code_interpreter (not completed)"

    def test_times_are_exact(self) -> None:
        check = tool_called.Check(tool="code_interpreter", times=2)

        assert check.judge(run(CODE, SEARCH, CODE)).holds
        assert check.judge(run(CODE, BROKEN_CODE, CODE)).holds
        finding = check.judge(run(CODE, CODE, CODE))
        assert not finding.holds
        assert finding.expected == "a call of code_interpreter, 2 times"
        assert finding.reason == "code_interpreter was called 3 times"
        mixed = check.judge(run(CODE, BROKEN_CODE)).reason
        assert mixed == "code_interpreter was called once and called once without completing"

    def test_only_calls_with_the_arguments_count_whatever_their_order_or_others(self) -> None:
        step = Step(tool="rate", completed=True, input='{"on": "today", "amount": 1.0, "to": "NOK"}')
        check = tool_called.Check(tool="rate", arguments={"to": "NOK", "amount": 1, "from": None}, times=1)

        assert check.judge(run(step, Step(tool="rate", completed=True, input='{"to": "SEK"}'))).holds

    def test_other_arguments_are_shown(self) -> None:
        check = tool_called.Check(tool="rate", arguments={"to": "NOK", "amount": Decimal("0.5")})
        finding = check.judge(run(Step(tool="rate", completed=True, input='{"to": "SEK"}'), SEARCH))

        assert not finding.holds
        assert finding.expected == 'a call of rate with {"to": "NOK", "amount": 0.5}'
        assert finding.found == 'rate with {"to": "SEK"}'
        assert finding.reason == 'rate with {"to": "NOK", "amount": 0.5} was not called'

    @pytest.mark.parametrize("written", ["", "print(1)", "[1]", "[" * 100_000, '{"to": 1e99999999999999999999}'])
    def test_what_is_no_json_object_has_no_arguments(self, written: str) -> None:
        call = Step(tool="rate", completed=True, input=written)

        assert not tool_called.Check(tool="rate", arguments={"to": "NOK"}).judge(run(call)).holds

    def test_the_name_of_2023_is_understood_on_both_sides(self) -> None:
        assert tool_called.Check(tool="retrieval").judge(run(SEARCH)).holds
        assert tool_called.Check(tool="file_search").judge(run(Step(tool="retrieval", completed=True))).holds

    def test_a_blank_name_is_refused(self) -> None:
        with pytest.raises(ValueError, match="missing"):
            tool_called.Check(tool=" ")


class TestToolNotCalled:
    def test_it_holds_when_only_other_tools_were_called(self) -> None:
        assert tool_not_called.Check(tool="code_interpreter").judge(run(SEARCH)).holds

    @pytest.mark.parametrize("step", [CODE, BROKEN_CODE])
    def test_any_call_counts_even_a_broken_one(self, step: Step) -> None:
        finding = tool_not_called.Check(tool="code_interpreter").judge(run(SEARCH, step))

        assert not finding.holds
        assert finding.reason.startswith("code_interpreter was called")

    def test_the_name_of_2023_is_understood(self) -> None:
        assert not tool_not_called.Check(tool="retrieval").judge(run(SEARCH)).holds


class TestCites:
    @pytest.mark.parametrize(
        "file", ["receipt.pdf", "files/receipt.pdf", "*.pdf", "rec?ipt.*", r"C:\files\receipt.pdf"]
    )
    def test_a_citation_is_known_by_its_file_name(self, file: str) -> None:
        assert cites.Check(file=file).judge(run(citations=(cite("f1", "menu.md"), cite("f2", "receipt.pdf")))).holds

    def test_a_name_with_brackets_is_no_pattern(self) -> None:
        check = cites.Check(file="bill[1].pdf")

        assert check.judge(run(citations=(cite("f1", "bill[1].pdf"),))).holds
        assert not check.judge(run(citations=(cite("f1", "bill1.pdf"),))).holds

    def test_accents_may_be_stored_either_way(self) -> None:
        assert cites.Check(file="re\u0301sume\u0301.pdf").judge(run(citations=(cite("f1", "résumé.pdf"),))).holds

    def test_another_file_is_not_it(self) -> None:
        finding = cites.Check(file="receipt.pdf").judge(run(citations=(cite("f1", "menu.md"),)))

        assert not finding.holds
        assert finding.reason == "the answer cites menu.md"

    def test_an_answer_without_citations_fails(self) -> None:
        finding = cites.Check(file="receipt.pdf").judge(run())

        assert not finding.holds
        assert finding.reason == "the answer cites nothing"

    def test_a_file_that_was_found_and_not_cited_is_not_cited(self) -> None:
        assert not cites.Check(file="receipt.pdf").judge(run(_found("f1", "receipt.pdf"))).holds

    def test_a_missing_name_is_looked_up_among_the_search_results(self) -> None:
        assert cites.Check(file="receipt.pdf").judge(run(_found("f1", "receipt.pdf"), citations=(cite("f1"),))).holds

    def test_a_name_that_nobody_knows_breaks_the_check(self) -> None:
        with pytest.raises(CheckBroken, match="not known"):
            cites.Check(file="receipt.pdf").judge(run(_found("f1", "receipt.pdf"), citations=(cite("f2"),)))

    def test_a_folder_is_refused(self) -> None:
        with pytest.raises(ValueError, match="folder"):
            cites.Check(file="files/")


def _found(file_id: str, filename: str) -> Step:
    result = SearchResult(file_id=FileId(file_id), filename=filename, score=0.5, text="Burger 23.75")
    return Step(tool="file_search", completed=True, results=(result,))


@pytest.mark.parametrize(
    ("passage", "holds"),
    [("30 days", True), ("paid within 30", True), ("30", True), ("3", False), ("0 days", False), ("within", True)],
)
def test_a_passage_is_no_part_of_a_longer_number_and_marks_hide_none(passage: str, holds: bool) -> None:
    found = SearchResult(file_id=FileId("f"), filename="a.md", score=0.5, text="It is paid **within 30** days.")
    answer = run(Step(tool="file_search", completed=True, results=(found,)), citations=(cite("f", "a.md"),))
    code = Step(tool="code_interpreter", completed=True, input="x", output="It is paid **within 30** days.")

    assert searched.Check(passage=passage).judge(answer).holds is holds
    assert cites.Check(file="a.md", passage=passage).judge(answer).holds is holds
    assert code_ran.Check(printed=passage).judge(run(code)).holds is holds


def test_what_was_printed_is_the_whole_number() -> None:
    code = Step(tool="code_interpreter", completed=True, input="x", output="39.25\n")

    assert code_ran.Check(printed="39.25").judge(run(code)).holds
    assert not code_ran.Check(printed="39").judge(run(code)).holds
    owed = Step(tool="code_interpreter", completed=True, input="x", output="-39.25\n")
    assert not code_ran.Check(printed="39.25").judge(run(owed)).holds


def test_code_that_did_not_run_to_its_end_is_none() -> None:
    finding = code_ran.Check().judge(run(BROKEN_CODE))

    assert (finding.holds, finding.reason) == (False, "no code ran to its end")


@pytest.mark.parametrize(
    ("code", "wanted", "holds"), [("a*b*c", "abc", False), ("1 <b> 2", "1 2", False), ("f(**k)", "f(**k)", True)]
)
def test_code_has_no_marks_of_markdown(code: str, wanted: str, holds: bool) -> None:
    ran = run(Step(tool="code_interpreter", completed=True, input=code))

    assert code_ran.Check(code=wanted).judge(ran).holds is holds


def test_capitals_in_a_files_name_hide_no_citation() -> None:
    answer = run(citations=(cite("f", "kb/Receipt.PDF"),))

    assert cites.Check(file="receipt.pdf").judge(answer).holds
    assert not not_cites.Check(file="receipt.pdf").judge(answer).holds
