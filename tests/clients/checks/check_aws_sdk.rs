//! The AWS SDK for Rust: responses, streams, and typed errors.

#[path = "expect.rs"]
mod expect;

use std::error::Error;

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::error::ProvideErrorMetadata;
use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::types::{ContentBlock, ConversationRole, ConverseStreamOutput, Message};

use expect::{MODEL, client_with_wrong_key};

const RAW: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const BODY: &str = r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":100,
                       "messages":[{"role":"user","content":"Hello"}]}"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = aws_config::load_from_env().await;
    let client = Client::new(&config);
    let hello = Message::builder()
        .role(ConversationRole::User)
        .content(ContentBlock::Text("Hello".into()))
        .build()?;

    let response = client
        .converse()
        .model_id(MODEL)
        .messages(hello.clone())
        .send()
        .await?;
    let message = response
        .output()
        .and_then(|output| output.as_message().ok())
        .expect("a message");
    heard(message.content()[0].as_text().expect("text"));

    let mut response = client
        .converse_stream()
        .model_id(RAW)
        .messages(hello.clone())
        .send()
        .await?;
    let mut streamed = String::new();
    while let Some(event) = response.stream.recv().await? {
        if let ConverseStreamOutput::ContentBlockDelta(delta) = event {
            streamed += delta.delta().expect("a delta").as_text().expect("text");
        }
    }
    heard(&streamed);

    let invoked = client
        .invoke_model()
        .model_id(RAW)
        .body(Blob::new(BODY))
        .send()
        .await?;
    assert!(String::from_utf8(invoked.body.into_inner())?.contains("heard: Hello"));

    let unknown = client
        .converse()
        .model_id("unknown")
        .messages(hello.clone())
        .send()
        .await;
    let error = unknown.expect_err("an unknown model").into_service_error();
    assert!(error.is_validation_exception(), "{error:?}");

    let refused = client_with_wrong_key(&config)
        .converse()
        .model_id(MODEL)
        .messages(hello)
        .send()
        .await;
    let error = refused.expect_err("a wrong key");
    assert_eq!(error.raw_response().map(|raw| raw.status().as_u16()), Some(401));
    assert_eq!(error.code(), Some("UnrecognizedClientException"), "{error:?}");
    println!("passed");
    Ok(())
}

fn heard(text: &str) {
    assert!(text.ends_with("heard: Hello"), "{text}");
}
