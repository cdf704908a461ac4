//! Whether this machine seems to have credentials for AWS, so that `run` need not fall back to the
//! emulator. Nothing is fetched.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use http::Uri;

use super::chain::ChainSource;
use super::shared_files;
use super::source::{BrokeredCredential, CredentialSource, WebIdentityToken};
use crate::environment::Environment;

/// Time limit for the instance metadata service. It is on the same host, if there is one.
const METADATA_TIMEOUT: Duration = Duration::from_secs(1);
const METADATA_ENDPOINT: &str = "http://169.254.169.254";

/// Whether any of `credentials` can probably be obtained. `is_set` tells whether a secret of the
/// configuration exists.
pub(crate) fn is_likely(
    credentials: &[BrokeredCredential],
    environment: &Environment,
    is_set: impl Fn(&str) -> bool,
) -> bool {
    let mut metadata = None;
    let mut has_metadata = || *metadata.get_or_insert_with(|| has_metadata_service(environment));
    credentials
        .iter()
        .any(|credential| can_be_had(&credential.source, environment, &is_set, &mut has_metadata))
}

fn can_be_had(
    source: &CredentialSource,
    environment: &Environment,
    is_set: &impl Fn(&str) -> bool,
    has_metadata: &mut impl FnMut() -> bool,
) -> bool {
    match source {
        // If only one is set, the other is a mistake to report.
        CredentialSource::Keys(keys) => [&keys.access_key_id, &keys.secret_access_key]
            .iter()
            .any(|name| is_set(&name.0)),
        CredentialSource::Profile(name) => shared_files::has_credentials(name, environment),
        CredentialSource::Role { base, .. } => can_be_had(base, environment, is_set, has_metadata),
        CredentialSource::WebIdentity { token, .. } => match token {
            WebIdentityToken::File(path) => path.exists(),
            WebIdentityToken::Variable(name) => is_set(&name.0),
        },
        CredentialSource::DefaultChain => match ChainSource::of(environment) {
            ChainSource::Instance { .. } => has_metadata(),
            _ => true,
        },
    }
}

/// Whether the metadata service of an EC2 instance answers. Other clouds have a service at the same
/// address that refuses this request.
fn has_metadata_service(environment: &Environment) -> bool {
    let disabled = environment.value("AWS_EC2_METADATA_DISABLED");
    if disabled.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return false;
    }
    let endpoint = environment.value("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    session_token_status(endpoint.unwrap_or(METADATA_ENDPOINT)).is_some_and(|status| status == "200")
}

fn session_token_status(endpoint: &str) -> Option<String> {
    let uri: Uri = endpoint.parse().ok()?;
    let host = uri.host()?.trim_matches(['[', ']']);
    let address = (host, uri.port_u16().unwrap_or(80))
        .to_socket_addrs()
        .ok()?
        .next()?;
    let mut stream = TcpStream::connect_timeout(&address, METADATA_TIMEOUT).ok()?;
    stream.set_read_timeout(Some(METADATA_TIMEOUT)).ok()?;
    let request = format!(
        "PUT /latest/api/token HTTP/1.1\r\nhost: {host}\r\nx-aws-ec2-metadata-token-ttl-seconds: 60\r\n\
         content-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    line.split_whitespace().nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const NOWHERE: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");

    fn chain_is_likely(variables: &[(&str, &str)]) -> bool {
        let environment: Environment = variables.iter().copied().collect();
        can_be_had(
            &CredentialSource::DefaultChain,
            &environment,
            &|_| false,
            &mut || has_metadata_service(&environment),
        )
    }

    #[test]
    fn without_a_source_in_the_environment_only_the_metadata_service_is_left() {
        assert!(!chain_is_likely(&[NOWHERE]));
        assert!(!chain_is_likely(&[NOWHERE, ("AWS_ACCESS_KEY_ID", "AKIA")]));
        assert!(chain_is_likely(&[
            NOWHERE,
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://x")
        ]));
    }

    #[test]
    fn a_metadata_service_counts_only_if_it_gives_session_tokens() {
        for (answer, likely) in [("200 OK", true), ("404 Not Found", false)] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let endpoint = format!("http://{}", listener.local_addr().unwrap());
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").unwrap();
                line
            });
            let found = chain_is_likely(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint)]);
            assert_eq!(found, likely, "{answer}");
            assert!(server.join().unwrap().starts_with("PUT /latest/api/token "));
        }
    }
}
