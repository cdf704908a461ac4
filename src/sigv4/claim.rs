//! The parts of an `authorization` header that somebody else has made. Nothing is verified here.

use crate::sigv4::scope::{ALGORITHM, TERMINATION};

/// What an `authorization` header claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimedSignature<'a> {
    /// Whose secret has signed.
    pub access_key_id: &'a str,
    /// The day of the scope.
    pub day: &'a str,
    /// The region of the scope. Not empty.
    pub region: &'a str,
    /// The service of the scope.
    pub service: &'a str,
    /// The names of the signed headers, separated by `;`.
    pub signed_headers: &'a str,
    /// The signature.
    pub signature: [u8; 32],
}

/// Why a header is no claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimError {
    /// It does not have this parameter, or has it twice.
    Parameter(&'static str),
    /// It has something else than these parameters.
    Unknown,
    /// The credential does not have the five parts that it must have.
    Credential,
    /// The signature is not 64 lower-case hexadecimal digits.
    Signature,
}

const CREDENTIAL: &str = "Credential";
const SIGNED_HEADERS: &str = "SignedHeaders";
const SIGNATURE: &str = "Signature";

impl<'a> ClaimedSignature<'a> {
    /// Reads `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`, with the parameters in
    /// any order. `None` if the value has another algorithm or is no signature at all.
    ///
    /// # Errors
    /// [`ClaimError`]
    pub fn parse(value: &'a [u8]) -> Option<Result<Self, ClaimError>> {
        let text = std::str::from_utf8(value).ok()?;
        let parameters = text.strip_prefix(ALGORITHM)?.strip_prefix(' ')?;
        Some(Self::of_parameters(parameters))
    }

    fn of_parameters(parameters: &'a str) -> Result<Self, ClaimError> {
        let mut values = [(CREDENTIAL, None), (SIGNED_HEADERS, None), (SIGNATURE, None)];
        for parameter in parameters.split(',') {
            let (name, value) = parameter.trim().split_once('=').ok_or(ClaimError::Unknown)?;
            let mut known = values.iter_mut();
            let (known, found) = known
                .find(|(known, _)| *known == name)
                .ok_or(ClaimError::Unknown)?;
            if found.replace(value).is_some() {
                return Err(ClaimError::Parameter(known));
            }
        }
        let [credential, signed_headers, signature] =
            values.map(|(name, value)| value.ok_or(ClaimError::Parameter(name)));
        let credential: Vec<&str> = credential?.split('/').collect();
        let [access_key_id, day, region, service, TERMINATION] = credential[..] else {
            return Err(ClaimError::Credential);
        };
        if region.is_empty() {
            return Err(ClaimError::Credential);
        }
        Ok(Self {
            access_key_id,
            day,
            region,
            service,
            signed_headers: signed_headers?,
            signature: digest(signature?).ok_or(ClaimError::Signature)?,
        })
    }
}

/// Reads 64 lower-case hexadecimal digits.
fn digest(digits: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let is_lower = !digits.bytes().any(|byte| byte.is_ascii_uppercase());
    hex::decode_to_slice(digits, &mut digest).ok()?;
    is_lower.then_some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(parameters: &str) -> Result<String, ClaimError> {
        let value = format!("{ALGORITHM} {parameters}");
        let claim = ClaimedSignature::parse(value.as_bytes()).unwrap()?;
        let ClaimedSignature {
            access_key_id,
            day,
            region,
            service,
            signed_headers,
            signature,
        } = claim;
        Ok(format!(
            "{access_key_id} {day} {region} {service} {signed_headers} {}",
            hex::encode(signature)
        ))
    }

    #[test]
    fn the_parameters_are_read_in_any_order() {
        let (credential, headers) = ("Credential=ID/20261122/r/s/aws4_request", "SignedHeaders=a;b");
        let signature = format!("Signature={}", "ab".repeat(32));
        let expected = Ok(format!("ID 20261122 r s a;b {}", "ab".repeat(32)));
        for parameters in [
            format!("{credential}, {headers}, {signature}"),
            format!("{credential},{headers},{signature}"),
            format!("{signature}, {headers} ,{credential} "),
        ] {
            assert_eq!(parsed(&parameters), expected, "{parameters}");
        }
        use ClaimError::*;
        for (parameters, expected) in [
            (format!("{headers}, {signature}"), Parameter("Credential")),
            (format!("{credential}, {signature}"), Parameter("SignedHeaders")),
            (format!("{credential}, {headers}"), Parameter("Signature")),
            (
                format!("{credential}, {headers}, {headers}, {signature}"),
                Parameter("SignedHeaders"),
            ),
            (format!("{credential}, {headers}, {signature}, X=y"), Unknown),
            (format!("{credential}, {headers}, {signature},"), Unknown),
            (String::new(), Unknown),
            (
                format!("Credential=ID/20261122/r/aws4_request, {headers}, {signature}"),
                Credential,
            ),
            (
                format!("Credential=ID/20261122//s/aws4_request, {headers}, {signature}"),
                Credential,
            ),
            (
                format!("Credential=ID/20261122/r/s/aws4, {headers}, {signature}"),
                Credential,
            ),
            (
                format!("Credential=a/ID/20261122/r/s/aws4_request, {headers}, {signature}"),
                Credential,
            ),
            (
                format!("{credential}, {headers}, Signature={}", "AB".repeat(32)),
                Signature,
            ),
            (
                format!("{credential}, {headers}, Signature={}", "ab".repeat(31)),
                Signature,
            ),
            (
                format!("{credential}, {headers}, Signature={}", "ab".repeat(33)),
                Signature,
            ),
            (format!("{credential}, {headers}, Signature="), Signature),
        ] {
            assert_eq!(parsed(&parameters), Err(expected), "{parameters}");
        }
    }

    #[test]
    fn other_algorithms_and_schemes_are_no_claims() {
        for value in [
            "",
            "Bearer x",
            "AWS4-HMAC-SHA256",
            "AWS4-ECDSA-P256-SHA256 Credential=a",
            "\u{e9}",
        ] {
            assert_eq!(ClaimedSignature::parse(value.as_bytes()), None, "{value}");
        }
        assert_eq!(ClaimedSignature::parse(b"AWS4-HMAC-SHA256 \xff"), None);
    }
}
