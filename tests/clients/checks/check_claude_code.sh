# Claude Code: a response through an alias without requests for other models, and the refusal of a
# wrong key.
set -eu
export CLAUDE_CODE_USE_BEDROCK=1 CLAUDE_CODE_MAX_RETRIES=0 ANTHROPIC_BEDROCK_BASE_URL="$AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
for size in OPUS SONNET HAIKU; do
  export "ANTHROPIC_DEFAULT_${size}_MODEL=my-bedrock-model"
done
export ANTHROPIC_MODEL=my-bedrock-model

claude -p Hello | grep -q 'heard: Hello$'
seen=$(curl -fsS "$EMULATOR_CONTROL/log" | grep -o '"operation":"[a-z-]*"' | sort | uniq -c | tr -s ' ')
[ "$seen" = ' 1 "operation":"invoke-with-response-stream"' ] || { echo "expected one request, but the emulator saw:$seen"; exit 1; }

if [ "$TRANSPORT" = tls ]; then export AWS_BEARER_TOKEN_BEDROCK=sk-wrong; else export AWS_ACCESS_KEY_ID=sk-wrong; fi
if said=$(claude -p Hello 2>&1); then
  echo "expected an error, but found: $said"
  exit 1
fi
case $said in
  *"API Error"*) ;;
  *) echo "expected an API error, but found: $said"; exit 1 ;;
esac
echo passed
