//! Roles: their ARNs, and who may assume them.

use serde::{Deserialize, Serialize};

use crate::judge::keyring::Principal;

/// The ARN of an IAM role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct RoleArn {
    arn: String,
    account: String,
    name: String,
}

impl RoleArn {
    pub(crate) fn parse(arn: &str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let is_iam = parts.next() == Some("arn")
            && parts.next().is_some_and(|partition| partition.starts_with("aws"))
            && parts.next() == Some("iam")
            && parts.next() == Some("");
        let (account, resource) = (parts.next()?, parts.next()?);
        let path = resource.strip_prefix("role/")?;
        let name = path.rsplit('/').next()?;
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        (is_iam && is_account && !name.is_empty()).then(|| Self {
            arn: arn.to_owned(),
            account: account.to_owned(),
            name: name.to_owned(),
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.arn
    }

    /// The name without the path.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn account(&self) -> &str {
        &self.account
    }

    /// Who has the credentials of a session of this role.
    pub(crate) fn session(&self, session: &str) -> Principal {
        let Self { account, name, .. } = self;
        Principal {
            account: account.clone(),
            arn: format!("{}{session}", self.session_prefix()),
            user_id: format!("AROA{:0>16.16}:{session}", name.to_ascii_uppercase()),
        }
    }

    fn session_prefix(&self) -> String {
        let Self { account, name, .. } = self;
        format!("arn:aws:sts::{account}:assumed-role/{name}/")
    }
}

impl TryFrom<String> for RoleArn {
    type Error = String;

    fn try_from(arn: String) -> Result<Self, String> {
        Self::parse(&arn).ok_or_else(|| {
            format!("expected a role such as arn:aws:iam::123456789012:role/name, but found {arn:?}")
        })
    }
}

impl From<RoleArn> for String {
    fn from(role: RoleArn) -> Self {
        role.arn
    }
}

/// A role that the control API registered, with its trust. If neither principals nor subjects are
/// given, everyone may assume it; otherwise only they.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrustedRole {
    pub(crate) arn: RoleArn,
    /// The external id that `AssumeRole` must bring.
    pub(crate) external_id: Option<String>,
    /// Accounts, ARNs of users, roles and sessions, or `*`.
    pub(crate) principals: Option<Vec<String>>,
    /// Subjects of web identity tokens.
    pub(crate) subjects: Option<Vec<String>>,
}

impl TrustedRole {
    /// Whether `caller` may assume the role with this external id.
    pub(crate) fn trusts(&self, caller: &Principal, external_id: Option<&str>) -> bool {
        let is_trusted = match &self.principals {
            None => self.subjects.is_none(),
            Some(principals) => principals.iter().any(|trusted| is_covered(caller, trusted)),
        };
        is_trusted && (self.external_id.is_none() || self.external_id.as_deref() == external_id)
    }

    /// Whether the web identity `subject` may assume the role.
    pub(crate) fn trusts_subject(&self, subject: &str) -> bool {
        match &self.subjects {
            None => self.principals.is_none(),
            Some(subjects) => subjects.iter().any(|trusted| trusted == subject),
        }
    }
}

/// Whether a principal of a trust policy covers `caller`.
fn is_covered(caller: &Principal, trusted: &str) -> bool {
    let is_session_of =
        || RoleArn::parse(trusted).is_some_and(|role| caller.arn.starts_with(&role.session_prefix()));
    trusted == "*"
        || trusted == caller.account
        || trusted == format!("arn:aws:iam::{}:root", caller.account)
        || trusted == caller.arn
        || is_session_of()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/team/reader";

    fn role(json: &str) -> TrustedRole {
        serde_json::from_str(json).unwrap()
    }

    fn user(account: &str) -> Principal {
        Principal {
            account: account.to_owned(),
            arn: format!("arn:aws:iam::{account}:user/u"),
            user_id: "AIDA".to_owned(),
        }
    }

    #[test]
    fn a_role_has_an_account_and_a_name_without_its_path() {
        let role = RoleArn::parse(ROLE).unwrap();
        assert_eq!((role.account(), role.name()), ("111122223333", "reader"));
        assert_eq!(
            role.session("s").arn,
            "arn:aws:sts::111122223333:assumed-role/reader/s"
        );
        for arn in [
            "",
            "arn:aws:iam::111122223333:user/u",
            "arn:aws:iam::11112222333:role/r",
            "arn:aws:iam:us-east-1:111122223333:role/r",
            "arn:aws:iam::111122223333:role/",
            "arn:aws:sts::111122223333:role/r",
        ] {
            assert_eq!(RoleArn::parse(arn), None, "{arn}");
        }
    }

    #[test]
    fn a_role_without_a_trust_policy_trusts_everyone() {
        let role = role(&format!(r#"{{"arn":"{ROLE}"}}"#));
        assert!(role.trusts(&user("123456789012"), None) && role.trusts_subject("pod"));
    }

    #[test]
    fn an_external_id_must_be_equal() {
        let role = role(&format!(r#"{{"arn":"{ROLE}","external_id":"x"}}"#));
        let with = |id| role.trusts(&user("123456789012"), id);
        assert_eq!(
            (with(Some("x")), with(Some("y")), with(None)),
            (true, false, false)
        );
    }

    #[test]
    fn accounts_users_and_sessions_are_trusted_by_name() {
        for trusted in [
            "*",
            "123456789012",
            "arn:aws:iam::123456789012:root",
            "arn:aws:iam::123456789012:user/u",
        ] {
            let role = role(&format!(r#"{{"arn":"{ROLE}","principals":["{trusted}"]}}"#));
            assert!(role.trusts(&user("123456789012"), None), "{trusted}");
            assert_eq!(role.trusts(&user("999999999999"), None), trusted == "*");
            assert!(!role.trusts_subject("pod"));
        }
        let next = role(
            &format!(r#"{{"arn":"arn:aws:iam::1:role/x","principals":["{ROLE}"]}}"#)
                .replace("::1:", "::111122223333:"),
        );
        let session = RoleArn::parse(ROLE).unwrap().session("s");
        assert!(next.trusts(&session, None));
        assert!(!next.trusts(&user("111122223333"), None));
    }

    #[test]
    fn only_listed_subjects_are_trusted() {
        let role = role(&format!(r#"{{"arn":"{ROLE}","subjects":["pod"]}}"#));
        assert!(role.trusts_subject("pod") && !role.trusts_subject("other"));
        assert!(!role.trusts(&user("123456789012"), None));
    }
}
