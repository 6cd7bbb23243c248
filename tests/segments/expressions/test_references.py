"""An expression says beforehand which names and steps it reads."""

import pytest

from segments.expressions import parse

CASES = [
    ("1", set(), set(), False),
    ("input.a + item", {"input", "item"}, set(), False),
    ("steps.triage.output.steps", {"steps"}, {"triage"}, False),
    ("steps['a b'].output + steps.c?.output", {"steps"}, {"a b", "c"}, False),
    ("steps?.d.output + steps?.['e']", {"steps"}, {"d", "e"}, False),
    ("get(steps, 'f.output.x', steps.g) ?? input", {"steps", "input"}, {"f", "g"}, False),
    ("get(steps, input)", {"steps", "input"}, set(), True),
    ("get(input, 'steps.a')", {"input"}, set(), False),
    ("steps[input.id]", {"steps", "input"}, set(), True),
    ("steps[1:]", {"steps"}, set(), True),
    ("keys(steps)", {"steps"}, set(), True),
    ("steps.h.output + len(steps)", {"steps"}, {"h"}, True),
    ("steps.get('i')", {"steps"}, {"get"}, False),
    ("[s.output for s in [steps.j]]", {"steps"}, {"j"}, False),
    ("[x + y for x in x for y in x]", {"x"}, set(), False),
    ("[steps.k for steps in rows]", {"rows"}, set(), False),
    ("{a: b for a, b in rows if c}", {"rows", "c"}, set(), False),
    ("sum(x for x in rows)", {"rows"}, set(), False),
    ("len(len)", {"len"}, set(), False),
    ("max(a, default=b)", {"a", "b"}, set(), False),
    ("a.b(c).d[e:f]", {"a", "c", "e", "f"}, set(), False),
    ("f'{a:>9} {b}' + `${c}`", {"a", "b", "c"}, set(), False),
    ("a ? b : (c if d else e)", {"a", "b", "c", "d", "e"}, set(), False),
    ("[*a, {**b}, not c, -d]", {"a", "b", "c", "d"}, set(), False),
    ("true and null or False", set(), set(), False),
]


NEEDED = [
    ("steps.a.output ?? 1", set()),
    ("steps.a.output ?? steps.b.output", set()),
    ("steps.a.output ?? input.x ?? steps.b.output + steps.c.output", set()),
    ("input.x ?? steps.b.output", {"b"}),
    ("(steps.a.output ?? steps.b.output) + steps.b.output", {"b"}),
    ("steps.a.output if 'a' in steps else null", set()),
    ("null if 'a' not in steps else steps.a.output", set()),
    ("steps.a.output if 'a' in steps and input.x else steps.b.output", {"b"}),
    ("steps.a.output if 'b' in steps else null", {"a"}),
    ("steps.a.output if 'a' not in steps else null", {"a"}),
    ("steps.a.output if 'a' in steps or input.x else null", {"a"}),
    ("default(steps.a.output, steps.b.output, 0)", set()),
    ("steps.a.x + (steps.a.y ?? 1)", {"a"}),
    ("steps?.a?.output", set()),
    ("steps.a?.output", set()),
    ("steps.a?.output.x", set()),
    ("steps['a']?.output", set()),
    ("steps.a?.output + steps.a.output", {"a"}),
    ("steps.a.output?.x", {"a"}),
    ("steps.a.output + get(steps, 'b.output', 0)", {"a"}),
    ("get(steps, 'a.output', steps.b.output)", {"b"}),
    ("get(steps, 'a.output', 0) + steps.a.output", {"a"}),
    ("get(steps, 'a.output')", set()),
]


@pytest.mark.parametrize(("source", "needed"), NEEDED)
def test_what_it_can_do_without_has_a_default(source: str, needed: set[str]) -> None:
    assert parse(source).needed_steps == needed


@pytest.mark.parametrize(
    ("source", "groups"),
    [
        ("steps.a.output ?? steps.b.output", [{"a", "b"}]),
        ("steps.a.output ?? steps.b.output ?? steps.c.output", [{"a", "b", "c"}]),
        ("steps?.a?.output ?? steps.b.output", [{"a", "b"}]),
        ("steps.a.output ?? steps.b.output ?? 0", []),
        ("(steps.a.x + steps.b.x) ?? steps.c.x", [{"a", "c"}, {"b", "c"}]),
    ],
)
def test_of_alternatives_it_needs_one(source: str, groups: list[set[str]]) -> None:
    assert parse(source).needed_alternatives == {frozenset(group) for group in groups}


@pytest.mark.parametrize(("source", "names", "steps", "dynamic"), CASES)
def test_names_what_it_reads(source: str, names: set[str], steps: set[str], dynamic: bool) -> None:
    expression = parse(source)
    assert expression.names == names
    assert expression.steps == steps
    assert expression.dynamic_steps is dynamic
