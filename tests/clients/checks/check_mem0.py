import os

from mem0.configs.llms.aws_bedrock import AWSBedrockConfig
from mem0.llms.aws_bedrock import AWSBedrockLLM

from expect import HELLO, MODEL, RAW, URL, error, heard, passed, wrong_key


def ask(model: str, **options) -> str:
    return AWSBedrockLLM(AWSBedrockConfig(model=model, **options)).generate_response(
        [{"role": "user", "content": HELLO}]
    )


# mem0 asks this endpoint for a list of models. The gateway does not serve one.
os.environ["AWS_ENDPOINT_URL_BEDROCK"] = URL
heard(ask(RAW))
heard(ask(MODEL, provider_override="anthropic"))
error(ValueError, ask, MODEL)
with wrong_key():
    assert "UnrecognizedClientException" in str(error(RuntimeError, ask, RAW))
passed()
