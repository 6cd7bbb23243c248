"""Page on which somebody chooses who they are."""

from collections.abc import Mapping, Sequence
from html import escape

from devserver.sign_in.people import DevelopmentAccount

STYLE = (
    "*{box-sizing:border-box}:root{color-scheme:light dark}"
    "body{margin:0 auto;max-width:32rem;padding:1rem;font:1rem/1.5 system-ui,sans-serif}"
    "button,input{font:inherit;min-height:2.75rem;padding:.5rem .75rem;border-radius:.375rem;border:1px solid #767b85}"
    "button{cursor:pointer}.person{display:block;width:100%;margin:0 0 .5rem;text-align:left}.person b{display:block}"
    ".other{display:flex;flex-wrap:wrap;gap:.5rem}.other input{flex:1 1 14rem}"
    "label{display:block;margin:1.5rem 0 .25rem}"
)


def choice_page(people: Sequence[DevelopmentAccount], *, asked: Mapping[str, str], problem: str = "") -> str:
    """Write the page: a button for each person, and a field for the e-mail of somebody who was invited.

    Args:
        people: Those of the demo.
        asked: Parameters of the platform's request, sent again with the choice.
        problem: What was wrong with the last choice; may be empty.
    """
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in asked.items()
    )
    buttons = "".join(
        f'<button class="person" name="email" value="{escape(person.email)}"><b>{escape(person.name)}</b> '
        f"{escape(person.email)}, {escape(person.about)}</button>"
        for person in people
    )
    return _page(
        "Who are you?",
        f"<p>This sign-in exists in development only. Nobody is asked for a password.</p>"
        f'<form method="post">{hidden}{buttons}</form>'
        f'<form method="post">{hidden}<label for="email">Somebody else, whom you have invited</label>'
        f'<div class="other"><input id="email" name="email" type="email" required placeholder="name@acme.example">'
        f"<button>Sign in</button></div></form>{_problem(problem)}",
    )


def refusal_page(problem: str) -> str:
    """Write what is wrong with a request nobody can answer."""
    return _page("This sign-in cannot go on", _problem(problem))


def _problem(problem: str) -> str:
    return f'<p role="alert">{escape(problem)}</p>' if problem else ""


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} · llmteam, development</title><style>{STYLE}</style><main><h1>{title}</h1>{body}</main></html>"
    )
