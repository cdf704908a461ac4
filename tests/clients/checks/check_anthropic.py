import os

from anthropic import AnthropicBedrock, AuthenticationError, BadRequestError

from expect import CALL, HELLO, MODEL, OVER_TLS, RAW, URL, error, heard, passed

TOOL = {
    "name": "get_weather",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


def keys(key: str) -> dict:
    return {"api_key": key} if OVER_TLS else {"aws_access_key": key, "aws_secret_key": "unused"}


def asked(text: str, model: str = MODEL) -> dict:
    return {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": text}]}


os.environ.pop("AWS_BEARER_TOKEN_BEDROCK", None)
client = AnthropicBedrock(base_url=URL, **keys("sk-1234"))
heard(client.messages.create(**asked(HELLO, RAW)).content[0].text)
with client.messages.stream(**asked(HELLO)) as stream:
    heard("".join(stream.text_stream))
with client.messages.stream(**asked(CALL), tools=[TOOL]) as stream:
    called = stream.get_final_message()
assert called.stop_reason == "tool_use" and called.content[0].input["city"], called

error(BadRequestError, client.messages.create, **asked(HELLO, "unknown"))
error(
    AuthenticationError,
    AnthropicBedrock(base_url=URL, **keys("sk-wrong")).messages.create,
    **asked(HELLO),
)
passed()
