import boto3
from agno.agent import Agent
from agno.models.aws import AwsBedrock

agent = Agent(model=AwsBedrock(id="my-bedrock-model", session=boto3.Session()))
print(agent.run("Hello").content)
