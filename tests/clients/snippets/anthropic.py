from anthropic import AnthropicBedrock

client = AnthropicBedrock(
    base_url="http://localhost:4000/bedrock",
    aws_region="us-west-2",
    api_key="sk-1234",
)
messages = [{"role": "user", "content": "Hello"}]

response = client.messages.create(model="my-bedrock-model", max_tokens=100, messages=messages)
print(response.content[0].text)

with client.messages.stream(model="my-bedrock-model", max_tokens=100, messages=messages) as stream:
    for text in stream.text_stream:
        print(text, end="")
