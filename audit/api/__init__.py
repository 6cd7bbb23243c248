"""The API's routes about the audit."""
