"""What requests cost, worked out without the gateway: LiteLLM's formula over the price list, in decimals."""

import dataclasses
import decimal
import json

from emulator import ROOT

from .models import Deployment
from .requests import Ask

CATALOGUE = ROOT / "tools" / "cli" / "data" / "bedrock-prices.json"
GEOGRAPHIES = ("us.", "eu.", "apac.", "global.")
PRICED_TIERS = ("flex", "priority")
# Above so many tokens of a prompt, cached ones included, other prices hold.
STEP, STEP_NAME = 200_000, "_above_200k_tokens"
# Units of the models that are asked, besides tokens.
OTHER_UNITS = ("input_cost_per_query",)
ZERO = decimal.Decimal(0)


@dataclasses.dataclass(frozen=True)
class Tokens:
    """Those of one request; the parts of the prompt do not overlap."""

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

    def find(self, ask: Ask, deployment: Deployment) -> dict | None:
        """The prices of a deployment: its own, those of its base model, or those of its model."""
        if deployment.prices:
            return {name: decimal.Decimal(price) for name, price in deployment.prices.items()}
        if "provisioned-model" in (deployment.model_id or "") and not deployment.base_model:
            return None
        model = deployment.base_model or deployment.model.replace("*", ask.captured)
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
        ask: Ask,
        deployment: Deployment,
        tokens: Tokens,
        tier: str | None,
        latency: str | None,
    ) -> Cost | None:
        """`None`: it is not known. `tier` and `latency`: what the response says it was served by."""
        prices = self.find(ask, deployment)
        if prices is None or (latency == "optimized" and not deployment.prices):
            return None

        def price(name: str) -> decimal.Decimal | None:
            names = [name]
            if tier in PRICED_TIERS:
                names.insert(0, f"{name}_{tier}")
            # As in LiteLLM, the one-hour rate of a tier does not pass to the standard one above the step.
            if tokens.prompt > STEP and not (tier in PRICED_TIERS and name.endswith("_above_1hr")):
                names.insert(0, name + STEP_NAME)
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
