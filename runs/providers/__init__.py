"""Language model providers: one module a wire format, behind the protocol of ``step_api.language_models``."""
