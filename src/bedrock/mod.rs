//! Facts about Amazon Bedrock.

pub mod model_id;
