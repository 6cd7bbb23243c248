"""What each part of the language gives, and what it refuses."""

import copy
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
    "long": "1" * 100_001,
}

VALUES: list[tuple[str, Any]] = [
    # literals
    ("1_000", 1000),
    ("1.", 1.0),
    (".5", 0.5),
    ("1e3", 1000.0),
    ("'a\\n\\x41\\u00e9\\\\'", "a\nA\u00e9\\"),
    ('"q"', "q"),
    ("[()]", [[]]),
    ("[1, 2,]", [1, 2]),
    ("{}", {}),
    ("{'a': 1,}", {"a": 1}),
    ("[(1, 2)]", [[1, 2]]),
    ("[True, None, false]", [True, None, False]),
    # arithmetic
    ("1 + 2 * 3", 7),
    ("-2 ** 2", -4),
    ("2 ** 3 ** 2", 512),
    ("2 ** -1", 0.5),
    ("(-1) ** 3", -1),
    ("(-1) ** 2", 1),
    ("0 ** 0", 1),
    ("5 ** 0", 1),
    ("1.5 ** 2", 2.25),
    ("7 // 2 - 7 % 4", 0),
    ("+a", 7),
    ("'a' + 'b'", "ab"),
    ("[1] + [2]", [1, 2]),
    ("'ab' * 2 + 2 * 'c'", "ababcc"),
    ("2 * [0]", [0, 0]),
    ("'a' * -1", ""),
    ("[1] * -1", []),
    # logic
    ("yes && no || yes", True),
    ("!no", True),
    ("!a === false", True),
    ("not a == 7", False),
    ("(not a) in [false]", True),
    ("a !== 7", False),
    ("nul or 'x'", "x"),
    ("a and 'x'", "x"),
    ("1 if no else 2 if no else 3", 3),
    ("no ? 1 : yes ? 2 : 3", 2),
    ("no ?.5 : 1", 1),
    ("{'k': yes ? 1 : 2}", {"k": 1}),
    ("l[yes ? 0 : 1]", 3),
    # comparisons
    ("1 < 2 <= 2 != 3", True),
    ("1 < 2 > 5", False),
    ("3 >= 3 and 2 > 1", True),
    ("[1, 2] < [1, 3]", True),
    ("[1] < [1, 0]", True),
    ("[[1]] < [[0]]", False),
    ("'a' < 'b'", True),
    ("true == 1", False),
    ("[1, {'a': [2]}] == [1.0, {'a': [2]}]", True),
    ("[1] == [true]", False),
    ("[1] == [1, 2]", False),
    ("{'a': 1} == {'b': 1}", False),
    ("{'a': 1} == {'a': 2}", False),
    ("1 == '1'", False),
    ("nul is null", True),
    ("a is not None", True),
    ("true is true", True),
    # membership
    ("'ell' in t", True),
    ("3 in l", True),
    ("true in [1]", False),
    ("1 in [true, 1]", True),
    ("null in [null]", True),
    ("'z' in ['y']", False),
    ("[1] in [[1]]", True),
    ("{} in [[]]", False),
    ("'x' in o", True),
    ("1 in o", False),
    ("'a' not in ('b', 'c')", True),
    ("s in {'it', 'at'}", True),
    ("t contains 'World' and l contains 1", True),
    ("t not contains 'x'", True),
    ("not t contains 'x'", True),
    ("(t contains 'x') == false", True),
    # access
    ("o.x + o['x']", 2),
    ("o.items", [1]),
    ("o.items()", [["x", 1], ["items", [1]], ["from", "me"], ["_links", {"self": "u"}], ["nul", None], ["y z", 2]]),
    ("o.from", "me"),
    ("o._links.self", "u"),
    ("o['y z']", 2),
    ("t[0] + t[-1]", "Hd"),
    ("t[:5]", "Hello"),
    ("t[6:]", "World"),
    ("t[::-1]", "dlroW olleH"),
    ("t[1:9:3]", "eoo"),
    ("l[:]", [3, 1, 2]),
    ("l[1:]", [1, 2]),
    ("t.length + l.length", 14),
    ("rows[1].n", "a"),
    # null and missing
    ("nul?.x", None),
    ("nul?.x.y[0].z()", None),
    ("o?.x", 1),
    ("o?.zz", None),
    ("o?.['zz']", None),
    ("o?.['x']", 1),
    ("nul ?? 1", 1),
    ("o.zz ?? 1", 1),
    ("zz ?? 1", 1),
    ("l[9] ?? 1", 1),
    ("no ?? 1", False),
    ("nul ?? o.zz ?? 3", 3),
    ("(a && nul) ?? 1", 1),
    ("default(o.zz, 1)", 1),
    ("coalesce(o.zz, nul, 2)", 2),
    ("[([q.zz for q in rows]) ?? a][0]", 7),
    # displays and comprehensions
    ("[*l, *l]", [3, 1, 2, 3, 1, 2]),
    ("{**o, 'x': 2}.x", 2),
    ("[x * y for x in [1, 2] for y in [3, 4] if x < y if y > 3]", [4, 8]),
    ("[k for k in {'a': 1, 'b': 2}]", ["a", "b"]),
    ("[c for c in 'ab']", ["a", "b"]),
    ("{k: v for (k, v) in [['a', 1]]}", {"a": 1}),
    ("[b for a, (b, c) in [[1, [2, 3]]]]", [2]),
    ("[b for b, in [[1]]]", [1]),
    ("[a for a in l] + [a]", [3, 1, 2, 7]),
    ("sum(x for x in l)", 6),
    ("any(x > 2 for x in l) and not all(x > 2 for x in l)", True),
    ("[[x for x in [y]] for y in [1]]", [[1]]),
    # texts with fields
    ("f'{a}-{{}}-{nul}-{yes}-{l}'", "7-{}--true-[3,1,2]"),
    ("f'{o[\"x\"]}{ {'k': 1} }'", '1{"k":1}'),
    (
        "f'{f:.2f}|{a:05d}|{a:>3}|{1234.5:,.1f}|{0.5:.0%}|{t:^13}|{s:4}|{a:}'",
        "1.50|00007|  7|1,234.5|50%| Hello World |it  |7",
    ),
    ('f"{t}"', "Hello World"),
    ("`${a + 1} $x {y} \\``", "8 $x {y} `"),
    ("`a\nb`", "a\nb"),
    ("`${`${a}`}`", "7"),
    # functions
    ("len(t) + size(l) + len(o)", 20),
    ("min(3, 1, 2) + max(l)", 4),
    ("min(['b', 'a'])", "a"),
    ("max([], default=null)", None),
    ("sorted(['b', 'a'])", ["a", "b"]),
    ("sorted([[2, 'a'], [1, 'b'], [1, 'b']])", [[1, "b"], [1, "b"], [2, "a"]]),
    ("sorted([])", []),
    ("reversed(l) + list(reversed('ab'))", [2, 1, 3, "b", "a"]),
    ("unique([1, 1.0, true, 'a', 'a', [1], [1], null])", [1, True, "a", [1], None]),
    ("len(set([1, 1])) + len({1, 2})", 3),
    ("sorted(set('banana'))", ["a", "b", "n"]),
    ("list(set())", []),
    ("sum([]) + sum([0.1, 0.2])", 0.3),
    ("sum([[1], [2]], [])", [1, 2]),
    ("round(2.5) + round(3.14159, 2)", 5.14),
    ("floor(1.9) + ceil(1.1) + abs(-1)", 4),
    ("int('7') + int(' -8 ') + int(1.9) + int(true)", 1),
    ("float('1.5e2') + float(1) + float(false)", 151.0),
    ("str(1) + str(1.5) + str(true) + str(null) + str([1]) + str('x')", "11.5true[1]x"),
    ("[bool([]), bool('a')]", [False, True]),
    ("list('ab') + list(o)[:1] + list()", ["a", "b", "x"]),
    ("dict([['a', 1]])", {"a": 1}),
    ("dict({'a': 1})", {"a": 1}),
    ("keys({'a': 1}) + values({'a': 1})", ["a", 1]),
    ("range(3) + range(1, 3) + range(5, 1, -2)", [0, 1, 2, 1, 2, 5, 3]),
    ("range(10**9, 0)", []),
    ("zip([1, 2], ['a', 'b', 'c'])", [[1, "a"], [2, "b"]]),
    ("zip()", []),
    ("enumerate(['a'], 1)", [[1, "a"]]),
    ("get(rows, '0.n')", "b"),
    ("get(rows, 0).n", "b"),
    ("get(rows, '-1.n')", "a"),
    ("get(rows, '9.n', 0)", 0),
    ("get(o, 'nul.x', 0)", 0),
    ("join(['a', 1, null], '-')", "a-1-"),
    ("join([])", ""),
    (
        "split('a,b', ',') + [upper('a'), lower('B'), trim(' c '), replace('aa', 'a', 'b')]",
        ["a", "b", "A", "b", "c", "bb"],
    ),
    ("contains(t, 'He') and contains(l, 3)", True),
    ("parse_json('[1, \"a\"]')", [1, "a"]),
    ("to_json({'a': [1, null]})", '{"a":[1,null]}'),
    # methods
    (
        "t.upper() + t.toLowerCase() + t.capitalize() + 'ab'.title() + 'A'.casefold()",
        "HELLO WORLDhello worldHello worldAba",
    ),
    ("'xax'.strip('x') + 'xa'.lstrip('x') + 'ax'.rstrip('x') + ' a '.trimStart() + ' a '.trimEnd()", "aaaa  a"),
    ("t.startsWith('He') and t.endswith('ld') and t.startswith(('x', 'He'))", True),
    (
        "'a b  c'.split() + 'a,b,c'.split(',', 1) + 'ab'.split('') + 'a b c'.split(null, 1)",
        ["a", "b", "c", "a", "b,c", "a", "b", "a", "b c"],
    ),
    ("'a\\u00a0b'.split()", ["a", "b"]),
    ("'a\\nb'.splitlines()", ["a", "b"]),
    ("','.join(['a', 'b']) + ['a', 'b'].join() + [1, 2].join('-')", "a,ba,b1-2"),
    ("'aaa'.replace('a', 'b', 2) + 'aa'.replaceAll('a', 'c')", "bbacc"),
    ("[t.find('W'), t.indexOf('zz'), t.index('e'), l.indexOf(2), l.indexOf(9), l.index(1)]", [6, -1, 1, 2, -1, 1]),
    ("[t.count('l'), [1, 1.0, true].count(1)]", [3, 2]),
    ("t.slice(0, 5) + t.slice(-3) + 'pre-x'.removeprefix('pre-') + 'x.y'.removesuffix('.y')", "Hellorldxx"),
    ("l.slice(1) + l.concat([4], 5) + [l.includes(3)]", [1, 2, 3, 1, 2, 4, 5, True]),
    (
        "['12'.isdigit(), 'a'.isalpha(), 'a1'.isalnum(), '1'.isnumeric(), ' '.isspace(), 'A'.isupper(), 'a'.islower()]",
        [True] * 7,
    ),
    (
        "'7'.padStart(3, '0') + '7'.rjust(2) + 'a'.padEnd(3, 'xy') + 'a'.ljust(2) + '-1'.zfill(4) + 'a'.padEnd(3, '')",
        "007 7axya -001a",
    ),
    ("o.get('x') + o.get('zz', 1)", 2),
    ("{'a': 1}.keys() + {'a': 1}.values()", ["a", 1]),
    ("f.toFixed(2) + a.toFixed() + a.toString() + s.toString()", "1.5077it"),
    # layout
    ("  a\n  + 1  ", 8),
    ("{{ a }}", 7),
    (" {{a}} ", 7),
    ("{{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
]


@pytest.mark.parametrize(("source", "expected"), VALUES)
def test_gives(source: str, expected: Any) -> None:
    data = copy.deepcopy(DATA)
    result = parse(source).evaluate(data)
    assert result == expected
    assert type(result) is type(expected)
    assert data == DATA


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


def test_the_same_source_is_read_once() -> None:
    assert parse("a + 1") is parse("a + 1")
    assert parse("a + 1").source == "a + 1"


def test_the_result_shares_nothing_with_the_data() -> None:
    data = {"rows": [{"id": [1]}]}
    for source in ("rows", "[r for r in rows]", "{'x': rows}['x']", "rows[0]"):
        result: Any = parse(source).evaluate(data)
        inner = result if isinstance(result, dict) else result[0]
        inner["id"].append(2)
    assert data == {"rows": [{"id": [1]}]}


UNFIT = [
    ({"v": "\ud800"}, ExpressionFailed, "lone surrogate"),
    ({"v": "a\0b"}, ExpressionFailed, "NUL"),
    ({"v": {"k": ["a\0b"]}}, ExpressionFailed, "NUL"),
    ({"v": {"k": ["\ud800"], "l": {}}}, ExpressionFailed, "lone surrogate"),
    ({"v": {1: 2}}, ExpressionFailed, "keys of an object are texts"),
    ({"v": [10**30]}, LimitPassed, "too large"),
    ({"v": [1e308 * 10] * 2}, None, ""),
    ({"v": 1e308 * 10}, LimitPassed, "too large"),
    ({"v": (1, 2)}, ExpressionFailed, "not JSON"),
    ({"v": [object()]}, ExpressionFailed, "not JSON"),
]


@pytest.mark.parametrize(("names", "kind", "words"), UNFIT)
def test_data_that_is_not_json_does_not_pass(names: dict[str, Any], kind: Any, words: str) -> None:
    if kind is None:  # the encoder writes what is not finite as null, which is plain again
        assert parse("v").evaluate(names) == [None, None]
        return
    for source in ("v", "[v]"):
        with pytest.raises(ExpressionFailed, match=words) as caught:
            parse(source).evaluate(names)
        assert type(caught.value) is kind
    assert parse("[w]").evaluate({"w": ["\\u0000 \u00e9"]}) == [["\\u0000 \u00e9"]]


def nested(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = [value] if levels % 2 else {"k": value}
    return value


@pytest.mark.parametrize("levels", [59, 60])
def test_a_result_may_be_64_levels_deep(levels: int) -> None:
    names = {"v": nested(levels)}
    assert parse("v").evaluate(names) == names["v"]
    parse("[[[v]]]").evaluate(names)
    with pytest.raises(LimitPassed, match="nested too deeply"):
        parse("[[[[[[v]]]]]]").evaluate(names)


@pytest.mark.parametrize("levels", [65, 300, 5_000])
def test_deeper_data_may_be_read_but_not_returned(levels: int) -> None:
    names = {"v": nested(levels), "ok": 1}
    assert parse("ok + len(v)").evaluate(names) == 2
    with pytest.raises(LimitPassed, match="nested too deeply"):
        parse("v").evaluate(names)
