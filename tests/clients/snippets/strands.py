import boto3
from strands import Agent
from strands.models import BedrockModel

model = BedrockModel(
    model_id="my-bedrock-model",
    endpoint_url="http://localhost:4000/bedrock",
    boto_session=boto3.Session(
        aws_access_key_id="sk-1234", aws_secret_access_key="unused", region_name="us-west-2"
    ),
)
agent = Agent(model=model)
agent("Hello")
