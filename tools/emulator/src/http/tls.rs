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

use crate::config::{RegionConfig, TlsConfig};
use crate::error::TlsError;

/// A certificate, ready to be served.
pub(crate) struct TlsIdentity {
    pub(crate) acceptor: TlsAcceptor,
    /// The certificate that clients must trust, in PEM.
    pub(crate) ca_pem: String,
}

pub(crate) fn identity(config: &TlsConfig, regions: &[RegionConfig]) -> Result<TlsIdentity, TlsError> {
    let (certificate, key, ca_pem) = match config {
        TlsConfig::Pem { certificate, key } => (certificate.clone(), key.clone(), certificate.clone()),
        TlsConfig::Generated { host_names } => {
            generate(&subject_names(host_names, regions)).map_err(TlsError::Generate)?
        }
    };
    Ok(TlsIdentity {
        acceptor: acceptor(&certificate, &key)?,
        ca_pem,
    })
}

fn subject_names(host_names: &[String], regions: &[RegionConfig]) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    names.extend(
        regions
            .iter()
            .map(|region| format!("bedrock-runtime.{}.amazonaws.com", region.name)),
    );
    names.extend(host_names.iter().cloned());
    names.sort();
    names.dedup();
    names
}

/// A certificate, its key and its CA, all in PEM.
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

fn acceptor(certificate: &str, key: &str) -> Result<TlsAcceptor, TlsError> {
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(TlsError::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(TlsError::Key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Pair)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Pair)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
