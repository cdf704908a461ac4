//! The arrival of a request: its headers are checked, and its signature if it has one of an AWS
//! pair.
//!
//! A signature covers the body, so a signed request is admitted when its body is complete, with the
//! headers that it came with. All others are admitted by their headers.

use std::rc::Rc;

use crate::admission::reject::Reject;
use crate::headers::{Headers, pairs};
use crate::keys::VerifiedKey;
use crate::records::client::Client;
use crate::routing::active_config::ActiveConfig;
use crate::sigv4::PayloadHash;
use crate::stream::Stream;
use crate::stream::account::Account;
use crate::stream::phase::Phase;
use crate::stream::receiving::{Admitted, Receiving, begin_drain};
use crate::stream::request::Request;
use crate::stream::step::{Buffer, Edit, Step, Then};
use crate::stream::verifying::Verifying;
use crate::time::UnixTime;

impl Stream {
    /// The request's headers have arrived. `headers` are serialized ([`pairs`]), or `None` if the
    /// host call failed. With `end_stream`, no body follows.
    pub fn request_headers(&mut self, headers: Option<Vec<u8>>, end_stream: bool, now: UnixTime) -> Step {
        if !matches!(self.phase, Phase::New) {
            return Step::WAIT;
        }
        let Some(config) = self.config.clone() else {
            return self.refuse_unidentified(end_stream, now);
        };
        let Some(pairs) = headers.as_deref().and_then(pairs::parse) else {
            return self.refuse_unidentified(end_stream, now);
        };
        let client = Client::read(Headers(&pairs), self.random.uuid());
        self.account = Some(Account::new(client, now));
        let verified = match config.keys.signature(Headers(&pairs), now) {
            Ok(None) => Ok(None),
            Ok(Some(signed)) if end_stream => signed.verify(&PayloadHash::of(b"")).map(Some),
            Ok(Some(signed)) => {
                let declared = Headers(&pairs).content_length();
                return match self.hold_signed(&config, declared) {
                    Ok(()) => {
                        let headers = headers.unwrap_or_default();
                        let verifying = Verifying::new(signed, headers, config.body_limit_bytes, now);
                        self.phase = Phase::Verifying(Box::new(verifying));
                        self.with_timer(Step::WAIT)
                    }
                    Err(reject) => self.refuse(&config, Headers(&pairs), &reject, end_stream, now),
                };
            }
            Err(reject) => Err(reject),
        };
        let admitted = match verified {
            Ok(verified) => self.admit(&config, Headers(&pairs), verified.as_ref(), end_stream, now),
            Err(reject) => Err(self.refuse(&config, Headers(&pairs), &reject, end_stream, now)),
        };
        match admitted {
            Ok(request) => {
                let is_streamed = request.is_streamed();
                self.phase = Phase::Receiving(Box::new(Receiving {
                    request,
                    started: now,
                    headers: headers.unwrap_or_default(),
                    read_bytes: 0,
                }));
                let step = if end_stream || is_streamed {
                    self.request_read(end_stream, now)
                } else {
                    Step::WAIT
                };
                self.with_timer(step)
            }
            Err(step) => step,
        }
    }

    /// Admits a request by its headers. If it is no model request, or is refused, returns what
    /// happens instead.
    fn admit(
        &mut self,
        config: &Rc<ActiveConfig>,
        headers: Headers<'_>,
        verified: Option<&VerifiedKey>,
        end_stream: bool,
        now: UnixTime,
    ) -> Result<Request, Step> {
        let mut key = None;
        let limiter = self.limiter.as_deref();
        let mut admitted = Admitted::of(config, headers, verified, &mut key, limiter, now);
        if let Some(account) = &mut self.account {
            account.key = key;
        }
        if let (Ok(Admitted::Request(request)), Some(limiter)) = (&admitted, &self.limiter)
            && let Err(reject) = self
                .hold
                .take(limiter, config, request, headers.content_length(), now)
        {
            admitted = Err(reject);
        }
        let upload = || (!end_stream).then(|| begin_drain(config, headers, now));
        match admitted {
            Ok(Admitted::Request(request)) => Ok(*request),
            Ok(Admitted::Reply(reply)) => Err(self.reply(reply, upload(), 0, now)),
            Ok(Admitted::Lookup(id)) => {
                self.phase = Phase::Lookup(upload());
                Err(Step::then(Then::Lookup(id)))
            }
            Err(reject) => Err(self.reply(reject.reply(), upload(), 0, now)),
        }
    }

    /// The body of a signed request is complete.
    pub(super) fn verify(&mut self, body: &impl Buffer, now: UnixTime) -> Step {
        let phase = std::mem::replace(&mut self.phase, Phase::New);
        let (Phase::Verifying(verifying), Some(config)) = (phase, self.config.clone()) else {
            return self.refuse_unidentified(true, now);
        };
        let started = verifying.started;
        let (verified, headers) = match verifying.verify() {
            Ok(verified) => verified,
            Err(reject) => return self.refuse_upload(&reject, None, 0, now),
        };
        let pairs = pairs::parse(&headers).unwrap_or_default();
        match self.admit(&config, Headers(&pairs), Some(&verified), true, now) {
            Ok(request) => {
                self.phase = Phase::Receiving(Box::new(Receiving {
                    request,
                    started,
                    headers,
                    read_bytes: 0,
                }));
                self.request_body(body, true, now)
            }
            Err(step) => step,
        }
    }

    /// Refuses a request by its headers.
    fn refuse(
        &mut self,
        config: &ActiveConfig,
        headers: Headers<'_>,
        reject: &Reject,
        end_stream: bool,
        now: UnixTime,
    ) -> Step {
        let upload = (!end_stream).then(|| begin_drain(config, headers, now));
        self.reply(reject.reply(), upload, 0, now)
    }

    /// Makes room for the body of a signed request.
    fn hold_signed(&mut self, config: &ActiveConfig, declared: Option<u64>) -> Result<(), Reject> {
        let limit = config.body_limit_bytes;
        if declared.is_some_and(|bytes| bytes > limit) {
            return Err(Reject::BodyTooLarge(limit));
        }
        match &self.limiter {
            Some(limiter) => self.hold.hold_body(limiter, config, declared),
            None => Ok(()),
        }
    }

    /// Starts the timer, which keeps alive what the request holds.
    fn with_timer(&self, mut step: Step) -> Step {
        if self.limiter.is_some() {
            step.edits.insert(0, Edit::StartTimer);
        }
        step
    }
}
