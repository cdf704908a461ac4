"""Requests are spread by weight. A correct gateway fails each test once in a million runs."""

import itertools

import pytest

from clients import COUNT_TOKENS, connection, post, send
from deployments import EAST, WEST

REQUESTS = 600
# Upper 1e-6 quantile of chi-square with one degree of freedom.
CHI_SQUARE_MAX = 23.93


def spread(bedrock) -> dict:
    return {
        region: sum(entry["region"] == region for entry in bedrock.quiet_log())
        for region in (WEST, EAST)
    }


def chi_square(found: dict, shares: dict) -> float:
    total = sum(found.values())
    return sum(
        (found[region] - total * share) ** 2 / (total * share) for region, share in shares.items()
    )


@pytest.mark.parametrize(
    "model, west", [("both", 0.5), ("by-weight", 0.75), ("by-rpm", 0.1), ("by-tpm", 0.6)]
)
def test_requests_on_one_connection_are_spread_by_weight(over_http, bedrock, model, west):
    kept = connection(over_http.url)
    for _ in range(REQUESTS):
        response = send(kept, model, "count-tokens", COUNT_TOKENS)
        response.read()
    kept.close()
    found = spread(bedrock)
    assert sum(found.values()) == REQUESTS
    assert chi_square(found, {WEST: west, EAST: 1 - west}) < CHI_SQUARE_MAX, found


def test_requests_on_separate_connections_are_spread_by_weight(over_tls, bedrock):
    for _ in range(REQUESTS):
        post(over_tls, "by-weight", "count-tokens", COUNT_TOKENS)
    found = spread(bedrock)
    assert sum(found.values()) == REQUESTS
    assert chi_square(found, {WEST: 0.75, EAST: 0.25}) < CHI_SQUARE_MAX, found


def test_each_choice_is_independent_of_the_previous_one(over_http, bedrock):
    """Round robin would pass the tests above, but never chooses the same region twice in a row."""
    kept = connection(over_http.url)
    for _ in range(REQUESTS):
        send(kept, "both", "count-tokens", COUNT_TOKENS).read()
    kept.close()
    regions = [
        entry["region"] for entry in sorted(bedrock.quiet_log(), key=lambda entry: entry["arrival"])
    ]
    repeated = sum(region == following for region, following in itertools.pairwise(regions))
    found = {"same": repeated, "other": REQUESTS - 1 - repeated}
    assert chi_square(found, {"same": 0.5, "other": 0.5}) < CHI_SQUARE_MAX, found
