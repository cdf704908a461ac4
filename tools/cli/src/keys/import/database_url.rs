//! The URL of LiteLLM's database, with the parameters of Prisma, LiteLLM's client, and of libpq.

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use postgres::Config;
use postgres::config::{Host, SslMode};

/// How long a connection may take, unless the URL says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Parameters that the client understands.
const OF_CLIENT: [&str; 18] = [
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "options",
    "password",
    "port",
    "sslnegotiation",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];
/// Parameters for certificates of clients.
const OF_CLIENT_CERTIFICATES: [&str; 3] = ["sslidentity", "sslkey", "sslpassword"];
/// The schema that Prisma uses unless the URL names another one.
const SCHEMA: &str = "public";

/// How the server's certificate is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verification {
    /// Not at all, as with libpq's `sslmode=require`.
    Nothing,
    /// Who has signed it.
    Authority,
    /// Who has signed it, and for which host.
    Full,
}

/// Where LiteLLM's tables are.
pub(super) struct DatabaseUrl {
    pub(super) config: Config,
    pub(super) schema: String,
    pub(super) verification: Verification,
    /// The authorities of the server's certificate; the system's if absent.
    pub(super) authorities: Option<PathBuf>,
}

impl DatabaseUrl {
    /// Parses a URL. Errors contain nothing of it but names of parameters.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        if !["postgresql://", "postgres://"]
            .iter()
            .any(|scheme| url.starts_with(scheme))
        {
            return Err("expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE".to_owned());
        }
        // A password can contain a question mark.
        let host = url.find('@').unwrap_or(0);
        let (base, query) = match url.get(host..).and_then(|rest| rest.find('?')) {
            Some(length) => url.split_at(host + length),
            None => (url, ""),
        };
        let mut parsed = UrlParameters::default();
        for parameter in query
            .trim_start_matches('?')
            .split('&')
            .filter(|text| !text.is_empty())
        {
            let (name, value) = parameter
                .split_once('=')
                .ok_or_else(|| "expected NAME=VALUE after the question mark".to_owned())?;
            parsed.add(name, value)?;
        }
        let ssl_mode = parsed.ssl_mode()?;
        let verification = parsed.verification();
        let client = parsed.of_client.join("&");
        let mut config: Config = format!("{base}?{client}").parse().map_err(described)?;
        config.ssl_mode(ssl_mode);
        if config.get_application_name().is_none() {
            config.application_name("envoy-bedrock keys import");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        Ok(Self {
            config,
            schema: parsed.schema.unwrap_or_else(|| SCHEMA.to_owned()),
            verification,
            authorities: parsed
                .authorities
                .filter(|path| path != "system")
                .map(PathBuf::from),
        })
    }

    /// The host and port, for messages.
    pub(super) fn server(&self) -> String {
        let host = self.config.get_hosts().first().map_or_else(
            || "localhost".to_owned(),
            |host| match host {
                Host::Tcp(name) => name.clone(),
                Host::Unix(folder) => folder.display().to_string(),
            },
        );
        let port = self.config.get_ports().first().unwrap_or(&5432);
        format!("{host}:{port}")
    }
}

/// The parameters of a URL.
#[derive(Default)]
struct UrlParameters {
    of_client: Vec<String>,
    schema: Option<String>,
    mode: Option<String>,
    authorities: Option<String>,
    is_strict: bool,
}

impl UrlParameters {
    fn add(&mut self, name: &str, value: &str) -> Result<(), String> {
        let text = || {
            let decoded = percent_decode_str(value).decode_utf8();
            decoded
                .map(|text| text.into_owned())
                .map_err(|_| format!("{name} is not UTF-8"))
        };
        match name {
            "schema" => self.schema = Some(text()?),
            "sslmode" => self.mode = Some(text()?),
            // For Prisma, `sslcert` is the certificate of the authority.
            "sslrootcert" | "sslcert" => self.authorities = Some(text()?),
            "sslaccept" => self.is_strict = value == "strict",
            _ if OF_CLIENT_CERTIFICATES.contains(&name) => {
                return Err(format!(
                    "{name}: certificates of clients are not supported here: export the tables with psql"
                ));
            }
            _ if OF_CLIENT.contains(&name) => self.of_client.push(format!("{name}={value}")),
            // The others are for a pool of connections.
            _ => {}
        }
        Ok(())
    }

    fn ssl_mode(&self) -> Result<SslMode, String> {
        match self.mode.as_deref() {
            Some("disable") => Ok(SslMode::Disable),
            Some("require" | "verify-ca" | "verify-full") => Ok(SslMode::Require),
            None | Some("prefer" | "allow") if self.is_strict => Ok(SslMode::Require),
            None | Some("prefer" | "allow") => Ok(SslMode::Prefer),
            Some(_) => {
                let modes = "disable, allow, prefer, require, verify-ca or verify-full";
                Err(format!("sslmode: expected {modes}, but found another word"))
            }
        }
    }

    /// As libpq does, `require` verifies who has signed the certificate if an authority is named.
    fn verification(&self) -> Verification {
        match self.mode.as_deref() {
            Some("verify-full") => Verification::Full,
            _ if self.is_strict => Verification::Full,
            Some("verify-ca") => Verification::Authority,
            Some("require") if self.authorities.is_some() => Verification::Authority,
            _ => Verification::Nothing,
        }
    }
}

/// An error of the client with its causes. Neither has a password.
pub(super) fn described(error: postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(parameters: &str) -> DatabaseUrl {
        DatabaseUrl::parse(&format!("postgresql://u:p%40?@db:6432/litellm{parameters}")).unwrap()
    }

    #[test]
    fn the_url_of_prisma_is_understood() {
        let url =
            parsed("?schema=my%20keys&connection_limit=5&pgbouncer=true&connect_timeout=3&sslmode=disable");
        assert_eq!(url.schema, "my keys");
        assert_eq!(url.config.get_user(), Some("u"));
        assert_eq!(url.config.get_password(), Some("p@?".as_bytes()));
        assert_eq!(
            (url.config.get_dbname(), url.config.get_ports()),
            (Some("litellm"), &[6432][..])
        );
        assert_eq!(url.config.get_connect_timeout(), Some(&Duration::from_secs(3)));
        assert_eq!(url.config.get_ssl_mode(), SslMode::Disable);
        assert_eq!(parsed("").schema, "public");
    }

    #[test]
    fn sslmode_decides_what_is_verified() {
        for (parameters, mode, verification) in [
            ("", SslMode::Prefer, Verification::Nothing),
            ("?sslmode=prefer", SslMode::Prefer, Verification::Nothing),
            ("?sslmode=require", SslMode::Require, Verification::Nothing),
            (
                "?sslmode=require&sslrootcert=ca.pem",
                SslMode::Require,
                Verification::Authority,
            ),
            ("?sslmode=verify-ca", SslMode::Require, Verification::Authority),
            ("?sslmode=verify-full", SslMode::Require, Verification::Full),
            ("?sslaccept=strict", SslMode::Require, Verification::Full),
        ] {
            let url = parsed(parameters);
            assert_eq!(
                (url.config.get_ssl_mode(), url.verification),
                (mode, verification),
                "{parameters}"
            );
        }
        assert_eq!(parsed("?sslmode=verify-ca&sslrootcert=system").authorities, None);
        assert_eq!(
            parsed("?sslcert=/a/ca.pem").authorities,
            Some(PathBuf::from("/a/ca.pem"))
        );
    }

    #[test]
    fn an_error_names_the_parameter_and_nothing_secret() {
        for (url, part) in [
            ("mysql://u:s3cret@db/x", "postgresql://"),
            ("postgresql://u:s3cret@db/x?sslmode=s3cret", "sslmode"),
            ("postgresql://u:s3cret@db/x?sslkey=s3cret", "sslkey"),
            ("postgresql://u:s3cret@db/x?s3cret", "NAME=VALUE"),
            ("postgresql://u:s3cret@db:s3cret/x", "port"),
            (
                "postgresql://u:s3cret@db/x?connect_timeout=s3cret",
                "connect_timeout",
            ),
        ] {
            let error = DatabaseUrl::parse(url).err().unwrap();
            assert!(error.contains(part) && !error.contains("s3cret"), "{error}");
        }
    }
}
