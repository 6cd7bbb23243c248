"""Who may call, from where, and how often: keys, tokens, known callers and origins, attempts and limits."""
