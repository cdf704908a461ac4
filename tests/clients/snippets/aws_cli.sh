aws bedrock-runtime converse --model-id my-bedrock-model \
  --messages '[{"role":"user","content":[{"text":"Hello"}]}]' \
  --query 'output.message.content[0].text' --output text
