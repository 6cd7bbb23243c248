"""What each part of the language gives."""

import copy
from typing import Any

import pytest

from segments.expressions import parse

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
    ("o.zz?.y", None),
    ("o['zz']?.y.z()", None),
    ("l[9]?.y", None),
    ("o.zz?.y ?? 2", 2),
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
    ("urldecode('M%C3%BCnchen+%zz%')", "M\u00fcnchen %zz%"),
    ("urldecode('M%FCnchen', null)", None),
    ("int('123456789012345678901', 0) + float('1e400', 1) + float('9' * 1001, 2)", 3),
    ("float('0.3333333333333333333333')", 0.3333333333333333),
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
    ("parse_json('{\"id\": 9007199254740993}')", {"id": "9007199254740993"}),
    ("parse_json('-9007199254740993', null)", "-9007199254740993"),
    ("parse_json('[9007199254740993.0, 1e20]')", ["9007199254740993", 1e20]),
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
