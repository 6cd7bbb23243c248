"""OpenAI's SDK, held to what the connection says. Imported with the first call only."""

from typing import Any

import httpx
import openai
from typing_extensions import override

from runs.providers.decoding import MAX_BYTES_IN_PLACE
from runs.providers.wire import Wire
from runs.step_api.language_models import ProviderOptions

BASE_URL = "https://api.openai.com/v1"


def open_wire(options: ProviderOptions) -> Wire:
    """Make a client for the chat completions of one connection."""
    return Wire(
        openai, _OpenAIClient(options), path="/chat/completions", request_id_header="x-request-id", renew=options.renew
    )


class _OpenAIClient(openai.AsyncOpenAI):
    """Takes nothing from the environment: no key, address, organisation or header of the operator's."""

    def __init__(self, options: ProviderOptions) -> None:
        super().__init__(
            api_key=options.secret or "",
            base_url=options.base_url or BASE_URL,
            default_query=dict(options.query),
            max_retries=0,
            http_client=options.http_client,
            _enforce_credentials=False,
        )
        self._custom_headers = dict(options.headers)
        self.organization = self.project = self.admin_api_key = None
        self._authorise = options.authorise

    @override
    async def _prepare_request(self, request: httpx.Request) -> None:
        if self._authorise is not None:
            await self._authorise(request)

    @override
    def _validate_headers(self, headers: Any, custom_headers: Any) -> None:
        """Ask for no key: a connection may have none, or send it elsewhere."""

    @override
    def _make_status_error_from_response(self, response: httpx.Response) -> Any:
        """Read what is said of an error, where it is short; the SDK would parse whatever came."""
        if len(response.content) <= MAX_BYTES_IN_PLACE:
            return super()._make_status_error_from_response(response)
        return self._make_status_error("The error is too long to be read.", body=None, response=response)

    @property
    @override
    def user_agent(self) -> str:
        return "llmteam"

    @override
    def platform_headers(self) -> dict[str, Any]:
        """Tell nothing of the machine we run on."""
        return {}
