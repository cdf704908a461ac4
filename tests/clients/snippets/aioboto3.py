import asyncio

import aioboto3


async def main():
    session = aioboto3.Session(
        aws_access_key_id="sk-1234", aws_secret_access_key="unused", region_name="us-west-2"
    )
    async with session.client(
        "bedrock-runtime", endpoint_url="http://localhost:4000/bedrock"
    ) as client:
        messages = [{"role": "user", "content": [{"text": "Hello"}]}]
        response = await client.converse_stream(modelId="my-bedrock-model", messages=messages)
        async for event in response["stream"]:
            print(event.get("contentBlockDelta", {}).get("delta", {}).get("text", ""), end="")


asyncio.run(main())
