//! Fake Bedrock regions.
