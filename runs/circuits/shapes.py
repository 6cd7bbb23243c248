"""Shapes of what a run waits for, open circuits among it, for callers."""

from typing import Any

from rest_framework import serializers


class CircuitFields(serializers.Serializer[Any]):
    """Fields of an open circuit: its target and its end."""

    connection = serializers.CharField(
        required=False, allow_null=True, help_text="Of a circuit: the connection whose calls wait, if it is one's."
    )
    host = serializers.CharField(required=False, help_text="Of a circuit: `host:port` that is not called.")
    model = serializers.CharField(required=False, help_text="Of a circuit: which language model, if it is one's.")
    last_failure = serializers.CharField(
        required=False, allow_null=True, help_text="Of a circuit: code and status of the last call that failed."
    )
    next_probe = serializers.DateTimeField(required=False, help_text="Of a circuit: when one call may test it again.")


class WaitingForShape(CircuitFields):
    """Reason why a run waits."""

    kind = serializers.CharField()
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False, allow_null=True)
    ref = serializers.CharField(required=False, allow_null=True)
    resume_url = serializers.URLField(required=False, help_text="Of `call`: a POST there resumes the run.")
    task_id = serializers.UUIDField(required=False, help_text="Of `human`: what a person decides.")
    limit = serializers.IntegerField(
        required=False, help_text="Of `slot`: how many of the tenant's runs may be executed at once."
    )
    running = serializers.IntegerField(required=False, help_text="Of `slot`: how many are executed now.")
    ahead = serializers.IntegerField(
        required=False, help_text="Of `slot`: how many of the tenant's due runs come first; 1,000 are counted at most."
    )
    task_url = serializers.URLField(required=False, help_text="Of `human`: the task's page in the inbox.")
