//! The plan of a request: the deployment of each attempt, and the signed upstream request.
//!
//! The gateway role makes the plan. The signer role builds the request of each attempt from it, and
//! chooses the deployments of further attempts anew after each response. Nothing is taken from
//! Envoy's headers, because the previous attempt has changed them.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::admission::reject::Reject;
use crate::contract::itinerary::{self, NOWHERE};
use crate::contract::operation::Operation;
use crate::credentials::{IssuedCredential, IssuedSecret};
use crate::headers::HeaderPair;
use crate::pricing::Rates;
use crate::random::Random;
use crate::routing::active_config::ActiveConfig;
use crate::routing::attempt_log::{AttemptLog, Target};
use crate::routing::brokered::missing;
use crate::routing::choice::{self, Condition, Tiebreak};
use crate::routing::deployment::{Credentials, Deployment};
use crate::routing::model::{ModelGroup, ModelMatch};
use crate::routing::verdict::Verdict;
use crate::secret::Secret;
use crate::sigv4;
use crate::sigv4::{AccessKeyId, BEDROCK, CanonicalRequest, PayloadHash, Scope, SignedHeaders, SigningKey};
use crate::time::{AmzDate, UnixTime};

/// The itinerary that Envoy's route knows.
#[derive(Debug, Default)]
pub(crate) struct PublishedItinerary {
    targets: Vec<Target>,
    /// The index in `targets` of the attempt after a signed one.
    next: usize,
}

/// The model groups that can serve a request, the deployments of its attempts, and everything needed
/// to sign them.
#[derive(Debug)]
pub struct Plan {
    /// The request's call id, for the log.
    pub call_id: String,
    /// The configuration that was active when the request arrived.
    pub(crate) config: Rc<ActiveConfig>,
    /// The model group that the client selected.
    pub(crate) selected: ModelMatch,
    /// Other model groups that may serve the request instead, in order.
    pub(crate) fallbacks: Vec<ModelMatch>,
    /// The operation.
    pub(crate) operation: Operation,
    /// The client's headers that are forwarded to Bedrock.
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// SHA-256 of the body; `None` if no deployment needs it.
    pub(crate) payload: Option<PayloadHash>,
    /// Length of the body, in decimal.
    pub(crate) content_length: String,
    /// The digest of the session that the request belongs to.
    pub(crate) session: Option<u64>,
    pub(crate) random: RefCell<Random>,
    /// The target of each attempt. Those of attempts that are not made yet can change.
    pub(crate) targets: RefCell<Vec<Target>>,
    /// What Envoy's route knows of them.
    pub(crate) published: RefCell<PublishedItinerary>,
    /// The plan's key in the table of the VM.
    pub(crate) key: Cell<u64>,
    /// The attempts made so far.
    pub(crate) log: AttemptLog,
}

impl Plan {
    /// Chooses the deployments of all attempts, as if there were no response to any of them.
    ///
    /// # Errors
    /// [`Reject::NoCredentials`] if the first attempt cannot be signed.
    pub(crate) fn begin(&self, now: UnixTime) -> Result<(), Reject> {
        self.choose_from(0, &|| now);
        if self.targets.borrow().is_empty() {
            return Err(self.no_credentials(now));
        }
        Ok(())
    }

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
        self.log.begin(number, target, planned);
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

    /// Whether to retry after attempt `number`, which must be the last. If so, the deployments of
    /// all further attempts have been chosen anew. They have credentials: Envoy does not retry after
    /// a local reply, so an attempt that cannot be signed would hide Bedrock's response from the
    /// client.
    ///
    /// `now` is called only if the broker has the credentials of a deployment.
    pub fn should_retry(&self, number: u64, now: &impl Fn() -> UnixTime) -> bool {
        if number != self.attempt_count() {
            return false;
        }
        let is_final = self.log.last().is_none_or(|last| last.verdict == Verdict::Final);
        let made = usize::try_from(number).unwrap_or(usize::MAX);
        !is_final && self.choose_from(made, now)
    }

    /// The refusal of an attempt without credentials.
    pub(crate) fn no_credentials(&self, now: UnixTime) -> Reject {
        Reject::NoCredentials(missing(self.model(), now))
    }

    /// The model group that the client selected.
    pub(crate) fn model(&self) -> &ModelGroup {
        &self.selected.model
    }

    /// The selected model group for index 0, then the fallbacks.
    fn group(&self, index: usize) -> Option<&ModelMatch> {
        match index.checked_sub(1) {
            None => Some(&self.selected),
            Some(fallback) => self.fallbacks.get(fallback),
        }
    }

    /// The region cluster of attempt `number` (the first is 1), if it may be made.
    pub fn cluster(&self, number: u64) -> Option<&str> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        let target = self.targets.borrow().get(index).copied()?;
        self.cluster_of(target)
    }

    /// The itinerary before the first attempt, for Envoy's route.
    pub fn itinerary(&self) -> String {
        self.publish(0, 1)
    }

    /// The itinerary after attempt `number` was signed or judged, unless Envoy's route knows it or
    /// makes no further attempt.
    pub(crate) fn changed_itinerary(&self, number: u64) -> Option<String> {
        let made = usize::try_from(number).ok()?;
        if made >= self.config.attempts_at_most {
            return None;
        }
        let is_known = {
            let (targets, known) = (self.targets.borrow(), self.published.borrow());
            let cluster = |target: Option<&Target>| target.and_then(|target| self.cluster_of(*target));
            let is_same = |index: usize| cluster(targets.get(index)) == cluster(known.targets.get(index));
            cluster(known.targets.get(known.next)) == cluster(targets.get(made))
                && (made..targets.len().max(known.targets.len())).all(is_same)
        };
        (!is_known).then(|| self.publish(made, made))
    }

    /// The itinerary of the attempts from index `first` on. The one at index `next` follows a signed
    /// attempt.
    fn publish(&self, first: usize, next: usize) -> String {
        let targets = self.targets.borrow();
        let clusters = targets
            .iter()
            .map(|target| self.cluster_of(*target).unwrap_or(NOWHERE));
        let number = u64::try_from(first).unwrap_or(u64::MAX).saturating_add(1);
        let after_signed = clusters.clone().nth(next);
        let itinerary = itinerary::property(self.key.get(), number, clusters.skip(first), after_signed);
        *self.published.borrow_mut() = PublishedItinerary {
            targets: targets.clone(),
            next,
        };
        itinerary
    }

    fn cluster_of(&self, target: Target) -> Option<&str> {
        Some(&self.find(target)?.1.cluster)
    }

    /// Whether all attempts can only go to one region cluster.
    pub(crate) fn has_one_cluster(&self) -> bool {
        let groups = std::iter::once(&self.selected).chain(&self.fallbacks);
        let mut deployments = groups.flat_map(|matched| &matched.model.deployments);
        let first = deployments.next();
        first.is_some_and(|first| deployments.all(|other| other.cluster == first.cluster))
    }

    /// Attempts made so far.
    pub fn attempt_count(&self) -> u64 {
        self.log.attempt_count()
    }

    /// The attempts made so far, in order: the model group, the deployment, the status of the
    /// response (0 if there was none), and the verdict.
    pub(crate) fn attempts_made(&self) -> impl Iterator<Item = (&ModelGroup, &Deployment, u16, Verdict)> {
        self.log.attempts().into_iter().filter_map(|attempt| {
            let (model, deployment) = self.find(attempt.target)?;
            Some((model, deployment, attempt.status, attempt.verdict))
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

    /// The model group of the last attempt, or the one that the client selected.
    pub(crate) fn last_model(&self) -> &ModelGroup {
        let last = self.log.last().and_then(|last| self.find(last.target));
        last.map_or_else(|| self.model(), |(model, _)| model)
    }

    /// How many other model groups were tried before that of the last attempt.
    pub(crate) fn fallback_count(&self) -> u64 {
        let mut groups: Vec<usize> = self.log.attempts().iter().map(|made| made.target.group).collect();
        groups.dedup();
        u64::try_from(groups.len().saturating_sub(1)).unwrap_or(u64::MAX)
    }

    /// The deployment of the last attempt.
    pub fn last_deployment(&self) -> Option<&Deployment> {
        Some(self.find(self.log.last()?.target)?.1)
    }

    /// The Bedrock model id of the last attempt.
    pub fn upstream_model(&self) -> Option<Cow<'_, str>> {
        let target = self.log.last()?.target;
        let (_, deployment) = self.find(target)?;
        Some(deployment.request_model(self.operation, self.captures(target)))
    }

    /// The rates of the last attempt, if known.
    pub fn rates(&self) -> Option<&Rates> {
        let target = self.log.last()?.target;
        self.config.rates(self.find(target)?.1, self.captures(target))
    }

    /// Length of the body, in bytes.
    pub fn request_bytes(&self) -> u64 {
        self.content_length.parse().unwrap_or_default()
    }

    /// The target of attempt `number`: the planned one or, if its deployment has no credentials any
    /// more, another one of the same cluster, because Envoy has already chosen the cluster.
    fn target(&self, number: u64, now: &impl Fn() -> UnixTime) -> Option<Target> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        let planned = self.targets.borrow().get(index).copied()?;
        let (model, deployment) = self.find(planned)?;
        if self.is_usable(deployment, now) {
            return Some(planned);
        }
        let others = model.deployments.iter().enumerate().map(|(index, other)| {
            let target = Target {
                deployment: index,
                ..planned
            };
            (target, other)
        });
        let mut others = others.filter(|(_, other)| other.cluster == deployment.cluster);
        let other = others.find(|(_, other)| self.is_usable(other, now));
        Some(other.map_or(planned, |(target, _)| target))
    }

    /// Chooses the targets of the attempts from index `made` on, the first of which comes after
    /// `made` others. Returns whether there is one.
    fn choose_from(&self, made: usize, now: &impl Fn() -> UnixTime) -> bool {
        let mut tried: Vec<Target> = self.log.attempts().iter().map(|attempt| attempt.target).collect();
        tried.truncate(made);
        while let Some(next) = self.next(&tried, now) {
            tried.push(next);
        }
        let has_next = tried.len() > made;
        *self.targets.borrow_mut() = tried;
        has_next
    }

    /// The target after those `tried`.
    fn next(&self, tried: &[Target], now: &impl Fn() -> UnixTime) -> Option<Target> {
        if tried.len() >= self.config.attempts_at_most {
            return None;
        }
        let group = tried.last().map_or(0, |last| last.group);
        let in_group = tried.iter().filter(|target| target.group == group).count();
        let own = (in_group < self.config.attempts)
            .then(|| self.choose(group, tried, now))
            .flatten();
        own.or_else(|| {
            let mut fallbacks = group.saturating_add(1)..=self.fallbacks.len();
            fallbacks.find_map(|group| self.choose(group, tried, now))
        })
    }

    /// The best target in a model group after those `tried`.
    fn choose(&self, group: usize, tried: &[Target], now: &impl Fn() -> UnixTime) -> Option<Target> {
        let model = &self.group(group)?.model;
        let tried: Vec<&Deployment> = tried
            .iter()
            .filter_map(|&target| Some(self.find(target)?.1))
            .collect();
        let condition = |deployment: &Deployment| {
            self.is_usable(deployment, now).then(|| Condition {
                tried: tried
                    .iter()
                    .filter(|other| other.digest == deployment.digest)
                    .count(),
                cooling: None,
                region_tried: tried
                    .iter()
                    .rposition(|other| other.cluster == deployment.cluster)
                    .map_or(0, |index| index.saturating_add(1)),
            })
        };
        let tiebreak = Tiebreak {
            strategy: self.config.routing.strategy,
            latency_buffer: self.config.routing.latency_buffer,
            session: self.session,
        };
        let random = &mut *self.random.borrow_mut();
        let deployment = choice::choose(&model.deployments, condition, tiebreak, |_| 0, random)?;
        Some(Target { group, deployment })
    }

    fn find(&self, target: Target) -> Option<(&ModelGroup, &Deployment)> {
        let model = &self.group(target.group)?.model;
        Some((model, model.deployments.get(target.deployment)?))
    }

    /// What each `*` in the name of a target's model group matched.
    fn captures(&self, target: Target) -> &[String] {
        self.group(target.group).map_or(&[], |matched| &matched.captures)
    }

    /// Whether no attempt has found this deployment, or an equal one, unusable, and there are
    /// credentials for it.
    fn is_usable(&self, deployment: &Deployment, now: &impl Fn() -> UnixTime) -> bool {
        let attempts = self.log.attempts();
        let mut unusable = attempts
            .iter()
            .filter(|attempt| attempt.verdict == Verdict::Unusable);
        let is_equal = |tried: Target| {
            self.find(tried)
                .is_some_and(|(_, other)| other.digest == deployment.digest)
        };
        !unusable.any(|attempt| is_equal(attempt.target)) && deployment.has_credentials(now)
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
