//! Shared by the Rust checks.

use aws_config::SdkConfig;
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::{Builder, Credentials, Token};

pub const MODEL: &str = "my-bedrock-model";

/// A client with a key that the gateway does not know.
pub fn client_with_wrong_key(config: &SdkConfig) -> Client {
    let over_tls = std::env::var("TRANSPORT").as_deref() == Ok("tls");
    let builder = Builder::from(config);
    let builder = if over_tls {
        builder.token_provider(Token::new("sk-wrong", None))
    } else {
        builder.credentials_provider(Credentials::new("sk-wrong", "unused", None, None, "check"))
    };
    Client::from_conf(builder.build())
}
