"""Public names for packages that add step types, providers and middleware; others may change without notice."""

from kernel.egress import ConnectionFailed, DeadlineExceeded, EgressBlocked
from runs.providers.errors import failed, failure_on_the_way
from runs.providers.tokens import counted, estimate_input, estimate_tokens
from runs.step_api.base import (
    Defer,
    Effect,
    Emit,
    Endpoint,
    ExpressionText,
    LanguageModel,
    Middleware,
    Next,
    Port,
    RuntimeContext,
    StepCall,
    StepConfig,
    StepFailed,
    StepHandler,
    StepType,
    Wait,
)
from runs.step_api.language_models import (
    CompletionReply,
    CompletionRequest,
    Message,
    Provider,
    ProviderFactory,
    ProviderOptions,
    TokenCount,
    Tool,
    ToolCall,
)
from runs.steps.testing import StepRunner
from segments.expressions import ExpressionError

__all__ = [
    "CompletionReply",
    "CompletionRequest",
    "ConnectionFailed",
    "DeadlineExceeded",
    "Defer",
    "Effect",
    "EgressBlocked",
    "Emit",
    "Endpoint",
    "ExpressionError",
    "ExpressionText",
    "LanguageModel",
    "Message",
    "Middleware",
    "Next",
    "Port",
    "Provider",
    "ProviderFactory",
    "ProviderOptions",
    "RuntimeContext",
    "StepCall",
    "StepConfig",
    "StepFailed",
    "StepHandler",
    "StepRunner",
    "StepType",
    "TokenCount",
    "Tool",
    "ToolCall",
    "Wait",
    "counted",
    "estimate_input",
    "estimate_tokens",
    "failed",
    "failure_on_the_way",
]
