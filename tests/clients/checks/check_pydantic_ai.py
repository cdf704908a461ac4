from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError

from expect import CALL, HELLO, MODEL, RAW, error, heard, passed, wrong_key

CALLED = []


class Person(BaseModel):
    name: str
    age: int


def agent(model: str = MODEL, **options) -> Agent:
    return Agent(f"bedrock:{model}", **options)


def get_weather(city: str) -> str:
    """The weather of a city."""
    CALLED.append(city)
    return "sunny"


heard(agent().run_sync(HELLO).output)
with agent().run_stream_sync(HELLO) as response:
    heard("".join(response.stream_text(delta=True)))
agent(tools=[get_weather]).run_sync(CALL)
assert len(CALLED) == 1, CALLED
# pydantic-ai forces a tool call only if it knows from the model id that the model supports that.
assert agent(RAW, output_type=Person).run_sync(HELLO).output.name

assert error(ModelHTTPError, agent("unknown").run_sync, HELLO).status_code == 400
with wrong_key():
    assert error(ModelHTTPError, agent().run_sync, HELLO).status_code == 401
passed()
