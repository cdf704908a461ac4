//! Which requests a fault or a pace is meant for.

use serde::{Deserialize, Serialize};

use crate::judge::route::ApiOperation;

/// Conditions that must all hold; absent ones do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matcher {
    /// Name of the region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Access key id of the signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// Model id or ARN, decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<ApiOperation>,
}

/// What a filter looks at.
#[derive(Clone, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) region: &'a str,
    pub(crate) access_key_id: Option<&'a str>,
    pub(crate) model: Option<&'a str>,
    pub(crate) operation: Option<ApiOperation>,
}

impl Matcher {
    pub(crate) fn admits(&self, subject: &Subject<'_>) -> bool {
        self.admits_region(subject.region)
            && (self.access_key_id.is_none() || self.access_key_id.as_deref() == subject.access_key_id)
            && (self.model.is_none() || self.model.as_deref() == subject.model)
            && (self.operation.is_none() || self.operation == subject.operation)
    }

    pub(crate) fn admits_region(&self, region: &str) -> bool {
        self.region.as_deref().is_none_or(|named| named == region)
    }

    /// Whether nothing but the region is asked for.
    pub(crate) fn is_by_region(&self) -> bool {
        self.access_key_id.is_none() && self.model.is_none() && self.operation.is_none()
    }
}
