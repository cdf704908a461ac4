//! Whether this machine seems to have credentials for AWS, so that `run` need not fall back to the
//! emulator. Nothing is fetched.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;

use super::source::{BrokeredCredential, CredentialSource, WebIdentityToken};
use crate::environment::Environment;

/// Time limit for the instance metadata service. It is on the same host, if there is one.
const METADATA_TIMEOUT: Duration = Duration::from_secs(1);
const METADATA_ENDPOINT: &str = "http://169.254.169.254";

/// Variables with which containers and web identities get credentials.
const CONTAINER_VARIABLES: [&str; 3] = [
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];
const KEY_VARIABLES: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

/// Whether any of `credentials` can probably be obtained. `is_set` tells whether a secret of the
/// configuration is there.
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
        CredentialSource::Keys(keys) => keys.names().all(|name| is_set(&name.0)),
        CredentialSource::Profile(name) => has_profile(name, environment),
        CredentialSource::Role { base, .. } => can_be_had(base, environment, is_set, has_metadata),
        CredentialSource::WebIdentity { token, .. } => match token {
            WebIdentityToken::File(path) => path.exists(),
            WebIdentityToken::Variable(name) => is_set(&name.0),
        },
        CredentialSource::DefaultChain => {
            let set = |name: &&str| environment.value(name).is_some();
            let profile = environment.value("AWS_PROFILE").unwrap_or("default");
            KEY_VARIABLES.iter().all(set)
                || CONTAINER_VARIABLES.iter().any(set)
                || has_profile(profile, environment)
                || has_metadata()
        }
    }
}

/// Whether AWS's shared files have the profile `name`.
fn has_profile(name: &str, environment: &Environment) -> bool {
    let home = environment.value("HOME").map(PathBuf::from);
    let shared = |variable: &str, file: &str| {
        let named = environment.value(variable).map(PathBuf::from);
        named.or_else(|| Some(home.as_ref()?.join(".aws").join(file)))
    };
    let files = [
        shared("AWS_CONFIG_FILE", "config"),
        shared("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
    ];
    let texts = files
        .into_iter()
        .flatten()
        .filter_map(|path| std::fs::read_to_string(path).ok());
    texts.into_iter().any(|text| {
        let sections = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix('[')?.split(']').next());
        let mut names = sections.map(|section| section.trim().trim_start_matches("profile "));
        names.any(|section| section.trim() == name)
    })
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
    fn an_empty_environment_has_no_credentials() {
        assert!(!chain_is_likely(&[NOWHERE]));
        assert!(!chain_is_likely(&[NOWHERE, ("AWS_ACCESS_KEY_ID", "AKIA")]));
    }

    #[test]
    fn containers_and_web_identities_are_found_by_their_variables() {
        for name in CONTAINER_VARIABLES {
            assert!(chain_is_likely(&[NOWHERE, (name, "/x")]), "{name}");
        }
    }

    #[test]
    fn a_profile_is_found_in_either_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(path("config"), "[profile team]\nregion = x\n").unwrap();
        std::fs::write(path("credentials"), "[ default ]\naws_access_key_id = x\n").unwrap();
        let (config, credentials) = (path("config"), path("credentials"));
        let with_config = ("AWS_CONFIG_FILE", &*config);
        let with_credentials = ("AWS_SHARED_CREDENTIALS_FILE", &*credentials);
        let team = ("AWS_PROFILE", "team");
        assert!(chain_is_likely(&[NOWHERE, with_config, team]));
        assert!(!chain_is_likely(&[NOWHERE, with_config]));
        assert!(chain_is_likely(&[NOWHERE, with_credentials]));
        assert!(!chain_is_likely(&[NOWHERE, with_credentials, team]));
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
