//! Where the numbers stand in Bedrock's answers.
//!
//! Converse counts in camel case, Anthropic's own format (InvokeModel) in snake case, and the last chunk of a streaming
//! Invoke of any model carries Bedrock's `amazon-bedrock-invocationMetrics`.

use crate::usage::scan::Node;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// Only a way to something else.
    Group,
    /// An object of counts.
    Counts(Style),
    Count(Style, Count),
    /// `cacheDetails`: an array.
    Details,
    DetailLife,
    DetailTokens,
    /// `cache_creation`: an object.
    Creation,
    /// Web searches that the model made, which are paid for one by one.
    Searches,
    Tier,
    Latency,
    StopReason,
    /// Text of the answer: only its characters are counted.
    Text,
    /// `bytes` of a chunk event: base64.
    Chunk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `usage` of either format: the keys tell which.
    Usage,
    /// `message.usage` of Anthropic's first event: its output count is no account yet.
    Start,
    /// `amazon-bedrock-invocationMetrics`.
    Metrics,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    Input,
    Output,
    CacheRead,
    CacheWrite,
    CacheWrite5m,
    CacheWrite1h,
    CacheReadRepeated,
    CacheWriteRepeated,
}

type Member = Node<Field>;

const fn leaf(key: &'static str, field: Field) -> Member {
    Node::leaf(key, field)
}

const fn count(key: &'static str, style: Style, count: Count) -> Member {
    Node::leaf(key, Field::Count(style, count))
}

const DETAILS: &[Member] = &[
    leaf("ttl", Field::DetailLife),
    leaf("inputTokens", Field::DetailTokens),
];

/// Both formats in one list: a document has one of them. Converse repeats the cache counts under `…TokenCount`, and
/// Nova's own format has them only there.
const USAGE: &[Member] = &[
    count("inputTokens", Style::Usage, Count::Input),
    count("outputTokens", Style::Usage, Count::Output),
    count("cacheReadInputTokens", Style::Usage, Count::CacheRead),
    count("cacheWriteInputTokens", Style::Usage, Count::CacheWrite),
    count("cacheReadInputTokenCount", Style::Usage, Count::CacheReadRepeated),
    count(
        "cacheWriteInputTokenCount",
        Style::Usage,
        Count::CacheWriteRepeated,
    ),
    Node::array("cacheDetails", Field::Details, DETAILS),
    count("input_tokens", Style::Usage, Count::Input),
    count("output_tokens", Style::Usage, Count::Output),
    count("cache_read_input_tokens", Style::Usage, Count::CacheRead),
    count("cache_creation_input_tokens", Style::Usage, Count::CacheWrite),
    Node::object("cache_creation", Field::Creation, CREATION),
    Node::object(
        "serverToolUsage",
        Field::Group,
        &[leaf("webSearchRequests", Field::Searches)],
    ),
    Node::object(
        "server_tool_use",
        Field::Group,
        &[leaf("web_search_requests", Field::Searches)],
    ),
];

const CREATION: &[Member] = &[
    count("ephemeral_5m_input_tokens", Style::Usage, Count::CacheWrite5m),
    count("ephemeral_1h_input_tokens", Style::Usage, Count::CacheWrite1h),
];

const START: &[Member] = &[
    count("input_tokens", Style::Start, Count::Input),
    count("output_tokens", Style::Start, Count::Output),
    count("cache_read_input_tokens", Style::Start, Count::CacheRead),
    count("cache_creation_input_tokens", Style::Start, Count::CacheWrite),
    Node::object(
        "cache_creation",
        Field::Group,
        &[
            count("ephemeral_5m_input_tokens", Style::Start, Count::CacheWrite5m),
            count("ephemeral_1h_input_tokens", Style::Start, Count::CacheWrite1h),
        ],
    ),
];

const METRICS: &[Member] = &[
    count("inputTokenCount", Style::Metrics, Count::Input),
    count("outputTokenCount", Style::Metrics, Count::Output),
    count("cacheReadInputTokenCount", Style::Metrics, Count::CacheRead),
    count("cacheWriteInputTokenCount", Style::Metrics, Count::CacheWrite),
];

const TEXT: &[Member] = &[leaf("text", Field::Text)];
const REASONING: &[Member] = &[leaf("text", Field::Text)];
const TOOL: &[Member] = &[leaf("input", Field::Text)];
const TIER: &[Member] = &[leaf("type", Field::Tier)];
const PERFORMANCE: &[Member] = &[leaf("latency", Field::Latency)];

const CONVERSE_DELTA: &[Member] = &[
    leaf("text", Field::Text),
    Node::object("toolUse", Field::Group, TOOL),
    Node::object("reasoningContent", Field::Group, REASONING),
];

/// The answer of Converse or InvokeModel.
pub(super) static BODY: Member = Node::object(
    "",
    Field::Group,
    &[
        Node::object("usage", Field::Counts(Style::Usage), USAGE),
        Node::object("serviceTier", Field::Tier, TIER),
        Node::object("performanceConfig", Field::Latency, PERFORMANCE),
        leaf("stopReason", Field::StopReason),
        leaf("stop_reason", Field::StopReason),
        Node::array("content", Field::Group, TEXT),
        Node::object(
            "output",
            Field::Group,
            &[Node::object(
                "message",
                Field::Group,
                &[Node::array("content", Field::Group, TEXT)],
            )],
        ),
    ],
);

/// The payload of any event of ConverseStream.
pub(super) static CONVERSE_EVENT: Member = Node::object(
    "",
    Field::Group,
    &[
        Node::object("usage", Field::Counts(Style::Usage), USAGE),
        Node::object("serviceTier", Field::Tier, TIER),
        Node::object("performanceConfig", Field::Latency, PERFORMANCE),
        leaf("stopReason", Field::StopReason),
        Node::object("delta", Field::Group, CONVERSE_DELTA),
    ],
);

/// The payload of a `chunk` of InvokeModelWithResponseStream.
pub(super) static CHUNK: Member = Node::object("", Field::Group, &[leaf("bytes", Field::Chunk)]);

/// What is in a chunk: an event of the model's own protocol. Text is looked for where the vendors put it.
pub(super) static MODEL_EVENT: Member = Node::object(
    "",
    Field::Group,
    &[
        Node::object(
            "amazon-bedrock-invocationMetrics",
            Field::Counts(Style::Metrics),
            METRICS,
        ),
        // Anthropic
        Node::object(
            "message",
            Field::Counts(Style::Start),
            &[Node::object("usage", Field::Counts(Style::Start), START)],
        ),
        Node::object("usage", Field::Counts(Style::Usage), USAGE),
        Node::object(
            "delta",
            Field::Group,
            &[
                leaf("text", Field::Text),
                leaf("thinking", Field::Text),
                leaf("partial_json", Field::Text),
                leaf("stop_reason", Field::StopReason),
            ],
        ),
        leaf("completion", Field::Text),
        // Amazon Nova
        Node::object(
            "contentBlockDelta",
            Field::Group,
            &[Node::object("delta", Field::Group, CONVERSE_DELTA)],
        ),
        Node::object(
            "messageStop",
            Field::Group,
            &[leaf("stopReason", Field::StopReason)],
        ),
        Node::object(
            "metadata",
            Field::Group,
            &[Node::object("usage", Field::Counts(Style::Usage), USAGE)],
        ),
        // Amazon Titan, Meta, Mistral, and those that speak OpenAI's format
        leaf("outputText", Field::Text),
        leaf("generation", Field::Text),
        Node::array("outputs", Field::Group, TEXT),
        Node::array(
            "choices",
            Field::Group,
            &[
                Node::object("delta", Field::Group, &[leaf("content", Field::Text)]),
                Node::object("message", Field::Group, &[leaf("content", Field::Text)]),
            ],
        ),
    ],
);
