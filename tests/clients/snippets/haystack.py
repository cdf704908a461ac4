from haystack.dataclasses import ChatMessage
from haystack_integrations.components.generators.amazon_bedrock import AmazonBedrockChatGenerator

generator = AmazonBedrockChatGenerator(model="my-bedrock-model")
response = generator.run([ChatMessage.from_user("Hello")])
print(response["replies"][0].text)

generator.run(
    [ChatMessage.from_user("Hello")],
    streaming_callback=lambda chunk: print(chunk.content, end=""),
)
