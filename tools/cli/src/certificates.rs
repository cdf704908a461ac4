//! A CA and a certificate for the local TLS listener, made once and kept while they are good.
//!
//! The CA's key is forgotten at once: whoever trusts this CA trusts one certificate of this machine and can be shown
//! no other. Both are made anew together.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::state::{private_directory, private_file};

/// How long a certificate is good for.
const VALIDITY: Duration = Duration::days(365);
/// How much of that has to be left for it to be used.
const VALIDITY_LEFT_MIN: Duration = Duration::days(30);
/// Clocks that are behind this one see a certificate that is good already.
const CLOCK_SLACK: Duration = Duration::days(1);

/// Where the files are.
#[derive(Clone, Debug)]
pub struct LocalCertificate {
    /// What clients have to trust, in PEM.
    pub ca: PathBuf,
    /// The listener's certificate, in PEM.
    pub certificate: PathBuf,
    /// Its key, in PEM, for this user alone.
    pub key: PathBuf,
}

/// What the files were made for; kept beside them, so that nothing has to be parsed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CertificateRecord {
    names: Vec<String>,
    expires_unix_seconds: i64,
}

/// The certificate in `directory`, made now if there is none, if it is about to expire or if this machine has another
/// name.
///
/// # Errors
///
/// One line, when the files cannot be made.
pub fn ensure(directory: &Path) -> Result<LocalCertificate, String> {
    let host_name = gethostname::gethostname().into_string().ok();
    ensure_at(directory, host_name, OffsetDateTime::from(SystemTime::now()))
}

fn ensure_at(
    directory: &Path,
    host_name: Option<String>,
    now: OffsetDateTime,
) -> Result<LocalCertificate, String> {
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
        make(directory, &local, &record, now).map_err(|error| {
            format!(
                "expected to make a certificate in {}, but found: {error}",
                directory.display()
            )
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
) -> Result<(), Box<dyn std::error::Error>> {
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
    private_file(&record_path(directory), &serde_json::to_string(record)?)?;
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
    fn a_certificate_is_kept_until_it_is_about_to_expire() {
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
    fn a_certificate_is_made_anew_when_a_file_is_gone_or_the_machine_has_another_name() {
        let directory = tempfile::tempdir().unwrap();
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let first = certificate(directory.path(), "here", now);
        std::fs::remove_file(directory.path().join("key.pem")).unwrap();
        let second = certificate(directory.path(), "here", now);
        assert_ne!(second, first);
        assert_ne!(certificate(directory.path(), "there", now), second);
    }

    #[test]
    fn every_name_by_which_this_machine_is_reached_is_in_it() {
        let expected = ["localhost", "here", "127.0.0.1", "::1", "0.0.0.0"];
        assert_eq!(names(Some("here".to_owned())), expected);
        assert_eq!(names(Some("localhost".to_owned())).len(), 4);
    }
}
