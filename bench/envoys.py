"""The Envoys that are compared, and the one that is their upstream."""

import copy
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

import report
from processes import Process, free_port

ROOT = Path(__file__).resolve().parent.parent
ENVOY = Path(sys.executable).parent / "envoy"
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "AKIABENCH00000000001",
    "AWS_SECRET_ACCESS_KEY": "bench/worthless/secret",
    "BEDROCK_API_KEY": "ABSKbench",
    "LITELLM_MASTER_KEY": "sk-bench",
}
# The virtual key that the benchmark's client uses.
CLIENT_KEY = "sk-bench-client"
# Limits that are never reached.
LIMITS = {
    "rpm_limit": 10**9,
    "tpm_limit": 10**12,
    "max_parallel_requests": 10**6,
    "max_budget": 10**9,
    "budget_duration": "30d",
}
FILTERS = "type.googleapis.com/envoy.extensions.filters"
STREAM_PATH = "/bedrock/model/bench-stream/converse-stream"


def gateway_config(unary_port, streams_port):
    config = (ROOT / "bench/config.yaml").read_text()
    return yaml.safe_load(
        config.replace("UNARY", str(unary_port)).replace("STREAMS", str(streams_port))
    )


def with_api_key(config):
    """The configuration with a Bedrock API key instead of access keys."""
    config = copy.deepcopy(config)
    for deployment in config["model_list"]:
        parameters = deployment["litellm_params"]
        del parameters["aws_access_key_id"], parameters["aws_secret_access_key"]
        parameters["api_key"] = "os.environ/BEDROCK_API_KEY"
    return config


def with_keys(config, count, limits):
    """The configuration with this many virtual keys with these limits. The last is `CLIENT_KEY`."""
    config = copy.deepcopy(config)
    keys = [
        {"key_alias": f"key-{number}", "token": hashlib.sha256(f"sk-{number}".encode()).hexdigest()}
        for number in range(count - 1)
    ]
    keys.append({"key_alias": "client", "token": hashlib.sha256(CLIENT_KEY.encode()).hexdigest()})
    config["envoy_bedrock"] = {"keys": [key | limits for key in keys]}
    return config


def render(command, module, folder, config):
    """The gateway as `envoy-bedrock render` writes it for this build of the filter, and the port of
    its listener."""
    runtime = "native" if module.suffix == ".so" else "wasm"
    source = folder / "config.yaml"
    source.write_text(yaml.safe_dump(config))
    port = free_port()
    arguments = [
        "--bind",
        "127.0.0.1",
        "--port",
        str(port),
        "--admin-port",
        str(free_port()),
        "--runtime",
        runtime,
        "--filter",
        str(module),
    ]
    done = subprocess.run(
        [command, "render", source, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **VARIABLES},
    )
    if done.returncode:
        raise SystemExit(f"bench: cannot render bench/config.yaml: {done.stderr.strip()}")
    return yaml.safe_load(done.stdout), port


def bare(gateway, unary_port, streams_port, filters=()):
    """The Envoy of `gateway` without the filter: same listener, limits, retries, log, clusters."""
    envoy = copy.deepcopy(gateway)
    port = envoy["static_resources"]["listeners"][0]["address"]["socket_address"]["port_value"] = (
        free_port()
    )
    envoy["admin"]["address"]["socket_address"]["port_value"] = free_port()
    clusters = envoy["static_resources"]["clusters"]
    clusters[:] = [cluster for cluster in clusters if "load_assignment" in cluster]
    for cluster in clusters:
        [options] = cluster["typed_extension_protocol_options"].values()
        # Only the codec is left.
        options["http_filters"] = options["http_filters"][-1:]
    chain = envoy["static_resources"]["listeners"][0]["filter_chains"][0]["filters"]
    manager = chain[0]["typed_config"]
    manager["http_filters"] = [*filters, manager["http_filters"][-1]]
    host = manager["route_config"]["virtual_hosts"][0]
    by_name = {route.get("name"): route for route in host["routes"]}
    unary, stream = by_name["unary"], by_name["stream"]
    unary["match"], stream["match"] = {"prefix": "/"}, {"prefix": STREAM_PATH}
    for route, upstream in ((unary, unary_port), (stream, streams_port)):
        del route["route"]["cluster_specifier_plugin"]
        route["route"]["cluster"] = next(
            cluster["name"] for cluster in clusters if goes_to(cluster, upstream)
        )
    host["routes"] = [stream, unary]
    return envoy, port


def signer(gateway, unary_port, streams_port):
    """Envoy with its own signing filter, which also hashes the body."""
    signing = {
        "name": "aws_request_signing",
        "typed_config": {
            "@type": f"{FILTERS}.http.aws_request_signing.v3.AwsRequestSigning",
            "service_name": "bedrock",
            "region": "us-west-2",
            "host_rewrite": f"127.0.0.1:{unary_port}",
        },
    }
    return bare(gateway, unary_port, streams_port, [signing])


def goes_to(cluster, port):
    endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    return endpoint["address"]["socket_address"]["port_value"] == port


def response():
    """A Converse response of 1 KB."""
    usage = {"inputTokens": 250, "outputTokens": 180, "totalTokens": 430}
    message = {"role": "assistant", "content": [{"text": "x" * 800}]}
    return json.dumps(
        {
            "output": {"message": message},
            "stopReason": "end_turn",
            "usage": usage,
            "metrics": {"latencyMs": 551},
        }
    ).ljust(1024)


def upstream(port):
    """An Envoy that reads a whole request and responds with 1 KB."""
    manager = {
        "@type": f"{FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "upstream",
        "http_filters": [
            {
                "name": "buffer",
                "typed_config": {
                    "@type": f"{FILTERS}.http.buffer.v3.Buffer",
                    "max_request_bytes": 32 << 20,
                },
            },
            {
                "name": "router",
                "typed_config": {"@type": f"{FILTERS}.http.router.v3.Router"},
            },
        ],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        {
                            "match": {"prefix": "/"},
                            "direct_response": {
                                "status": 200,
                                "body": {"inline_string": response()},
                            },
                        }
                    ],
                }
            ]
        },
    }
    return {
        "static_resources": {
            "listeners": [
                {
                    "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
                    "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
                }
            ]
        }
    }


class Envoy(Process):
    """A running Envoy with one worker thread."""

    def __init__(self, name, config, port, folder, key=None, launcher=(ENVOY,)):
        path = folder / f"{name}.json"
        path.write_text(json.dumps(config))
        command = [
            *launcher,
            "-c",
            path,
            "--concurrency",
            "1",
            "--use-dynamic-base-id",
            "-l",
            "error",
        ]
        key = key or VARIABLES["LITELLM_MASTER_KEY"]
        super().__init__(name, command, port, folder / f"{name}.log", key, VARIABLES, ROOT)


class LiteLlm(Process):
    """LiteLLM's proxy with one worker process, on the same configuration."""

    def __init__(self, command, config, folder):
        path = folder / "litellm.yaml"
        path.write_text(yaml.safe_dump(config))
        port = free_port()
        command = [command, "--config", path, "--host", "127.0.0.1", "--port", str(port)]
        key = VARIABLES["LITELLM_MASTER_KEY"]
        # Its prices come with it.
        variables = VARIABLES | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        super().__init__(
            report.LITELLM, command, port, folder / "litellm.log", key, variables, folder
        )
