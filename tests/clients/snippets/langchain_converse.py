from langchain_aws import ChatBedrockConverse

model = ChatBedrockConverse(
    model="my-bedrock-model",
    provider="anthropic",
    base_model="us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    base_url="http://localhost:4000/bedrock",
    region_name="us-west-2",
    aws_access_key_id="sk-1234",
    aws_secret_access_key="unused",
)
print(model.invoke("Hello").content)

for chunk in model.stream("Hello"):
    print(chunk.text, end="")
