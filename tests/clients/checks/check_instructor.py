import boto3
import instructor
from instructor.core.exceptions import InstructorRetryException
from pydantic import BaseModel

from expect import HELLO, MODEL, error, passed, wrong_key


class Person(BaseModel):
    name: str
    age: int


def ask(model: str = MODEL) -> Person:
    client = instructor.from_bedrock(boto3.client("bedrock-runtime"))
    return client.create(
        modelId=model,
        messages=[{"role": "user", "content": [{"text": HELLO}]}],
        response_model=Person,
        max_retries=1,
    )


assert ask().name
assert "ValidationException" in str(error(InstructorRetryException, ask, "unknown"))
with wrong_key():
    assert "UnrecognizedClientException" in str(error(InstructorRetryException, ask))
passed()
