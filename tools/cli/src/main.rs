//! The `envoy-bedrock` command.
fn main() {}
