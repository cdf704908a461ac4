//! Which requests a fault or a pace applies to.

use serde::{Deserialize, Serialize};

use crate::judge::route::ApiOperation;

/// Conditions on a request. All that are present must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Matcher {
    /// The name of the region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    /// The access key id in the signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access_key_id: Option<String>,
    /// The model id or ARN, percent-decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    /// The operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operation: Option<ApiOperation>,
}

/// What a matcher looks at in a request.
#[derive(Clone, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) region: &'a str,
    pub(crate) access_key_id: Option<&'a str>,
    pub(crate) model: Option<&'a str>,
    pub(crate) operation: Option<ApiOperation>,
}

impl Subject<'_> {
    /// Whether the response is a stream.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(
            self.operation,
            Some(ApiOperation::ConverseStream | ApiOperation::InvokeWithResponseStream)
        )
    }
}

impl Matcher {
    pub(crate) fn admits(&self, subject: &Subject<'_>) -> bool {
        self.admits_region(subject.region)
            && (self.access_key_id.is_none() || self.access_key_id.as_deref() == subject.access_key_id)
            && (self.model.is_none() || self.model.as_deref() == subject.model)
            && (self.operation.is_none() || self.operation == subject.operation)
    }

    pub(crate) fn admits_region(&self, region: &str) -> bool {
        self.region.as_deref().is_none_or(|name| name == region)
    }

    /// Whether there is no condition but the region.
    pub(crate) fn is_by_region(&self) -> bool {
        self.access_key_id.is_none() && self.model.is_none() && self.operation.is_none()
    }
}
