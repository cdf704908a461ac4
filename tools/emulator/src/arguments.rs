//! The command line.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use bedrock_emulator::config::{DEMO_API_KEY, JOURNAL_VARIABLE, LOG_LIMIT_DEFAULT};
use bedrock_emulator::{EmulatorConfig, KnownCredential, RegionConfig, Strictness, TlsConfig};
use clap::Parser;

const DETAILS: &str = "\
Once all ports are open, the emulator prints one line of JSON with their addresses:
  {\"control\":\"http://127.0.0.1:9000\",\"identity\":null,\"regions\":{\"us-west-2\":{\"http\":\"127.0.0.1:9001\",\"https\":\"127.0.0.1:9002\"}},\"ca_out\":null}

Control API (JSON):
  GET    /health  /regions  /summary
  POST   /faults  {\"kind\":\"status\",\"status\":429,\"count\":3,\"match\":{\"region\":\"us-west-2\"}}
         kind:    status refused blackhole reset reset_after_request_headers cut exception slow silent_start
                  corrupt_frame stall altered hang
         match:   region access_key_id model operation, all optional
         count:   the number of requests to hit; or rate: the share of requests to hit
         after_events, delay_ms, error_type, message, headers, trailers: for the kinds that use them
  GET    /faults, DELETE /faults[?id=N][&region=NAME]
  POST   /pace    {\"pace\":{\"events\":20,\"interval_ms\":50,\"response_bytes\":10000,\"latency_ms\":5},\"match\":{}}
  DELETE /pace
  POST   /mode    {\"hostile\":true} if requests are invalid on purpose, {\"strict\":false} to only log violations
  GET    /log[?since=N][&region=NAME][&format=lines], DELETE /log

Control API of the identity service (--identity-port):
  GET    /identity                     its URL and settings
  POST   /identity/settings            {\"lifetime_seconds\":5}; null restores the lifetimes of AWS
         instance_role (null: no role), task_role, pod_role, pod_tokens, region, only_registered_roles
  POST   /identity/keys                {\"access_key_id\":\"AKIA…\",\"secret_access_key\":\"…\",\"account\":\"111122223333\",\"user\":\"u\"}
  POST   /identity/roles               {\"arn\":\"…\",\"external_id\":\"…\",\"principals\":[…],\"subjects\":[…]}, all but arn optional
  POST   /identity/web-identity-tokens {\"token\":\"…\",\"subject\":\"…\",\"roles\":[…],\"lifetime_seconds\":60}
  POST   /identity/sso-tokens          the same; subject is not used
  POST   /identity/issue               {\"role_arn\":\"…\",\"session\":\"…\",\"lifetime_seconds\":60}: a credential, 0 for an expired one
  POST   /identity/revoke              {\"access_key_id\":\"ASIA…\"}, or {} for all temporary credentials
  POST   /identity/faults              {\"kind\":\"error\",\"code\":\"Throttling\",\"endpoint\":\"assume-role\",\"count\":2}
         kind:     error hang garbage truncated close
         endpoint: sts (assume-role assume-role-with-web-identity get-caller-identity),
                   imds (imds-token imds-role imds-credentials imds-document), ecs, eks, sso; all if absent
         role_arn, count, and for errors code, status, message
  GET    /identity/faults, DELETE /identity/faults[?id=N]
  GET    /identity/calls               the number of calls by endpoint, and the calls; DELETE /identity/calls
  GET    /identity/credentials         access key id, account, ARN, expiry and state of every credential
  GET    /identity/secrets             every secret that was ever issued or registered
  DELETE /identity                     settings, roles, tokens, faults and calls as at the start

SIGTERM and SIGINT stop the emulator with exit code 0.";

#[derive(Parser)]
#[command(name = "bedrock-emulator", version, about, after_help = DETAILS)]
pub(crate) struct EmulatorArguments {
    /// A region with its plain and TLS port; 0 or no port for any free port. Repeatable
    #[arg(long = "region", value_name = "NAME[=PLAIN[:TLS]]", default_values = ["us-east-1", "us-west-2"], value_parser = region)]
    regions: Vec<RegionConfig>,
    /// Port of the control API; 0 for any free port
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    control: u16,
    /// Port of the identity service: STS, IMDSv2, ECS, EKS and SSO; 0 for any free port. Default:
    /// no identity service
    #[arg(long, value_name = "PORT")]
    identity_port: Option<u16>,
    /// Address of all ports
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    bind: IpAddr,
    /// A credential that requests may be signed with. Repeatable. Default: the demo credential
    /// (AKIAEMULATORDEMO0001, emulator/demo+secret/worthless/elsewhere)
    #[arg(long = "credential", value_name = "ID:SECRET[:TOKEN]", value_parser = credential)]
    credentials: Vec<KnownCredential>,
    /// A Bedrock API key that is accepted as a bearer token. Repeatable
    #[arg(long = "api-key", value_name = "KEY", default_values = [DEMO_API_KEY])]
    api_keys: Vec<String>,
    /// A model id or ARN that exists besides the built-in ones. Repeatable
    #[arg(long = "model", value_name = "ID")]
    models: Vec<String>,
    /// Certificate chain of the TLS ports (PEM). Default: a generated certificate
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Another host name or address for the generated certificate. Repeatable
    #[arg(long = "tls-host", value_name = "NAME", conflicts_with = "tls_cert")]
    tls_hosts: Vec<String>,
    /// File to write the CA certificate to that clients of the TLS ports must trust (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_out: Option<PathBuf>,
    /// Prefix of every path
    #[arg(long, value_name = "PATH", default_value = "")]
    base_path: String,
    /// Log what a gateway must never send instead of refusing it, for SDKs that call the emulator
    /// directly
    #[arg(long)]
    lenient: bool,
    /// Number of entries that the log keeps; 0 turns it off
    #[arg(long, value_name = "N", default_value_t = LOG_LIMIT_DEFAULT)]
    log_limit: usize,
    /// File to append each log entry to as a JSON line
    #[arg(long, value_name = "FILE", env = JOURNAL_VARIABLE)]
    journal: Option<PathBuf>,
}

impl EmulatorArguments {
    pub(crate) fn config(self) -> Result<EmulatorConfig, UnreadablePemFile> {
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => TlsConfig::Pem {
                certificate: read(certificate)?,
                key: read(key)?,
            },
            _ => TlsConfig::Generated {
                host_names: self.tls_hosts,
            },
        };
        let demo = EmulatorConfig::default().credentials;
        Ok(EmulatorConfig {
            bind: self.bind,
            control_port: self.control,
            identity_port: self.identity_port,
            regions: self.regions,
            credentials: if self.credentials.is_empty() {
                demo
            } else {
                self.credentials
            },
            api_keys: self.api_keys,
            models: self.models,
            tls,
            strictness: if self.lenient {
                Strictness::Record
            } else {
                Strictness::Refuse
            },
            base_path: self.base_path.trim_end_matches('/').to_owned(),
            log_limit: self.log_limit,
            journal: self.journal.filter(|path| !path.as_os_str().is_empty()),
        })
    }
}

/// A file that an option names cannot be read.
#[derive(Debug)]
pub(crate) struct UnreadablePemFile {
    path: PathBuf,
    source: io::Error,
}

impl fmt::Display for UnreadablePemFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "cannot read {}: {}", self.path.display(), self.source)
    }
}

fn read(path: &Path) -> Result<String, UnreadablePemFile> {
    std::fs::read_to_string(path).map_err(|source| UnreadablePemFile {
        path: path.to_owned(),
        source,
    })
}

/// Why the value of an option is invalid.
#[derive(Debug)]
enum ValueError {
    Port(String),
    RegionName,
    Credential,
}

impl fmt::Display for ValueError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(text) => write!(out, "expected a port from 0 to 65535, but found {text:?}"),
            Self::RegionName => out.write_str("the name of the region is missing"),
            // Not the value, which may have a secret.
            Self::Credential => out.write_str("expected ID:SECRET or ID:SECRET:TOKEN"),
        }
    }
}

impl std::error::Error for ValueError {}

fn region(text: &str) -> Result<RegionConfig, ValueError> {
    let port = |text: &str| text.parse::<u16>().map_err(|_| ValueError::Port(text.to_owned()));
    let (name, ports) = text.split_once('=').unwrap_or((text, "0"));
    let (plain, tls) = ports.split_once(':').unwrap_or((ports, "0"));
    if name.is_empty() {
        return Err(ValueError::RegionName);
    }
    Ok(RegionConfig {
        name: name.to_owned(),
        plain_port: Some(port(plain)?),
        tls_port: Some(port(tls)?),
    })
}

fn credential(text: &str) -> Result<KnownCredential, ValueError> {
    let mut parts = text.splitn(3, ':').map(str::to_owned);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(id), Some(secret), token) if !id.is_empty() && !secret.is_empty() => Ok(KnownCredential {
            access_key_id: id,
            secret_access_key: secret,
            session_token: token.filter(|token| !token.is_empty()),
        }),
        _ => Err(ValueError::Credential),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_may_name_its_ports() {
        let parsed = region("us-west-2=9101:9102").unwrap();
        assert_eq!((parsed.plain_port, parsed.tls_port), (Some(9101), Some(9102)));
        assert_eq!(region("us-west-2").unwrap().plain_port, Some(0));
        assert!(region("us-west-2=x").is_err() && region("=1").is_err());
    }

    #[test]
    fn a_credential_has_a_secret_and_optionally_a_token() {
        let parsed = credential("AK:se/cret+:to:ken==").unwrap();
        assert_eq!(parsed.session_token.as_deref(), Some("to:ken=="));
        assert!(credential("AK").is_err() && credential(":s").is_err());
    }
}
