"""Offline: rules instead of a language model. They plan and read; only tools look up and compute.

What the rules aren't sure of they decline. They see no instructions of the assistant's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from runner.server.inference import (
    Answer,
    FunctionRequest,
    Inference,
    Role,
    Scene,
    Spent,
    ToolOutcome,
    ToolRequest,
    Turnout,
    UseTools,
)
from runner.server.inference._offline.answers import tell_fact, tell_memory, tell_note, tell_result
from runner.server.inference._offline.calling import read_call
from runner.server.inference._offline.computing import Result, is_trivial, read_output, work_out, write_program
from runner.server.inference._offline.declining import decline
from runner.server.inference._offline.documents import Document, read_documents, read_given
from runner.server.inference._offline.expressions import Item, Leaf, fill_leaves, find_leaves
from runner.server.inference._offline.lookup import find_fact
from runner.server.inference._offline.matching import Finding, NotFound, NotSure, find_leaf
from runner.server.inference._offline.question import (
    NO_MONEY,
    Calculation,
    Currency,
    Lookup,
    Note,
    Recall,
    Sense,
    Unclear,
)
from runner.server.inference._offline.recall import find_memory
from runner.server.inference._offline.statements import Statement
from runner.server.inference._offline.understanding import understand
from runner.server.inference._offline.vocabulary import LABELS
from runner.server.inference._offline.words import search_words

FILE_SEARCH, CODE = "file_search", "code_interpreter"
MAX_GIVEN_CHARACTERS = 64_000
"""As much as a search of 20 passages finds. With more the rules take seconds, and find too much that fits."""
_TOKENS_PER_WORD = 4 / 3


def create(settings: Mapping[str, object]) -> Inference:
    """The offline rules; they have no settings."""
    if settings:
        raise ValueError(f"the inference 'offline' has no settings, found: {', '.join(sorted(settings))}")
    return OfflineInference()


class OfflineInference:
    """Stateless: the same scene gets the same move."""

    name = "offline"

    async def decide(self, scene: Scene) -> Turnout:
        move = _keep_to_order(scene, choose_move(scene))
        said = move.text if not isinstance(move, UseTools) else str(move.requests[0].arguments)
        texts = (text for one in scene.messages for text in (one.text, *(file.text for file in one.files)))
        read = " ".join(texts)
        return Turnout(move=move, spent=Spent(input_tokens=_count_tokens(read), output_tokens=_count_tokens(said)))


def _keep_to_order(scene: Scene, move: UseTools | Answer) -> UseTools | Answer:
    """The move, or a decline where the run asks for what rules can't do: answers in JSON, a call of a certain tool."""
    if scene.response_format is not None:
        return decline("the answer is to be in JSON")
    called = {_name(one) for one in move.requests} if isinstance(move, UseTools) else set()
    if scene.tool_choice == "required" and not called:
        return decline("a tool is to be called, and none is needed")
    if scene.tool_choice not in {"auto", "none", "required"} and called != {scene.tool_choice}:
        return decline(f"the tool {scene.tool_choice} is to be called, and it is of no use here")
    return move


def _name(request: ToolRequest | FunctionRequest) -> str:
    return request.tool if isinstance(request, ToolRequest) else request.name


def choose_move(scene: Scene) -> UseTools | Answer:
    """The next move: a tool call, the answer, or a decline that says why."""
    if not scene.messages or scene.messages[-1].role is not Role.USER:
        return decline("nothing was asked")
    try:
        return read_call(scene) or _choose_without_functions(scene)
    except NotSure as unsure:
        return decline(str(unsure))


def _choose_without_functions(scene: Scene) -> UseTools | Answer:
    understanding = understand(scene.messages)
    match understanding.intent:
        case Calculation() as calculation:
            return _calculate(scene, calculation)
        case Lookup() as lookup:
            return _look_up(scene, lookup)
        case Recall() as recall:
            return _recall(scene, recall, understanding.statements)
        case Note() as note:
            return tell_note(note)
        case Unclear(reason=reason):
            return decline(reason)


def _calculate(scene: Scene, calculation: Calculation) -> UseTools | Answer:
    leaves = find_leaves(calculation.expression)
    findings: tuple[Finding, ...] = ()
    if leaves:
        documents = _search(scene, tuple(_query(leaf) for leaf in leaves))
        if isinstance(documents, UseTools):
            return documents
        try:
            findings = tuple(find_leaf(leaf, documents) for leaf in leaves)
        except NotFound:
            if calculation.lookup is None:
                raise
            return tell_fact(find_fact(calculation.lookup, documents))
    currency = _settle_currency(calculation, findings)
    filled = _fill(calculation, findings, currency)
    result = _compute(scene, filled)
    if isinstance(result, UseTools):
        return result
    if filled.is_positive and (result.value < 0 or (result.value == 0 and filled.sense is Sense.DIFFERENCE)):
        raise NotSure("the amounts do not fit the question")
    return tell_result(filled, result, currency, findings)


def _fill(calculation: Calculation, findings: tuple[Finding, ...], currency: Currency) -> Calculation:
    found = {finding.leaf: finding.expression for finding in findings}
    whole = calculation.whole
    return replace(
        calculation,
        expression=fill_leaves(calculation.expression, found),
        whole=None if whole is None else fill_leaves(whole, found),
        currency=currency,
    )


def _settle_currency(calculation: Calculation, findings: tuple[Finding, ...]) -> Currency:
    """The currency of the result, from the question and the documents. Raises NotSure where they differ."""
    if calculation.currency == NO_MONEY:
        return NO_MONEY
    known = [finding.currency for finding in findings]
    if calculation.currency is not None:
        known.append(calculation.currency)
    named = [currency for currency in known if currency.text]
    if len({currency.text for currency in named}) > 1:
        raise NotSure("the amounts are in different currencies")
    return named[0] if named else Currency(text="")


def _compute(scene: Scene, calculation: Calculation) -> Result | UseTools:
    if CODE not in scene.tools or is_trivial(calculation.expression):
        return work_out(calculation)
    outcomes = _outcomes(scene, CODE)
    if not outcomes:
        return UseTools(requests=(ToolRequest(tool=CODE, arguments={"code": write_program(calculation)}),))
    if not outcomes[-1].completed:
        raise NotSure("the code interpreter failed")
    return read_output(outcomes[-1].output)


def _look_up(scene: Scene, lookup: Lookup) -> UseTools | Answer:
    documents = _search(scene, (" ".join(search_words(lookup.text)) or lookup.text,))
    return documents if isinstance(documents, UseTools) else tell_fact(find_fact(lookup, documents))


def _recall(scene: Scene, recall: Recall, statements: tuple[Statement, ...]) -> UseTools | Answer:
    memory = find_memory(recall.fact, statements)
    if memory is not None:
        return tell_memory(memory)
    if recall.is_explicit:
        raise NotSure("I find nothing about it in what you said")
    return _look_up(scene, recall.fact)


def _search(scene: Scene, queries: tuple[str, ...]) -> tuple[Document, ...] | UseTools:
    """The documents that came with the messages and that this run's search found, or the search still to be made."""
    given = read_given(scene.messages)
    if sum(len(passage.text) for passage in given) > MAX_GIVEN_CHARACTERS:
        raise NotSure("the files are longer than the rules read; file search finds the place in them")
    outcomes = _outcomes(scene, FILE_SEARCH)
    can_search = FILE_SEARCH in scene.tools and scene.has_documents
    if outcomes or (given and not can_search):
        if outcomes and not outcomes[-1].completed:
            raise NotSure("the file search failed")
        found = tuple(passage for outcome in outcomes for passage in outcome.passages)
        return read_documents((*given, *found), scene.messages, scene.thread_files)
    if not can_search:
        raise NotSure("it needs a document, and there is none to search")
    unique = list(dict.fromkeys(queries))
    return UseTools(requests=(ToolRequest(tool=FILE_SEARCH, arguments={"queries": unique}),))


def _query(leaf: Leaf) -> str:
    if isinstance(leaf, Item):
        return " ".join(search_words(leaf.name)) or leaf.name
    return " ".join(dict.fromkeys(" ".join((*LABELS[leaf.name], leaf.of)).split()))


def _outcomes(scene: Scene, tool: str) -> tuple[ToolOutcome, ...]:
    return tuple(
        outcome
        for outcome in scene.outcomes
        if isinstance(outcome.request, ToolRequest) and outcome.request.tool == tool
    )


def _count_tokens(text: str) -> int:
    return round(len(text.split()) * _TOKENS_PER_WORD)
