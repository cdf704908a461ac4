//! What the response to an attempt says about further attempts.
//!
//! Credentials, model access, quotas and availability depend on the deployment, so another one may
//! serve the request. An invalid request would be refused everywhere, so it is not retried.

use crate::contract::routing::FailureClass;

/// The verdict on the response to an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Verdict {
    /// The response is for the client: it is a success, or the request is invalid. Also used if
    /// there was no response.
    #[default]
    Final,
    /// The deployment is throttled.
    Throttled,
    /// A timeout or server error, which may be gone by the next attempt.
    Transient,
    /// The deployment refuses every request: its credentials, model access, model id, quota or
    /// endpoint are wrong. Only another deployment may succeed.
    Unusable,
}

/// Error types for throttling, regardless of the status: botocore's list and Bedrock's own
/// `ModelNotReadyException`.
const THROTTLING: [&str; 14] = [
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "ModelNotReadyException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// Error types for timeouts and server errors. Some of AWS's common errors have status 400.
const TRANSIENT: [&str; 9] = [
    "InternalFailure",
    "InternalServerException",
    "ModelErrorException",
    "ModelTimeoutException",
    "RequestAbortedException",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
];

/// Error types for a deployment that cannot be used. Most have status 403 or 404, but AWS's common
/// errors may also have status 400.
const UNUSABLE: [&str; 19] = [
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "RequestExpired",
    "ResourceNotFoundException",
    "ServiceQuotaExceededException",
    "SignatureDoesNotMatch",
    "UnknownOperationException",
    "UnrecognizedClientException",
];

/// Error types that say that AWS no longer accepts a credential.
const REFUSED_CREDENTIAL: [&str; 7] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// Whether a response says that AWS no longer accepts the credential of the request. For a Bedrock
/// API key, AWS says only that access is denied.
pub(crate) fn refuses_credential(status: u16, error_type: Option<&[u8]>, is_api_key: bool) -> bool {
    let name = error_type.map(error_name).unwrap_or_default();
    let mut names = REFUSED_CREDENTIAL.iter();
    let is_refused = names.any(|known| known.as_bytes().eq_ignore_ascii_case(name));
    let is_denied = is_api_key && name.eq_ignore_ascii_case(b"AccessDeniedException");
    matches!(status, 400 | 401 | 403) && (is_refused || is_denied)
}

/// Whether a response says that the request is invalid, as one is that is too long for the model.
pub(crate) fn is_invalid_request(error_type: Option<&[u8]>) -> bool {
    error_type.is_some_and(|value| error_name(value).eq_ignore_ascii_case(b"ValidationException"))
}

impl Verdict {
    /// The class of a failure with this status.
    pub(crate) const fn class(self, status: u16) -> FailureClass {
        match (self, status) {
            (Self::Final, _) => FailureClass::BadRequest,
            (Self::Throttled, _) => FailureClass::RateLimit,
            (Self::Unusable, _) => FailureClass::Authentication,
            (Self::Transient, 408 | 424 | 504) => FailureClass::Timeout,
            (Self::Transient, _) => FailureClass::InternalServer,
        }
    }

    /// Judges a response by its status and its `x-amzn-errortype`.
    pub(crate) fn of(status: u16, error_type: Option<&[u8]>) -> Self {
        match status {
            429 => Self::Throttled,
            408 | 424 | 500..=599 => Self::Transient,
            400..=499 => error_type.map_or_else(
                || Self::of_client_error(status),
                |name| Self::of_error_type(error_name(name)).unwrap_or_else(|| Self::of_client_error(status)),
            ),
            200..=299 => Self::Final,
            // Bedrock never redirects or switches protocols, so this is not a Bedrock endpoint or
            // the scheme is wrong.
            _ => Self::Unusable,
        }
    }

    /// Compares case-insensitively: in event streams, Bedrock itself sends `throttlingException`.
    fn of_error_type(name: &[u8]) -> Option<Self> {
        let is_in = |names: &[&str]| {
            let mut names = names.iter();
            names.any(|known| known.as_bytes().eq_ignore_ascii_case(name))
        };
        if is_in(&THROTTLING) {
            Some(Self::Throttled)
        } else if is_in(&TRANSIENT) {
            Some(Self::Transient)
        } else if is_in(&UNUSABLE) {
            Some(Self::Unusable)
        } else {
            None
        }
    }

    /// Judges by the status alone. The gateway chooses the credentials, model id, host, path and
    /// method, so errors about these are the deployment's. Only custom endpoints return 405, 407,
    /// 410 and 421.
    const fn of_client_error(status: u16) -> Self {
        match status {
            401..=405 | 407 | 410 | 421 => Self::Unusable,
            _ => Self::Final,
        }
    }
}

/// Extracts the name from an `x-amzn-errortype`, as AWS SDKs do: `Name`, `Name:http://…` or
/// `namespace#Name`.
pub(crate) fn error_name(value: &[u8]) -> &[u8] {
    let name = value.split(|byte| *byte == b':').next().unwrap_or_default();
    name.rsplit(|byte| *byte == b'#')
        .next()
        .unwrap_or_default()
        .trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, error_type: &str) -> Verdict {
        Verdict::of(status, Some(error_type.as_bytes()))
    }

    #[test]
    fn without_an_error_type_the_status_decides() {
        for status in 0..=999 {
            let expected = match status {
                429 => Verdict::Throttled,
                408 | 424 | 500..=599 => Verdict::Transient,
                200..=299 | 400 | 406 | 409 | 411..=420 | 422 | 423 | 425 | 426..=499 => Verdict::Final,
                _ => Verdict::Unusable,
            };
            assert_eq!(Verdict::of(status, None), expected, "{status}");
            assert_eq!(verdict(status, "NobodyKnowsException"), expected, "{status}");
            assert_eq!(verdict(status, ""), expected, "{status}");
        }
    }

    #[test]
    fn errors_about_the_request_are_final() {
        for (status, error_type) in [
            (400, "ValidationException"),
            (400, "SerializationException"),
            (400, "ConflictException"),
            (400, "MalformedHttpRequestException"),
            (409, "ConflictException"),
            (413, "ValidationException"),
            (413, "RequestEntityTooLargeException"),
            (415, "UnsupportedMediaTypeException"),
            (422, ""),
        ] {
            assert_eq!(
                verdict(status, error_type),
                Verdict::Final,
                "{status} {error_type}"
            );
        }
    }

    #[test]
    fn throttling_is_recognized_with_any_status() {
        for error_type in [
            "ThrottlingException",
            "ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/",
            "com.amazon.coral.availability#ThrottlingException",
            "com.amazonaws.bedrock#ThrottlingException:http://internal.amazon.com/coral/",
            "TooManyRequestsException",
            "ModelNotReadyException",
            "throttlingException",
        ] {
            for status in [400, 403, 429] {
                assert_eq!(
                    verdict(status, error_type),
                    Verdict::Throttled,
                    "{status} {error_type}"
                );
            }
        }
        for other in ["ThrottlingExceptions", "Throttling Exception", "#", ":"] {
            assert_eq!(verdict(400, other), Verdict::Final, "{other}");
        }
    }

    #[test]
    fn common_aws_errors_are_recognized_with_status_400() {
        for (error_type, expected) in [
            ("ExpiredTokenException", Verdict::Unusable),
            (
                "AccessDeniedException:http://internal.amazon.com/coral/com.amazon.coral.service/",
                Verdict::Unusable,
            ),
            ("IncompleteSignature", Verdict::Unusable),
            ("ServiceQuotaExceededException", Verdict::Unusable),
            ("ServiceUnavailable", Verdict::Transient),
            ("RequestTimeoutException", Verdict::Transient),
        ] {
            assert_eq!(verdict(400, error_type), expected, "{error_type}");
        }
    }

    #[test]
    fn a_refused_credential_differs_from_one_without_permission() {
        for (status, error_type, is_api_key, expected) in [
            (403, "ExpiredTokenException", false, true),
            (
                403,
                "UnrecognizedClientException:http://internal.amazon.com/",
                true,
                true,
            ),
            (400, "InvalidSignatureException", false, true),
            (403, "AccessDeniedException", false, false),
            (403, "AccessDeniedException", true, true),
            (403, "", true, false),
            (500, "ExpiredTokenException", false, false),
        ] {
            let found = refuses_credential(status, Some(error_type.as_bytes()), is_api_key);
            assert_eq!(found, expected, "{status} {error_type} {is_api_key}");
        }
    }

    #[test]
    fn outside_4xx_only_the_status_counts() {
        assert_eq!(verdict(200, "ThrottlingException"), Verdict::Final);
        assert_eq!(verdict(503, "AccessDeniedException"), Verdict::Transient);
    }

    #[test]
    fn the_lists_are_sorted_and_share_no_name() {
        let mut all: Vec<&str> = Vec::new();
        for list in [&THROTTLING[..], &TRANSIENT, &UNUSABLE] {
            assert!(list.is_sorted());
            all.extend(list);
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
