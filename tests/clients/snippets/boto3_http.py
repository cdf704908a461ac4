import boto3

client = boto3.client(
    "bedrock-runtime",
    endpoint_url="http://localhost:4000/bedrock",
    region_name="us-west-2",
    aws_access_key_id="sk-1234",
    aws_secret_access_key="unused",
)
messages = [{"role": "user", "content": [{"text": "Hello"}]}]

response = client.converse(modelId="my-bedrock-model", messages=messages)
print(response["output"]["message"]["content"][0]["text"])

for event in client.converse_stream(modelId="my-bedrock-model", messages=messages)["stream"]:
    print(event.get("contentBlockDelta", {}).get("delta", {}).get("text", ""), end="")
