//! Where usage is reported in Bedrock's responses.
//!
//! Converse uses camel case and Anthropic's own format (InvokeModel) snake case. The last chunk of
//! InvokeModelWithResponseStream carries Bedrock's `amazon-bedrock-invocationMetrics`, whatever the
//! model.

use crate::usage::scan::ScanNode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UsageField {
    /// A container that means nothing by itself.
    Group,
    /// An object that holds token counts.
    Counts(Style),
    Count(Style, Count),
    /// `cacheDetails`: an array.
    Details,
    DetailTtl,
    DetailTokens,
    /// `cache_creation`: an object.
    Creation,
    /// Web searches made by the model, which are billed per search.
    Searches,
    Tier,
    Latency,
    StopReason,
    /// Text of the response: only its characters are counted.
    Text,
    /// `bytes` of a chunk event: base64.
    Chunk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `usage` in either format. The keys show which one it is.
    Usage,
    /// `message.usage` in Anthropic's first event, whose output count is not final.
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

type Member = ScanNode<UsageField>;

const fn leaf(key: &'static str, field: UsageField) -> Member {
    ScanNode::leaf(key, field)
}

const fn count(key: &'static str, style: Style, count: Count) -> Member {
    ScanNode::leaf(key, UsageField::Count(style, count))
}

const DETAILS: &[Member] = &[
    leaf("ttl", UsageField::DetailTtl),
    leaf("inputTokens", UsageField::DetailTokens),
];

/// Both formats in one list, because a document uses only one of them. Converse repeats the cache
/// counts under `…TokenCount`; Nova's own format has them only there.
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
    ScanNode::array("cacheDetails", UsageField::Details, DETAILS),
    count("input_tokens", Style::Usage, Count::Input),
    count("output_tokens", Style::Usage, Count::Output),
    count("cache_read_input_tokens", Style::Usage, Count::CacheRead),
    count("cache_creation_input_tokens", Style::Usage, Count::CacheWrite),
    ScanNode::object("cache_creation", UsageField::Creation, CREATION),
    ScanNode::object(
        "serverToolUsage",
        UsageField::Group,
        &[leaf("webSearchRequests", UsageField::Searches)],
    ),
    ScanNode::object(
        "server_tool_use",
        UsageField::Group,
        &[leaf("web_search_requests", UsageField::Searches)],
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
    ScanNode::object(
        "cache_creation",
        UsageField::Group,
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

const TEXT: &[Member] = &[leaf("text", UsageField::Text)];
const REASONING: &[Member] = &[leaf("text", UsageField::Text)];
const TOOL: &[Member] = &[leaf("input", UsageField::Text)];
const TIER: &[Member] = &[leaf("type", UsageField::Tier)];
const PERFORMANCE: &[Member] = &[leaf("latency", UsageField::Latency)];

const CONVERSE_DELTA: &[Member] = &[
    leaf("text", UsageField::Text),
    ScanNode::object("toolUse", UsageField::Group, TOOL),
    ScanNode::object("reasoningContent", UsageField::Group, REASONING),
];

/// The response to Converse or InvokeModel.
pub(super) static BODY: Member = ScanNode::object(
    "",
    UsageField::Group,
    &[
        ScanNode::object("usage", UsageField::Counts(Style::Usage), USAGE),
        ScanNode::object("serviceTier", UsageField::Tier, TIER),
        ScanNode::object("performanceConfig", UsageField::Latency, PERFORMANCE),
        leaf("stopReason", UsageField::StopReason),
        leaf("stop_reason", UsageField::StopReason),
        ScanNode::array("content", UsageField::Group, TEXT),
        ScanNode::object(
            "output",
            UsageField::Group,
            &[ScanNode::object(
                "message",
                UsageField::Group,
                &[ScanNode::array("content", UsageField::Group, TEXT)],
            )],
        ),
    ],
);

/// The payload of any ConverseStream event.
pub(super) static CONVERSE_EVENT: Member = ScanNode::object(
    "",
    UsageField::Group,
    &[
        ScanNode::object("usage", UsageField::Counts(Style::Usage), USAGE),
        ScanNode::object("serviceTier", UsageField::Tier, TIER),
        ScanNode::object("performanceConfig", UsageField::Latency, PERFORMANCE),
        leaf("stopReason", UsageField::StopReason),
        ScanNode::object("delta", UsageField::Group, CONVERSE_DELTA),
    ],
);

/// The payload of a `chunk` event of InvokeModelWithResponseStream.
pub(super) static CHUNK: Member =
    ScanNode::object("", UsageField::Group, &[leaf("bytes", UsageField::Chunk)]);

/// The content of a chunk: an event of the model's own protocol. Each vendor has its own place for
/// text.
pub(super) static MODEL_EVENT: Member = ScanNode::object(
    "",
    UsageField::Group,
    &[
        ScanNode::object(
            "amazon-bedrock-invocationMetrics",
            UsageField::Counts(Style::Metrics),
            METRICS,
        ),
        // Anthropic
        ScanNode::object(
            "message",
            UsageField::Counts(Style::Start),
            &[ScanNode::object("usage", UsageField::Counts(Style::Start), START)],
        ),
        ScanNode::object("usage", UsageField::Counts(Style::Usage), USAGE),
        ScanNode::object(
            "delta",
            UsageField::Group,
            &[
                leaf("text", UsageField::Text),
                leaf("thinking", UsageField::Text),
                leaf("partial_json", UsageField::Text),
                leaf("stop_reason", UsageField::StopReason),
            ],
        ),
        leaf("completion", UsageField::Text),
        // Amazon Nova
        ScanNode::object(
            "contentBlockDelta",
            UsageField::Group,
            &[ScanNode::object("delta", UsageField::Group, CONVERSE_DELTA)],
        ),
        ScanNode::object(
            "messageStop",
            UsageField::Group,
            &[leaf("stopReason", UsageField::StopReason)],
        ),
        ScanNode::object(
            "metadata",
            UsageField::Group,
            &[ScanNode::object("usage", UsageField::Counts(Style::Usage), USAGE)],
        ),
        // Amazon Titan, Meta, Mistral, and models that use OpenAI's format
        leaf("outputText", UsageField::Text),
        leaf("generation", UsageField::Text),
        ScanNode::array("outputs", UsageField::Group, TEXT),
        ScanNode::array(
            "choices",
            UsageField::Group,
            &[
                ScanNode::object("delta", UsageField::Group, &[leaf("content", UsageField::Text)]),
                ScanNode::object("message", UsageField::Group, &[leaf("content", UsageField::Text)]),
            ],
        ),
    ],
);
