"""The cost of a call, computed independently by LiteLLM's formula over the price list."""

import dataclasses
import decimal
import json

from emulator import ROOT

from .calls import Call
from .models import Deployment

CATALOGUE = ROOT / "tools" / "cli" / "data" / "bedrock-prices.json"
GEOGRAPHIES = ("us.", "eu.", "apac.", "global.")
PRICED_TIERS = ("flex", "priority")
# Prompts with more tokens than this, cached ones included, have other prices.
LONG_PROMPT_TOKENS, LONG_PROMPT_SUFFIX = 200_000, "_above_200k_tokens"
# Units other than tokens that the models of these tests are priced in.
OTHER_UNITS = ("input_cost_per_query",)
ZERO = decimal.Decimal(0)


@dataclasses.dataclass(frozen=True)
class Tokens:
    """The tokens of one call. The parts of the prompt do not overlap."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0

    @property
    def cache_write(self) -> int:
        return self.cache_write_5m + self.cache_write_1h

    @property
    def prompt(self) -> int:
        return self.input + self.cache_read + self.cache_write


@dataclasses.dataclass(frozen=True)
class Cost:
    """In USD."""

    input: decimal.Decimal = ZERO
    output: decimal.Decimal = ZERO
    cache_read: decimal.Decimal = ZERO
    cache_creation: decimal.Decimal = ZERO

    @property
    def total(self) -> decimal.Decimal:
        return self.input + self.output + self.cache_read + self.cache_creation


class Prices:
    def __init__(self):
        self.catalogue = json.loads(
            CATALOGUE.read_text(encoding="utf-8"), parse_float=decimal.Decimal
        )

    def find(self, call: Call, deployment: Deployment) -> dict | None:
        """The prices of a deployment: its own, or those of its base model or model."""
        if deployment.prices:
            return {name: decimal.Decimal(price) for name, price in deployment.prices.items()}
        if "provisioned-model" in (deployment.model_id or "") and not deployment.base_model:
            return None
        model = deployment.base_model or deployment.model.replace("*", call.captured)
        for name in [
            model,
            *(model.removeprefix(each) for each in GEOGRAPHIES if model.startswith(each)),
        ]:
            for key in (f"bedrock/{deployment.region}/{name}", name):
                if key in self.catalogue:
                    prices = self.catalogue[key]
                    return None if any(prices.get(unit) for unit in OTHER_UNITS) else prices
        return None

    def cost(
        self,
        call: Call,
        deployment: Deployment,
        tokens: Tokens,
        tier: str | None,
        latency: str | None,
    ) -> Cost | None:
        """The cost, or `None` if unknown. `tier` and `latency` are as the response reports them."""
        prices = self.find(call, deployment)
        if prices is None or (latency == "optimized" and not deployment.prices):
            return None

        def price(name: str) -> decimal.Decimal | None:
            names = [name]
            if tier in PRICED_TIERS:
                names.insert(0, f"{name}_{tier}")
            # As in LiteLLM, the one-hour rate of a tier has no variant for long prompts.
            if tokens.prompt > LONG_PROMPT_TOKENS and not (
                tier in PRICED_TIERS and name.endswith("_above_1hr")
            ):
                names.insert(0, name + LONG_PROMPT_SUFFIX)
            return next((decimal.Decimal(prices[each]) for each in names if each in prices), None)

        def first(*names: str) -> decimal.Decimal:
            return next((found for found in map(price, names) if found is not None), ZERO)

        creation = ("cache_creation_input_token_cost", "input_cost_per_token")
        return Cost(
            tokens.input * first("input_cost_per_token"),
            tokens.output * first("output_cost_per_token"),
            tokens.cache_read * first("cache_read_input_token_cost", "input_cost_per_token"),
            tokens.cache_write_5m * first(*creation)
            + tokens.cache_write_1h * first("cache_creation_input_token_cost_above_1hr", *creation),
        )
