//! What the answer to one attempt says about the attempts that are left.
//!
//! Credentials, model access, quotas and availability belong to the deployment, not to the caller: another deployment
//! may serve the same request. What the caller sent would be refused anywhere, so it is asked once.

/// The answer to an attempt, judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The answer is the client's: it is good, or the request itself is at fault. Also when there was no answer.
    #[default]
    Final,
    /// The deployment has no capacity at the moment.
    Throttled,
    /// A time-out or a fault of the server, which may be over by the next attempt.
    Transient,
    /// The deployment refuses whatever it is asked: its credentials, its access to the model, its model id, its quota or
    /// its endpoint are wrong. Only another deployment can do better.
    Unusable,
}

/// Error types of throttling, whatever the status: botocore's list, and Bedrock's own `ModelNotReadyException`.
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

/// Error types of time-outs and server faults. AWS's common errors list some of them with status 400.
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

/// Error types of a deployment that cannot be used. Most come with 403 or 404; AWS's common errors list them with 400 too.
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

impl Verdict {
    /// Judges an answer by its status and the value of its `x-amzn-errortype`.
    pub fn of(status: u16, error_type: Option<&[u8]>) -> Self {
        match status {
            429 => Self::Throttled,
            408 | 424 | 500..=599 => Self::Transient,
            400..=499 => error_type.map_or_else(
                || Self::of_client_error(status),
                |name| Self::of_error_type(error_name(name)).unwrap_or_else(|| Self::of_client_error(status)),
            ),
            // Bedrock never redirects: an endpoint that does is not Bedrock's, or has the wrong scheme.
            300..=399 => Self::Unusable,
            _ => Self::Final,
        }
    }

    /// The case of the letters does not matter: in event streams, Bedrock itself writes `throttlingException`.
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

    /// By the status alone. The gateway chooses the credentials, the model id, the host, the path and the method, so what
    /// is wrong with those is the deployment's. 405, 407, 410 and 421 come from custom endpoints only.
    const fn of_client_error(status: u16) -> Self {
        match status {
            401..=405 | 407 | 410 | 421 => Self::Unusable,
            _ => Self::Final,
        }
    }
}

/// The name in an `x-amzn-errortype`: `Name`, `Name:http://…` or `namespace#Name`, as the AWS SDKs read it.
pub fn error_name(value: &[u8]) -> &[u8] {
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
                300..=399 | 401 | 402 | 403 | 404 | 405 | 407 | 410 | 421 => Verdict::Unusable,
                _ => Verdict::Final,
            };
            assert_eq!(Verdict::of(status, None), expected, "{status}");
            assert_eq!(verdict(status, "NobodyKnowsException"), expected, "{status}");
            assert_eq!(verdict(status, ""), expected, "{status}");
        }
    }

    #[test]
    fn what_the_caller_sent_is_the_callers() {
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
    fn throttling_is_throttling_whatever_its_status() {
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
    fn common_errors_of_aws_mean_the_same_with_status_400() {
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
    fn a_good_answer_is_final_whatever_else_it_says() {
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
