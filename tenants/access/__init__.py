"""Who may call, from where, and how often: keys, tokens, browsers' origins, attempts and limits."""
