"""Language model providers: one file a wire format, behind one protocol (`base`)."""
