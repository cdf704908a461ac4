"""Writes cases.jsonl: what LiteLLM's own formula makes of many usages, in pico-USD.

    python3 -m venv .venv && .venv/bin/pip install litellm==1.109.1
    .venv/bin/python tools/cli/tests/prices/regenerate.py

Nothing here computes a price: models and rates are looked up, and costs computed, by LiteLLM.
"""

import json
import os
import pathlib

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from litellm.litellm_core_utils.llm_cost_calc.utils import generic_cost_per_token
from litellm.llms.bedrock.common_utils import get_bedrock_base_model
from litellm.types.utils import CacheCreationTokenDetails, PromptTokensDetailsWrapper, Usage

# input, output, cache read, cache write 5m, cache write 1h
PLAIN = (100, 50, 0, 0, 0)
CACHED = (100, 50, 1000, 200, 0)
HOUR = (100, 50, 1000, 50, 150)
ODD = (1_234_567, 98_765, 43_219, 8_761, 4_321)


def around(threshold):
    """A prompt at the threshold, and one token above it because of cached tokens."""
    below = threshold - 1_300
    return [(below, 77, 1_000, 200, 100), (below, 77, 1_000, 200, 101), (threshold + 1, 9, 0, 0, 0)]


SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
CASES = [
    # model, region, key in LiteLLM's list (None: its own lookup decides), tiers, usages
    (SONNET, "us-west-2", None, [None], [PLAIN, CACHED, HOUR, ODD, *around(200_000)]),
    (
        "us." + SONNET,
        "us-west-2",
        None,
        [None, "default"],
        [PLAIN, CACHED, HOUR, ODD, *around(200_000)],
    ),
    ("global." + SONNET, "us-west-2", None, [None, "reserved"], [CACHED, HOUR]),
    ("eu." + SONNET, "eu-central-1", None, [None], [CACHED]),
    (
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us." + SONNET,
        "us-east-1",
        "us." + SONNET,
        [None],
        [HOUR],
    ),
    ("arn:aws:bedrock:us-east-1::foundation-model/" + SONNET, "us-east-1", SONNET, [None], [HOUR]),
    # No entry has this prefix, so the entry of the base id applies.
    (
        "apac.anthropic.claude-3-5-haiku-20241022-v1:0",
        "ap-south-1",
        None,
        [None],
        [PLAIN, CACHED, HOUR],
    ),
    ("us.openai.gpt-oss-120b-1:0", "us-east-1", None, [None, "flex"], [PLAIN, HOUR]),
    (
        "meta.llama3-8b-instruct-v1:0",
        "eu-west-2",
        "bedrock/eu-west-2/meta.llama3-8b-instruct-v1:0",
        [None],
        [PLAIN, HOUR],
    ),
    ("meta.llama3-8b-instruct-v1:0", "us-west-9", "meta.llama3-8b-instruct-v1:0", [None], [PLAIN]),
    (HAIKU, "us-gov-west-1", "bedrock/us-gov-west-1/" + HAIKU, [None], [CACHED]),
    ("moonshotai.kimi-k2.5", "us-east-9", "bedrock/moonshotai.kimi-k2.5", [None], [PLAIN]),
    # Service tiers, with and without their own cache rates.
    (
        "amazon.nova-pro-v1:0",
        "us-east-1",
        None,
        [None, "priority", "flex", "fast", "balanced", "ultrafast"],
        [PLAIN, CACHED],
    ),
    ("us.amazon.nova-2-lite-v1:0", "us-east-1", None, [None, "priority", "flex"], [CACHED]),
    ("openai.gpt-oss-120b-1:0", "us-east-1", None, [None, "priority", "flex"], [PLAIN]),
    ("amazon.titan-embed-text-v2:0", "us-east-1", None, [None], [(4096, 0, 0, 0, 0)]),
]


def every_shape_of_entry():
    """One model for each combination of price names in the list."""
    seen = set()
    for key, entry in sorted(litellm.model_cost.items()):
        if entry.get("litellm_provider") not in ("bedrock", "bedrock_converse") or "/" in key:
            continue
        names = frozenset(
            name for name in entry if "_cost" in name and "_token" in name and "batches" not in name
        )
        if "input_cost_per_token" not in names or names in seen:
            continue
        seen.add(names)
        thresholds = sorted(
            {
                int(n.split("_above_")[-1].split("k_tokens")[0]) * 1000
                for n in names
                if "k_tokens" in n
            }
        )
        usages = [HOUR] + [usage for threshold in thresholds for usage in around(threshold)]
        tiers = [None] + [
            tier
            for tier in ("flex", "priority", "ultrafast")
            if any(n.endswith("_" + tier) for n in names)
        ]
        if thresholds:
            # A tier that has no rates above a threshold.
            tiers = list(dict.fromkeys([*tiers, "priority"]))
        # A region that has no prices.
        yield key, "us-east-9", key, tiers, usages


def cost(key, tier, usage):
    plain, output, read, write_5m, write_1h = usage
    write = write_5m + write_1h
    prompt = plain + read + write
    block = Usage(
        prompt_tokens=prompt,
        completion_tokens=output,
        total_tokens=prompt + output,
        prompt_tokens_details=PromptTokensDetailsWrapper(
            cached_tokens=read,
            cache_creation_tokens=write,
            cache_creation_token_details=CacheCreationTokenDetails(
                ephemeral_5m_input_tokens=write_5m, ephemeral_1h_input_tokens=write_1h
            ),
            text_tokens=plain,
        ),
        cache_creation_input_tokens=write,
        cache_read_input_tokens=read,
    )
    return generic_cost_per_token(
        model=key, usage=block, custom_llm_provider="bedrock", service_tier=tier
    )


def main():
    lines, seen = [], set()
    for model, region, key, tiers, usages in [*CASES, *every_shape_of_entry()]:
        name = key or (model if model in litellm.model_cost else get_bedrock_base_model(model))
        key = litellm.get_model_info(model=name, custom_llm_provider="bedrock")["key"]
        for tier in tiers:
            for usage in usages:
                if (model, region, tier, usage) in seen:
                    continue
                seen.add((model, region, tier, usage))
                prompt, completion = cost(key, tier, usage)
                case = {
                    "model": model,
                    "region": region,
                    "key": key,
                    "tier": tier,
                    "usage": usage,
                    # Rounding removes the error of the float sums: costs are whole pico-USD.
                    "prompt_pico_usd": round(prompt * 1e12),
                    "completion_pico_usd": round(completion * 1e12),
                }
                lines.append(json.dumps(case) + "\n")
    pathlib.Path(__file__).with_name("cases.jsonl").write_text("".join(lines))
    print(f"{len(lines)} cases by LiteLLM {litellm._version.version}")


if __name__ == "__main__":
    main()
