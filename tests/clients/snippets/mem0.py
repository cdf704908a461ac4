from mem0.configs.llms.aws_bedrock import AWSBedrockConfig
from mem0.llms.aws_bedrock import AWSBedrockLLM

model = AWSBedrockLLM(AWSBedrockConfig(model="us.anthropic.claude-sonnet-4-5-20250929-v1:0"))
print(model.generate_response([{"role": "user", "content": "Hello"}]))
