from langchain_aws import BedrockEmbeddings, ChatBedrock

gateway = {
    "endpoint_url": "http://localhost:4000/bedrock",
    "region_name": "us-west-2",
    "aws_access_key_id": "sk-1234",
    "aws_secret_access_key": "unused",
}

model = ChatBedrock(model="us.anthropic.claude-sonnet-4-5-20250929-v1:0", **gateway)
print(model.invoke("Hello").content)

for chunk in model.stream("Hello"):
    print(chunk.text, end="")

embeddings = BedrockEmbeddings(model_id="amazon.titan-embed-text-v2:0", **gateway)
print(len(embeddings.embed_query("Hello")), "dimensions")
