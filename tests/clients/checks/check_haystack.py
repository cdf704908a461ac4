from haystack.dataclasses import ChatMessage
from haystack.tools import tool
from haystack_integrations.common.amazon_bedrock.errors import AmazonBedrockInferenceError
from haystack_integrations.components.embedders.amazon_bedrock import AmazonBedrockTextEmbedder
from haystack_integrations.components.generators.amazon_bedrock import AmazonBedrockChatGenerator

from expect import CALL, EMBEDDING, HELLO, MODEL, error, heard, passed, wrong_key


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return "sunny"


def asked(text: str, model: str = MODEL, **options):
    generator = AmazonBedrockChatGenerator(model=model, **options)
    return generator.run([ChatMessage.from_user(text)])["replies"][0]


pieces = []
heard(asked(HELLO).text)
heard(asked(HELLO, streaming_callback=lambda chunk: pieces.append(chunk.content)).text)
assert len(pieces) > 2, pieces
assert asked(CALL, tools=[get_weather]).tool_calls[0].tool_name == "get_weather"
assert AmazonBedrockTextEmbedder(model=EMBEDDING).run(HELLO)["embedding"]

assert "ValidationException" in str(error(AmazonBedrockInferenceError, asked, HELLO, "unknown"))
with wrong_key():
    assert "UnrecognizedClientException" in str(error(AmazonBedrockInferenceError, asked, HELLO))
passed()
