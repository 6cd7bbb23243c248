"""The marks that models put around calls of tools, by the templates they were taught."""

import re
from typing import Final

from runs.providers.text_calls.pythonic import NAME

_BAR: Final = "\uff5c"
_BLANK: Final = "\u2581"
"""Signs in the marks of DeepSeek."""
_SEPARATOR: Final = f"<{_BAR}tool{_BLANK}sep{_BAR}>"
_DSML: Final = f"{_BAR}DSML{_BAR}"
DSML: Final = re.compile(rf"(?<=[</]){_DSML}")
"""Marks that DeepSeek puts into each of its tags."""
TOOL_CODE: Final = "```tool_code"
"""The fence in which Gemma calls."""
_NAME: Final = r"(?:functions?\.)?([\w.-]{1,64})"
_OPENERS: Final = (
    "<tool_call>",
    "<tool_calls>",
    "<function_call>",
    "<function_calls>",
    "<functioncall>",
    "<toolcall>",
    "<TOOLCALL>",
    "<minimax:tool_call>",
    "<|tool_call|>",
    "<|tool_call_begin|>",
    "<|tool_calls_section_begin|>",
    f"<{_BAR}tool{_BLANK}calls{_BLANK}begin{_BAR}>",
    f"<{_BAR}tool{_BLANK}call{_BLANK}begin{_BAR}>",
    "<|python_tag|>",
    "<|START_ACTION|>",
    "[TOOL_CALLS]",
    "<seed:tool_call>",
    "<|python_start|>",
    "<|action_start|>",
    "<|plugin|>",
    "<start_function_call>",
    f"<{_DSML}function_calls>",
    f"<{_DSML}tool_calls>",
    TOOL_CODE,
)
"""Hermes, Qwen, GLM, Nemotron, MiniMax, Granite, Phi, Kimi, DeepSeek, Llama, Command R, Mistral, Seed, InternLM and
Gemma."""
TAGS: Final = ("<function=", "<invoke name=", f"<{_DSML}invoke name=")
"""Beginnings of a call that has its name in its tag: Llama, Qwen Coder, MiniMax, DeepSeek."""
CHANNEL: Final = "<|channel|>commentary to="
"""As gpt-oss writes to a tool."""
_AGAIN: Final = "<|start|>assistant"
SIMPLE_MARKS: Final = (*_OPENERS, *TAGS)
MARKS: Final = (*SIMPLE_MARKS, CHANNEL, _AGAIN + CHANNEL)
MAX_MARK_LENGTH: Final = max(map(len, MARKS))

_OPENED: Final = "|".join((*map(re.escape, _OPENERS), f"(?:{re.escape(_AGAIN)})?{re.escape(CHANNEL)}"))
_IN_TAG: Final = "|".join(map(re.escape, TAGS))
_IN_LINE: Final = rf"(?<![^\n]) {{0,3}}(?:(?=\[{NAME}\()|functools(?=\[))"
"""Beginning of a line that is a list of calls in Python's words (Llama), or one of Phi."""
_OPENER: Final = rf"(?:(?:{_OPENED})\s*)+|(?={_IN_TAG})|{_IN_LINE}"
OPENER: Final = re.compile(_OPENER)
OPENER_OR_CODE: Final = re.compile(rf"```(?!tool_code).*?```|(?<!`)`[^`\n]+`|(?P<opener>{_OPENER})", re.DOTALL)
"""Places where a call may begin; or code, between fences or backticks in a line, which only mentions what it holds."""
TAGGED: Final = re.compile(rf"<(?:function=|invoke name=)[\"']?{_NAME}[\"']?\s*>")
NAMED: Final = re.compile(
    rf"(?:function{_SEPARATOR})?{_NAME}(?::\d+)?\s*"
    rf"(?=\{{|\[ARGS\]|\[CALL_ID\]|{_SEPARATOR}|<\|tool_call_argument_begin\|>|<\|constrain\|>|<\|message\|>"
    r"|```|<arg_key>|</tool_call>)"
)
BEFORE_ARGUMENTS: Final = re.compile(
    rf"(?:\[CALL_ID\][\w-]+)?(?:\[ARGS\]|{_SEPARATOR}|<\|tool_call_argument_begin\|>|<\|constrain\|>\s*\w+)?"
    r"(?:\s*<\|message\|>)?(?:\s*```(?:json)?)?\s*(?=\{)"
)
PARAMETER: Final = re.compile(
    r"\s*<parameter(?:=|\s+name=)[\"']?([\w.-]{1,64})[\"']?(?:\s[^<>]{0,100})?>(.*?)</parameter>", re.DOTALL
)
IS_JSON: Final = re.compile(r"\s*<parameter[^<>]{1,200}\sstring=[\"']false[\"']")
"""Attribute by which DeepSeek tells a value from a text."""
PYTHONIC: Final = re.compile(rf"\[?\s*({NAME})\s*\(")
"""Beginning of calls in Python's words."""
OBJECT_CALL: Final = re.compile(rf"call:({NAME})\s*(?=\{{)")
"""As FunctionGemma writes."""
ARGUMENT: Final = re.compile(r"\s*<arg_key>\s*([\w.-]{1,64})\s*</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL)
BEHIND: Final = re.compile(
    r"(?:\s*(?:</(?:tool_calls?|function_calls?|functioncall|toolcall|TOOLCALL|minimax:tool_call|seed:tool_call|function|invoke)>"
    r"|<\|(?:/tool_call|tool_call_end|tool_calls_section_end|END_ACTION|action_end|python_end|call|eom|eot|eom_id|eot_id"
    r"|im_end|end)\|>|<end_function_call>|<start_function_response>|<end_of_turn>"
    rf"|<{_BAR}tool{_BLANK}calls?{_BLANK}end{_BAR}>|<{_BAR}end{_BLANK}of{_BLANK}sentence{_BAR}>|</s>|```))+\s*"
)
WHOLE_BEGINS: Final = re.compile(
    r'\[?\s*\{\s*"(?:name|tool_name|tool|function|type|id|arguments|parameters|args|input)"\s*:'
)
"""Beginning of the JSON of a call."""
CUT_WHOLE: Final = re.compile(
    r'\[?\s*\{\s*"(?:name|tool_name)"\s*:\s*"([\w.-]{1,64})"\s*,\s*"(?:arguments|parameters)"'
)
"""The same, where it may have been cut off."""
_FENCED: Final = re.compile(r"```[^\n`]*\n(.*?)```\s*", re.DOTALL)


def without_own_fence(text: str) -> str:
    """Take off a fence around all there is."""
    begun = text.lstrip()
    found = _FENCED.fullmatch(text.strip()) if begun.startswith("```") and not begun.startswith(TOOL_CODE) else None
    return found[1] if found and "```" not in found[1] else text
