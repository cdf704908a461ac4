"""Totals after the traffic has stopped for good. Its name makes this file run last."""

import json
import re

import pytest

from prometheus import promtool


@pytest.fixture(scope="module", autouse=True)
def quiet(prometheus, traffic, bedrock):
    prometheus.wait(
        lambda: prometheus.number("sum(litellm_input_cached_tokens_metric_total)"),
        "scrape every kind of usage",
        60,
    )
    traffic.stop()
    bedrock.quiet_log()
    prometheus.wait_for_scrape()


@pytest.mark.parametrize(
    "theirs, ours, scale",
    [
        ("litellm_spend_metric_total", "gen_ai_client_cost_pico_usd_total", 1e12),
        (
            "litellm_input_tokens_metric_total",
            'gen_ai_client_token_usage_total{gen_ai_token_type="input"}',
            1,
        ),
        (
            "litellm_output_tokens_metric_total",
            'gen_ai_client_token_usage_total{gen_ai_token_type="output"}',
            1,
        ),
        (
            "litellm_total_tokens_metric_total",
            'gen_ai_client_token_usage_total{gen_ai_token_type=~"input|output"}',
            1,
        ),
        (
            "litellm_input_cached_tokens_metric_total",
            'gen_ai_client_token_usage_total{gen_ai_token_type="cache_read"}',
            1,
        ),
        ("litellm_deployment_total_requests_total", "envoy_bedrock_attempts_total", 1),
        (
            "litellm_request_total_latency_metric_count",
            "gen_ai_server_request_duration_milliseconds_count",
            1,
        ),
    ],
)
def test_the_litellm_metrics_equal_the_metrics_that_they_are_derived_from(
    prometheus, theirs, ours, scale
):
    assert prometheus.number(f"sum({theirs})") == pytest.approx(
        prometheus.number(f"sum({ours})") / scale, rel=1e-12
    )
    assert prometheus.number(f"sum({theirs})") > 0


def test_the_litellm_metrics_include_refused_requests(prometheus):
    admitted, refused = (
        prometheus.number(f"sum(envoy_bedrock_{name}_total)") for name in ("requests", "refusals")
    )
    assert prometheus.number("sum(litellm_proxy_total_requests_metric_total)") == admitted + refused
    failed = prometheus.number("sum(envoy_bedrock_failed_requests_total)")
    assert prometheus.number("sum(litellm_proxy_failed_requests_metric_total)") == failed + refused


def test_prometheus_and_the_spend_log_agree(prometheus, gateway):
    rows = [json.loads(line) for line in gateway.access_log().splitlines()]
    for record, field in [
        ("litellm_spend_metric_total", "spend"),
        ("litellm_input_tokens_metric_total", "prompt_tokens"),
        ("litellm_output_tokens_metric_total", "completion_tokens"),
    ]:
        logged = sum(float(row.get(field) or 0) for row in rows)
        assert prometheus.number(f"sum({record})") == pytest.approx(logged, rel=1e-9), field


def test_the_page_passes_promtool(gateway):
    """Except for two choices: Envoy has no help texts, and the units are small."""
    lines = [
        line
        for line in gateway.metrics().splitlines()
        if re.match(r"(# TYPE )?(gen_ai|envoy_bedrock)_", line)
    ]
    done = promtool("check", "metrics", given="\n".join(lines) + "\n")
    complaints = [line for line in done.stderr.splitlines() if not line.endswith(" no help text")]
    accepted = re.compile(
        r'(gen_ai|envoy_bedrock)_\S+ use base unit "seconds" instead of "(micro|milli)seconds"'
    )
    assert len(lines) > 100 and [line for line in complaints if not accepted.fullmatch(line)] == []
