"""How each client is run: every snippet of docs/clients.md, and every check."""

import dataclasses

CONVERSE, CONVERSE_STREAM = "converse", "converse-stream"
INVOKE, INVOKE_STREAM = "invoke", "invoke-with-response-stream"
HTTP, TLS = "http", "tls"


@dataclasses.dataclass(frozen=True)
class Snippet:
    """A file of snippets/, the operations that it calls, and how many responses it prints."""

    file: str
    group: str
    operations: tuple
    transport: str | None = None
    # The number of printed responses, if it is not that of the operations.
    responses: int | None = None
    # Whether other requests precede these operations.
    probes: bool = False

    @property
    def printed(self) -> int:
        return len(self.operations) if self.responses is None else self.responses


# `group` is a file of requirements/, a folder of npm/, `rust` or `curl`.
SNIPPETS = [
    Snippet("boto3_http.py", "boto3", (CONVERSE, CONVERSE_STREAM)),
    Snippet("boto3_tls.py", "boto3", (CONVERSE,), TLS),
    Snippet("aioboto3.py", "aioboto3", (CONVERSE_STREAM,)),
    Snippet("aws_cli.sh", "awscli", (CONVERSE,), HTTP),
    Snippet("aws_sdk.mjs", "sdks", (CONVERSE, CONVERSE_STREAM)),
    Snippet("aws_sdk.rs", "rust", (CONVERSE, CONVERSE_STREAM), HTTP),
    Snippet("anthropic.py", "anthropic", (INVOKE, INVOKE_STREAM)),
    Snippet("anthropic.mjs", "sdks", (INVOKE, INVOKE_STREAM)),
    Snippet("claude_code.sh", "claude-code", (INVOKE_STREAM,), probes=True),
    Snippet("langchain_converse.py", "langchain", (CONVERSE, CONVERSE_STREAM)),
    Snippet("langchain_invoke.py", "langchain", (INVOKE, INVOKE_STREAM, INVOKE), responses=2),
    Snippet("llamaindex.py", "llamaindex", (CONVERSE, CONVERSE_STREAM)),
    Snippet("llamaindex_embedding.py", "llamaindex", (INVOKE,), HTTP, 0),
    Snippet("strands.py", "strands", (CONVERSE_STREAM,)),
    Snippet("pydantic_ai.py", "pydantic-ai", (CONVERSE, CONVERSE_STREAM)),
    Snippet("haystack.py", "haystack", (CONVERSE, CONVERSE_STREAM), HTTP),
    Snippet("instructor.py", "instructor", (CONVERSE,), responses=0),
    Snippet("litellm.py", "litellm", (CONVERSE, INVOKE_STREAM)),
    Snippet("ai_sdk.mjs", "sdks", (CONVERSE, CONVERSE_STREAM)),
    Snippet("agno.py", "agno", (CONVERSE,), HTTP),
    Snippet("mem0.py", "mem0", (CONVERSE,), HTTP),
    Snippet("curl.sh", "curl", (CONVERSE,)),
    Snippet("curl_tls.sh", "curl", (CONVERSE,)),
]
# Not programs: the other snippets need them.
CONFIGURATIONS = ["config.yaml", "environment_http.sh", "environment_tls.sh"]

# The files of checks/ and their groups. Each check runs in both documented environments.
CHECKS = [
    ("check_boto3.py", "boto3"),
    ("check_aioboto3.py", "aioboto3"),
    ("check_aws_cli.sh", "awscli"),
    ("check_aws_sdk.mjs", "sdks"),
    ("check_aws_sdk.rs", "rust"),
    ("check_refusals.mjs", "sdks"),
    ("check_refusals.rs", "rust"),
    ("check_anthropic.py", "anthropic"),
    ("check_anthropic.mjs", "sdks"),
    ("check_claude_code.sh", "claude-code"),
    ("check_langchain.py", "langchain"),
    ("check_llamaindex.py", "llamaindex"),
    ("check_strands.py", "strands"),
    ("check_pydantic_ai.py", "pydantic-ai"),
    ("check_haystack.py", "haystack"),
    ("check_instructor.py", "instructor"),
    ("check_ai_sdk.mjs", "sdks"),
    ("check_litellm.py", "litellm"),
    ("check_agno.py", "agno"),
    ("check_mem0.py", "mem0"),
]
