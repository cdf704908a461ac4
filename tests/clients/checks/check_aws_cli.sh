# The AWS CLI: a response, and error messages with the right code.
set -eu
ask() {
  aws bedrock-runtime converse --model-id "$1" --messages '[{"role":"user","content":[{"text":"Hello"}]}]' \
    --query 'output.message.content[0].text' --output text
}
refused() {
  if said=$(ask "$1" 2>&1); then
    echo "expected $2, but found a response: $said"
    exit 1
  fi
  case $said in
    *"$2"*) ;;
    *) echo "expected $2, but found: $said"; exit 1 ;;
  esac
}

ask my-bedrock-model | grep -q 'heard: Hello$'
refused unknown ValidationException
if [ "$TRANSPORT" = tls ]; then export AWS_BEARER_TOKEN_BEDROCK=sk-wrong; else export AWS_ACCESS_KEY_ID=sk-wrong; fi
refused my-bedrock-model UnrecognizedClientException
echo passed
