//! An HTTP/2 client that signs with `aws-sigv4`.

use std::sync::Arc;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bedrock_emulator::Emulator;
use bedrock_emulator::config::{DEMO_ACCESS_KEY_ID, DEMO_SECRET_ACCESS_KEY};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A model that exists.
pub(crate) const MODEL: &str = "us.anthropic.claude-3-5-sonnet-20240620-v1:0";

/// One HTTP/2 connection.
pub(crate) struct SigningClient {
    sender: SendRequest<Full<Bytes>>,
    region: String,
    authority: String,
    /// Changes the body after signing it.
    pub(crate) tamper: bool,
    /// A header to add unsigned.
    pub(crate) extra_header: Option<(&'static str, &'static str)>,
}

impl SigningClient {
    /// Over TCP, with prior knowledge.
    pub(crate) async fn http2(emulator: &Emulator, region: &str) -> Self {
        let address = emulator.addresses()[region].http.unwrap();
        Self::over(
            TcpStream::connect(address).await.unwrap(),
            region,
            address.to_string(),
        )
        .await
    }

    /// Over TLS to Bedrock's host name, trusting the emulator's CA.
    pub(crate) async fn http2_over_tls(emulator: &Emulator, region: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(emulator.ca_pem().as_bytes()).unwrap())
            .unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let host = format!("bedrock-runtime.{region}.amazonaws.com");
        let stream = TcpStream::connect(emulator.addresses()[region].https.unwrap())
            .await
            .unwrap();
        let name = ServerName::try_from(host.clone()).unwrap();
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
        Self::over(stream, region, host).await
    }

    async fn over<S>(stream: S, region: &str, authority: String) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        Self {
            sender,
            region: region.to_owned(),
            authority,
            tamper: false,
            extra_header: None,
        }
    }

    /// Sends a Converse request, and returns the status and body of the response.
    pub(crate) async fn converse(&mut self, text: &str) -> (StatusCode, String) {
        let response = self.send("converse", text).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.into()).unwrap())
    }

    /// Sends a request, signed now.
    pub(crate) async fn send(&mut self, operation: &str, text: &str) -> hyper::Result<Response<Incoming>> {
        let uri = format!(
            "http://{}/model/{}/{operation}",
            self.authority,
            MODEL.replace(':', "%3A")
        );
        let message = serde_json::json!({ "role": "user", "content": [{ "text": text }] });
        let mut body = serde_json::json!({ "messages": [message] }).to_string();
        let identity =
            Credentials::new(DEMO_ACCESS_KEY_ID, DEMO_SECRET_ACCESS_KEY, None, None, "tests").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("bedrock")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let signable = SignableRequest::new(
            "POST",
            &uri,
            std::iter::empty(),
            SignableBody::Bytes(body.as_bytes()),
        );
        let (instructions, _) = sign(signable.unwrap(), &params).unwrap().into_parts();
        let mut request = Request::post(&uri);
        for (name, value) in instructions.headers().chain(self.extra_header) {
            request = request.header(name, value);
        }
        if self.tamper {
            body.push(' ');
        }
        self.sender
            .send_request(request.body(Full::from(body)).unwrap())
            .await
    }
}
