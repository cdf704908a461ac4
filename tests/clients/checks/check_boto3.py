import json

import boto3
from botocore.exceptions import ClientError

from expect import CALL, HELLO, MODEL, RAW, error, heard, passed, wrong_key

MESSAGES = [{"role": "user", "content": [{"text": HELLO}]}]
BODY = json.dumps(
    {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": HELLO}],
    }
)

client = boto3.client("bedrock-runtime")
heard(client.converse(modelId=MODEL, messages=MESSAGES)["output"]["message"]["content"][0]["text"])
events = client.converse_stream(modelId=RAW, messages=MESSAGES)["stream"]
heard(
    "".join(
        event["contentBlockDelta"]["delta"]["text"]
        for event in events
        if "contentBlockDelta" in event
    )
)
heard(json.loads(client.invoke_model(modelId=RAW, body=BODY)["body"].read())["content"][0]["text"])
tools = [
    {
        "toolSpec": {
            "name": "get_weather",
            "inputSchema": {
                "json": {
                    "type": "object",
                    "properties": {"city": {"type": "string"}},
                    "required": ["city"],
                }
            },
        }
    }
]
called = client.converse(
    modelId=MODEL,
    messages=[{"role": "user", "content": [{"text": CALL}]}],
    toolConfig={"tools": tools},
)
assert (
    called["stopReason"] == "tool_use"
    and called["output"]["message"]["content"][0]["toolUse"]["input"]["city"]
), called
assert (
    client.count_tokens(modelId=MODEL, input={"converse": {"messages": MESSAGES}})["inputTokens"]
    > 0
)

error(client.exceptions.ValidationException, client.converse, modelId="unknown", messages=MESSAGES)
with wrong_key():
    raised = error(
        ClientError, boto3.client("bedrock-runtime").converse, modelId=MODEL, messages=MESSAGES
    )
assert raised.response["Error"]["Code"] == "UnrecognizedClientException", raised
passed()
