import boto3
import instructor
from pydantic import BaseModel


class Person(BaseModel):
    name: str
    age: int


client = instructor.from_bedrock(
    boto3.client(
        "bedrock-runtime",
        endpoint_url="http://localhost:4000/bedrock",
        region_name="us-west-2",
        aws_access_key_id="sk-1234",
        aws_secret_access_key="unused",
    )
)
person = client.create(
    modelId="my-bedrock-model",
    messages=[{"role": "user", "content": [{"text": "Ada is 36"}]}],
    response_model=Person,
)
print(person)
