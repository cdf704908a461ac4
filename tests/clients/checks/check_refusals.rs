//! The AWS SDK for Rust reports the refusal of a large upload as a typed error, after one request.

#[path = "expect.rs"]
mod expect;

use std::error::Error;

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::error::ProvideErrorMetadata;
use aws_sdk_bedrockruntime::primitives::Blob;

use expect::{MODEL, client_with_wrong_key};

const MEGABYTE: usize = 1_000_000;
/// The default of `max_request_size_mb`.
const LIMIT_BYTES: usize = 32 * 1024 * 1024;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = aws_config::load_from_env().await;
    let client = Client::new(&config);
    let wrong_key = client_with_wrong_key(&config);
    for megabytes in [1, 5, 20, 30, 40] {
        let bytes = megabytes * MEGABYTE;
        refused(&client, "unknown", bytes, 400, "ValidationException").await;
        refused(&wrong_key, MODEL, bytes, 401, "UnrecognizedClientException").await;
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
