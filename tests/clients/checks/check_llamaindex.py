from botocore.exceptions import ClientError
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.bedrock import BedrockEmbedding
from llama_index.llms.bedrock_converse import BedrockConverse

from expect import CALL, EMBEDDING, HELLO, MODEL, RAW, error, heard, passed, wrong_key


def get_weather(city: str) -> str:
    """The weather of a city."""
    return "sunny"


model = BedrockConverse(model=RAW)
heard(model.complete(HELLO).text)
heard("".join(chunk.delta for chunk in model.stream_complete(HELLO)))
called = model.chat_with_tools([FunctionTool.from_defaults(get_weather)], CALL)
assert model.get_tool_calls_from_response(called)[0].tool_name == "get_weather", called
assert BedrockEmbedding(model_name=EMBEDDING).get_text_embedding(HELLO)

# LlamaIndex accepts only the model ids that it knows.
error(ValueError, BedrockConverse(model=MODEL).complete, HELLO)
raised = error(
    ClientError, BedrockConverse(model="amazon.nova-lite-v1:0", max_retries=1).complete, HELLO
)
assert raised.response["Error"]["Code"] == "ValidationException", raised
with wrong_key():
    raised = error(ClientError, BedrockConverse(model=RAW, max_retries=1).complete, HELLO)
assert raised.response["Error"]["Code"] == "UnrecognizedClientException", raised
passed()
