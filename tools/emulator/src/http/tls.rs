//! The certificate of the TLS ports.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::{EmulatorError, TlsConfig};

/// A certificate, ready to be served.
pub(crate) struct TlsIdentity {
    pub(crate) acceptor: TlsAcceptor,
    /// What clients have to trust, in PEM.
    pub(crate) ca_pem: String,
}

pub(crate) fn identity(config: &TlsConfig, regions: &[&str]) -> Result<TlsIdentity, EmulatorError> {
    let (certificate, key, ca_pem) = match config {
        TlsConfig::Pem { certificate, key } => (certificate.clone(), key.clone(), certificate.clone()),
        TlsConfig::Generated { host_names } => {
            generate(&names(host_names, regions)).map_err(|error| EmulatorError::Tls(error.to_string()))?
        }
    };
    Ok(TlsIdentity {
        acceptor: acceptor(&certificate, &key)?,
        ca_pem,
    })
}

fn names(given: &[String], regions: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    names.extend(
        regions
            .iter()
            .map(|region| format!("bedrock-runtime.{region}.amazonaws.com")),
    );
    names.extend(given.iter().cloned());
    names.sort();
    names.dedup();
    names
}

/// Certificate, key and CA, all in PEM.
fn generate(names: &[String]) -> Result<(String, String, String), rcgen::Error> {
    let mut ca = CertificateParams::default();
    ca.distinguished_name
        .push(DnType::CommonName, "bedrock-emulator CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_key = KeyPair::generate()?;
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let issuer = Issuer::new(ca, ca_key);

    let mut leaf = CertificateParams::new(names)?;
    leaf.distinguished_name
        .push(DnType::CommonName, "bedrock-emulator");
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    let leaf_key = KeyPair::generate()?;
    let certificate = leaf.signed_by(&leaf_key, &issuer)?.pem();
    Ok((certificate, leaf_key.serialize_pem(), ca_pem))
}

fn acceptor(certificate: &str, key: &str) -> Result<TlsAcceptor, EmulatorError> {
    let wrong = |what: &str, error: &dyn std::fmt::Display| EmulatorError::Tls(format!("{what}: {error}"));
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
    let chain = chain.map_err(|error| wrong("certificate", &error))?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| wrong("key", &error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("protocol", &error))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| wrong("pair", &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
