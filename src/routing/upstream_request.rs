//! The signed upstream request of an attempt.

use std::borrow::Cow;
use std::rc::Rc;

use crate::admission::reject::Reject;
use crate::contract::routing::FailureClass;
use crate::credentials::{IssuedCredential, IssuedSecret};
use crate::headers::HeaderPair;
use crate::routing::attempt_log::Attempt;
use crate::routing::deployment::{Credentials, Deployment};
use crate::routing::plan::Plan;
use crate::secret::Secret;
use crate::sigv4;
use crate::sigv4::{AccessKeyId, BEDROCK, CanonicalRequest, Scope, SignedHeaders, SigningKey};
use crate::time::{AmzDate, UnixTime};

impl Plan {
    /// Builds and signs the request of attempt `number` (the first is 1) to the endpoint in the
    /// region cluster `cluster`. Records the attempt.
    ///
    /// # Errors
    /// [`Reject::Unsignable`] if Envoy chose another endpoint than planned. A request must never be
    /// sent with a signature for another host or region. [`Reject::NoCredentials`] if no deployment
    /// in this cluster has credentials.
    pub fn request(&self, number: u64, cluster: &[u8], now: UnixTime) -> Result<UpstreamRequest<'_>, Reject> {
        let target = self.target(number, &|| now).ok_or(Reject::Unsignable)?;
        let (_, deployment) = self.find(target).ok_or(Reject::Unsignable)?;
        if deployment.cluster.as_bytes() != cluster {
            return Err(Reject::Unsignable);
        }
        let date = now.amz_date();
        let path = deployment.path(self.operation, self.captures(target));
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
        let planned = |index: usize| self.targets.borrow().get(index).copied();
        let attempt = Attempt {
            is_probe: self.probe.take() == Some(target),
            ..Attempt::to(target, now)
        };
        self.log.begin(number, attempt, planned);
        self.report_silence_before(number, FailureClass::InternalServer, now);
        self.hold(target, now);
        Ok(UpstreamRequest {
            plan: self,
            deployment,
            path,
            authorization,
            signed,
            issued,
        })
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
