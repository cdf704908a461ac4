from llama_index.llms.bedrock_converse import BedrockConverse

model = BedrockConverse(
    model="us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    endpoint_url="http://localhost:4000/bedrock",
    region_name="us-west-2",
    aws_access_key_id="sk-1234",
    aws_secret_access_key="unused",
)
print(model.complete("Hello"))

for chunk in model.stream_complete("Hello"):
    print(chunk.delta, end="")
