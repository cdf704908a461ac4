//! Amazon Bedrock's own formats.

pub mod model_id;
