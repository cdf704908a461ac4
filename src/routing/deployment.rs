//! A model id in one region with one set of credentials: what an attempt is made for.

use std::borrow::Cow;

use crate::bedrock::model_id::counted;
use crate::contract::operation::Operation;
use crate::contract::settings::DeploymentSettings;
use crate::encoding::percent::encode_segment;
use crate::pricing::Rates;
use crate::routing::wildcard::substitute;
use crate::secret::Secret;
use crate::sigv4::{AccessKeyId, CredentialId};

/// Where a request can go, with its secrets resolved.
#[derive(Debug)]
pub struct Deployment {
    /// Its place among the deployments of its model.
    pub index: u32,
    /// Place of the first deployment of its model that is the same as it ([`ModelSettings::twin`]).
    ///
    /// [`ModelSettings::twin`]: crate::config::ModelSettings::twin
    pub twin: usize,
    /// `model_info.id`, or a stable digest.
    pub id: String,
    /// Region of the signature's scope.
    pub region: String,
    /// Envoy's cluster of the endpoint.
    pub cluster: String,
    /// Host of the upstream request, as signed.
    pub authority: String,
    /// Host and base path of its endpoint.
    pub endpoint: String,
    /// How its requests are authenticated.
    pub credentials: Credentials,
    /// What its tokens cost, if that is known.
    pub rates: Option<Rates>,
    base_path: String,
    model: String,
    /// The foundation model behind `model`, where its ARN does not say.
    base_model: Option<String>,
    /// The model id as a path segment, unless a wildcard makes it another in every request.
    segment: Option<String>,
}

/// How a request is authenticated to AWS.
#[derive(Debug)]
pub enum Credentials {
    /// By a signature.
    Sigv4 {
        /// What the cache of signing keys knows these credentials by.
        id: CredentialId,
        /// The access key id.
        access_key_id: AccessKeyId,
        /// The secret access key.
        secret_access_key: Secret,
        /// The session token of temporary credentials.
        session_token: Option<Secret>,
    },
    /// By a Bedrock API key: the whole value of `authorization`.
    Bearer(Secret),
}

impl Deployment {
    /// The deployment that `settings` describe.
    ///
    /// `index` is its place among the deployments of its model, `twin` that of the first one that is the same.
    pub fn new(index: u32, twin: usize, settings: &DeploymentSettings, credentials: Credentials) -> Self {
        Self {
            index,
            twin,
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

    /// Bedrock's id of the model as it is configured, with its wildcards.
    pub fn configured_model(&self) -> &str {
        &self.model
    }

    /// Whether the request names the model.
    pub const fn is_wildcard(&self) -> bool {
        self.segment.is_none()
    }

    /// Bedrock's id of the model; `captures` are what the wildcards of the model's name stand for.
    pub fn model(&self, captures: &[String]) -> Cow<'_, str> {
        match &self.segment {
            Some(_) => Cow::from(&self.model),
            None => Cow::from(substitute(&self.model, captures)),
        }
    }

    /// The id that a request for `operation` is made to: that of [`Self::model`], but for CountTokens the foundation
    /// model's.
    pub fn asked_model(&self, operation: Operation, captures: &[String]) -> Cow<'_, str> {
        let model = self.model(captures);
        if operation != Operation::CountTokens {
            return model;
        }
        // A request that cannot be made was refused before.
        let counted = counted(&model, self.base_model.as_deref()).unwrap_or(&model);
        Cow::from(counted.to_owned())
    }

    /// Whether a request for `operation` can be made: CountTokens needs to know the foundation model.
    pub fn can(&self, operation: Operation, captures: &[String]) -> bool {
        operation != Operation::CountTokens
            || counted(&self.model(captures), self.base_model.as_deref()).is_ok()
    }

    /// Path of an upstream request; `captures` are what the wildcards of the model's name stand for.
    pub fn path(&self, operation: Operation, captures: &[String]) -> String {
        let base_path = &self.base_path;
        let name = operation.segment();
        match &self.segment {
            Some(segment) if operation != Operation::CountTokens => {
                format!("{base_path}/model/{segment}/{name}")
            }
            _ => {
                let segment = encode_segment(&self.asked_model(operation, captures));
                format!("{base_path}/model/{segment}/{name}")
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
        };
        Deployment::new(0, 0, &settings, Credentials::Bearer(Secret::new("Bearer k")))
    }

    #[test]
    fn a_model_id_is_one_encoded_segment_behind_the_base_path() {
        let path = deployment("arn:aws:bedrock:us-west-2::foundation-model/a:0", "/base")
            .path(Operation::Invoke, &[]);
        assert_eq!(
            path,
            "/base/model/arn%3Aaws%3Abedrock%3Aus-west-2%3A%3Afoundation-model%2Fa%3A0/invoke"
        );
    }

    #[test]
    fn a_wildcard_is_filled_in_before_it_is_encoded() {
        let path = deployment("us.*", "").path(Operation::ConverseStream, &["../x:0".into()]);
        assert_eq!(path, "/model/us...%2Fx%3A0/converse-stream");
    }

    #[test]
    fn tokens_are_counted_at_the_foundation_model_and_all_else_is_asked_of_the_profile() {
        const PROFILE: &str = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/abc";
        let captures = ["anthropic.x:0".to_owned()];
        for (model, base, counted) in [
            ("us.*", None, "anthropic.x%3A0"),
            ("global.anthropic.y:1", None, "anthropic.y%3A1"),
            ("anthropic.y:1", None, "anthropic.y%3A1"),
            (PROFILE, Some("anthropic.z"), "anthropic.z"),
        ] {
            let deployment = based(model, "/base", base);
            assert!(deployment.can(Operation::CountTokens, &captures));
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
        assert!(!profile.can(Operation::CountTokens, &[]));
        assert!(profile.can(Operation::Invoke, &[]));
        assert!(!deployment("*", "").can(Operation::CountTokens, &[PROFILE.to_owned()]));
    }
}
