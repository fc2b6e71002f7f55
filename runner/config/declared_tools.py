"""Tools of an assistant, hosted ones and functions: schemas and reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from runner.config.paths import Reporting, find_file
from runner.did_you_mean import quote, suggest
from runner.domain.assistant import Answering, Function, McpServer, Tool, ToolName, WebSearch
from runner.domain.hosts import AddressFault, find_address_fault, is_open_road
from runner.plugins import load_plugin, plugin_names
from runner.yaml_text import TextNode
from runner.yaml_text.reading import Json, choice, field, list_of, mapping, text
from runner.yaml_text.yaml_document import Where, YamlDocument, as_json

_SECRET = "${secret:"

_Body = Mapping[str, Any]

RETRIEVAL = "retrieval"
"""File search's name in 2023."""
MAX_RESULTS = 50
APPROVE_ALL = "all"
ALWAYS = "always"
NEVER = "never"
_MAX_ITEMS = 100


def read_tools(document: YamlDocument, body: _Body, where: Where) -> tuple[Tool, ...]:
    """The tools of the assistant at `where`; () after reporting that they can't be read."""
    where = (*where, "tools")
    if "tools" not in body or not document.is_sound(where):
        return ()
    tools = tuple(_read_tool(document, item, (*where, index)) for index, item in enumerate(body["tools"]))
    _report_repetitions(document, tools, where)
    return tools


def _read_tool(document: YamlDocument, item: object, place: Where) -> Tool:
    written, options = next(iter(item.items())) if isinstance(item, dict) else (str(item), None)
    name = ToolName.FILE_SEARCH if written == RETRIEVAL else ToolName(written)
    options_place = (*place, written)
    if name is ToolName.MCP and options is None:
        document.report(place, "the tool mcp needs a server", "write `mcp: {server_label: NAME, server_url: ADDRESS}`")
    return Tool(
        name=name,
        max_num_results=options.get("max_num_results") if options else None,
        web_search=_read_web_search(options) if name is ToolName.WEB_SEARCH and options else None,
        mcp=_read_mcp(document, options, options_place) if name is ToolName.MCP and options else None,
        location=document.location(place),
    )


def _read_web_search(options: _Body) -> WebSearch:
    return WebSearch(
        context_size=options.get("search_context_size"),
        allowed_domains=tuple(options.get("allowed_domains", ())),
        user_location=options.get("user_location"),
        is_live=options.get("external_web_access"),
    )


def _read_mcp(document: YamlDocument, options: _Body, place: Where) -> McpServer:
    _check_address(document, options, place)
    _check_authorization(document, options, place)
    _check_approval(document, options, place)
    _check_names(document, options, place)
    required = options.get("require_approval")
    approved = options.get("approve", ())
    return McpServer(
        label=options["server_label"],
        url=options["server_url"],
        description=options.get("server_description", ""),
        authorization=options.get("authorization", ""),
        headers=dict(options.get("headers", {})),
        allowed_tools=tuple(options.get("allowed_tools", ())),
        require_approval={word: tuple(names) for word, names in required.items()}
        if isinstance(required, dict)
        else required,
        approved_tools=None if approved == APPROVE_ALL else frozenset(approved),
    )


def _check_address(document: YamlDocument, options: _Body, place: Where) -> None:
    url = str(options["server_url"])
    where = (*place, "server_url")
    fault = find_address_fault(url)
    if fault is AddressFault.GOES_ON:
        fault = None
    if fault is None and not url.isascii():
        fault = AddressFault.NO_ADDRESS
    if fault is not None:
        is_password = fault is AddressFault.PASSWORD
        hint = "use `authorization` or `headers`" if is_password else "write it as in https://tools.example.org/mcp"
        document.report(where, f"this {fault.value}", hint)
    elif is_open_road(url) and {"authorization", "headers"} & set(options):
        message = "what `authorization` and `headers` hold would go over the network unprotected"
        document.report(where, message, "use https")


def _check_authorization(document: YamlDocument, options: _Body, place: Where) -> None:
    """A token must not stand in the file: nothing would keep it out of output."""
    where = (*place, "authorization")
    written = document.find(where)[1]
    if "authorization" in options and not (isinstance(written, TextNode) and _SECRET in written.text):
        hint = "put it into an environment variable, and write ${secret:NAME}"
        document.report(where, "an access token is written out in the file", hint)
    named = [name for name in options.get("headers", {}) if name.lower() == "authorization"]
    if named and "authorization" in options:
        message = f"`authorization` and the header {named[0]} exclude each other"
        document.report(where, message, "remove one of them", at_key=True)


def _check_approval(document: YamlDocument, options: _Body, place: Where) -> None:
    """Nothing is asked about tools that need no approval, so approving them is a misunderstanding."""
    if options.get("require_approval") == NEVER and "approve" in options:
        message = "`approve` has no effect beside `require_approval: never`"
        document.report((*place, "approve"), message, "remove one of them: each lets the tools be called", at_key=True)
    required = options.get("require_approval")
    if isinstance(required, dict):
        for name in sorted({*required.get(ALWAYS, ())} & {*required.get(NEVER, ())}):
            message = f"{quote(name)} can't need approval always and never"
            document.report((*place, "require_approval"), message, "remove it from one")


def _check_names(document: YamlDocument, options: _Body, place: Where) -> None:
    """What is said about tools has to be about those that the model gets to see."""
    allowed = options.get("allowed_tools", ())
    for where, name in _named_tools(options, place) if allowed else ():
        if name not in allowed:
            hint = suggest(name, allowed, kind="allowed are")
            document.report(where, f"{quote(name)} is not among `allowed_tools`", hint)


def _named_tools(options: _Body, place: Where) -> Iterator[tuple[Where, str]]:
    lists: dict[Where, object] = {(*place, "approve"): options.get("approve")}
    required = options.get("require_approval")
    if isinstance(required, dict):
        lists |= {(*place, "require_approval", word): names for word, names in required.items()}
    for where, names in lists.items():
        for index, name in enumerate(names if isinstance(names, list) else ()):
            yield (*where, index), name


def _report_repetitions(document: YamlDocument, tools: tuple[Tool, ...], where: Where) -> None:
    seen: set[tuple[ToolName, str]] = set()
    for index, tool in enumerate(tools):
        label = tool.mcp.label if tool.mcp else ""
        if (tool.name, label) in seen and label:
            place: Where = (*where, index, tool.name.value, "server_label")
            document.report(place, f"the label {quote(label)} is used for two servers", "labels must be unique")
        elif (tool.name, label) in seen:
            document.report((*where, index), f"the tool {tool.name.value} is listed twice", "keep one of them")
        seen.add((tool.name, label))


def tool() -> Json:
    """One item of an assistant's `tools`."""
    few = {"max_num_results": 5}
    dice = {"server_label": "dice", "server_url": "https://dice.example.org/mcp"}
    forms = {
        ToolName.CODE_INTERPRETER.value: _options({}, {}, "Runs code that the model writes; no options."),
        ToolName.FILE_SEARCH.value: _options(
            _FILE_SEARCH, few, "Looks things up in the assistant's own files and the thread's."
        ),
        ToolName.MCP.value: _options(
            _mcp(),
            dice,
            "Calls the tools of a server that speaks the Model Context Protocol.",
            required=["server_label", "server_url"],
        ),
        ToolName.WEB_SEARCH.value: _options(_web_search(), {"search_context_size": "low"}, "Searches the web."),
    }
    retrieval = {RETRIEVAL: _options(_FILE_SEARCH, few, "The name of file_search in 2023.")}
    return {
        "anyOf": [
            {"enum": [*forms, RETRIEVAL], "title": "tool"},
            mapping({**forms, **retrieval}, title="tool", minProperties=1, maxProperties=1),
        ],
        "description": "A tool's name, or a mapping of it to its options.",
    }


def _options(properties: Json, example: object, description: str, *, required: list[str] | None = None) -> Json:
    return mapping(properties, required=required, examples=[example], description=description)


_FILE_SEARCH: Json = {
    "max_num_results": field("integer", "How many passages a search gives at most.", 5, minimum=1, maximum=MAX_RESULTS)
}


def _web_search() -> Json:
    domain = {
        "type": "string",
        "pattern": r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$",
        "maxLength": 253,
        "description": "A domain, as in example.org; its subdomains are meant too.",
    }
    location = {
        "country": field("string", "Two capital letters, as in NO.", "NO", pattern="^[A-Z]{2}$"),
        "region": text("A region of the country.", "Vestland", longest=256),
        "city": text("A city.", "Bergen", longest=256),
        "timezone": text("A time zone.", "Europe/Oslo", longest=256),
    }
    where = "Where the user is, roughly; {} for nowhere in particular."
    how_much = "How much of what is found the model gets to read."
    return {
        "search_context_size": choice(["low", "medium", "high"], "size", how_much, "low"),
        "allowed_domains": _names(domain, ["example.org"], "Where alone to search."),
        "user_location": _options(location, {"country": "NO"}, where),
        "external_web_access": field("boolean", "False keeps to pages that the API has already.", False),
    }


def _mcp() -> Json:
    tool = "roll"
    of_server = "Tools of that server, by name."
    names = _names(text("The name of a tool of that server.", tool, longest=256), [tool], of_server)
    header_name = {
        "pattern": r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$",
        "description": "The name of a header has letters, digits and '-'.",
    }
    header = {
        "type": "string",
        "pattern": r"^[!-~]([ -~]*[!-~])?$",
        "maxLength": 16_384,
        "description": "The value of a header is one line of ASCII.",
    }
    return {
        "server_label": field(
            "string",
            "What the server is called in this file: a letter, then up to 63 letters, digits, '_' or '-'.",
            "dice",
            pattern="^[A-Za-z][A-Za-z0-9_-]{0,63}$",
        ),
        "server_url": text(
            "The server's address: the API connects to it, not this machine.",
            "https://dice.example.org/mcp",
            longest=2000,
        ),
        "server_description": text("What the model is told about the server.", "Rolls dice.", longest=1000),
        "authorization": text("An access token for the server.", "${secret:DICE_TOKEN}", longest=16_384),
        "headers": field(
            "object",
            "Headers that the API sends to the server. Keep keys out of the file: ${secret:NAME}.",
            {"X-Api-Key": "${secret:DICE_KEY}"},
            minProperties=1,
            propertyNames=header_name,
            additionalProperties=header,
        ),
        "allowed_tools": {**names, "description": "The only tools of that server that the model gets to see."},
        "require_approval": {
            "anyOf": [
                {"enum": [ALWAYS, NEVER], "title": "approval"},
                mapping({ALWAYS: names, NEVER: names}, minProperties=1),
            ],
            "examples": [{ALWAYS: [tool]}],
            "description": "Which calls the API asks about before it makes them; all of them by default.",
        },
        "approve": {
            "anyOf": [{"enum": [APPROVE_ALL], "title": "approval"}, names],
            "examples": [[tool]],
            "description": "Tools whose calls are approved when the API asks; all others are denied.",
        },
    }


def _names(item: Json, example: list[str], description: str) -> Json:
    return list_of(item, maxItems=_MAX_ITEMS, uniqueItems=True, examples=[example], description=description)


RESERVED_NAMES = frozenset({*(tool.value for tool in ToolName), RETRIEVAL, "auto", "none", "required"})
"""Words that mean something else wherever a function's name can stand."""
_NO_PARAMETERS: Mapping[str, object] = {"type": "object", "properties": {}}


FUNCTIONS = "runner.functions"
MAX_DESCRIPTION_LENGTH = 10_000
NAME_PATTERN = r"^[a-zA-Z0-9_-]{1,64}$"
NAME_WORDS = "1 to 64 letters, digits, '_' or '-'."
STRICT = field("boolean", "True has the API keep the model to the schema.", True, default=False)


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of the project, as one of its files names them."""

    folder: Path
    root: Path

    def find(self, named: str) -> Path:
        return find_file(named, folder=self.folder, root=self.root)


def read_functions(document: YamlDocument, where: Where, root: Path) -> tuple[Function, ...]:
    """The functions of the assistant at `where`, those with mistakes left out after reporting them."""
    first: dict[str, Where] = {}
    functions = []
    for place, item in document.sound_items(*where, "functions"):
        _check_name(document, item["name"], place, first)
        function = _read_function(document, item, place, root)
        if function is not None and document.is_sound(place):
            functions.append(function)
    return tuple(functions)


def read_answers(
    document: YamlDocument, where: Where, root: Path, declared: Mapping[str, _Body | None] | None
) -> Mapping[str, Answering]:
    """What is said at `where` about an assistant's functions; `declared` are their parameters, None where not known."""
    answers: dict[str, Answering] = {}
    for place, body in document.sound_items(*where):
        name = str(place[-1])
        if declared is not None and name not in declared:
            hint = suggest(name, declared, kind="it has") or "declare it under the assistant's `functions`"
            document.report(place, f"the assistant has no function {quote(name)}", hint, at_key=True)
            continue
        answering = _read_answering(document, body, place, root, declared[name] if declared else None)
        if answering is not None:
            answers[name] = answering
    return answers


def _check_name(document: YamlDocument, name: str, place: Where, first: dict[str, Where]) -> None:
    earlier = first.setdefault(name.casefold(), place)
    if name in RESERVED_NAMES:
        message = f"{quote(name)} can't be a function's name: it means something else"
        document.report((*place, "name"), message, "choose another")
    elif earlier != place:
        line = document.location((*earlier, "name")).line
        message = f"the function {quote(name)} is also declared on line {line}"
        document.report((*place, "name"), message, "names must be unique, whatever their case")


def _read_function(document: YamlDocument, item: _Body, place: Where, root: Path) -> Function | None:
    parameters = as_json(item.get("parameters", _NO_PARAMETERS))
    assert isinstance(parameters, dict), "the schema has seen to that"
    where = (*place, "parameters")
    if parameters.get("type") == "object":
        report_unfit_schema(document, parameters, where, is_strict=item.get("strict", False))
    else:
        hint = "write `type: object`, and each argument under `properties`"
        document.report(where, "the arguments of a function are an object", hint, at_key=True)
    is_schema = document.is_sound(where)
    answering = _read_answering(document, item, place, root, parameters if is_schema else None)
    if answering is None:
        return None
    return Function(
        name=item["name"],
        description=item.get("description", ""),
        parameters=parameters,
        strict=item.get("strict", False),
        answering=answering,
        location=document.location(place),
    )


def report_unfit_schema(document: YamlDocument, schema: _Body, place: Where, *, is_strict: bool) -> None:
    """What is wrong with the JSON Schema at `place`, which the model is told of."""
    obstacle, hint = find_schema_obstacle(schema, is_strict=is_strict)
    if obstacle:
        document.report(place, obstacle, hint, at_key=True)
    if not obstacle or hint:  # one that is only loose is a schema
        report_misspelt(document, schema, place)


def find_schema_obstacle(schema: _Body, *, is_strict: bool) -> tuple[str, str]:
    """Why an API can't be given a schema, and what to do about it; ("", "") if it can."""
    # The schema library costs a tenth of a second: `--help` must not pay for it.
    from runner.json_schema import check_schema, find_looseness

    try:
        check_schema(schema)
    except ValueError as error:
        return str(error), ""
    looseness = find_looseness(schema) if is_strict else ""
    if is_strict and schema.get("type") != "object":
        looseness = "at its top it lacks `type: object`"
    return (f"is not strict: {looseness}", "mend that, or remove `strict`") if looseness else ("", "")


def report_misspelt(document: YamlDocument, schema: _Body, place: Where, *, asserts: bool = False) -> None:
    """Each word of the JSON Schema at `place` that says nothing; with `asserts` it is there to judge by."""
    from runner.json_schema import find_misspelt

    for one in find_misspelt(schema, asserts=asserts):
        where = (*place, *one.place)
        document.report(where, one.message, one.hint, at_key=one.is_key)


def locate_code(document: YamlDocument, named: str, place: Where, root: Path, arguments: Sequence[str]) -> str:
    """A function of the project's code, located; as it is written after reporting what is wrong with it.

    `arguments` are the names of what it is called with.
    """
    module = load_plugin(FUNCTIONS, "python")
    files = _Files(document.folder, root)
    with Reporting(document, place):
        located: str = module.locate_code(named, files)
        given = {"properties": {key: {} for key in arguments}, "required": arguments}
        for misfit in module.find_misfits(module.locate({"call": named}, files), given) if arguments else ():
            document.report(place, misfit.message, f"it is called with {' and '.join(arguments)} alone")
        return located
    return named


def _read_answering(
    document: YamlDocument, body: _Body, place: Where, root: Path, parameters: _Body | None
) -> Answering | None:
    """How the mapping at `place` says that a function is answered; None after reporting what is wrong with it.

    `parameters` are what calls are like, None where that is not known.
    """
    kinds = [kind for kind in plugin_names(FUNCTIONS) if kind in body]
    if len(kinds) != 1:
        known = ", ".join(plugin_names(FUNCTIONS))
        message = f"{' and '.join(kinds)} exclude each other" if kinds else "it is not said how it is answered"
        document.report(place, message, "remove all but one" if kinds else f"add one of {known}")
        return None
    (kind,) = kinds
    place = (*place, kind)
    module = load_plugin(FUNCTIONS, kind)
    written = as_json(body[kind] if isinstance(body[kind], dict) else {module.MAIN_FIELD: body[kind]})
    with Reporting(document, place):
        locate = getattr(module, "locate", None)
        settings = locate(written, _Files(document.folder, root)) if locate else written
        module.Answerer(**settings)
        find_misfits = getattr(module, "find_misfits", None)
        for misfit in find_misfits(settings, parameters) if find_misfits and parameters is not None else ():
            where = (*place, *misfit.place) if isinstance(body[kind], dict) else place
            document.report(where, misfit.message, misfit.hint)
        return Answering(kind=kind, settings=settings, location=document.location(place, at_key=True))
    return None


@cache
def answer_forms() -> Json:
    """What can stand under each way to answer, by its name."""
    modules = {name: load_plugin(FUNCTIONS, name) for name in plugin_names(FUNCTIONS)}
    return {name: _forms(module.SCHEMA, module.MAIN_FIELD) for name, module in modules.items()}


def declared_function() -> Json:
    """One item of an assistant's `functions`."""
    some = {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}
    keys = {
        "name": field("string", f"The function's name: {NAME_WORDS}", "exchange_rate", pattern=NAME_PATTERN),
        "description": text(
            "What the model is told about it.", "Today's rate of a currency.", longest=MAX_DESCRIPTION_LENGTH
        ),
        "parameters": field("object", "A JSON Schema of the arguments, with `type: object`; none by default.", some),
        "strict": STRICT,
        **answer_forms(),
    }
    described = "A function that the assistant can call, and how the call is answered."
    return mapping(keys, required=["name"], title="key", description=described)


def answers_by_name() -> Json:
    """A scenario's `functions`; each is one `function_answer`."""
    return field(
        "object",
        "How functions of the assistant are answered here, by their names.",
        {"exchange_rate": {"returns": 1.08}},
        propertyNames={"pattern": NAME_PATTERN, "description": f"A function's name is {NAME_WORDS}"},
        additionalProperties={"$ref": "#/$defs/function_answer"},
    )


def function_answer() -> Json:
    """One way to answer, by its name."""
    return mapping(answer_forms(), description="How a function is answered.")


def _forms(full: Json, main_field: str) -> Json:
    """The value of the main field, or a mapping, which is always the full form."""
    main = full["properties"][main_field]
    kinds = main["type"] if isinstance(main["type"], list) else [main["type"]]
    # A bare `null` is more likely a value that was forgotten.
    short = {**main, "type": [kind for kind in kinds if kind not in ("object", "null")]}
    return {"anyOf": [short, full], "examples": main["examples"], "description": full["description"]}
