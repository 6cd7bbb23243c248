"""What the language refuses, when reading and when evaluating, and where it points."""

from typing import Any

import pytest

from segments.expressions import ExpressionFailed, ExpressionSyntaxError, LimitPassed, MissingName, parse

DATA: dict[str, Any] = {
    "a": 7,
    "f": 1.5,
    "t": "Hello World",
    "l": [3, 1, 2],
    "o": {"x": 1, "items": [1], "from": "me", "_links": {"self": "u"}, "nul": None, "y z": 2},
    "rows": [{"id": 1, "n": "b"}, {"id": 2, "n": "a"}],
    "yes": True,
    "no": False,
    "nul": None,
    "s": "it",
    "long": "1" * 1_000_001,
}

FAILURES: list[tuple[str, type[ExpressionFailed], str, int | None]] = [
    (
        "1 + 't'",
        ExpressionFailed,
        "`+` does not work with a number and a text. (at position 2); write a value as text: `str(x)`",
        2,
    ),
    ("nul + 1", ExpressionFailed, "give a value for null", 4),
    ("1 + true", ExpressionFailed, "does not work with a number and a boolean", 2),
    ("-t", ExpressionFailed, "has no sign", 0),
    ("+t", ExpressionFailed, "has no sign", 0),
    ("1 / 0", ExpressionFailed, "divided by zero", 2),
    ("1.5 % 0.0", ExpressionFailed, "divided by zero", 4),
    ("'%s' % 1", ExpressionFailed, "use an f-text", 5),
    ("0 ** -1", ExpressionFailed, "no negative power", 2),
    ("(-1) ** 0.5", ExpressionFailed, "no such power", 5),
    ("1e308 * 10", LimitPassed, "too large", 6),
    ("1e308 ** 2", LimitPassed, "too large", 6),
    ("2 ** 54", LimitPassed, "too large", 2),
    ("9 ** 53", LimitPassed, "too large", 2),
    ("9007199254740992 + 1", LimitPassed, "too large", 17),
    ("o < o", ExpressionFailed, "An object and an object have no order.", 0),
    ("yes > no", ExpressionFailed, "no order", 0),
    ("1 in t", ExpressionFailed, "cannot contain a number", 0),
    ("1 in nul", ExpressionFailed, "contains nothing", 0),
    ("zz", MissingName, "The name `zz` is not known here.", 0),
    ("ows", MissingName, "did you mean `rows`?", 0),
    ("Math.max(1)", MissingName, "use the functions", 0),
    ("len", ExpressionFailed, "is a function", 0),
    ("o.zz", MissingName, "The object has no key `zz`.", 2),
    ("o.itms", MissingName, "did you mean `items`?", 2),
    ("o.get", ExpressionFailed, "call it: `.get(...)`", 2),
    ("o[s]", MissingName, "The object has no such key.", 1),
    ("o['__class__']", MissingName, "no key `__class__`", 1),
    ("o[1]", ExpressionFailed, "keys of an object are texts", 1),
    ("l['a']", ExpressionFailed, "needs a whole number", 1),
    ("l[3]", MissingName, "no value at this place", 1),
    ("l[true]", ExpressionFailed, "needs a whole number", 1),
    ("a[0]", ExpressionFailed, "has no keys", 1),
    ("a[0:1]", ExpressionFailed, "no parts to cut out", 1),
    ("l[::0]", ExpressionFailed, "step of a slice is zero", 1),
    ("nul.x", MissingName, "Null has no `x`.", 4),
    ("nul?.x + 1", ExpressionFailed, "does not work with null", 7),
    ("o?.zz.y", MissingName, "Null has no `y`.", 6),
    ("t.foo", MissingName, "A text has no `foo`.", 2),
    ("t.uper()", ExpressionFailed, "did you mean `upper`?", 2),
    ("t.upper(1)", ExpressionFailed, "`upper` takes at most 0 arguments.", 2),
    ("t.replace('a')", ExpressionFailed, "`replace` needs at least 2 arguments.", 2),
    ("t.upper(x=1)", ExpressionFailed, "takes no argument named `x`", 2),
    ("l.sort()", ExpressionFailed, "use `sorted(list)`", 2),
    ("l.map(a)", ExpressionFailed, "use a comprehension", 2),
    ("{1: 2}", ExpressionFailed, "write `str(key)`", 0),
    ("[*a]", ExpressionFailed, "`*` needs a list", 0),
    ("{**a}", ExpressionFailed, "`**` needs an object", 0),
    ("[x for x in 1]", ExpressionFailed, "no values to go through", 12),
    ("[x for x, y in [[1]]]", ExpressionFailed, "needs a list of 2 values", 7),
    ("{1, 2}", ExpressionFailed, "A set is not JSON.", None),
    ("[set([1])]", ExpressionFailed, "list(set(x))", None),
    ("f'{t:.2f}'", ExpressionFailed, "does not fit a text", 2),
    ("f'{f:d}'", ExpressionFailed, "needs a whole number", 2),
    ("len(1)", ExpressionFailed, "has no length", 0),
    ("sum(1)", ExpressionFailed, "`sum` needs a list, not a number.", 0),
    ("sum(o)", ExpressionFailed, "use `keys(x)`", 0),
    ("min([])", ExpressionFailed, "give `default=`", 0),
    ("min([1, 'a'])", ExpressionFailed, "no order", 0),
    ("sorted([1, 'a'])", ExpressionFailed, "no order", 0),
    ("int('x')", ExpressionFailed, "is no number", 0),
    ("int('1.5')", ExpressionFailed, "no whole number", 0),
    ("int(l)", ExpressionFailed, "A list is no number.", 0),
    ("float(nul)", ExpressionFailed, "Null is no number.", 0),
    ("float('nan')", ExpressionFailed, "is no number", 0),
    ("float('9e999')", LimitPassed, "too large", 0),
    ("round('x')", ExpressionFailed, "`round` needs a number, not a text.", 0),
    ("dict([1])", ExpressionFailed, "list of pairs", 0),
    ("dict([[1, 2]])", ExpressionFailed, "A key of an object needs a text", 0),
    ("range(1, 2, 0)", ExpressionFailed, "step of `range` is zero", 0),
    ("range(10**5)", LimitPassed, "more than 10000 values", 0),
    ("parse_json('{')", ExpressionFailed, "is not JSON", 0),
    ("parse_json(long)", LimitPassed, "reads at most", 0),
    ("f.toFixed(21)", ExpressionFailed, "0 to 20 digits", 2),
    ("t.index('zz')", MissingName, "use `indexOf`", 2),
    ("','.join('ab')", ExpressionFailed, "`join` needs a list", 4),
    ("t.join(1)", ExpressionFailed, "`join` needs a list", 2),
    ("[0] * 10001", LimitPassed, "more than 10000 values", 4),
    ("[1 for x in range(9999) for y in [1, 2]]", LimitPassed, "more than 10000 values", 0),
    ("{str(x): 1 for x in range(9999) for y in range(9)}", LimitPassed, "too much work", None),
    ("[t * 5000 for x in range(20)]", LimitPassed, "larger than 1 MiB", None),
]


@pytest.mark.parametrize(("source", "kind", "words", "position"), FAILURES)
def test_fails(source: str, kind: type[ExpressionFailed], words: str, position: int | None) -> None:
    expression = parse(source)
    with pytest.raises(ExpressionFailed) as caught:
        expression.evaluate(DATA)
    assert type(caught.value) is kind
    assert words in str(caught.value)
    if position is not None:
        assert caught.value.position == position


REFUSALS: list[tuple[str, str, int]] = [
    ("", "is empty", 0),
    ("  ", "is empty", 2),
    ("1 +", "is not complete", 3),
    ("(1", "the bracket opened at position 0 is not closed", 2),
    ("[1", "the bracket opened at position 0 is not closed", 2),
    ("{'a': 1", "the bracket opened at position 0 is not closed", 7),
    ("len(1", "the bracket opened at position 3 is not closed", 5),
    ("a[1", "the bracket opened at position 1 is not closed", 3),
    ("1)", "`)` cannot stand here.", 1),
    ("1}", "the text goes on", 1),
    ("1, 2", "write a list as `[a, b]`", 1),
    ("(1, 2)", "JSON has no tuples", 0),
    ("a = 1", "use `==` to compare", 2),
    ("a b", "an operator or the end is expected", 2),
    ("a equals 1", "use `==`", 2),
    ("a AND b", "use `and`", 2),
    ("a ? 1", "`:` is expected", 5),
    ("a if b", "`else` is expected", 6),
    ("a not b", "`not in` or `not contains` is expected", 6),
    ("!a in l", "write `a not in b`", 0),
    ("a is b", "`is` compares with", 0),
    ("a contains 1 == 2", "put it in brackets", 0),
    ("a ?? b || c", "put one of them in brackets", 2),
    ("a || b ?? c", "put one of them in brackets", 7),
    ("a.", "a key is expected after `.`", 2),
    ("a.__class__", "is not allowed", 2),
    ("__name", "is not allowed", 0),
    ("\ufb01x", "look-alike", 0),
    ("a[]", "hold no key", 1),
    ("a[1:2:3:4]", "`:` cannot stand here", 7),
    ("a[1 2]", "cannot stand here", 4),
    ("a.b()()", "Only functions and methods", 5),
    ("(1)(2)", "Only functions and methods", 3),
    ("foo(1)", "There is no function `foo`.", 0),
    ("sortd(l)", "did you mean `sorted`?", 0),
    ("parseInt('1')", "use `int(x)`", 0),
    ("len()", "`len` needs at least 1 argument.", 0),
    ("len(1, 2)", "`len` takes at most 1 argument.", 0),
    ("sorted(l, key=1)", "takes no argument named `key`", 0),
    ("sorted(l, reverse=1, reverse=2)", "gets an argument twice", 0),
    ("sorted(reverse=1, l)", "without a name follows", 18),
    ("coalesce(1)", "needs at least 2 arguments", 0),
    ("max(*l)", "pass the list itself", 4),
    ("(x for x in l)", "square brackets", 3),
    ("[*a for a in l]", "one value for each round", 4),
    ("[x for 1 in l]", "needs a name after `for`", 7),
    ("[x for x of l]", "`in` is expected", 9),
    ("{1: 2, 3}", "`:` is expected", 8),
    ("{'x': 1, a: 2}", "can be read in two ways", 9),
    ("{1, 2: 3}", "cannot stand here", 5),
    ("{1, **a}", "a value is expected", 4),
    ("lambda: 1", "use a comprehension", 0),
    ("x => 1", "use a comprehension", 2),
    ("typeof a", "is not supported", 0),
    ("undefined", "use `null`", 0),
    ("return 1", "write one expression", 0),
    ("a | b", "use `or`", 2),
    ("a & b", "use `and`", 2),
    ("$json", "names have no prefix", 0),
    ("1 # c", "comments are not supported", 2),
    ("a; b", "write one expression", 1),
    ("a \u20ac", "has no meaning here", 2),
    ("0x1f", "decimal digits", 0),
    ("1__0", "decimal digits", 0),
    ("1_", "decimal digits", 0),
    ("1a", "decimal digits", 0),
    ("\u0663", "decimal digits", 0),
    ("1e999", "too large", 0),
    ("9007199254740993", "too large", 0),
    ("'a", "not closed", 0),
    ("'a\nb'", "write a new line as `\\n`", 2),
    ("'\\q'", "write a backslash as", 1),
    ("'\\01'", "write a backslash as", 1),
    ("'\\0'", "may not hold", 1),
    ("'\\ud800'", "may not hold", 1),
    ("'''a'''", "Triple quotes", 0),
    ("b'a'", "use plain quotes", 0),
    ("f`a`", "use plain quotes", 0),
    ("f'{a'", "not closed", 4),
    ("f'{a z'", "cannot stand here", 5),
    ("f'a", "not closed", 0),
    ("f'a}'", "write `}}`", 3),
    ("f'{a!r}'", "is always written as", 4),
    ("f'{a:{b}}'", "is not supported", 4),
    ("f'{a:>9", "is not supported", 4),
    ("f'{a=}'", "use `==`", 4),
    ("f'{a;}'", "is not supported", 4),
    ("`${a`", "not closed", 4),
    ("`${(a}`", "is not closed", 5),
    ("{{ a", "`{{` is not closed", 0),
    ("{{ a }} b", "the text goes on", 8),
    ("{{ a }", "`{{` is not closed", 0),
    ("(" * 31 + "1" + ")" * 31, "nested too deeply", 30),
    ("-" * 40 + "1", "nested too deeply", 30),
    ("+".join(["1"] * 101), "too large", 199),
    ("[" + "1," * 600 + "]", "too large", 1001),
    ("1" + " " * 2_000, "longer than 2000 characters", 2000),
]


@pytest.mark.parametrize(("source", "words", "position"), REFUSALS)
def test_refuses(source: str, words: str, position: int) -> None:
    with pytest.raises(ExpressionSyntaxError) as caught:
        parse(source)
    assert words in str(caught.value)
    assert caught.value.position == position
    assert caught.value.code == "EXPRESSION_SYNTAX"


@pytest.mark.parametrize(
    ("source", "bound"),
    [
        ("[x for x in range(9999) for y in range(9999) if false]", "90000 units"),
        ("'ab' * 500001", "1000000 characters"),
        ("[0] * 10001", "10000 values"),
        ("2 ** 53 + 1", "2^53"),
        ("[long, long]", "1 MiB"),
    ],
)
def test_a_limit_says_which_bound_and_what_helps(source: str, bound: str) -> None:
    with pytest.raises(LimitPassed) as caught:
        parse(source).evaluate(DATA)
    assert caught.value.code == "EXPRESSION_LIMIT"
    assert bound in caught.value.message
    assert caught.value.hint
