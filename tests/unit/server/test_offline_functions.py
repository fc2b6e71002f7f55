"""The offline rules and functions: called where the question names one and all that it needs, declined otherwise."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.server.inference import (
    Answer,
    FunctionRequest,
    OfferedFunction,
    Role,
    Scene,
    SceneMessage,
    ToolOutcome,
    UseTools,
)
from runner.server.inference.offline import choose_move, create

TEXT = {"type": "string"}
WHOLE = {"type": "integer"}
NUMBER = {"type": "number"}


def function(
    name: str, description: str = "", *, optional: tuple[str, ...] = (), **parameters: object
) -> OfferedFunction:
    required = [one for one in parameters if one not in optional]
    schema = {"type": "object", "properties": parameters, "required": required, "additionalProperties": False}
    return OfferedFunction(name=name, description=description, parameters=schema)


RATE = function(
    "exchange_rate",
    "The exchange rate from one currency to another.",
    **{
        "from": {**TEXT, "description": "A currency's code, like EUR."},
        "to": {**TEXT, "description": "Another one's."},
    },
)
BARE_RATE = function("exchange_rate", "", **{"from": TEXT, "to": TEXT})
CONVERT = function(
    "convert_currency",
    "Converts an amount of money into another currency.",
    amount=NUMBER,
    source={**TEXT, "pattern": "^[A-Z]{3}$"},
    target={**TEXT, "pattern": "^[A-Z]{3}$"},
)
WEATHER = function(
    "get_weather",
    "Tells the weather in a city.",
    city=TEXT,
    unit={"type": "string", "enum": ["celsius", "fahrenheit"]},
    optional=("unit",),
)
ORDER = function("orderStatus", "The status of an order.", orderNumber={**TEXT, "pattern": "^[A-Z]{2}-\\d{4}$"})
NIGHTS = function("room_price", "What a hotel room costs.", nights=WHOLE, guests=WHOLE)
CANCEL = function("cancel_booking", "Cancels a booking.", reference=TEXT)
HOLIDAY = function("public_holiday", "Whether a date is a public holiday.", date={**TEXT, "format": "date"})
TEMPERATURE = function("water_temperature", "", lake={"type": "string", "enum": ["Lake Garda", "Garda", "Como"]})
TRANSLATE = function(
    "translate_phrase", "Translates a phrase.", phrase=TEXT, language={"enum": ["Italian", "Greek"], **TEXT}
)
TIME = function("local_time", "The local time of now.")
TAX = function("sales_tax", "Sales tax at a rate in percent.", percent=NUMBER, price=NUMBER)
BAG = function("bag_fee", "The fee for a bag. It does not know of bikes.", weight={"type": "integer", "maximum": 32})
TRAIN = function("train_departure", "When the next train leaves.", origin=TEXT, destination=TEXT)
TAGS = function("find_tours", "Finds tours.", tags={"type": "array", "items": TEXT})
POPULATION = function("population", "Population of a city in a year.", city=TEXT, year=WHOLE, optional=("year",))
BAGGAGE = function(
    "baggage_allowance",
    "Baggage allowance of an airline.",
    airline=TEXT,
    cabin={**TEXT, "enum": ["economy", "first"]},
    optional=("cabin",),
)
TOP_UP = function("top_up_card", "Tops up a travel card by an amount.", card=TEXT, amount=NUMBER)
HEATING = function("set_temperature", "Sets the temperature of a room.", room=TEXT, degrees=NUMBER)
TRIP = function("delete_trip", "Deletes a trip.", trip=TEXT)
ALL = (RATE, CONVERT, WEATHER, ORDER, NIGHTS, CANCEL, HOLIDAY, TEMPERATURE, TRANSLATE, TIME, TAX, BAG, TRAIN)


def scene(
    question: str, *functions: OfferedFunction, outcomes: tuple[ToolOutcome, ...] = (), **fields: object
) -> Scene:
    message = SceneMessage(role=Role.USER, text=question)
    base = {"model": "any", "instructions": "", "tools": frozenset(), "messages": (message,)}
    return Scene(**{**base, "functions": functions, "outcomes": outcomes, **fields})


def called(question: str, *functions: OfferedFunction) -> tuple[str, object]:
    move = choose_move(scene(question, *functions))
    assert isinstance(move, UseTools), move
    (request,) = move.requests
    assert isinstance(request, FunctionRequest)
    return request.name, json.loads(request.arguments)


def outcome(output: str, arguments: str = '{"from": "EUR", "to": "NOK"}', *, completed: bool = True) -> ToolOutcome:
    request = FunctionRequest(name="exchange_rate", arguments=arguments)
    return ToolOutcome(request=request, completed=completed, output=output)


def told(output: str, *, completed: bool = True) -> Answer:
    move = choose_move(scene("What is the exchange rate?", RATE, outcomes=(outcome(output, completed=completed),)))
    assert isinstance(move, Answer)
    return move


@pytest.mark.parametrize(
    ("question", "name", "arguments"),
    [
        ("What is the exchange rate from EUR to NOK?", "exchange_rate", {"from": "EUR", "to": "NOK"}),
        ("And what's the exchange rate to NOK from EUR?", "exchange_rate", {"from": "EUR", "to": "NOK"}),
        ("Convert 250 EUR to NOK.", "convert_currency", {"amount": 250, "source": "EUR", "target": "NOK"}),
        ("What is the price of a room for 3 nights and 2 guests?", "room_price", {"nights": 3, "guests": 2}),
        ("How much is the price of a room for two guests for three nights?", "room_price", {"nights": 3, "guests": 2}),
        ("Is there anything? Tell me.", "", {}),
        ("What is the water temperature of Lake Garda?", "water_temperature", {"lake": "Lake Garda"}),
        (
            'Translate the phrase "Where is the station?" into Greek.',
            "translate_phrase",
            {"phrase": "Where is the station?", "language": "Greek"},
        ),
        (
            "Could you please give me the exchange rate from EUR to ISK?",
            "exchange_rate",
            {"from": "EUR", "to": "ISK"},
        ),
        ("Convert 1,250.50 EUR into DKK!", "convert_currency", {"amount": 1250.5, "source": "EUR", "target": "DKK"}),
        ('What is the weather in the city "New York"?', "get_weather", {"city": "New York"}),
        ('Get the weather in "Oslo" in fahrenheit', "get_weather", {"city": "Oslo", "unit": "fahrenheit"}),
        ('Get the status of order "AB-1234".', "orderStatus", {"orderNumber": "AB-1234"}),
        ('Please cancel booking "KV7TQM".', "cancel_booking", {"reference": "KV7TQM"}),
        ("What is the public holiday on 2027-05-17?", "public_holiday", {"date": "2027-05-17"}),
        ("What is the local time now?", "local_time", {}),
        ("Exchange rate from EUR to NOK?", "exchange_rate", {"from": "EUR", "to": "NOK"}),
        ("Calculate the exchange rate from EUR to NOK.", "exchange_rate", {"from": "EUR", "to": "NOK"}),
        ("What is the bag fee for a weight of 23?", "bag_fee", {"weight": 23}),
    ],
)
def test_a_question_that_names_a_function_and_all_it_needs_is_a_call(question, name, arguments):
    if not name:
        assert isinstance(choose_move(scene(question, *ALL)), Answer)
    else:
        assert called(question, *ALL) == (name, arguments)


@pytest.mark.parametrize(
    ("question", "functions", "reason"),
    [
        ("What is the exchange rate from EUR?", (RATE,), "it does not say which value is which|does not say 'to'"),
        ("What is the exchange rate?", (RATE,), "it does not say 'from', which the function exchange_rate needs"),
        ("What is the exchange rate of EUR and NOK?", (RATE,), "which value is which"),
        ("What is the exchange rate from EUR to NOK and DKK?", (RATE,), "which value is which"),
        ("What is the exchange rate from EUR to 1.234?", (RATE,), "several ways"),
        ("What is the exchange rate from $5 to NOK?", (RATE,), "'$' can be read in several ways"),
        ("Convert 250 to NOK currency.", (CONVERT,), "does not fit|does not say 'source'|which value is which"),
        ("What is the weather?", (WEATHER,), "does not say 'city'"),
        ("What is the status of order 1234?", (ORDER,), "does not say 'orderNumber'"),
        ("What is the price of a room for 3 and 2?", (NIGHTS,), "which value is which"),
        ("What is the price of a room for 3.5 nights and 2 guests?", (NIGHTS,), "3.5 is not of type 'integer'"),
        ("What is the public holiday on 5?", (HOLIDAY,), "does not say 'date'"),
        ('What is the weather in "Oslo" and "Bergen"?', (WEATHER,), "which value is which"),
        ('What is the train departure from "Bergen" to "Oslo"?', (TRAIN,), "does not say 'origin'"),
        ("What is the bag fee for a weight of 40?", (BAG,), "40 is greater than the maximum of 32"),
        ("Find tours.", (TAGS,), "does not say 'tags'"),
        ("What is the exchange rate from EUR to NOK?", (RATE, BARE_RATE), "more than one function fits"),
    ],
)
def test_a_call_that_is_not_clear_in_every_argument_is_declined_with_the_reason(question, functions, reason):
    answer = choose_move(scene(question, *functions))
    assert isinstance(answer, Answer)
    assert answer.declined
    assert any(one in answer.text for one in reason.split("|")), answer.text


@pytest.mark.parametrize(
    "question",
    [
        "What is the exchange rate from EUR to NOK at the airport?",
        "What was the exchange rate from EUR to NOK in spring?",
        "What is not the exchange rate from EUR to NOK?",
        "Why is the exchange rate from EUR to NOK 11.7?",
        "Is the exchange rate from EUR to NOK good?",
        "What is the exchange rate from EUR to NOK on Friday?",
        "What is the weather in May?",
        "Which public holiday is on May 5?",
        "What was the exchange rate from EUR to NOK?",
        "What is the old exchange rate from EUR to NOK?",
        "What will the exchange rate from EUR to NOK be?",
        "Tell me how to cancel booking KV7TQM.",
        "Tell me when to cancel booking KV7TQM.",
        "Cancel booking KV7TQM is what I said.",
        "Who is to cancel booking KV7TQM?",
        "Where do I get the exchange rate from EUR to NOK?",
        "I know the exchange rate. What is EUR to NOK?",
        "What is the rate from EUR to NOK?",
        "Can I cancel booking KV7TQM?",
        "How do I cancel booking KV7TQM?",
        "What happens if I cancel booking KV7TQM?",
        "What is booking KV7TQM?",
        "Please don't cancel booking KV7TQM.",
        "Cancel booking KV7TQM or booking KV8TQM.",
        "My booking KV7TQM is cancelled.",
        "What is the bag fee for bikes of a weight of 23?",
        "Should we convert 250 EUR to NOK?",
        "What is the sales tax of 8% on a price of 50?",
        # A value that has neither quotes, digits alone nor a currency's code is none.
        "Please tell me the exchange rate for EUR in NOK.",
        "Could you please give me the exchange rate from euros to ISK?",
        "Convert €1,250.50 into DKK!",
        "What is the weather in Oslo?",
        "What is the weather in New York in fahrenheit?",
        "Get the status of order AB-1234.",
        "Please cancel booking KV7TQM.",
        "Which public holiday is on 2027-05-17?",
        "Get the weather in Oslo",
        "When is the train departure from Bergen to Oslo?",
        "What is the exchange rate from Bergen to Oslo?",
        "What is the weather in Oslo and Bergen?",
        "What is the Norwegian weather?",
        "Which public holiday is on 5?",
        "What is the water temperature of Loch Ness?",
        "What is the train departure from Bergen?",
        "Set the temperature of room A21 to 20.5 degrees.",
        "What is the population of Oslo in 2020?",
        "What is the baggage allowance in the first cabin of SAS?",
        "Top up card AB12345 by 2'000.",
        "",
    ],
)
def test_a_question_that_asks_for_something_else_is_no_call(question):
    answer = choose_move(scene(question, *ALL, HEATING, POPULATION, BAGGAGE, TOP_UP))
    assert isinstance(answer, Answer)
    assert answer.declined or answer.text.startswith("Noted")


@pytest.mark.parametrize(
    ("question", "function"),
    [
        *((f"Set the temperature of room A21 to {number} degrees.", HEATING) for number in ("-5", "−5", "- 5", "~5")),
        *(
            (f"What is the population of Oslo in {number}?", POPULATION)
            for number in ("-2020", "'20", ">2020", "2020°")
        ),
        ("What is the population of Oslo in 5 years?", POPULATION),
        ("What is the population of Oslo in a year?", POPULATION),
        ("What is the population of Oslo from 2020?", POPULATION),
        ("Which city has the population of 5 in Norway?", POPULATION),
        ("Show me Oslo's population.", POPULATION),
        *((f"What is the population of {name}?", POPULATION) for name in ("Oslo's", "Paris'", "Every City", '" "')),
        ("What is the population of Oslo And Bergen?", POPULATION),
        ("What is the population of Oslo Please?", POPULATION),
        ("What is the first baggage allowance of Lufthansa?", BAGGAGE),
        ("Top up card AB12345 to 20.", TOP_UP),
        ("Top up card AB12345 from 20.", TOP_UP),
        ("Delete the trip with Anna.", TRIP),
        ("What is the bag fee for bag 23?", BAG),
        ("What is the bag fee for a weight of 0023?", BAG),
        ("What is the public holiday until 2027-05-17?", HOLIDAY),
        ("What is the water temperature from Como?", TEMPERATURE),
        ("Convert 250 EUR from NOK.", CONVERT),
        ("Convert NOK to 250 EUR.", CONVERT),
        ("What is the price of a room for 3 nights and 2 rooms?", NIGHTS),
        ("What is the price of a room for 2 or 3 nights and 2 guests?", NIGHTS),
        ("What is the weather in Oslo tomorrow?", WEATHER),
        ("When is the last train departure from Bergen to Oslo?", TRAIN),
        ("Delete the trip from Rome.", TRIP),
        ("What is open in Louvre on 24 December 2026?", function("is_open", "", museum=TEXT, date=TEXT)),
        # The same with values that count as such.
        *((f'Set the temperature of room "A21" to {number} degrees.', HEATING) for number in ("-5", "−5", "- 5", "~5")),
        *(
            (f'What is the population of "Oslo" in {number}?', POPULATION)
            for number in ("-2020", "'20", ">2020", "2020°", "5 years", "a year")
        ),
        ('What is the population of "Oslo" from 2020?', POPULATION),
        ('What is the population of "Oslo" and "Bergen"?', POPULATION),
        ('What is the population of "Oslo" or "Bergen"?', POPULATION),
        ('What is the first baggage allowance of "Lufthansa"?', BAGGAGE),
        ('Top up card "AB12345" to 20.', TOP_UP),
        ('Top up card "AB12345" from 20.', TOP_UP),
        ('What is the weather in "Oslo" tomorrow?', WEATHER),
        ('What is the train departure from "Bergen" to "Oslo"?', TRAIN),
    ],
)
def test_a_value_that_only_nearly_is_an_argument_is_no_guess(question, function):
    assert isinstance(choose_move(scene(question, function)), Answer)


@pytest.mark.parametrize(
    ("question", "function", "arguments"),
    [
        ('Set the temperature of room "A21" to 20.5 degrees.', HEATING, {"room": "A21", "degrees": 20.5}),
        ('What is the population of "Oslo" in 2020?', POPULATION, {"city": "Oslo", "year": 2020}),
        ('What is the baggage allowance in the first cabin of "SAS"?', BAGGAGE, {"airline": "SAS", "cabin": "first"}),
        ('Top up card "AB12345" by 2\'000.', TOP_UP, {"card": "AB12345", "amount": 2000}),
    ],
)
def test_a_value_that_is_one_all_the_same_becomes_an_argument(question, function, arguments):
    assert called(question, function) == (function.name, arguments)


@given(st.text(max_size=80))
def test_whatever_is_asked_of_whatever_function_has_a_move(text):
    choose_move(scene(text, *ALL))
    choose_move(scene(f"What is the exchange rate {text}", *ALL))


@pytest.mark.timeout(20)
def test_many_values_and_arguments_are_no_puzzle():
    texts = {f"text{number}": TEXT for number in range(48)}
    names = ", ".join(f"for City{'abcdefgh'[number]}" for number in range(8))
    for question in (
        "What is the odd sum of 3",
        "What is the odd sum for Oslo, for Rome, for Paris, for Bonn, of 3, of 4",
    ):
        many = function("odd_sum", optional=tuple(texts), first=WHOLE, second=WHOLE, third=WHOLE, **texts)
        assert choose_move(scene(question, many)).declined
    assert choose_move(scene(f"What is the odd sum {names}", function("odd_sum", **texts))).declined


def test_a_function_whose_arguments_are_no_schema_is_declined():
    odd = OfferedFunction(
        name="odd_sum", parameters={"type": "object", "properties": {"a": {"type": "number", "minimum": "x"}}}
    )
    answer = choose_move(scene("What is the odd sum of 3?", odd))
    assert isinstance(answer, Answer)
    assert "what describes its arguments is no JSON Schema" in answer.text


def test_a_question_with_a_file_is_not_answered_by_a_function():
    message = SceneMessage(role=Role.USER, text="What is the exchange rate from EUR to NOK?", filenames=("rates.pdf",))
    assert isinstance(choose_move(scene("", RATE, messages=(message,))), Answer)


def test_other_questions_are_answered_as_ever():
    answer = choose_move(scene("Split $100 between 4 people.", *ALL))
    assert isinstance(answer, Answer)
    assert "$25.00 each" in answer.text


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("11.70", "exchange_rate(from: EUR, to: NOK) gives 11.70."),
        ('"eleven"', "exchange_rate(from: EUR, to: NOK) gives eleven."),
        ("Rain, later sun.", "exchange_rate(from: EUR, to: NOK) gives Rain, later sun."),
        ("true", "exchange_rate(from: EUR, to: NOK) gives yes."),
    ],
)
def test_the_result_is_told_as_it_is(output, text):
    assert told(output) == Answer(text=text)


@pytest.mark.parametrize(
    "output", ["", "null", "[1, 2]", '{"a": {"b": 1}}', "{}", "x" * 1001, '{"day": "Friday", "rate": 11.70}']
)
def test_a_result_that_has_no_plain_words_is_declined(output):
    assert told(output).declined


@pytest.mark.parametrize(("output", "kind"), [('{"fee": 6.0}', "a mapping"), ("[6.0]", "a list"), ("null", "nothing")])
def test_the_decline_of_a_result_says_what_the_rules_can_put_into_words(output, kind):
    words = (
        f"gave {kind}, which a model would read: the rules can't put into words but a text, a number, or true or false"
    )
    assert words in told(output).text


def test_a_function_that_failed_is_named_with_its_reason():
    assert "the function exchange_rate failed: there is no rate for XXX" in told("error: there is no rate for XXX").text
    assert "the function exchange_rate failed" in told("", completed=False).text
    assert told('{"error": "no such bank"}').declined


@pytest.mark.parametrize("arguments", ["", "EUR", "[1]", "null"])
def test_the_result_of_a_call_that_a_client_made_up_is_told_with_what_it_called_arguments(arguments):
    made_up = ToolOutcome(request=FunctionRequest(name="tip", arguments=arguments), completed=True, output="5")
    assert choose_move(scene("What is the tip?", outcomes=(made_up,))) == Answer(text=f"tip({arguments}) gives 5.")


async def test_a_call_is_what_the_run_asked_for():
    question = "What is the exchange rate from EUR to NOK?"
    for choice in ("required", "exchange_rate"):
        turnout = await create({}).decide(scene(question, RATE, tool_choice=choice))
        assert isinstance(turnout.move, UseTools)
    turnout = await create({}).decide(scene(question, RATE, WEATHER, tool_choice="get_weather"))
    assert isinstance(turnout.move, Answer)


def test_a_short_code_is_no_word_in_small_letters():
    cost = function("shipping_cost", "The shipping cost to a country.", country={**TEXT, "enum": ["DE", "SE", "IS"]})
    assert called("What is the shipping cost to DE?", cost) == ("shipping_cost", {"country": "DE"})
    assert called("What is the shipping cost to IS?", cost) == ("shipping_cost", {"country": "IS"})
