export CLAUDE_CODE_USE_BEDROCK=1
export ANTHROPIC_BEDROCK_BASE_URL=http://localhost:4000/bedrock
export AWS_BEARER_TOKEN_BEDROCK=sk-1234
export AWS_REGION=us-west-2
export ANTHROPIC_MODEL=us.anthropic.claude-sonnet-4-5-20250929-v1:0
claude -p 'Hello'
