"""The parts of llm_agent: calls of a model, conversations, replies that fit a schema, tools, models to fall back on."""
