from agno.agent import Agent
from agno.models.aws import AwsBedrock
from agno.run.base import RunStatus

from expect import CALL, HELLO, MODEL, RAW, heard, passed, wrong_key

CALLED = []


def get_weather(city: str) -> str:
    """The weather of a city."""
    CALLED.append(city)
    return "sunny"


def agent(model: str = MODEL) -> Agent:
    return Agent(model=AwsBedrock(id=model), tools=[get_weather])


heard(agent(RAW).run(HELLO).content)
heard("".join(event.content or "" for event in agent().run(HELLO, stream=True)))
agent().run(CALL)
assert len(CALLED) == 1, CALLED

refused = agent("unknown").run(HELLO)
assert refused.status == RunStatus.error and "ValidationException" in refused.content, refused
with wrong_key():
    refused = agent().run(HELLO)
assert refused.status == RunStatus.error and "UnrecognizedClientException" in refused.content, (
    refused
)
passed()
