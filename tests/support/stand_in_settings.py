"""The settings of a process whose models and people are stand-ins (``tests.support.stand_in_steps``)."""

from llmteam.settings import *  # noqa: F403 - all of them, with one other

STEP_REGISTRY = "tests.support.stand_in_steps.registry"
