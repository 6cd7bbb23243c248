"""Codes of failures that the platform itself gives, which no segment may use for its own."""

from typing import Final

FAMILIES: Final = (
    *("BUDGET_", "CIRCUIT_", "COMPUTE_", "CONFIG_", "CONNECTION_", "EGRESS_", "EXPRESSION_", "HTTP_", "HUMAN_TASK_"),
    *("LLM_", "OAUTH", "OWNER", "PAGE_", "PAGINATION_", "PROMPT_", "RESPONSE_", "RUN_", "STEP_", "VALUE_", "WAIT_"),
)
"""Beginnings of codes that only the platform gives, on which readers may rely."""
OTHERS: Final = frozenset(
    {
        *("ACTIVATION_LIMIT", "ARGUMENTS_INVALID", "BODY_REFUSED", "BRANCH_FAILED", "ENGINE_ERROR", "HEADER_REFUSED"),
        *(
            "INTERNAL_ERROR",
            "ITEMS_NOT_A_LIST",
            "ITEMS_TOO_MANY",
            "MALFORMED_JSON",
            "MEMORY_LIMIT",
            "NOT_COMPARABLE",
            "OUTCOME_UNKNOWN",
        ),
        *("PATH_REFUSED", "PRICE_UNKNOWN", "REQUEST_TIMED_OUT", "TOOL_NOT_ALLOWED"),
    }
)


def is_platform_code(code: str) -> bool:
    """Whether the platform may give this code to a failure."""
    return code in OTHERS or code.startswith(FAMILIES)
