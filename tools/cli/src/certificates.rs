//! A CA and a certificate for the local TLS listener, created once and kept while they are valid.
//!
//! The CA's key is discarded at once, so the CA can never sign another certificate: whoever trusts
//! it trusts this one certificate only. Both are replaced together.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::{Duration, OffsetDateTime};

use crate::state::{private_directory, private_file};

/// Lifetime of a certificate.
const VALIDITY: Duration = Duration::days(365);
/// Shortest remaining lifetime at which a certificate is still used.
const VALIDITY_LEFT_MIN: Duration = Duration::days(30);
/// Certificates are valid from this long ago, for clients whose clocks are slow.
const CLOCK_SLACK: Duration = Duration::days(1);

/// Why the certificate cannot be created.
#[derive(Debug, Error)]
#[error("cannot create a certificate in {}: {problem}", directory.display())]
pub(crate) struct CertificateError {
    directory: PathBuf,
    problem: CertificateProblem,
}

/// Why creating a certificate failed.
#[derive(Debug, Error)]
enum CertificateProblem {
    #[error(transparent)]
    Generation(#[from] rcgen::Error),
    #[error(transparent)]
    File(#[from] std::io::Error),
}

/// The files.
#[derive(Clone, Debug)]
pub(crate) struct LocalCertificate {
    /// The CA certificate, which clients must trust, in PEM.
    pub(crate) ca: PathBuf,
    /// The listener's certificate, in PEM.
    pub(crate) certificate: PathBuf,
    /// Its key, in PEM; only this user can read it.
    pub(crate) key: PathBuf,
}

/// What the certificate is for, kept next to it so that no certificate has to be parsed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CertificateRecord {
    names: Vec<String>,
    expires_unix_seconds: i64,
}

/// The certificate in `directory`. It is created if it does not exist, expires soon, or is for
/// another host name.
///
/// # Errors
///
/// The files cannot be created.
pub(crate) fn ensure(directory: &Path) -> Result<LocalCertificate, CertificateError> {
    let host_name = gethostname::gethostname().into_string().ok();
    ensure_at(directory, host_name, OffsetDateTime::from(SystemTime::now()))
}

fn ensure_at(
    directory: &Path,
    host_name: Option<String>,
    now: OffsetDateTime,
) -> Result<LocalCertificate, CertificateError> {
    let local = LocalCertificate {
        ca: directory.join("ca.pem"),
        certificate: directory.join("certificate.pem"),
        key: directory.join("key.pem"),
    };
    let record = CertificateRecord {
        names: names(host_name),
        expires_unix_seconds: (now + VALIDITY).unix_timestamp(),
    };
    if !is_usable(directory, &local, &record.names, now) {
        make(directory, &local, &record, now).map_err(|problem| CertificateError {
            directory: directory.to_owned(),
            problem,
        })?;
    }
    Ok(local)
}

fn names(host_name: Option<String>) -> Vec<String> {
    let addresses = [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    ];
    let mut names = vec!["localhost".to_owned()];
    let is_name = |name: &String| name.is_ascii() && !name.is_empty() && name != "localhost";
    names.extend(host_name.filter(is_name));
    names.extend(addresses.map(|address| address.to_string()));
    names
}

fn record_path(directory: &Path) -> PathBuf {
    directory.join("made-for.json")
}

fn is_usable(directory: &Path, local: &LocalCertificate, names: &[String], now: OffsetDateTime) -> bool {
    let record = std::fs::read(record_path(directory)).ok();
    let record: Option<CertificateRecord> = record.and_then(|json| serde_json::from_slice(&json).ok());
    record.is_some_and(|record| {
        record.names == names && record.expires_unix_seconds >= (now + VALIDITY_LEFT_MIN).unix_timestamp()
    }) && [&local.ca, &local.certificate, &local.key]
        .into_iter()
        .all(|path| path.is_file())
}

fn make(
    directory: &Path,
    local: &LocalCertificate,
    record: &CertificateRecord,
    now: OffsetDateTime,
) -> Result<(), CertificateProblem> {
    let valid = |params: &mut CertificateParams| {
        params.not_before = now - CLOCK_SLACK;
        params.not_after = now + VALIDITY;
    };
    let mut ca = CertificateParams::default();
    ca.distinguished_name
        .push(DnType::CommonName, "envoy-bedrock local CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid(&mut ca);
    let ca_key = KeyPair::generate()?;
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let issuer = Issuer::new(ca, ca_key);

    let mut leaf = CertificateParams::new(record.names.clone())?;
    leaf.distinguished_name.push(DnType::CommonName, "envoy-bedrock");
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    valid(&mut leaf);
    let leaf_key = KeyPair::generate()?;
    let leaf_pem = leaf.signed_by(&leaf_key, &issuer)?.pem();

    private_directory(directory)?;
    private_file(&local.ca, &ca_pem)?;
    private_file(&local.certificate, &leaf_pem)?;
    private_file(&local.key, &leaf_key.serialize_pem())?;
    let record = serde_json::to_string(record).expect("text and numbers are JSON");
    private_file(&record_path(directory), &record)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(directory: &Path, host_name: &str, now: OffsetDateTime) -> String {
        let local = ensure_at(directory, Some(host_name.to_owned()), now).unwrap();
        std::fs::read_to_string(local.certificate).unwrap()
    }

    #[test]
    fn a_certificate_is_kept_until_it_expires_soon() {
        let directory = tempfile::tempdir().unwrap();
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let first = certificate(directory.path(), "here", now);
        let last_day = now + VALIDITY - VALIDITY_LEFT_MIN;
        assert_eq!(certificate(directory.path(), "here", last_day), first);
        assert_ne!(
            certificate(directory.path(), "here", last_day + Duration::seconds(1)),
            first
        );
    }

    #[test]
    fn a_certificate_is_replaced_if_a_file_is_missing_or_the_host_name_changes() {
        let directory = tempfile::tempdir().unwrap();
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let first = certificate(directory.path(), "here", now);
        std::fs::remove_file(directory.path().join("key.pem")).unwrap();
        let second = certificate(directory.path(), "here", now);
        assert_ne!(second, first);
        assert_ne!(certificate(directory.path(), "there", now), second);
    }

    #[test]
    fn a_certificate_is_for_every_local_name_and_address() {
        let expected = ["localhost", "here", "127.0.0.1", "::1", "0.0.0.0"];
        assert_eq!(names(Some("here".to_owned())), expected);
        assert_eq!(names(Some("localhost".to_owned())).len(), 4);
    }
}
