import litellm

from expect import CALL, EMBEDDING, HELLO, MODEL, RAW, URL, error, heard, passed, wrong_key

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def ask(model: str, text: str = HELLO, **options):
    return litellm.completion(
        model=model,
        messages=[{"role": "user", "content": text}],
        aws_bedrock_runtime_endpoint=URL,
        **options,
    )


for model in f"bedrock/converse/{MODEL}", f"bedrock/{RAW}", f"bedrock/invoke/{RAW}":
    heard(ask(model).choices[0].message.content)
    heard("".join(chunk.choices[0].delta.content or "" for chunk in ask(model, stream=True)))
for model in f"bedrock/converse/{RAW}", f"bedrock/invoke/{RAW}":
    called = ask(model, CALL, tools=[TOOL]).choices[0].message
    assert called.tool_calls[0].function.name == "get_weather", called
embedded = litellm.embedding(
    model=f"bedrock/{EMBEDDING}", input=[HELLO], aws_bedrock_runtime_endpoint=URL
)
assert embedded.data[0]["embedding"]

error(litellm.BadRequestError, ask, "bedrock/converse/unknown")
with wrong_key():
    error(litellm.AuthenticationError, ask, f"bedrock/converse/{MODEL}")
passed()
