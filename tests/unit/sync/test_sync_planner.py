"""Plans are empty after they were applied, whatever the server makes of the fields; identity is tags alone."""

import asyncio
import tempfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sync_memory import HERE, NAMESPACE, MemoryBackend, MemoryServer, make_assistant, make_file, sync

from runner.backends import RemoteAssistant, managed_fields
from runner.domain.assistant import Address, Assistant, Namespace, PlainFormat, SchemaFormat, Tool, ToolName
from runner.domain.conversation import AssistantId
from runner.domain.files import FileUse
from runner.domain.plan import Action
from runner.journal import Journal
from runner.sync import RemoteState, decide, plan_sync
from runner.sync.comparing import compare
from runner.sync.desired import Desired, describe
from runner.sync.printing import print_plan
from runner.sync.remote import bind
from runner.sync.tags import ADDRESS, PLAY, merge_metadata, owner_tags
from runner.sync.tags import NAMESPACE as NAMESPACE_TAG


def stored(assistant_id: str, created_at: int, metadata: dict[str, str]) -> RemoteAssistant:
    return RemoteAssistant(
        id=AssistantId(assistant_id), created_at=created_at, name="Guide", fields={}, metadata=metadata
    )


def test_of_several_objects_with_our_tags_the_oldest_stands_for_the_address() -> None:
    tags = owner_tags(NAMESPACE, Address("guide"))
    objects = [stored("c", 5, tags), stored("b", 3, tags), stored("a", 3, tags)]
    binding = bind(objects, NAMESPACE, Address("guide"))
    assert binding.chosen is objects[2]
    assert [one.id for one in binding.duplicates] == ["b", "c"]


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {NAMESPACE_TAG: NAMESPACE},
        {ADDRESS: "guide"},
        {NAMESPACE_TAG: "another", ADDRESS: "guide"},
        {NAMESPACE_TAG: NAMESPACE, ADDRESS: "other"},
        {NAMESPACE_TAG: NAMESPACE, PLAY: "p1"},
        {NAMESPACE_TAG: NAMESPACE, ADDRESS: "guide", PLAY: "p1"},
    ],
)
def test_an_object_without_exactly_our_tags_is_not_ours(metadata: dict[str, str]) -> None:
    assert bind([stored("a", 1, metadata)], NAMESPACE, Address("guide")).chosen is None


def test_metadata_keeps_theirs_and_lets_ours_win() -> None:
    merged = merge_metadata(
        {"team": "north", "runner.spec": "old", "runner.files": "old"}, {"team": "south"}, {"runner.spec": "new"}
    )
    assert merged == {"team": "south", "runner.spec": "new"}


@pytest.mark.parametrize(
    ("wanted", "live"),
    [
        ({"temperature": 1}, {"temperature": 1.0}),
        ({"temperature": 1.0}, {"temperature": None}),
        ({"temperature": 0.7}, {"temperature": 0.699999988079071}),
        ({"instructions": "a\nb\n"}, {"instructions": "a\r\nb"}),
        ({"instructions": ""}, {"instructions": None}),
        ({"tools": {"file_search": {"max_num_results": None}}}, {"tools": {"file_search": {"max_num_results": 20}}}),
        ({"tools": {"b": {}, "a": {}}}, {"tools": {"a": {}, "b": {}}}),
        ({"reasoning_effort": None}, {"reasoning_effort": "medium"}),
        ({"response_format": None}, {}),
    ],
)
def test_what_means_the_same_is_no_difference(wanted: dict[str, object], live: dict[str, object]) -> None:
    assert compare(wanted, live, {"theirs": "x"}).changes == ()


@pytest.mark.parametrize(
    ("wanted", "live", "field"),
    [
        ({"temperature": 0.5}, {"temperature": None}, "temperature"),
        ({"instructions": "a b"}, {"instructions": "ab"}, "instructions"),
        ({"tools": {"file_search": {"max_num_results": 5}}}, {"tools": {"file_search": {}}}, "tools"),
        ({"tools": {}}, {"tools": {"file_search": {}}}, "tools"),
        ({"reasoning_effort": "low"}, {"reasoning_effort": "medium"}, "reasoning_effort"),
        ({"response_format": None}, {"response_format": "text"}, "response_format"),
        ({"response_format": "text"}, {"response_format": None}, "response_format"),
        ({"metadata": {"team": "north"}}, {}, "metadata.team"),
    ],
)
def test_what_means_something_else_is_a_difference(
    wanted: dict[str, object], live: dict[str, object], field: str
) -> None:
    assert [change.field for change in compare(wanted, live, {"theirs": "x"}).changes] == [field]


def test_declarations_that_mean_the_same_have_the_same_spec(tmp_path: Path) -> None:
    one, two = make_file(tmp_path / "a.md"), make_file(tmp_path / "b.md")
    first = make_assistant(files=(one, two), temperature="1.0", instructions="Hello.\n")
    second = make_assistant(files=(two, one, one), instructions="Hello.")
    assert describe(first).imprint((), ()) == describe(second).imprint((), ())
    assert describe(first).search_mark == describe(second).search_mark


def test_the_same_bytes_under_another_name_are_another_mark(tmp_path: Path) -> None:
    one, two = make_file(tmp_path / "a.md", "same"), make_file(tmp_path / "b.md", "same")
    first, second = describe(make_assistant(files=(one,))), describe(make_assistant(files=(two,)))
    assert first.search_mark != second.search_mark


def test_a_plan_has_a_line_for_every_object_in_the_order_of_the_file(tmp_path: Path) -> None:
    desired = [describe(make_assistant("b", files=(make_file(tmp_path / "a.md"),))), describe(make_assistant("a"))]
    plan = plan_sync(desired, NAMESPACE, RemoteState()).plan
    assert [(change.kind.value, change.address) for change in plan.changes] == [
        ("vector store", "b"),
        ("assistant", "b"),
        ("assistant", "a"),
    ]
    assert {change.action for change in plan.changes} == {Action.CREATE}


def test_an_assistant_of_another_namespace_is_neither_used_nor_named() -> None:
    foreign = stored("a", 1, {NAMESPACE_TAG: "another", ADDRESS: "guide"})
    plan = plan_sync([Desired(assistant=make_assistant())], NAMESPACE, RemoteState(assistants=(foreign,)))
    assert plan.units[0].assistant is None
    assert plan.notes == ()


def test_an_assistant_without_files_lets_go_of_its_store() -> None:
    assistant = make_assistant()
    fields = managed_fields(assistant)
    live = replace(stored("a", 1, owner_tags(NAMESPACE, assistant.address)), fields=fields, store_ids=("vs_1",))
    plan = plan_sync([Desired(assistant=assistant)], NAMESPACE, RemoteState(assistants=(live,)))
    (change,) = plan.plan.changes[0].fields
    assert (change.field, change.before, change.after) == ("vector store", "vs_1", "none")


tools = st.lists(
    st.one_of(
        st.just(Tool(name=ToolName.CODE_INTERPRETER)),
        st.builds(Tool, name=st.just(ToolName.FILE_SEARCH), max_num_results=st.none() | st.integers(1, 50)),
    ),
    unique_by=lambda tool: tool.name,
).map(tuple)
fractions = st.none() | st.decimals(0, 1, places=3, allow_nan=False, allow_infinity=False).map(Decimal)
assistants = st.builds(
    Assistant,
    address=st.sampled_from([Address("one"), Address("two"), Address("three")]),
    location=st.just(HERE),
    name=st.text(min_size=1, max_size=20),
    model=st.sampled_from(["gpt-6-luna", "gpt-6-sol"]),
    instructions=st.text(max_size=200),
    tools=tools,
    temperature=fractions,
    top_p=fractions,
    reasoning_effort=st.sampled_from([None, "low", "high"]),
    response_format=st.sampled_from([None, *PlainFormat, SchemaFormat(name="bill", schema={"type": "object"})]),
    metadata=st.dictionaries(st.text("abc", min_size=1, max_size=5), st.text(max_size=9), max_size=4),
)
file_contents = st.dictionaries(
    st.sampled_from(["a.md", "b.md", "c.csv", "d.csv"]), st.text(min_size=1, max_size=9), max_size=4
)
declarations = st.lists(st.tuples(assistants, file_contents), max_size=3, unique_by=lambda pair: pair[0].address)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(states=st.lists(declarations, min_size=1, max_size=4))
def test_after_any_sequence_of_edits_a_plan_that_was_applied_is_empty(
    states: list[list[tuple[Assistant, dict[str, str]]]],
) -> None:
    async def walk(folder: Path) -> None:
        with Journal(folder / "journal.jsonl") as journal:
            backend = MemoryBackend(MemoryServer(), journal)
            for number, state in enumerate(states):
                declared = [_with_files(one, files, folder / str(number) / one.address) for one, files in state]
                applied = await sync(backend, *declared)
                again = await sync(backend, *declared)
                assert applied.errors == []
                assert again.writes == []
                assert len(again.reads) <= 2
                _check_holds(backend.server, declared)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(walk(Path(folder)))


def _with_files(assistant: Assistant, contents: dict[str, str], folder: Path) -> Assistant:
    files = tuple(
        make_file(folder / name, text, use=FileUse.CODE_INTERPRETER if name.endswith("csv") else FileUse.FILE_SEARCH)
        for name, text in contents.items()
    )
    return replace(assistant, files=files)


def _check_holds(server: MemoryServer, declared: list[Assistant]) -> None:
    """Remote equals declared: no duplicate, every file with its content where it belongs."""
    owned = [bind(server.assistants.values(), Namespace(NAMESPACE), one.address) for one in declared]
    for assistant, binding in zip(declared, owned, strict=True):
        assert binding.chosen is not None
        assert binding.duplicates == ()
        assert compare(managed_fields(assistant), binding.chosen.fields, binding.chosen.metadata).changes == ()
        searched = [file_id for store_id in binding.chosen.store_ids for file_id in server.stored[store_id]]
        for use, file_ids in (
            (FileUse.FILE_SEARCH, searched),
            (FileUse.CODE_INTERPRETER, binding.chosen.code_file_ids),
        ):
            wanted = sorted((one.name, one.path.read_bytes()) for one in assistant.files if one.use is use)
            assert sorted(server.files[file_id] for file_id in file_ids) == wanted


async def test_the_files_that_a_store_gains_loses_and_changes_are_named(backend: MemoryBackend, tmp_path: Path) -> None:
    names = ("same.md", "old.md", "city.md")
    await sync(backend, make_assistant(files=tuple(make_file(tmp_path / name, name) for name in names)))
    city, new = make_file(tmp_path / "city.md", "other words"), make_file(tmp_path / "new.md")
    guide = make_assistant(files=(make_file(tmp_path / "same.md", "same.md"), city, new))

    plan, _ = await decide([describe(guide)], NAMESPACE, backend, now_s=lambda: 1e10)

    (field,) = plan.plan.changes[0].fields
    assert (field.before, field.after) == ("3", "3 (changed city.md; new new.md; gone old.md)")


async def test_many_files_are_named_in_part_and_counted(backend: MemoryBackend, tmp_path: Path) -> None:
    files = tuple(make_file(tmp_path / f"{number:02}.md") for number in range(25))
    plan, _ = await decide([describe(make_assistant(files=files))], NAMESPACE, backend, now_s=lambda: 1e10)
    (field,) = plan.plan.changes[0].fields
    assert field.after.startswith("00.md, 01.md, ")
    assert field.after.endswith(", 19.md and 5 more")


def test_what_nobody_wrote_is_not_set_by_a_new_assistant() -> None:
    plan = plan_sync([describe(make_assistant(temperature="0.5"))], NAMESPACE, RemoteState())
    fields = {one.field: one.after for one in plan.plan.changes[0].fields}
    assert fields["temperature"] == "0.5"
    assert not fields.keys() & {"top_p", "response_format", "metadata", "reasoning_effort"}


def test_the_checksum_tells_contents_apart_that_have_the_same_names(tmp_path: Path) -> None:
    sums = set()
    for use in (FileUse.FILE_SEARCH, FileUse.CODE_INTERPRETER):
        for words in ("one", "two"):
            file = make_file(tmp_path / "a.csv", words, use=use)
            plan = plan_sync([describe(make_assistant(files=(file,)))], NAMESPACE, RemoteState())
            sums.add(print_plan(plan, target="there").checksum)
    assert len(sums) == 4
