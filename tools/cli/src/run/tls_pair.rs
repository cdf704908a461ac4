//! The certificate and the key of the TLS listener, of which Envoy gets copies that are known to be
//! good.
//!
//! A renewal may leave a broken file, or a certificate without its key. A running Envoy would keep
//! what it has, but one that starts would have no TLS listener. So the files are checked first, and
//! Envoy reads the copies of the last good pair, which end with this process.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use envoy_bedrock::time::UnixTime;
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::process::Command;
use tokio::time::timeout;
use x509_parser::pem::Pem;

use crate::render::{self, Tls};
use crate::state::{private_directory, private_file};

/// Time limit for the check by Envoy, which takes a tenth of a second.
const CHECK_MAX: Duration = Duration::from_secs(30);
/// The variables that Envoy needs to check a pair.
const ENVIRONMENT: [&str; 2] = ["PATH", "LD_LIBRARY_PATH"];
/// Digits in the name of a pair's directory.
const NAME_DIGITS: usize = 16;

/// Why a pair cannot be used.
#[derive(Debug, Error)]
#[error("the TLS certificate {certificate} with the key {key}: {problem}")]
pub(super) struct TlsPairError {
    certificate: String,
    key: String,
    problem: TlsPairProblem,
}

/// What is wrong with a pair.
#[derive(Debug, Error)]
enum TlsPairProblem {
    #[error("cannot read {path}: {error}")]
    Unreadable { path: String, error: io::Error },
    #[error("expected a certificate in PEM, but found none that can be read")]
    NoCertificate,
    #[error("expected a certificate that is valid now, but found one from {from} to {until}")]
    NotValidNow { from: String, until: String },
    #[error("Envoy refuses it: {0}")]
    Refused(String),
    #[error("cannot let Envoy check it: {0}")]
    Unchecked(io::Error),
    #[error("cannot copy it to {}: {error}", path.display())]
    Uncopied { path: PathBuf, error: io::Error },
}

/// The pair that the user named or `run` made.
pub(super) struct TlsPair {
    files: Tls,
    envoy: PathBuf,
    /// The private directory for copies.
    directory: PathBuf,
    /// The copies of the last good pair.
    good: Option<Tls>,
}

impl TlsPair {
    /// The pair in `files`, which this binary of Envoy will read from copies in `directory`.
    pub(super) fn new(files: &Tls, envoy: &Path, directory: &Path) -> Self {
        Self {
            files: files.clone(),
            envoy: envoy.to_owned(),
            directory: directory.to_owned(),
            good: None,
        }
    }

    /// The files to watch.
    pub(super) fn files(&self) -> [PathBuf; 2] {
        [&self.files.certificate, &self.files.key].map(PathBuf::from)
    }

    /// Copies of the files, which are checked if they are new.
    ///
    /// # Errors
    /// Why the files cannot be used. Earlier copies stay usable.
    pub(super) async fn copies(&mut self) -> Result<Tls, TlsPairError> {
        match self.good_copies().await {
            Ok(copies) => Ok(self.good.insert(copies).clone()),
            Err(problem) => Err(TlsPairError {
                certificate: self.files.certificate.clone(),
                key: self.files.key.clone(),
                problem,
            }),
        }
    }

    async fn good_copies(&self) -> Result<Tls, TlsPairProblem> {
        let (certificate, key) = (read(&self.files.certificate)?, read(&self.files.key)?);
        let directory = self.directory.join(name(&certificate, &key));
        let copies = Tls {
            port: self.files.port,
            certificate: directory.join("certificate.pem").to_string_lossy().into_owned(),
            key: directory.join("key.pem").to_string_lossy().into_owned(),
        };
        if self.good.as_ref() == Some(&copies) {
            return Ok(copies);
        }
        match check_validity(&certificate) {
            // Without a better pair, an expired one serves clients that accept it, and the plain
            // listener serves the others.
            Err(problem @ TlsPairProblem::NotValidNow { .. }) if self.good.is_none() => {
                tracing::warn!("the TLS certificate {}: {problem}", self.files.certificate);
            }
            outcome => outcome?,
        }
        let copied = private_directory(&directory)
            .and_then(|()| private_file(Path::new(&copies.certificate), &certificate))
            .and_then(|()| private_file(Path::new(&copies.key), &key));
        copied.map_err(|error| TlsPairProblem::Uncopied {
            path: directory.clone(),
            error,
        })?;
        let outcome = self
            .check_with_envoy(&copies, &directory.join("check.json"))
            .await;
        if outcome.is_err() {
            let _ = std::fs::remove_dir_all(&directory);
        }
        outcome.map(|()| copies)
    }

    /// Whether Envoy can serve with a pair: only Envoy knows which keys it supports. It does not
    /// look at the validity.
    async fn check_with_envoy(&self, copies: &Tls, configuration: &Path) -> Result<(), TlsPairProblem> {
        let text = render::tls_listener_only(copies).to_string();
        private_file(configuration, &text).map_err(TlsPairProblem::Unchecked)?;
        let mut command = Command::new(&self.envoy);
        command
            .args(["--mode", "validate", "--disable-hot-restart"])
            .args(["--log-level", "error", "--log-format", "%v"])
            .arg("--config-path")
            .arg(configuration);
        command.env_clear();
        command.envs(
            ENVIRONMENT
                .iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        );
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = timeout(CHECK_MAX, command.output()).await;
        let output = output.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let output = output.map_err(TlsPairProblem::Unchecked)?;
        if output.status.success() {
            return Ok(());
        }
        Err(TlsPairProblem::Refused(
            self.reason(copies, &String::from_utf8_lossy(&output.stderr)),
        ))
    }

    /// The last error of Envoy, about the files and not about the copies.
    fn reason(&self, copies: &Tls, log: &str) -> String {
        let line = log.trim().lines().last().unwrap_or_default();
        // error initializing configuration '…': Failed to load …
        let reason = line.split_once("': ").map_or(line, |(_, reason)| reason);
        reason
            .replace(&copies.certificate, &self.files.certificate)
            .replace(&copies.key, &self.files.key)
    }
}

fn read(path: &str) -> Result<String, TlsPairProblem> {
    std::fs::read_to_string(path).map_err(|error| TlsPairProblem::Unreadable {
        path: path.to_owned(),
        error,
    })
}

/// A name for the directory of a pair, the same for the same pair.
fn name(certificate: &str, key: &str) -> String {
    let mut digest = Sha256::new();
    for text in [certificate, key] {
        digest.update(Sha256::digest(text));
    }
    let mut digits = hex::encode(digest.finalize());
    digits.truncate(NAME_DIGITS);
    format!("tls.{digits}")
}

/// Whether the first certificate of a chain, the server's own, is valid now.
fn check_validity(chain: &str) -> Result<(), TlsPairProblem> {
    let pems = Pem::iter_from_buffer(chain.as_bytes()).filter_map(Result::ok);
    let own = pems.into_iter().find(|pem| pem.label == "CERTIFICATE");
    let own = own.ok_or(TlsPairProblem::NoCertificate)?;
    let certificate = own.parse_x509().map_err(|_| TlsPairProblem::NoCertificate)?;
    let validity = certificate.validity();
    let (from, until) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    if (from..=until).contains(&i64::try_from(now).unwrap_or(i64::MAX)) {
        return Ok(());
    }
    let date = |seconds: i64| {
        let time = UnixTime::from_seconds(u64::try_from(seconds).unwrap_or(0));
        time.rfc3339().as_str().to_owned()
    };
    Err(TlsPairProblem::NotValidNow {
        from: date(from),
        until: date(until),
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use time::{Duration, OffsetDateTime};

    use super::*;

    fn certificate(from: Duration, until: Duration) -> String {
        let now = OffsetDateTime::from(SystemTime::now());
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = now + from;
        params.not_after = now + until;
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[test]
    fn a_certificate_must_be_valid_now() {
        let hour = Duration::HOUR;
        let valid = certificate(-hour, hour);
        assert!(check_validity(&valid).is_ok());
        for other in [certificate(-hour * 2, -hour), certificate(hour, hour * 2)] {
            let found = check_validity(&other);
            assert!(matches!(found, Err(TlsPairProblem::NotValidNow { .. })));
            // What clients see is the first certificate of a chain.
            assert!(check_validity(&format!("{other}{valid}")).is_err());
            assert!(check_validity(&format!("{valid}{other}")).is_ok());
        }
    }

    #[test]
    fn a_certificate_must_be_readable() {
        let key = KeyPair::generate().unwrap().serialize_pem();
        let valid = certificate(-Duration::HOUR, Duration::HOUR);
        let cut = &valid[..valid.len() / 2];
        let damaged = valid.replace("MII", "MIJ");
        for text in ["", "nonsense", &key, cut, &damaged] {
            let found = check_validity(text);
            assert!(matches!(found, Err(TlsPairProblem::NoCertificate)), "{text}");
        }
    }

    #[test]
    fn a_name_depends_on_both_files() {
        let names = [name("a", "b"), name("a", "c"), name("b", "b"), name("ab", "")];
        for (index, one) in names.iter().enumerate() {
            assert!(!names[..index].contains(one));
        }
    }
}
