import boto3

client = boto3.client(
    "bedrock-runtime",
    endpoint_url="https://localhost:4443/bedrock",
    region_name="us-west-2",
)
messages = [{"role": "user", "content": [{"text": "Hello"}]}]
response = client.converse(modelId="my-bedrock-model", messages=messages)
print(response["output"]["message"]["content"][0]["text"])
