//! Gets credentials with AWS's own crates.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_sts::types::Tag;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use envoy_bedrock::contract::settings::EnvName;
use envoy_bedrock::secret::Secret;

use super::failure::{Failure, FailureCode};
use super::remedy::remedy;
use super::{aws_error, http_client, sts_region};
use crate::credentials::{AssumedRole, BrokeredCredential, ChainSource, CredentialSource, WebIdentityToken};
use crate::environment::Environment;

/// How long to wait for an attempt: a source that starts a program may take a while.
pub(crate) const FETCH_TIMEOUT: Duration = Duration::from_secs(30);
/// The name of a session whose configuration has none.
const SESSION_NAME: &str = "envoy-bedrock";
/// How a reference that could not be resolved is written.
const REFERENCE: &str = "os.environ/";

/// Gets credentials from their sources.
#[derive(Clone, Debug)]
pub(crate) struct Fetcher {
    http: SharedHttpClient,
    environment: Environment,
    secrets: BTreeMap<EnvName, Secret>,
}

/// Who a credential belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) account: String,
    pub(crate) arn: String,
}

impl Fetcher {
    /// `secrets` are those of the configuration; the others are in `environment`.
    pub(crate) fn new(environment: &Environment, secrets: &BTreeMap<EnvName, Secret>) -> Self {
        Self {
            http: http_client::shared(),
            environment: environment.clone(),
            secrets: secrets.clone(),
        }
    }

    /// Gets a new credential, reading files and variables again. It has not expired. There is no
    /// time limit for programs that profiles name.
    pub(crate) async fn fetch(&self, credential: &BrokeredCredential) -> Result<Credentials, Failure> {
        let BrokeredCredential { source, region, .. } = credential;
        let keys = self.load(source, region).await?;
        if keys.expiry().is_some_and(|expiry| expiry <= SystemTime::now()) {
            let failure = Failure::new(
                FailureCode::ExpiredToken,
                "the source returned expired credentials",
            );
            return Err(failure.or_remedy(|failure| match source {
                CredentialSource::Role { .. } | CredentialSource::WebIdentity { .. } => {
                    "Check that the clock of this machine is right".to_owned()
                }
                _ => self.remedy(source, failure),
            }));
        }
        Ok(keys)
    }

    /// Who the credential belongs to, by GetCallerIdentity.
    pub(crate) async fn caller(
        &self,
        keys: Credentials,
        credential: &BrokeredCredential,
    ) -> Result<Caller, Failure> {
        let BrokeredCredential { source, region, .. } = credential;
        let caller = self.identity(keys, region).await;
        caller.map_err(|failure| failure.or_remedy(|failure| self.remedy(source, failure)))
    }

    /// The failure of a source that took longer than the time limit.
    pub(crate) fn no_response(&self, source: &CredentialSource) -> Failure {
        let reason = format!("no response within {} seconds", FETCH_TIMEOUT.as_secs());
        let failure = Failure::new(FailureCode::Timeout, reason);
        failure.or_remedy(|failure| self.remedy(source, failure))
    }

    fn remedy(&self, source: &CredentialSource, failure: &Failure) -> String {
        remedy(source, &ChainSource::of(&self.environment), failure)
    }

    async fn identity(&self, keys: Credentials, region: &str) -> Result<Caller, Failure> {
        let identity = self
            .sts(Some(keys), region, None)
            .get_caller_identity()
            .send()
            .await;
        let identity = identity.map_err(|error| aws_error::of_sts(&error))?;
        Ok(Caller {
            account: identity.account().unwrap_or_default().to_owned(),
            arn: identity.arn().unwrap_or_default().to_owned(),
        })
    }

    fn load<'a>(
        &'a self,
        source: &'a CredentialSource,
        region: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Credentials, Failure>> + Send + 'a>> {
        // The failure of a base already says what can be done about it.
        Box::pin(async move {
            let loaded = self.load_part(source, region).await;
            loaded.map_err(|failure| failure.or_remedy(|failure| self.remedy(source, failure)))
        })
    }

    async fn load_part(&self, source: &CredentialSource, region: &str) -> Result<Credentials, Failure> {
        match source {
            CredentialSource::Keys(names) => {
                let token = names.session_token.as_ref();
                let token = token.and_then(|name| self.value(name).ok());
                let (id, secret) = (
                    self.value(&names.access_key_id)?,
                    self.value(&names.secret_access_key)?,
                );
                Ok(Credentials::new(id, secret, token, None, "config.yaml"))
            }
            CredentialSource::DefaultChain => {
                let chain = DefaultCredentialsChain::builder()
                    .configure(self.provider_config(region))
                    .region(self.region(region));
                let provided = chain.build().await.provide_credentials().await;
                provided.map_err(|error| aws_error::of_chain(&error, &ChainSource::of(&self.environment)))
            }
            CredentialSource::Profile(name) => {
                let name = resolved(name)?;
                let profile = ProfileFileCredentialsProvider::builder()
                    .configure(&self.provider_config(region))
                    .profile_name(name);
                let provided = profile.build().provide_credentials().await;
                provided.map_err(|error| aws_error::of_profile(&error, name))
            }
            CredentialSource::Role { role, base } => {
                let keys = self.load(base, region).await?;
                if self.is_role(&keys, role, region).await {
                    return Ok(keys);
                }
                self.assume(keys, role, region).await
            }
            CredentialSource::WebIdentity { role, token } => {
                self.assume_with_token(&self.token(token)?, role, region).await
            }
        }
    }

    /// Whether the credentials are already those of the role.
    async fn is_role(&self, keys: &Credentials, role: &AssumedRole, region: &str) -> bool {
        if keys.session_token().is_none() {
            return false;
        }
        let caller = self.identity(keys.clone(), region).await;
        caller.is_ok_and(|caller| is_session_of(&caller.arn, &role.arn))
    }

    async fn assume(
        &self,
        keys: Credentials,
        role: &AssumedRole,
        region: &str,
    ) -> Result<Credentials, Failure> {
        let endpoint = role.sts_endpoint.as_deref().map(resolved).transpose()?;
        let mut request = self
            .sts(Some(keys), region, endpoint)
            .assume_role()
            .role_arn(resolved(&role.arn)?)
            .role_session_name(session_name(role)?)
            .set_external_id(
                role.external_id
                    .as_deref()
                    .map(resolved)
                    .transpose()?
                    .map(str::to_owned),
            );
        for (key, value) in &role.session_tags {
            let tag = Tag::builder().key(resolved(key)?).value(resolved(value)?).build();
            request = request.tags(tag.map_err(|error| Failure::of(&error))?);
        }
        let response = request.send().await.map_err(|error| aws_error::of_sts(&error))?;
        issued(response.credentials())
    }

    async fn assume_with_token(
        &self,
        token: &str,
        role: &AssumedRole,
        region: &str,
    ) -> Result<Credentials, Failure> {
        let endpoint = role.sts_endpoint.as_deref().map(resolved).transpose()?;
        let request = self
            .sts(None, region, endpoint)
            .assume_role_with_web_identity()
            .role_arn(resolved(&role.arn)?)
            .role_session_name(session_name(role)?)
            .web_identity_token(token);
        let response = request.send().await.map_err(|error| aws_error::of_sts(&error))?;
        issued(response.credentials())
    }

    fn sts(&self, keys: Option<Credentials>, region: &str, endpoint: Option<&str>) -> aws_sdk_sts::Client {
        let endpoint = endpoint.or_else(|| self.environment.value("AWS_ENDPOINT_URL_STS"));
        let mut config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.http.clone())
            .sleep_impl(TokioSleep::new())
            .region(
                endpoint
                    .and_then(sts_region::of_endpoint)
                    .map_or_else(|| self.region(region), Region::new),
            );
        config.set_endpoint_url(endpoint.map(str::to_owned));
        // Without credentials, only calls that need no signature work.
        if let Some(keys) = keys {
            config = config.credentials_provider(keys);
        }
        aws_sdk_sts::Client::from_conf(config.build())
    }

    fn provider_config(&self, region: &str) -> ProviderConfig {
        ProviderConfig::empty()
            .with_http_client(self.http.clone())
            .with_sleep_impl(TokioSleep::new())
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_region(Some(self.region(region)))
    }

    /// The region of STS: that of the environment or, without one, `region`.
    fn region(&self, region: &str) -> Region {
        let named = ["AWS_REGION", "AWS_DEFAULT_REGION"];
        let named = named.iter().find_map(|name| self.environment.value(name));
        Region::new(named.unwrap_or(region).to_owned())
    }

    fn token(&self, token: &WebIdentityToken) -> Result<String, Failure> {
        match token {
            WebIdentityToken::Variable(name) => self.value(name),
            WebIdentityToken::File(path) => {
                let name = path.to_string_lossy();
                resolved(&name)?;
                let unreadable = |error| {
                    let reason = format!("the web identity token {name} cannot be read: {error}");
                    Failure::new(FailureCode::InvalidConfiguration, reason)
                };
                let token = std::fs::read_to_string(path).map_err(unreadable)?;
                match token.trim() {
                    "" => Err(Failure::new(
                        FailureCode::InvalidConfiguration,
                        format!("the web identity token {name} is empty"),
                    )),
                    token => Ok(token.to_owned()),
                }
            }
        }
    }

    fn value(&self, name: &EnvName) -> Result<String, Failure> {
        let secret = self.secrets.get(name).map(|secret| secret.expose());
        let value = secret.or_else(|| self.environment.value(&name.0));
        value.map(str::to_owned).ok_or_else(|| not_set(&name.0))
    }
}

/// A value of the configuration, unless it refers to a variable that is not set.
fn resolved(value: &str) -> Result<&str, Failure> {
    match value.strip_prefix(REFERENCE) {
        Some(name) => Err(not_set(name)),
        None => Ok(value),
    }
}

fn not_set(name: &str) -> Failure {
    let reason = format!("the environment variable {name} is not set");
    Failure::new(FailureCode::InvalidConfiguration, reason).or_remedy(|_| format!("Set {name}"))
}

fn session_name(role: &AssumedRole) -> Result<&str, Failure> {
    role.session_name.as_deref().map_or(Ok(SESSION_NAME), resolved)
}

/// Whether `caller` is a session of the role: both name its account and its name, and only the
/// role's ARN has its path.
fn is_session_of(caller: &str, role: &str) -> bool {
    let parts = |arn: &str| -> Option<(String, String)> {
        let mut fields = arn.splitn(6, ':').skip(4);
        Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
    };
    let (Some((account, session)), Some((role_account, role))) = (parts(caller), parts(role)) else {
        return false;
    };
    let session_role = session
        .strip_prefix("assumed-role/")
        .and_then(|rest| rest.split('/').next());
    account == role_account && session_role.is_some() && session_role == role.rsplit('/').next()
}

fn issued(credentials: Option<&aws_sdk_sts::types::Credentials>) -> Result<Credentials, Failure> {
    let empty = || Failure::new(FailureCode::ProviderError, "STS: the response has no credentials");
    let credentials = credentials.ok_or_else(empty)?;
    let expiry = (*credentials.expiration()).try_into();
    let expiry =
        expiry.map_err(|_| Failure::new(FailureCode::ProviderError, "STS: the expiration is not a time"))?;
    Ok(Credentials::new(
        credentials.access_key_id(),
        credentials.secret_access_key(),
        Some(credentials.session_token().to_owned()),
        Some(expiry),
        "sts",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_recognised_by_account_and_role_name() {
        let role = "arn:aws:iam::123456789012:role/path/bedrock";
        assert!(is_session_of(
            "arn:aws:sts::123456789012:assumed-role/bedrock/session",
            role
        ));
        for other in [
            "arn:aws:sts::123456789012:assumed-role/other/session",
            "arn:aws:sts::210987654321:assumed-role/bedrock/session",
            "arn:aws:iam::123456789012:user/bedrock",
            "",
        ] {
            assert!(!is_session_of(other, role), "{other}");
        }
    }
}
