//! The state of the identity service, except for the credentials, which the keyring has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::calls::IdentityCalls;
use super::fault::IdentityFaults;
use super::role::{RoleArn, TrustedRole};
use super::secret;
use super::settings::{IdentitySettings, SettingsChange};
use super::web_identity::{WebIdentity, WebIdentityRequest};
use crate::config::KnownCredential;

/// The state of the identity service.
#[derive(Debug, Default)]
pub(crate) struct IdentityState {
    pub(crate) faults: IdentityFaults,
    pub(crate) calls: IdentityCalls,
    directory: Mutex<Directory>,
    /// Every secret that was ever issued or registered.
    secrets: Mutex<BTreeSet<String>>,
}

#[derive(Debug, Default)]
struct Directory {
    settings: IdentitySettings,
    roles: BTreeMap<String, TrustedRole>,
    web_identities: BTreeMap<String, WebIdentity>,
    sso_tokens: BTreeMap<String, WebIdentity>,
    /// Tokens of IMDSv2, and when each expires.
    metadata_tokens: BTreeMap<String, SystemTime>,
}

/// What is known about a role.
pub(crate) enum RoleTrust {
    Registered(Box<TrustedRole>),
    /// Not registered: everyone may assume it.
    Open,
    /// Not registered, and only registered roles exist.
    Unknown,
}

impl IdentityState {
    pub(crate) fn settings(&self) -> IdentitySettings {
        self.lock().settings.clone()
    }

    pub(crate) fn change_settings(&self, change: SettingsChange) {
        self.note_secrets(change.pod_tokens.clone().unwrap_or_default());
        self.lock().settings.change(change);
    }

    pub(crate) fn register_role(&self, role: TrustedRole) {
        let arn = role.arn.as_str().to_owned();
        self.lock().roles.insert(arn, role);
    }

    pub(crate) fn trust(&self, role: &RoleArn) -> RoleTrust {
        let directory = self.lock();
        match directory.roles.get(role.as_str()) {
            Some(role) => RoleTrust::Registered(Box::new(role.clone())),
            None if directory.settings.only_registered_roles => RoleTrust::Unknown,
            None => RoleTrust::Open,
        }
    }

    pub(crate) fn register_web_identity(&self, request: WebIdentityRequest, now: SystemTime) {
        let token = request.token.clone();
        self.note_secrets([token.clone()]);
        let identity = WebIdentity::registered(request, now);
        self.lock().web_identities.insert(token, identity);
    }

    pub(crate) fn web_identity(&self, token: &str) -> Option<WebIdentity> {
        self.lock().web_identities.get(token).cloned()
    }

    pub(crate) fn register_sso_token(&self, request: WebIdentityRequest, now: SystemTime) {
        let token = request.token.clone();
        self.note_secrets([token.clone()]);
        let identity = WebIdentity::registered(request, now);
        self.lock().sso_tokens.insert(token, identity);
    }

    pub(crate) fn sso_token(&self, token: &str) -> Option<WebIdentity> {
        self.lock().sso_tokens.get(token).cloned()
    }

    /// A new token of IMDSv2.
    pub(crate) fn issue_metadata_token(&self, lifetime: Duration, now: SystemTime) -> String {
        let token = secret::token();
        self.note_secrets([token.clone()]);
        let mut directory = self.lock();
        directory.metadata_tokens.retain(|_, expires| *expires > now);
        directory.metadata_tokens.insert(token.clone(), now + lifetime);
        token
    }

    pub(crate) fn is_metadata_token(&self, token: &str, now: SystemTime) -> bool {
        let directory = self.lock();
        let expires = directory.metadata_tokens.get(token);
        expires.is_some_and(|expires| *expires > now)
    }

    pub(crate) fn note_credential(&self, credential: &KnownCredential) {
        let token = credential.session_token.clone();
        self.note_secrets([credential.secret_access_key.clone()].into_iter().chain(token));
    }

    pub(crate) fn note_secrets(&self, secrets: impl IntoIterator<Item = String>) {
        let mut known = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(secrets);
    }

    /// Every secret so far: keys, session tokens, tokens of each endpoint, and short-term API keys
    /// that a region has seen.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.note_secrets(self.settings().pod_tokens);
        let known = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().cloned().collect()
    }

    /// Restores the settings, and forgets roles, tokens, faults and calls. Task id and pod tokens
    /// stay, because clients have them.
    pub(crate) fn reset(&self) {
        self.faults.clear(None);
        self.calls.clear();
        let mut directory = self.lock();
        let settings = IdentitySettings {
            task_id: directory.settings.task_id.clone(),
            pod_tokens: directory.settings.pod_tokens.clone(),
            ..IdentitySettings::default()
        };
        *directory = Directory {
            settings,
            ..Directory::default()
        };
    }

    fn lock(&self) -> MutexGuard<'_, Directory> {
        self.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
