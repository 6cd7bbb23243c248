"""Who brings spellings of another canvas is told what they are here."""

import pytest

from segments.expressions import ExpressionSyntaxError, parse, parse_template

EXPRESSIONS = [
    ("{{ input.total }} > 100", "`input.a`, not `{{ input.a }}`"),
    ("input.label == {{ steps.a.output }}", "`input.a`, not `{{ input.a }}`"),
    ("$json.total > 100", "`$json.name` is `input.name`"),
    ("{{ $json['total'] }}", "`$json.name` is `input.name`"),
    ("={{ $json.total }}", "leave out the `=`"),
    ("$node['Fetch'].json.id", "`steps.<step_id>.output`"),
    ("$('Fetch').item.json.id", "`steps.<step_id>.output`"),
    ("$input.first().id", "what comes in is `input`"),
    ("$execution.id", "`run.id`"),
    ("{{#start.query#}}", "`{{ steps.a.output.b }}`"),
    ("1.total > 100", "by its id and not its number"),
]
TEMPLATES = [
    ("Dear {{#start.name#}}, hello", "`{{ steps.a.output.b }}`"),
    ("Dear {{ $json.name }}, hello", "`$json.name` is `input.name`"),
    ("Dear {{3.name}}, hello", "by its id and not its number"),
    ("{{#if vip}}Dear{{/if}}", "write a conditional"),
    ("{{#each rows}}x{{/each}}", "write a comprehension"),
    ("<p>{{{ name }}}</p>", "two braces are enough"),
]


@pytest.mark.parametrize(("source", "words"), EXPRESSIONS)
def test_an_expression_from_elsewhere_is_refused_with_what_to_write(source: str, words: str) -> None:
    with pytest.raises(ExpressionSyntaxError) as caught:
        parse(source)
    assert words in (caught.value.hint or "")


@pytest.mark.parametrize(("text", "words"), TEMPLATES)
def test_a_template_from_elsewhere_is_refused_with_what_to_write(text: str, words: str) -> None:
    with pytest.raises(ExpressionSyntaxError) as caught:
        parse_template(text)
    assert words in (caught.value.hint or "")


@pytest.mark.parametrize("source", ["{'a': {'b': 1}} +", "'{{' + input. + '}}'"])
def test_braces_of_the_language_are_not_taken_for_those_of_others(source: str) -> None:
    with pytest.raises(ExpressionSyntaxError) as caught:
        parse(source)
    assert "no braces" not in (caught.value.hint or "")
