"""Traces of runs for OpenTelemetry: nothing is made where no SDK was set up."""
