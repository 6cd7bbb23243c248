"""Texts with expressions in them."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from segments.expressions import ExpressionSyntaxError, Form, LimitPassed, MissingName, parse_template
from segments.expressions.expression import parse
from segments.expressions.template import MAX_KEPT_CHARACTERS
from tests.support.cost import cost_of, under_a_tracer

NAMES: dict[str, Any] = {
    "a": 7,
    "t": "x{{ a }}y",
    "n": None,
    "yes": True,
    "f": 1.5,
    "l": [1, "a"],
    "o": {"k": "v"},
    "query": "why?",
    "long": "z" * 600_000,
}

TEXTS: list[tuple[str, Any]] = [
    ("", ""),
    ("plain } text { here", "plain } text { here"),
    ("{{ a }}", 7),
    ("{{l}}", [1, "a"]),
    ("{{ n }}", None),
    (" {{ a }}", " 7"),
    ("{{ a }}{{ a }}", "77"),
    ("{{ t }}!", "x{{ a }}y!"),
    ("[{{ n }}|{{ yes }}|{{ f }}|{{ l }}|{{ o }}]", '[|true|1.5|[1,"a"]|{"k":"v"}]'),
    ("{{ '}}' }}.", "}}."),
    ("{{ '{{' }} a }}", "{{ a }}"),
    ("{{ {'x': {'y': a}} }}", {"x": {"y": 7}}),
    ("{{ {'x': {'y': a}}['x']['y'] }}.", "7."),
    ("{{ `${a}}}` }}.", "7}}."),
    ("{{ f'{a}}}' }}.", "7}."),
    ("{{\n a\n}} \u00e9 {{ a }}", "7 \u00e9 7"),
    ("{a} {{ a }}", "{a} 7"),
]


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_fills_in(text: str, expected: Any) -> None:
    result = parse_template(text).render(NAMES)
    assert result == expected
    assert type(result) is type(expected)


def test_knows_what_it_holds() -> None:
    template = parse_template("Dear {{ input.name }}, {{ steps.fetch.output }}")
    assert [one.source.strip() for one in template.expressions] == ["input.name", "steps.fetch.output"]
    assert template.expressions[1].steps == {"fetch"}
    assert template.source.startswith("Dear")
    assert not template.is_plain
    assert parse_template("Dear {name}").is_plain
    assert parse_template("").is_plain


SINGLE: list[tuple[str, Any]] = [
    ("Answer: {query}", "Answer: why?"),
    ("{query}", "why?"),
    ("{a}", 7),
    ("{unknown} {query} {unknown}", "{unknown} why? {unknown}"),
    ("{unknown}", "{unknown}"),
    ('{"a": 1} {} { a } {a.b} {1} {class}', '{"a": 1} {} { a } {a.b} {1} {class}'),
    ("{{ a }}{a}{{ '{a}' }}", "77{a}"),
    ("{t}.", "x{{ a }}y."),
]


@pytest.mark.parametrize(("text", "expected"), SINGLE)
def test_reads_single_braces_of_known_names(text: str, expected: Any) -> None:
    assert parse_template(text, single_braces=True).render(NAMES) == expected


def test_lists_the_names_in_single_braces() -> None:
    template = parse_template("{query} {{ a }} {other} {query}", single_braces=True)
    assert template.single_brace_names == ("query", "other", "query")
    assert [one.source.strip() for one in template.expressions] == ["a"]
    assert not parse_template("{query}", single_braces=True).is_plain
    assert parse_template("{query}").single_brace_names == ()


@pytest.mark.parametrize(
    ("text", "words", "position"),
    [
        ("ab {{ a", "`{{` is not closed within 2000 characters", 3),
        ("ab {{ 'a }}' }", "`{{` is not closed", 3),
        ("ab {{ a }", "`{{` is not closed", 3),
        ("ab {{ }}", "is empty", 5),
        ("ab {{ a + }}", "cannot stand here", 10),
        ("ab {{ a b }}", "cannot stand here", 8),
        ("{{ a }} {{ lambda }}", "is not supported", 11),
        ("x {{ (1, 2) }}", "JSON has no tuples", 5),
        ("x {{ 'a }}", "not closed", 5),
        ("{{ '" + "a" * 3_000 + "' }}", "is not closed within 2000 characters", 0),
        ("{{ " + " " * 3_000 + "a }}", "is not closed within 2000 characters", 0),
    ],
)
def test_refuses_with_the_place_in_the_text(text: str, words: str, position: int) -> None:
    assert parse_template("ab {{ a }}").render(NAMES) == "ab 7"
    with pytest.raises(ExpressionSyntaxError) as caught:
        parse_template(text)
    assert words in str(caught.value)
    assert caught.value.position == position


def test_a_missing_name_is_placed_in_the_text() -> None:
    with pytest.raises(MissingName) as caught:
        parse_template("Dear {{ o.kk }}").render(NAMES)
    assert caught.value.position == 10
    assert caught.value.hint == "did you mean `k`?"


def test_the_text_has_a_bound() -> None:
    assert len(str(parse_template("{{ long }}.").render(NAMES))) == 600_001
    with pytest.raises(LimitPassed, match="longer than 1 MiB"):
        parse_template("{{ long }}{{ long }}").render(NAMES)


def test_all_fields_together_do_as_much_work_as_one_expression() -> None:
    names = {"a": list(range(60))}
    heavy = "{{ sum([x * y for x in a for y in a]) }} "
    assert parse_template(heavy).render(names) == "3132900 "

    def render() -> None:
        with pytest.raises(LimitPassed, match="too much work"):
            parse_template(heavy * 500).render(names)

    bound = under_a_tracer(0.5)
    assert cost_of(render, bound=bound).seconds < bound


@pytest.mark.parametrize(("form", "of_null"), [(Form.PROMPT, ""), (Form.TEXT, None)])
def test_as_text_a_field_alone_is_text_too(form: Form, of_null: str | None) -> None:
    names = {"o": {"k": [1]}, "n": 5, "none": None, "words": "{{ n }}"}
    texts = ["{{ o }}", "{{ n }}", "{{ none }}", "{{ words }}", "{{ n }}!"]
    found = [parse_template(text).render(names, form=form) for text in texts]
    assert found == ['{"k":[1]}', "5", of_null, "{{ n }}", "5!"]


class Lazy(Mapping[str, Any]):
    """Names that are computed when asked for, and remember what was."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values_ = values
        self.asked: list[str] = []

    def __getitem__(self, name: str) -> Any:
        self.asked.append(name)
        return self.values_[name]

    def __contains__(self, name: object) -> bool:
        return name in self.values_

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


def test_asks_only_for_the_names_it_reads() -> None:
    names = Lazy({"a": 1, "b": 2, "steps": Lazy({"x": {"output": [3]}, "y": 4})})
    assert parse_template("{{ a }} {{ steps.x.output }}").render(names) == "1 [3]"
    assert names.asked == ["a", "steps"]
    assert names["steps"].asked == ["x"]


def test_a_lazy_object_is_copied_into_a_result() -> None:
    names = Lazy({"steps": Lazy({"x": {"output": [3]}})})
    assert parse_template("{{ steps }}").render(names) == {"steps": {"x": {"output": [3]}}}["steps"]
    assert parse_template("{{ {**steps} }}").render(names) == {"x": {"output": [3]}}


def test_what_was_read_is_kept_up_to_a_bound_of_characters() -> None:
    """A character of a text full of fields takes some 110 bytes once it is read: 500 texts of 1 MiB took 60 GB."""
    first, sole = parse_template("Dear {{ input.first }}"), parse("input.first + 1")
    assert parse_template("Dear {{ input.first }}") is first
    assert parse("input.first + 1") is sole
    for number in range(1 + MAX_KEPT_CHARACTERS // 1_900):
        parse_template(f"{number}{{{{ input.first }}}}{'x' * 2_000}")
        parse(f"input.first + {number} + len('{'x' * 1_950}')")
    assert parse_template("Dear {{ input.first }}") is not first
    assert parse("input.first + 1") is not sole
