from botocore.exceptions import ClientError
from strands import Agent, tool
from strands.models import BedrockModel

from expect import CALL, HELLO, MODEL, error, heard, passed, wrong_key

CALLED = []


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    CALLED.append(city)
    return "sunny"


def agent(**options) -> Agent:
    return Agent(
        model=BedrockModel(model_id=options.pop("model_id", MODEL), **options),
        tools=[get_weather],
        callback_handler=None,
    )


for streaming in True, False:
    heard(str(agent(streaming=streaming)(HELLO)).strip())
agent()(CALL)
assert len(CALLED) == 1, CALLED

raised = error(ClientError, agent(model_id="unknown"), HELLO)
assert raised.response["Error"]["Code"] == "ValidationException", raised
with wrong_key():
    raised = error(ClientError, agent(), HELLO)
assert raised.response["Error"]["Code"] == "UnrecognizedClientException", raised
passed()
