import asyncio

import aioboto3
from botocore.exceptions import ClientError

from expect import HELLO, MODEL, heard, passed, wrong_key

MESSAGES = [{"role": "user", "content": [{"text": HELLO}]}]


async def main():
    async with aioboto3.Session().client("bedrock-runtime") as client:
        response = await client.converse(modelId=MODEL, messages=MESSAGES)
        heard(response["output"]["message"]["content"][0]["text"])
        response = await client.converse_stream(modelId=MODEL, messages=MESSAGES)
        heard(
            "".join(
                [
                    event["contentBlockDelta"]["delta"]["text"]
                    async for event in response["stream"]
                    if "contentBlockDelta" in event
                ]
            )
        )
        try:
            raise AssertionError(await client.converse(modelId="unknown", messages=MESSAGES))
        except client.exceptions.ValidationException:
            pass
    with wrong_key():
        async with aioboto3.Session().client("bedrock-runtime") as client:
            try:
                raise AssertionError(await client.converse(modelId=MODEL, messages=MESSAGES))
            except ClientError as raised:
                assert raised.response["Error"]["Code"] == "UnrecognizedClientException", raised


asyncio.run(main())
passed()
