//! The plan of a request: the deployment for each attempt, and the signed upstream request.
//!
//! The gateway role makes the plan once, and the signer role builds the request of each attempt
//! from it. Nothing is taken from Envoy's headers, because the previous attempt has changed them.

use std::borrow::Cow;
use std::rc::Rc;

use crate::admission::reject::Reject;
use crate::contract::operation::Operation;
use crate::credentials::{IssuedCredential, IssuedSecret};
use crate::headers::HeaderPair;
use crate::pricing::Rates;
use crate::routing::active_config::ActiveConfig;
use crate::routing::attempt_log::AttemptLog;
use crate::routing::brokered::missing;
use crate::routing::deployment::{Credentials, Deployment};
use crate::routing::model::ModelGroup;
use crate::routing::verdict::Verdict;
use crate::secret::Secret;
use crate::sigv4;
use crate::sigv4::{AccessKeyId, BEDROCK, CanonicalRequest, PayloadHash, Scope, SignedHeaders, SigningKey};
use crate::time::{AmzDate, UnixTime};

/// The deployments of a request's attempts, in order, and everything needed to sign them.
#[derive(Debug)]
pub struct Plan {
    /// The request's call id, for the log.
    pub call_id: String,
    /// The configuration that was active when the request arrived.
    pub(crate) config: Rc<ActiveConfig>,
    /// The planned deployment of each attempt, in order.
    pub(crate) deployments: Vec<Rc<Deployment>>,
    /// The model group that the client selected.
    pub(crate) model: Rc<ModelGroup>,
    /// What each `*` in its name matched.
    pub(crate) captures: Vec<String>,
    /// The operation.
    pub(crate) operation: Operation,
    /// The client's headers that are forwarded to Bedrock.
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// SHA-256 of the body; `None` if no deployment needs it.
    pub(crate) payload: Option<PayloadHash>,
    /// Length of the body, in decimal.
    pub(crate) content_length: String,
    /// The attempts made so far.
    pub(crate) log: AttemptLog,
}

impl Plan {
    /// Builds and signs the request of attempt `number` (the first is 1) to the endpoint in the
    /// region cluster `cluster`. Records the attempt.
    ///
    /// # Errors
    /// [`Reject::Unsignable`] if Envoy chose another endpoint than planned. A request must never be
    /// sent with a signature for another host or region. [`Reject::NoCredentials`] if no deployment
    /// in this cluster has credentials.
    pub fn request(&self, number: u64, cluster: &[u8], now: UnixTime) -> Result<UpstreamRequest<'_>, Reject> {
        let index = self.plan_index(number, &|| now).ok_or(Reject::Unsignable)?;
        let deployment = self.deployments.get(index).ok_or(Reject::Unsignable)?;
        if deployment.cluster.as_bytes() != cluster {
            return Err(Reject::Unsignable);
        }
        let date = now.amz_date();
        let path = deployment.path(self.operation, &self.captures);
        let mut issued = None;
        let (authorization, signed) = match &deployment.credentials {
            Credentials::Bearer(value) => (Cow::from(value.expose()), None),
            Credentials::Sigv4 {
                id,
                access_key_id,
                secret_access_key,
                session_token,
            } => {
                let scope = scope(deployment, date);
                let mut keys = self.config.signing_keys.borrow_mut();
                let key = keys.key(*id, secret_access_key, &scope);
                let authorization = self.sign(
                    deployment,
                    &path,
                    &scope,
                    &key,
                    access_key_id,
                    session_token.as_ref(),
                )?;
                let token = session_token.as_ref().map(Cow::Borrowed);
                (Cow::from(authorization), Some((date, token)))
            }
            Credentials::Brokered(slot) => {
                let issued = issued.insert(slot.current(now).ok_or_else(|| self.no_credentials(now))?);
                match &issued.secret {
                    IssuedSecret::Bearer(value) => (Cow::from(value.expose().to_owned()), None),
                    IssuedSecret::Keys {
                        access_key_id,
                        secret_access_key,
                        session_token,
                    } => {
                        let scope = scope(deployment, date);
                        let key = issued.signing_key(secret_access_key, &scope);
                        let token = session_token.as_ref();
                        let authorization =
                            self.sign(deployment, &path, &scope, &key, access_key_id, token)?;
                        let token = token.cloned().map(Cow::Owned);
                        (Cow::from(authorization), Some((date, token)))
                    }
                }
            }
        };
        self.log.begin(number, index);
        Ok(UpstreamRequest {
            plan: self,
            deployment,
            path,
            authorization,
            signed,
            issued,
        })
    }

    /// Records the response to attempt `number`. `error_type` is its `x-amzn-errortype`.
    pub fn record_response(&self, number: u64, status: u16, error_type: Option<&[u8]>) {
        self.log
            .record_response(number, status, Verdict::of(status, error_type));
    }

    /// Whether to retry after attempt `number`: its verdict is not final, a remaining attempt can
    /// go to a deployment that is not known to be unusable, and there are credentials for the next
    /// one. Envoy does not retry after a local reply, so an attempt that cannot be signed would
    /// hide Bedrock's response from the client.
    ///
    /// `now` is called only if the broker has the credentials of a deployment.
    pub fn should_retry(&self, number: u64, now: &impl Fn() -> UnixTime) -> bool {
        let verdict = self.log.attempt(number).map(|attempt| attempt.verdict);
        let is_final = verdict.is_none_or(|verdict| verdict == Verdict::Final);
        let next = usize::try_from(number).unwrap_or(usize::MAX);
        !is_final
            && (next..self.deployments.len()).any(|index| self.usable_index(index, now).is_some())
            && self.has_credentials(next, now)
    }

    /// The refusal of an attempt without credentials.
    pub(crate) fn no_credentials(&self, now: UnixTime) -> Reject {
        Reject::NoCredentials(missing(&self.model, now))
    }

    /// Whether there are credentials for the attempt at this index of the plan.
    pub(crate) fn has_credentials(&self, planned: usize, now: &impl Fn() -> UnixTime) -> bool {
        self.signable_index(planned, now).is_some()
    }

    /// Attempts made so far.
    pub const fn attempt_count(&self) -> u64 {
        self.log.attempt_count()
    }

    /// The attempts made so far, in order: the deployment, the status of the response (0 if there
    /// was none), and the verdict.
    pub fn attempts_made(&self) -> impl Iterator<Item = (&Deployment, u16, Verdict)> {
        self.log.attempts().filter_map(|attempt| {
            let deployment = self.deployments.get(attempt.plan_index)?;
            Some((&**deployment, attempt.status, attempt.verdict))
        })
    }

    /// Adds to the time taken by signing.
    pub fn add_signing_time(&self, nanoseconds: u64) {
        self.log.add_signing_time(nanoseconds);
    }

    /// The time taken to sign all attempts so far.
    pub const fn signing_nanoseconds(&self) -> u64 {
        self.log.signing_nanoseconds()
    }

    /// The deployment of the last attempt.
    pub fn last_deployment(&self) -> Option<&Deployment> {
        let attempt = self.log.attempt(self.attempt_count())?;
        self.deployments
            .get(attempt.plan_index)
            .map(|deployment| &**deployment)
    }

    /// The Bedrock model id of the last attempt.
    pub fn upstream_model(&self) -> Option<Cow<'_, str>> {
        self.last_deployment()
            .map(|deployment| deployment.request_model(self.operation, &self.captures))
    }

    /// The rates of the last attempt, if known.
    pub fn rates(&self) -> Option<&Rates> {
        self.config.rates(self.last_deployment()?, &self.captures)
    }

    /// Length of the body, in bytes.
    pub fn request_bytes(&self) -> u64 {
        self.content_length.parse().unwrap_or_default()
    }

    /// The index in the plan of the deployment for attempt `number`: the planned one or a
    /// replacement.
    fn plan_index(&self, number: u64, now: &impl Fn() -> UnixTime) -> Option<usize> {
        let planned = usize::try_from(number.checked_sub(1)?).ok()?;
        let usable = self.usable_index(planned, now);
        let signable = || self.signable_index(planned, now);
        Some(usable.or_else(signable).unwrap_or(planned))
    }

    /// Returns the index `planned` or, if its deployment is unusable, that of another deployment in
    /// the same cluster, because Envoy has already chosen the cluster. Those planned for later
    /// attempts are preferred.
    fn usable_index(&self, planned: usize, now: &impl Fn() -> UnixTime) -> Option<usize> {
        self.index_of(planned, |deployment| !self.is_unusable(deployment, now))
    }

    /// The same for a deployment that has credentials, even if an attempt has found it unusable.
    fn signable_index(&self, planned: usize, now: &impl Fn() -> UnixTime) -> Option<usize> {
        self.index_of(planned, |deployment| deployment.has_credentials(now))
    }

    fn index_of(&self, planned: usize, is_wanted: impl Fn(&Deployment) -> bool) -> Option<usize> {
        let cluster = &self.deployments.get(planned)?.cluster;
        let mut indices = (planned..self.deployments.len()).chain(0..planned);
        indices.find(|&index| {
            let deployment = self.deployments.get(index);
            deployment.is_some_and(|deployment| deployment.cluster == *cluster && is_wanted(deployment))
        })
    }

    /// Whether an attempt has found this deployment or its twin unusable, or there are no
    /// credentials for it.
    fn is_unusable(&self, deployment: &Deployment, now: &impl Fn() -> UnixTime) -> bool {
        let mut attempts = self.attempts_made();
        attempts.any(|(tried, _, verdict)| verdict == Verdict::Unusable && tried.twin == deployment.twin)
            || !deployment.has_credentials(now)
    }

    /// The value of `authorization`.
    ///
    /// # Errors
    /// [`Reject::Unsignable`] without the hash of the body.
    fn sign(
        &self,
        deployment: &Deployment,
        path: &str,
        scope: &Scope<'_>,
        key: &SigningKey,
        access_key_id: &AccessKeyId,
        session_token: Option<&Secret>,
    ) -> Result<String, Reject> {
        let payload = self.payload.as_ref().ok_or(Reject::Unsignable)?;
        let host = sigv4::SignedHeader::new("host", deployment.authority.as_bytes());
        let date = sigv4::SignedHeader::new("x-amz-date", scope.date.as_bytes());
        let token = session_token.map(|token| token.expose().as_bytes());
        let token = token.map(|token| sigv4::SignedHeader::new("x-amz-security-token", token));
        let headers: &mut [sigv4::SignedHeader<'_>] = match token {
            Some(token) => &mut [host, date, token],
            None => &mut [host, date],
        };
        let request = CanonicalRequest {
            method: METHOD,
            path: path.as_bytes(),
            query: b"",
            headers: SignedHeaders::sort(headers),
            payload,
            options: sigv4::SigningOptions::BEDROCK,
        };
        Ok(sigv4::authorize(key, access_key_id, scope, &request))
    }
}

fn scope(deployment: &Deployment, date: AmzDate) -> Scope<'_> {
    Scope {
        date,
        region: &deployment.region,
        service: BEDROCK,
    }
}

/// The method of every upstream request.
pub(crate) const METHOD: &str = "POST";

/// The request of one attempt.
pub struct UpstreamRequest<'a> {
    plan: &'a Plan,
    deployment: &'a Deployment,
    path: String,
    authorization: Cow<'a, str>,
    /// The date and the session token, if the request is signed.
    signed: Option<(AmzDate, Option<Cow<'a, Secret>>)>,
    /// What the broker has issued for the request.
    issued: Option<Rc<IssuedCredential>>,
}

impl UpstreamRequest<'_> {
    /// What the broker has issued for the request.
    pub fn issued(&self) -> Option<Rc<IssuedCredential>> {
        self.issued.clone()
    }

    /// The complete headers. They must replace all headers that Envoy has for the request.
    pub fn headers(&self) -> Vec<HeaderPair<'_>> {
        let mut headers: Vec<HeaderPair<'_>> = Vec::with_capacity(self.plan.headers.len().saturating_add(8));
        headers.push((b":method", METHOD.as_bytes()));
        headers.push((b":scheme", b"https"));
        headers.push((b":authority", self.deployment.authority.as_bytes()));
        headers.push((b":path", self.path.as_bytes()));
        headers.push((b"content-length", self.plan.content_length.as_bytes()));
        headers.push((b"authorization", self.authorization.as_bytes()));
        if let Some((date, session_token)) = &self.signed {
            headers.push((b"x-amz-date", date.as_bytes()));
            let token = session_token.as_ref();
            headers.extend(token.map(|token| (&b"x-amz-security-token"[..], token.expose().as_bytes())));
        }
        headers.extend(
            self.plan
                .headers
                .iter()
                .map(|(name, value)| (name.as_slice(), value.as_slice())),
        );
        headers
    }
}

#[cfg(test)]
mod tests;
