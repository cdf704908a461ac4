//! Refusals of large uploads arrive as typed errors, after one request.

use std::error::Error;

use aws_config::SdkConfig;
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::{Builder, Credentials, Token};
use aws_sdk_bedrockruntime::error::ProvideErrorMetadata;
use aws_sdk_bedrockruntime::primitives::Blob;

const MODEL: &str = "my-bedrock-model";
const MEGABYTE: usize = 1_000_000;
/// `max_request_size_mb` without being set.
const LIMIT_BYTES: usize = 32 * 1024 * 1024;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = aws_config::load_from_env().await;
    let (client, stranger) = (Client::new(&config), stranger(&config));
    for megabytes in [1, 5, 20, 30, 40] {
        let bytes = megabytes * MEGABYTE;
        refused(&client, "unknown", bytes, 400, "ValidationException").await;
        refused(&stranger, MODEL, bytes, 401, "UnrecognizedClientException").await;
        if bytes > LIMIT_BYTES {
            refused(&client, MODEL, bytes, 413, "ValidationException").await;
        }
    }
    println!("passed");
    Ok(())
}

async fn refused(client: &Client, model: &str, bytes: usize, status: u16, code: &str) {
    let sent = client.invoke_model().model_id(model).body(Blob::new(vec![b'x'; bytes])).send().await;
    let error = sent.expect_err("a refusal");
    let found = error.raw_response().map(|raw| raw.status().as_u16());
    assert_eq!((found, error.code()), (Some(status), Some(code)), "{bytes} bytes: {error:?}");
}

/// A client whose key the gateway does not know.
fn stranger(config: &SdkConfig) -> Client {
    let over_tls = std::env::var("TRANSPORT").as_deref() == Ok("tls");
    let builder = Builder::from(config);
    let builder = if over_tls {
        builder.token_provider(Token::new("sk-wrong", None))
    } else {
        builder.credentials_provider(Credentials::new("sk-wrong", "unused", None, None, "check"))
    };
    Client::from_conf(builder.build())
}
