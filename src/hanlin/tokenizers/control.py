"""The control tokens of every tokenizer, and the chat template that uses them.

They are fixed once, with the same ids everywhere, so that no later stage has to retrain a tokenizer
or widen an embedding. ChatML frames a dialogue; 64 spare tokens wait for what comes later.

    python -m hanlin.tokenizers.control
"""

from __future__ import annotations

import re

__all__ = [
    "CHAT_TEMPLATE",
    "CONTROL_IDS",
    "CONTROL_PATTERN",
    "CONTROL_TOKENS",
    "END_OF_TEXT",
    "END_OF_TURN",
    "NUM_CONTROL",
]

END_OF_TEXT = "<|endoftext|>"
"""Stands between documents; its id is 0."""
END_OF_TURN = "<|im_end|>"
"""Ends a message of a dialogue."""

_NAMES = (
    "endoftext im_start im_end ask answer keywords summary zh2en en2zh target reverse permute sort "
    "original copy fim_prefix fim_suffix fim_middle image /image mask sep"
)

CONTROL_TOKENS: tuple[str, ...] = (
    *(f"<|{name}|>" for name in _NAMES.split()),
    *(f"<|spare_{number}|>" for number in range(64)),
)
"""All control tokens; a token's place is its id."""

NUM_CONTROL = len(CONTROL_TOKENS)
"""How many there are: the first id of ordinary tokens."""

CONTROL_IDS: dict[str, int] = {token: index for index, token in enumerate(CONTROL_TOKENS)}
"""Control token to id."""

CONTROL_PATTERN = re.compile(f"({'|'.join(map(re.escape, CONTROL_TOKENS))})")
"""Finds control tokens in text; one group, so that `split` keeps them."""

CHAT_TEMPLATE = """\
{%- set running = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789' %}
{%- macro said(content) %}
    {%- set text = (content + '') | trim %}
    {{- ' ' if text and text[:1] in running else '' }}{{ text }}
{%- endmacro %}
{{- '<|endoftext|>' }}
{%- for message in messages %}
    {{- '<|im_start|>' + message['role'] + '\\n' }}
    {%- if message['role'] == 'assistant' %}
        {%- generation %}
            {{- '<|ask|>' if message['decision'] == 'ask' else '<|answer|>' }}
            {{- said(message['content']) }}
            {%- for offer in message['offers'] or [] %}
                {{- '<|sep|>' + said(offer) }}
            {%- endfor %}
            {{- '<|im_end|>' }}
        {%- endgeneration %}
    {%- else %}
        {{- said(message['content']) + '<|im_end|>' }}
    {%- endif %}
    {{- '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
"""ChatML in Jinja, as the `dialogue` task teaches it: a document begins, the assistant's turn opens
with its decision, offers follow it, and English stands after a space, so that a word is the same
token here as in the middle of a text (`hanlin.tasks.base.running_text`). `generation` marks what
the assistant writes, the end of its turn included. Nothing in it is beyond the Jinja of
transformers, vLLM and llama.cpp, which thus write the same tokens."""


if __name__ == "__main__":
    print(NUM_CONTROL, *CONTROL_TOKENS)
