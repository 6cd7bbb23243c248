"""The step type `greeting`: greets somebody in a language. One file: config, card, handler."""

from typing import Literal, cast

from pydantic import Field

from llmteam.plugin import Effect, Emit, Port, StepCall, StepConfig, StepFailed, StepHandler, StepType

GREETINGS = {"en": "Hello, {name}!", "de": "Hallo, {name}!", "fr": "Bonjour, {name} !"}


class GreetingConfig(StepConfig):
    """The fields a canvas lets people fill in; the catalog's JSON Schema is made from this class."""

    name: str = Field(description="Who is greeted; usually a template such as {{ input.name }}.")
    language: Literal["en", "de", "fr"] = Field("en", description="The language of the greeting.")


class GreetingHandler(StepHandler):
    """Emits the greeting, or fails when there is nobody to greet."""

    step_type = StepType(
        type_id="greeting",
        display_name="Greeting",
        description="Greet somebody in a language",
        category="utility",
        icon="smile",
        color="#E67E22",
        config=GreetingConfig,
        input_ports=(Port("input", "any", "Anything; the config's templates read it", required=False),),
        output_ports=(
            Port("greeting", "string", "The greeting"),
            Port("error", "object", "Why there is none", required=False),
        ),
        effect=Effect.PURE,
        examples=({"config": {"name": "{{ input.name }}", "language": "fr"}},),
    )

    async def run(self, call: StepCall) -> Emit:
        """Greet; the same call always gives the same greeting, which is what `Effect.PURE` promises."""
        config = cast(GreetingConfig, call.config)
        name = config.name.strip()
        if not name:
            raise StepFailed("NOBODY_TO_GREET", "The name is empty, so there is nobody to greet.")
        return Emit({"greeting": GREETINGS[config.language].replace("{name}", name)})
