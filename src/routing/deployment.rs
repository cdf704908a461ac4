//! A model id in one region with one set of credentials.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::rc::Rc;

use crate::bedrock::model_id::{count_tokens_id, provider};
use crate::contract::operation::Operation;
use crate::contract::routing::{CooldownSettings, DeploymentRouting, Strategy};
use crate::contract::settings::DeploymentSettings;
use crate::cooldown::{CooldownTarget, TargetKey};
use crate::credentials::CredentialSlot;
use crate::encoding::percent::encode_segment;
use crate::limits::{Holder, LimitSubject, Limits};
use crate::pricing::Rates;
use crate::routing::wildcard::substitute;
use crate::secret::Secret;
use crate::sigv4::{AccessKeyId, CredentialId};
use crate::time::UnixTime;

/// A deployment with its secrets resolved.
#[derive(Debug)]
pub struct Deployment {
    /// Index among the deployments of its model group.
    pub index: u32,
    /// The same for deployments that send the same requests to the same endpoint. After one of these
    /// fails, trying another is futile.
    pub(crate) digest: TargetKey,
    /// Its share of requests.
    pub(crate) weight: u64,
    /// Those with a lower one are preferred.
    pub(crate) order: i64,
    /// The most time for an attempt, in milliseconds: to the end of a response that does not stream,
    /// and to the first byte of a stream.
    pub(crate) timeouts: [Option<u64>; 2],
    /// Retries after an attempt here, instead of those of the configuration.
    pub(crate) retries: Option<u32>,
    /// When it cools down, instead of when the configuration says.
    pub(crate) cooldown: Option<Box<CooldownSettings>>,
    /// Whom its limits and its load are counted for; `None` if they are not.
    pub(crate) subject: Option<Rc<LimitSubject>>,
    /// The id: `model_info.id` or a stable digest.
    pub id: String,
    /// The AWS region, for signatures.
    pub region: String,
    /// The region cluster.
    pub cluster: String,
    /// The `host` of upstream requests.
    pub authority: String,
    /// The host and base path of the endpoint.
    pub endpoint: String,
    /// The credentials for AWS.
    pub credentials: Credentials,
    /// The rates, if known.
    pub rates: Option<Rates>,
    base_path: String,
    model: String,
    /// The foundation model of `model`, if that is an ARN that does not name it.
    base_model: Option<String>,
    /// What tells its credentials apart: the names of their variables, never their values.
    credential_names: String,
    /// The model id as a path segment, unless it contains a wildcard.
    segment: Option<String>,
}

/// How requests are authenticated to AWS.
#[derive(Debug)]
pub enum Credentials {
    /// With a signature.
    Sigv4 {
        /// The id of the credentials in the cache of signing keys.
        id: CredentialId,
        /// The access key id.
        access_key_id: AccessKeyId,
        /// The secret access key.
        secret_access_key: Secret,
        /// The session token of temporary credentials.
        session_token: Option<Secret>,
    },
    /// With a Bedrock API key. Holds the whole value of `authorization`.
    Bearer(Secret),
    /// With a credential that the broker has issued.
    Brokered(Rc<CredentialSlot>),
}

impl Credentials {
    /// Whether these are access keys, which sign requests. The alternative is a Bedrock API key.
    pub(crate) fn are_keys(&self) -> bool {
        match self {
            Self::Sigv4 { .. } => true,
            Self::Bearer(_) => false,
            Self::Brokered(slot) => !slot.is_bearer(),
        }
    }
}

impl Deployment {
    /// Creates the deployment at `index` of its model group.
    pub fn new(index: u32, settings: &DeploymentSettings, credentials: Credentials) -> Self {
        let credential_names = serde_json::to_string(&settings.credentials).unwrap_or_default();
        let digest = TargetKey::of(CooldownTarget {
            cluster: &settings.cluster,
            base_path: &settings.base_path,
            region: &settings.region,
            model: &settings.model,
            is_wildcard: false,
            credentials: &credential_names,
        });
        Self {
            index,
            digest,
            credential_names,
            timeouts: [
                settings.routing.timeout_milliseconds,
                settings.routing.stream_timeout_milliseconds,
            ],
            retries: settings.routing.retries,
            cooldown: settings.routing.cooldown.clone().map(Box::new),
            subject: None,
            weight: settings.weight,
            order: settings.order,
            id: settings.id.clone(),
            region: settings.region.clone(),
            cluster: settings.cluster.clone(),
            authority: settings.authority.clone(),
            endpoint: format!("{}{}", settings.authority, settings.base_path),
            credentials,
            rates: settings.rates.clone(),
            base_path: settings.base_path.clone(),
            model: settings.model.clone(),
            base_model: settings.base_model.clone(),
            segment: (!settings.model.contains('*')).then(|| encode_segment(&settings.model)),
        }
    }

    /// Counts the requests and tokens of the deployment for its limits, and for a strategy that
    /// compares them.
    pub(crate) fn with_counts(mut self, routing: &DeploymentRouting, strategy: Strategy) -> Self {
        // A limit that is never reached makes the limiter count.
        let counted = |is_counted: bool| is_counted.then_some(u64::MAX);
        let limits = Limits {
            requests: routing.rpm,
            tokens: routing.tpm.or_else(|| counted(strategy == Strategy::UsageBased)),
            parallel: routing
                .max_parallel_requests
                .or_else(|| counted(strategy == Strategy::LeastBusy)),
            budget: None,
        };
        self.subject = limits.are_checked().then(|| {
            let holder = Holder::Deployment(Rc::from(self.id.as_str()));
            Rc::new(LimitSubject::new(holder, limits))
        });
        self
    }

    /// Whether there are credentials that have not expired. Only those of the broker can be
    /// missing, so `now` is not called for others.
    pub fn has_credentials(&self, now: impl FnOnce() -> UnixTime) -> bool {
        match &self.credentials {
            Credentials::Sigv4 { .. } | Credentials::Bearer(_) => true,
            Credentials::Brokered(slot) => slot.current(now()).is_some(),
        }
    }

    /// What cools down if this deployment fails, with its wildcards replaced by `captures`.
    pub(crate) fn key(&self, captures: &[String]) -> TargetKey {
        if !self.is_wildcard() {
            return self.digest;
        }
        TargetKey::of(CooldownTarget {
            model: &self.model(captures),
            ..self.wildcard_target()
        })
    }

    /// What cools down if a model of this deployment fails, which has wildcards.
    pub(crate) fn wildcard_keys(&self) -> BTreeSet<TargetKey> {
        TargetKey::of_wildcard(self.wildcard_target())
    }

    fn wildcard_target(&self) -> CooldownTarget<'_> {
        CooldownTarget {
            cluster: &self.cluster,
            base_path: &self.base_path,
            region: &self.region,
            model: "",
            is_wildcard: true,
            credentials: &self.credential_names,
        }
    }

    /// The configured model id, possibly with wildcards.
    pub fn configured_model(&self) -> &str {
        &self.model
    }

    /// Whether the model id contains a wildcard.
    pub const fn is_wildcard(&self) -> bool {
        self.segment.is_none()
    }

    /// The model id, with its wildcards replaced by `captures`.
    pub fn model(&self, captures: &[String]) -> Cow<'_, str> {
        match &self.segment {
            Some(_) => Cow::from(&self.model),
            None => Cow::from(substitute(&self.model, captures)),
        }
    }

    /// The model id in requests for `operation`: that of [`Self::model`], or for CountTokens that
    /// of the foundation model.
    pub fn request_model(&self, operation: Operation, captures: &[String]) -> Cow<'_, str> {
        let model = self.model(captures);
        if operation != Operation::CountTokens {
            return model;
        }
        // Requests without a known foundation model are refused earlier; see [`Self::supports`].
        let counted = count_tokens_id(&model, self.base_model.as_deref()).unwrap_or(&model);
        Cow::from(counted.to_owned())
    }

    /// The provider of the model, if known.
    pub(crate) fn provider(&self, captures: &[String]) -> Option<String> {
        let model = self.model(captures);
        let found = provider(&model).or_else(|| provider(self.base_model.as_deref()?));
        found.map(str::to_owned)
    }

    /// Whether `operation` is possible. CountTokens requires a known foundation model.
    pub fn supports(&self, operation: Operation, captures: &[String]) -> bool {
        operation != Operation::CountTokens
            || count_tokens_id(&self.model(captures), self.base_model.as_deref()).is_ok()
    }

    /// The path of an upstream request, with the wildcards of the model id replaced by `captures`.
    pub fn path(&self, operation: Operation, captures: &[String]) -> String {
        let base_path = &self.base_path;
        let name = operation.segment();
        match &self.segment {
            Some(segment) if operation != Operation::CountTokens => {
                [base_path, "/model/", segment, "/", name].concat()
            }
            _ => {
                let segment = encode_segment(&self.request_model(operation, captures));
                [base_path, "/model/", &segment, "/", name].concat()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::settings::{CredentialSettings, EnvName};

    fn deployment(model: &str, base_path: &str) -> Deployment {
        based(model, base_path, None)
    }

    fn based(model: &str, base_path: &str, base_model: Option<&str>) -> Deployment {
        let settings = DeploymentSettings {
            id: "d".into(),
            model: model.into(),
            region: "us-west-2".into(),
            cluster: "us-west-2".into(),
            authority: "localhost".into(),
            base_path: base_path.into(),
            credentials: CredentialSettings::Bearer {
                api_key: EnvName("KEY".into()),
            },
            weight: 1,
            order: 0,
            rates: None,
            base_model: base_model.map(str::to_owned),
            routing: Default::default(),
        };
        Deployment::new(0, &settings, Credentials::Bearer(Secret::new("Bearer k")))
    }

    #[test]
    fn a_model_id_is_one_encoded_segment_after_the_base_path() {
        let path = deployment("arn:aws:bedrock:us-west-2::foundation-model/a:0", "/base")
            .path(Operation::Invoke, &[]);
        assert_eq!(
            path,
            "/base/model/arn%3Aaws%3Abedrock%3Aus-west-2%3A%3Afoundation-model%2Fa%3A0/invoke"
        );
    }

    #[test]
    fn a_wildcard_is_replaced_before_encoding() {
        let path = deployment("us.*", "").path(Operation::ConverseStream, &["../x:0".into()]);
        assert_eq!(path, "/model/us...%2Fx%3A0/converse-stream");
    }

    #[test]
    fn only_count_tokens_uses_the_foundation_model() {
        const PROFILE: &str = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/abc";
        let captures = ["anthropic.x:0".to_owned()];
        for (model, base, counted) in [
            ("us.*", None, "anthropic.x%3A0"),
            ("global.anthropic.y:1", None, "anthropic.y%3A1"),
            ("anthropic.y:1", None, "anthropic.y%3A1"),
            (PROFILE, Some("anthropic.z"), "anthropic.z"),
        ] {
            let deployment = based(model, "/base", base);
            assert!(deployment.supports(Operation::CountTokens, &captures));
            assert_eq!(
                deployment.path(Operation::CountTokens, &captures),
                format!("/base/model/{counted}/count-tokens")
            );
            let model = encode_segment(&deployment.model(&captures));
            assert_eq!(
                deployment.path(Operation::Converse, &captures),
                format!("/base/model/{model}/converse")
            );
        }
        let profile = deployment(PROFILE, "");
        assert!(!profile.supports(Operation::CountTokens, &[]));
        assert!(profile.supports(Operation::Invoke, &[]));
        assert!(!deployment("*", "").supports(Operation::CountTokens, &[PROFILE.to_owned()]));
    }
}
