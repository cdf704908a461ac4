"""The deployments that most tests share, and the names that they are made of."""

WEST, EAST = "us-west-2", "us-east-1"
CLAUDE = "us.anthropic.claude-3-5-sonnet-20240620-v1:0"
NOVA = "us.amazon.nova-lite-v1:0"
TITAN = "amazon.titan-embed-text-v2:0"
PROFILE = f"arn:aws:bedrock:{WEST}:123456789012:application-inference-profile/abc123def456"


class Parameters:
    """Makes the litellm_params of deployments, at an emulator's plain-HTTP ports if one is given.

    Without an emulator the deployments are at AWS's own host names.
    """

    def __init__(self, emulator=None):
        self.emulator = emulator

    def __call__(self, region, model=CLAUDE, **more) -> dict:
        parameters = {"model": f"bedrock/{model}", "aws_region_name": region, **more}
        if self.emulator:
            parameters["aws_bedrock_runtime_endpoint"] = self.emulator.url(region)
        return parameters


def deployments(at: Parameters) -> list:
    """Model groups for every test. With an `order`, a test knows which deployment comes first."""
    temporary = {
        "aws_access_key_id": "os.environ/TEMPORARY_KEY_ID",
        "aws_secret_access_key": "os.environ/TEMPORARY_SECRET",
        "aws_session_token": "os.environ/TEMPORARY_TOKEN",
    }
    return [
        ("both", at(WEST)),
        ("both", at(EAST)),
        ("west-first", at(WEST, order=1)),
        ("west-first", at(EAST, order=2)),
        ("east-first", at(EAST, order=1)),
        ("east-first", at(WEST, order=2)),
        ("only-west", at(WEST)),
        ("by-weight", at(WEST, weight=3)),
        ("by-weight", at(EAST, weight=1)),
        ("by-rpm", at(WEST, rpm=100)),
        ("by-rpm", at(EAST, rpm=900)),
        ("by-tpm", at(WEST, tpm=60_000)),
        ("by-tpm", at(EAST, tpm=40_000)),
        ("team/alias:1", at(WEST)),
        ("one", at(WEST)),
        ("team/a:b", at(WEST)),
        ("profile", at(WEST, PROFILE)),
        ("titan", at(EAST, TITAN)),
        ("temporary", at(WEST, order=1, **temporary)),
        ("temporary", at(EAST, order=2)),
        ("two-accounts", at(WEST, order=1)),
        ("two-accounts", at(WEST, order=2, **temporary)),
        ("two-models", at(WEST, order=1)),
        ("two-models", at(EAST, NOVA, order=2)),
        ("api-key", at(WEST, api_key="os.environ/BEDROCK_API_KEY", order=1)),
        ("api-key", at(EAST, order=2)),
    ]
