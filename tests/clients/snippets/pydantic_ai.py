from pydantic_ai import Agent
from pydantic_ai.models.bedrock import BedrockConverseModel
from pydantic_ai.providers.bedrock import BedrockProvider

provider = BedrockProvider(
    base_url="http://localhost:4000/bedrock",
    region_name="us-west-2",
    aws_access_key_id="sk-1234",
    aws_secret_access_key="unused",
)
agent = Agent(BedrockConverseModel("my-bedrock-model", provider=provider))
print(agent.run_sync("Hello").output)

with agent.run_stream_sync("Hello") as response:
    for text in response.stream_text(delta=True):
        print(text, end="")
