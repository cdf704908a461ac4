"""The configuration that serves the calls of the accounting tests."""

import dataclasses
import json
import re

from .scenarios import (
    CENTRAL,
    COUNT,
    EAST,
    GROUP_ALIASES,
    OLD_HAIKU,
    SCENARIOS,
    UNPRICED,
    UNREACHABLE,
    WEST,
)

BODY_LIMIT_MEGABYTES = 2
# Far longer than any successful request takes.
TIMEOUT_SECONDS = 10
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
NOVA = "us.amazon.nova-pro-v1:0"
TITAN = "amazon.titan-embed-text-v2:0"
PROFILE = f"arn:aws:bedrock:{CENTRAL}:123456789012:application-inference-profile/abc123def456"
OPUS = "anthropic.claude-opus-4-1-20250805-v1:0"
NAMED_PROFILE = f"arn:aws:bedrock:{WEST}:123456789012:application-inference-profile/abc123def457"
PROVISIONED = f"arn:aws:bedrock:{EAST}:123456789012:provisioned-model/abc123def458"
RERANK = "cohere.rerank-v3-5:0"
# Negotiated prices with more digits than a float holds.
OWN_PRICE = {
    "input_cost_per_token": "0.000001234567",
    "output_cost_per_token": "0.000007654321",
    "cache_read_input_token_cost": "0.000000123457",
    "cache_creation_input_token_cost": "0.0000015",
}


@dataclasses.dataclass(frozen=True)
class Deployment:
    """One entry of `model_list`."""

    group: str
    region: str
    model: str
    order: int | None = None
    prices: dict = dataclasses.field(default_factory=dict)
    base_model: str | None = None
    model_id: str | None = None

    def model_for(self, captured: str, operation: str) -> str:
        """The Bedrock model id in the upstream path. CountTokens takes the foundation model."""
        model = (self.model_id or self.model).replace("*", captured)
        if operation != COUNT:
            return model
        if model.startswith("arn:"):
            model = self.base_model or self.model
        return re.sub(r"^(us|eu|apac|global)\.", "", model)

    @property
    def id(self) -> str:
        return f"{self.group}@{self.region}"

    @property
    def api_base(self) -> str:
        return f"bedrock-runtime.{self.region}.amazonaws.com"

    def entry(self) -> dict:
        params = {"model": f"bedrock/{self.model}", "aws_region_name": self.region, **self.prices}
        if self.model_id:
            params["model_id"] = self.model_id
        info = {"id": self.id}
        if self.order is not None:
            params["order"] = self.order
        if self.base_model:
            info["base_model"] = self.base_model
        return {"model_name": self.group, "litellm_params": params, "model_info": info}


def deployments() -> list:
    """The models of `PLAIN` and of each scenario. No two share both model and region."""
    own = [
        Deployment("sonnet", WEST, f"us.{SONNET}"),
        Deployment("sonnet", EAST, f"us.{SONNET}"),
        Deployment("haiku", WEST, f"us.{HAIKU}"),
        Deployment("haiku", EAST, HAIKU),
        Deployment("haiku", CENTRAL, f"eu.{HAIKU}"),
        Deployment("nova;pro", WEST, NOVA),
        Deployment("titan", EAST, TITAN),
        Deployment("own-price", EAST, OLD_HAIKU, prices=OWN_PRICE),
        Deployment("unpriced", EAST, UNPRICED),
        Deployment("profile", CENTRAL, PROFILE, base_model=f"eu.{SONNET}"),
        Deployment("any/*", WEST, "*"),
        Deployment("named-profile", WEST, f"us.{OPUS}", model_id=NAMED_PROFILE),
        Deployment("provisioned", EAST, OPUS, model_id=PROVISIONED),
        Deployment("reranker", EAST, RERANK),
    ]
    for scenario in SCENARIOS:
        (name, *others), model = scenario.aliases, f"proof.{scenario.name}-v1:0"
        if name == scenario.name and not others:
            regions = {"unreachable": (UNREACHABLE, EAST), "all-unreachable": (UNREACHABLE,)}.get(
                name, (WEST, EAST)
            )
            own += [
                Deployment(name, region, model, order, base_model=f"us.{(SONNET, HAIKU)[order]}")
                for order, region in enumerate(regions)
            ]
    return own


def configuration() -> str:
    return json.dumps(
        {
            "model_list": [deployment.entry() for deployment in deployments()],
            "litellm_settings": {"request_timeout": TIMEOUT_SECONDS},
            "general_settings": {"max_request_size_mb": BODY_LIMIT_MEGABYTES},
            "router_settings": {"model_group_alias": GROUP_ALIASES, "disable_cooldowns": True},
        },
        indent=1,
    )


def extra_models() -> list:
    """The models that the emulator does not know by itself."""
    return sorted(
        {each.model for each in deployments() if each.model.startswith(("proof.", "acme."))}
    )
