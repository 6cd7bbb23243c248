"""Trial of a provider by an operator: discovery, keys and a whole sign-in; nothing of it is kept."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from audit.services import record
from foundation.scope import unscoped
from kernel.types import Json
from tenants.members.sessions import user_of_session
from tenants.models import User
from tenants.sign_in.backend import ProviderBackend, Stage
from tenants.sign_in.claims import listed_groups, readable_email, why_no_groups
from tenants.sign_in.errors import PersonRefused, ProviderRefused, SignInRefused, StateRefused
from tenants.sign_in.id_tokens import algorithms_of
from tenants.sign_in.metadata import directory, fetch_keys, fetch_metadata
from tenants.sign_in.providers import SignInProvider, provider_to_try
from tenants.sign_in.services import SignedIn, rehearse_sign_in
from tenants.sign_in.states import PendingSignIn

MAX_TOLD: Final = 300
RIGHT: Final = "tenants.change_identityprovider"
"""Right of operators who may try a provider: its secret is shown to its host."""


class TrialVerdict(StrEnum):
    """Verdicts on a part of a provider."""

    PASSED = "passed"
    FAILED = "failed"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class TrialFinding:
    """A part of a sign-in, and what came of it in words."""

    part: str
    verdict: TrialVerdict
    words: str


def look_up(provider: SignInProvider) -> list[TrialFinding]:
    """Ask a provider for its addresses and keys now; what this process remembers of it is forgotten."""
    directory.forget(provider)
    try:
        metadata = fetch_metadata(provider)
    except SignInRefused as error:
        return [TrialFinding("discovery", TrialVerdict.FAILED, error.detail)]
    found = [TrialFinding("discovery", TrialVerdict.PASSED, f"It sends people to {metadata.authorization_endpoint}.")]
    try:
        keys = fetch_keys(provider, metadata)
    except SignInRefused as error:
        return [*found, TrialFinding("keys", TrialVerdict.FAILED, error.detail)]
    usable = {alg for key in keys for alg in algorithms_of(key)}
    if not usable:
        words = f"It publishes {len(keys)} keys, and none whose signature would be believed."
        return [*found, TrialFinding("keys", TrialVerdict.FAILED, words)]
    words = f"It publishes {len(keys)} keys, for {', '.join(sorted(usable))}."
    return [*found, TrialFinding("keys", TrialVerdict.PASSED, words)]


def show_trial(request: HttpRequest, begun: PendingSignIn) -> HttpResponse:
    """Follow the answer to a trial as a sign-in would, and show what came of each part. Nobody is signed in.

    Raises:
        StateRefused: Whoever comes back may not try the provider, or it is gone.
    """
    provider, user = provider_to_try(begun.provider), user_of_session(request)
    if provider is None or not (isinstance(user, User) and _may_try(user)):
        raise StateRefused
    findings = _follow(request, provider, begun)
    with unscoped("an operator has tried a provider"):
        verdicts: dict[str, Json] = {one.part: one.verdict.value for one in findings}
        record("identity_provider.tried", provider.audit_object, actor=f"user:{user.pk}", after=verdicts)
    context = {
        "provider": provider,
        "findings": findings,
        "works": all(one.verdict is not TrialVerdict.FAILED for one in findings),
        "back": begun.next,
    }
    return render(request, "pages/trial.html", context)


def _may_try(user: User) -> bool:
    with unscoped("rights of an operator"):
        return user.is_active and user.is_staff and user.has_perm(RIGHT)


def _follow(request: HttpRequest, provider: SignInProvider, begun: PendingSignIn) -> list[TrialFinding]:
    directory.forget(provider)
    backend = ProviderBackend(provider, act=rehearse_sign_in)
    try:
        backend.redeem(request, begun)
    except PersonRefused as error:
        return [*_passed(backend.stage), _refused_person(error), *_groups(provider, backend)]
    except SignInRefused as error:
        words = f"{error.detail} {_own_words(request) if isinstance(error, ProviderRefused) else ''}".rstrip()
        return [*_passed(backend.stage), TrialFinding(backend.stage.value, TrialVerdict.FAILED, words)]
    if backend.signed_in is None:
        return [
            *_passed(backend.stage),
            TrialFinding(backend.stage.value, TrialVerdict.FAILED, "It returned no user."),
        ]
    return [*_passed(backend.stage), _let_in(backend, backend.signed_in), *_groups(provider, backend)]


def _passed(reached: Stage) -> list[TrialFinding]:
    words = {
        Stage.ANSWER: "It sent you back to the address that is registered.",
        Stage.CODE: "It redeemed the code for tokens: client id and secret are right.",
        Stage.ID_TOKEN: "Its ID token says what was asked for, and its signature is good.",
        Stage.USERINFO: "Its userinfo is about the same person, or it has none.",
    }
    stages = list(Stage)
    return [TrialFinding(stage.value, TrialVerdict.PASSED, words[stage]) for stage in stages[: stages.index(reached)]]


def _own_words(request: HttpRequest) -> str:
    words = request.GET.get("error_description", "")[:MAX_TOLD]
    return f"In its own words: {words}" if words else ""


def _let_in(backend: ProviderBackend, signed_in: SignedIn) -> TrialFinding:
    where = ", ".join(f"{one.role} of {one.tenant.name}" for one in signed_in.members)
    came = readable_email(backend.claims) or "an account without an e-mail"
    return TrialFinding(
        Stage.PERSON.value,
        TrialVerdict.PASSED,
        f"You came as {came}, subject {backend.claims['sub']}; it would open: {where}.",
    )


def _refused_person(error: PersonRefused) -> TrialFinding:
    """Say why the account would not be let in: as a rule nothing is wrong with its provider."""
    came = "" if error.email is None else f"You came as {error.email}. "
    return TrialFinding(Stage.PERSON.value, TrialVerdict.NOTE, f"{came}{error.title} {error.advice} ({error.code})")


def _groups(provider: SignInProvider, backend: ProviderBackend) -> list[TrialFinding]:
    """Say whether the claims that the maps read are told; only a tenant's provider has maps."""
    found = []
    for part, claim, meaning in (
        ("groups", provider.groups_claim, provider.group_map),
        ("roles", provider.roles_claim, provider.role_map),
    ):
        if not meaning:
            continue
        listed = listed_groups(backend.claims, claim, known=meaning)
        reason = why_no_groups(backend.claims, claim)
        words = f"{claim} is {reason}: what members have stays." if listed is None else f"{claim} lists {len(listed)}."
        found.append(TrialFinding(part, TrialVerdict.NOTE if listed is None else TrialVerdict.PASSED, words))
    return found
