"""Access of callers: keys, tokens, known callers and origins, attempts and rate limits."""
