from botocore.exceptions import ClientError
from langchain_aws import BedrockEmbeddings, ChatBedrock, ChatBedrockConverse
from langchain_core.tools import tool

from expect import CALL, EMBEDDING, HELLO, MODEL, RAW, error, heard, passed, wrong_key


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return "sunny"


for model in ChatBedrockConverse(model=RAW), ChatBedrock(model=RAW):
    heard(model.invoke(HELLO).content)
    chunks = list(model.stream(HELLO))
    assert len(chunks) > 2, chunks
    heard("".join(chunk.text for chunk in chunks))
    called = model.bind_tools([get_weather]).invoke(CALL)
    assert called.tool_calls[0]["name"] == "get_weather", called
assert BedrockEmbeddings(model_id=EMBEDDING).embed_query(HELLO)

heard(ChatBedrockConverse(model=MODEL, provider="anthropic").invoke(HELLO).content)
raised = error(
    ClientError, ChatBedrockConverse(model="unknown", provider="anthropic").invoke, HELLO
)
assert raised.response["Error"]["Code"] == "ValidationException", raised
with wrong_key():
    for kind in ChatBedrockConverse, ChatBedrock:
        raised = error(ClientError, kind(model=RAW).invoke, HELLO)
        assert raised.response["Error"]["Code"] == "UnrecognizedClientException", raised
passed()
