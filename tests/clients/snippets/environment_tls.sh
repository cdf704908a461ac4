export AWS_ENDPOINT_URL_BEDROCK_RUNTIME=https://localhost:4443/bedrock
export AWS_BEARER_TOKEN_BEDROCK=sk-1234
export AWS_REGION=us-west-2 AWS_DEFAULT_REGION=us-west-2
export AWS_CA_BUNDLE=.envoy-bedrock/tls/ca.pem        # boto3 and the AWS CLI
export NODE_EXTRA_CA_CERTS=.envoy-bedrock/tls/ca.pem  # Node.js
export SSL_CERT_FILE=.envoy-bedrock/tls/ca.pem        # AWS SDK for Rust, httpx
