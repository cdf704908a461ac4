import litellm

gateway = {
    "aws_bedrock_runtime_endpoint": "http://localhost:4000/bedrock",
    "aws_region_name": "us-west-2",
    "aws_access_key_id": "sk-1234",
    "aws_secret_access_key": "unused",
}
messages = [{"role": "user", "content": "Hello"}]

response = litellm.completion(
    model="bedrock/converse/my-bedrock-model", messages=messages, **gateway
)
print(response.choices[0].message.content)

for chunk in litellm.completion(
    model="bedrock/invoke/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    messages=messages,
    stream=True,
    **gateway,
):
    print(chunk.choices[0].delta.content or "", end="")
