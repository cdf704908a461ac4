//! The HTTP client of AWS's crates, with a time limit for every response. By default they wait
//! forever.

use std::time::Duration;

use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// Longest time until a response. AWS's crates make up to three attempts.
const READ_TIMEOUT_MAX: Duration = Duration::from_secs(5);

/// A client for all calls of the broker.
pub(super) fn shared() -> SharedHttpClient {
    let provider = Provider::Rustls(CryptoMode::Ring);
    SharedHttpClient::new(LimitedHttpClient(
        Builder::new().tls_provider(provider).build_https(),
    ))
}

#[derive(Debug)]
struct LimitedHttpClient(SharedHttpClient);

impl HttpClient for LimitedHttpClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let read_timeout = settings.read_timeout().unwrap_or(READ_TIMEOUT_MAX);
        let mut limited = HttpConnectorSettings::builder().read_timeout(read_timeout.min(READ_TIMEOUT_MAX));
        limited.set_connect_timeout(settings.connect_timeout());
        self.0.http_connector(&limited.build(), components)
    }
}
