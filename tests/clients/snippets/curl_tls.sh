curl --cacert .envoy-bedrock/tls/ca.pem https://localhost:4443/bedrock/model/my-bedrock-model/converse \
  -H 'Authorization: Bearer sk-1234' -H 'Content-Type: application/json' \
  -d '{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}'
