"""Metadata of providers: addresses and signing keys, cached by each process."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kernel.bounded_cache import BoundedCache
from kernel.types import Json
from tenants.sign_in.errors import ProviderFailed
from tenants.sign_in.fetching import MAX_TOLD, fetch_object
from tenants.sign_in.providers import SignInProvider

REMEMBERED_SECONDS: Final = 3600.0
REFETCH_SECONDS: Final = 30.0
"""The least time between two look-ups of keys because of one that is unknown: anybody can send an unknown one."""
MAX_REMEMBERED: Final = 1_000

Keys = tuple[Mapping[str, Json], ...]


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """A provider's addresses."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    posts_secret: bool
    """Whether the client's secret goes into the form; else into Basic, which is the standard's default."""
    names_itself: bool
    """Whether it says who it is in each answer (RFC 9207): then an answer that does not is another's."""


@dataclass(slots=True)
class _Known:
    metadata: ProviderMetadata
    keys: Keys
    refetch_from: float


class MetadataDirectory:
    """Remembers providers' metadata and keys, by issuer and what may be called for whom. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: BoundedCache[tuple[str, str], _Known] = BoundedCache(MAX_REMEMBERED)

    def metadata(self, provider: SignInProvider) -> ProviderMetadata:
        """Give a provider's addresses.

        Raises:
            ProviderFailed: It does not tell them, or tells another issuer's.
        """
        return self._find(provider).metadata

    def keys(self, provider: SignInProvider, *, kid: str | None, unfit: bool = False) -> Keys:
        """Give a provider's keys; looks again, at most each 30 s, when none of them will do.

        Args:
            provider: Whose.
            kid: The id of the key that is asked for.
            unfit: Whether the one that is known by this id was tried in vain: another may have taken its place.

        Raises:
            ProviderFailed: It does not tell them.
        """
        known = self._find(provider)
        if not unfit and any(key.get("kid") == kid for key in known.keys):
            return known.keys
        with self._lock:
            may_ask = time.monotonic() >= known.refetch_from
            known.refetch_from = (
                max(known.refetch_from, time.monotonic() + REFETCH_SECONDS) if may_ask else (known.refetch_from)
            )
        if may_ask:
            known.keys = fetch_keys(provider, known.metadata)
        return known.keys

    def forget(self, provider: SignInProvider | None = None) -> None:
        """Ask a provider again; None: all."""
        if provider is None:
            self._known.clear()
        else:
            self._known.pop((provider.key, provider.issuer))

    def _find(self, provider: SignInProvider) -> _Known:
        name = (provider.key, provider.issuer)
        found = self._known.get(name)
        if found is not None:
            return found
        metadata = fetch_metadata(provider)
        known = _Known(metadata, fetch_keys(provider, metadata), 0.0)
        self._known.put(name, known, until=time.monotonic() + REMEMBERED_SECONDS)
        return known


directory = MetadataDirectory()


def fetch_metadata(provider: SignInProvider) -> ProviderMetadata:
    """Ask a provider for its addresses now.

    Raises:
        ProviderFailed: It does not tell them, or tells another issuer's.
    """
    metadata = fetch_object(provider, f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration")
    if metadata.get("issuer") != provider.issuer:
        named = str(metadata.get("issuer"))[:MAX_TOLD]
        raise ProviderFailed(
            f"It calls itself {named!r}, and is set up as {provider.issuer!r}: every character counts."
        )
    methods = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return ProviderMetadata(
        authorization_endpoint=_address(metadata, "authorization_endpoint"),
        token_endpoint=_address(metadata, "token_endpoint"),
        jwks_uri=_address(metadata, "jwks_uri"),
        userinfo_endpoint=_optional_address(metadata, "userinfo_endpoint"),
        end_session_endpoint=_optional_address(metadata, "end_session_endpoint"),
        posts_secret=isinstance(methods, list) and bool(methods) and "client_secret_basic" not in methods,
        names_itself=metadata.get("authorization_response_iss_parameter_supported") is True,
    )


def fetch_keys(provider: SignInProvider, metadata: ProviderMetadata) -> Keys:
    """Ask a provider for its keys now.

    Raises:
        ProviderFailed: It does not tell them.
    """
    keys = fetch_object(provider, metadata.jwks_uri).get("keys")
    if not isinstance(keys, list):
        raise ProviderFailed("Its jwks_uri lists no keys.")
    return tuple(key for key in keys if isinstance(key, dict))


def _optional_address(metadata: Mapping[str, Json], name: str) -> str | None:
    """Read an address that need not be there; programs that write every member write null or a blank text then."""
    found = metadata.get(name)
    is_absent = found is None or (isinstance(found, str) and not found.strip())
    return None if is_absent else _address(metadata, name)


def _address(metadata: Mapping[str, Json], name: str) -> str:
    """Read an address. Browsers are sent to some, so nothing but HTTP will do, and plain only under a plain issuer."""
    found = metadata.get(name)
    issuer = str(metadata.get("issuer", ""))
    schemes = ("https://", "http://") if issuer.startswith("http://") else ("https://",)
    if not isinstance(found, str) or not found.startswith(schemes):
        raise ProviderFailed(f"Its discovery document has no {name} that begins with {' or '.join(schemes)}.")
    return found
