"""The configuration of the soak, and how its versions differ.

A version shows in the price of the group `version`: its input tokens cost `version` pico-USD each.
So a client reads the version from a response, and no edit creates a new metric.
"""

import json

from deployments import TITAN

WEST, EAST, CENTRAL = REGIONS = ("us-west-2", "us-east-1", "eu-central-1")
CHAT = "anthropic.claude-3-5-sonnet-20240620-v1:0"
LONG = "amazon.nova-pro-v1:0"
SLOW = "anthropic.claude-3-haiku-20240307-v1:0"
VERSION = "anthropic.claude-3-5-sonnet-20241022-v2:0"
# A group that only some versions have.
OPTIONAL = "optional"
BODY_LIMIT_MEGABYTES = 32


class Endpoints:
    """The emulator's addresses. One region is plain HTTP/1.1, the others are TLS with HTTP/2."""

    def __init__(self, emulator):
        self.emulator = emulator

    def __call__(self, region, model, **more) -> dict:
        return {
            "model": f"bedrock/{model}",
            "aws_region_name": region,
            "aws_bedrock_runtime_endpoint": self.emulator.url(region, tls=region != CENTRAL),
            **more,
        }


def configuration(emulator, *, version: int = 1, key: str, optional: bool = False) -> str:
    """A config.yaml. Weights, prices, limits, timeouts and models change with the version."""
    at = Endpoints(emulator)
    weights = {region: 1 + (index + version) % 3 for index, region in enumerate(REGIONS)}
    groups = [
        *[("chat", at(region, CHAT, weight=weights[region])) for region in REGIONS],
        *[("long", at(region, LONG)) for region in REGIONS],
        *[("slow", at(region, SLOW)) for region in REGIONS],
        *[("embedding", at(region, TITAN)) for region in REGIONS],
        (
            "version",
            at(WEST, VERSION, input_cost_per_token=f"{version}e-12", output_cost_per_token=0),
        ),
    ]
    if optional:
        groups.append((OPTIONAL, at(EAST, VERSION)))
    document = {
        "model_list": [
            {
                "model_name": name,
                "litellm_params": params,
                "model_info": {"id": f"{name}@{params['aws_region_name']}"},
            }
            for name, params in groups
        ],
        "general_settings": {
            "master_key": key,
            "max_request_size_mb": BODY_LIMIT_MEGABYTES + version % 2,
        },
        "litellm_settings": {"request_timeout": 100 + version % 3},
        "router_settings": {"num_retries": 2},
    }
    return json.dumps(document, indent=1)
