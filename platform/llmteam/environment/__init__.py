"""Typed readers of environment variables: a wrong value stops the start with a sentence."""

from llmteam.environment.addresses import (
    address,
    base_url,
    base_urls,
    hosts,
    issuer,
    log_origin,
    mailbox,
    networks,
    origins,
)
from llmteam.environment.secrets import bearer, certificates, key, keys, old_keys, secret, verifier_keys
from llmteam.environment.servers import database, redis
from llmteam.environment.values import choice, flag, number, packages, text, whole, words

__all__ = [
    "address",
    "base_url",
    "base_urls",
    "bearer",
    "certificates",
    "choice",
    "database",
    "flag",
    "hosts",
    "issuer",
    "key",
    "keys",
    "log_origin",
    "mailbox",
    "networks",
    "number",
    "old_keys",
    "origins",
    "packages",
    "redis",
    "secret",
    "text",
    "verifier_keys",
    "whole",
    "words",
]
