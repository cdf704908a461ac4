//! What the control API sets about the identity service.

use serde::{Deserialize, Deserializer, Serialize};

use super::role::RoleArn;
use super::secret;

/// The settings in force.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct IdentitySettings {
    /// Lifetime of what is issued, in seconds, whatever the request asks for. If `None`, as on AWS.
    pub(crate) lifetime_seconds: Option<u64>,
    /// Role of the EC2 instance; `None` if it has none.
    pub(crate) instance_role: Option<RoleArn>,
    /// Role of the ECS task.
    pub(crate) task_role: RoleArn,
    /// Id of the ECS task, the last part of its credentials' path.
    pub(crate) task_id: String,
    /// Role of the EKS pod.
    pub(crate) pod_role: RoleArn,
    /// Tokens that the EKS endpoint accepts.
    pub(crate) pod_tokens: Vec<String>,
    /// Region of the EC2 instance.
    pub(crate) region: String,
    /// Whether roles that were not registered cannot be assumed.
    pub(crate) only_registered_roles: bool,
}

impl Default for IdentitySettings {
    fn default() -> Self {
        let role = |name: &str| {
            let arn = format!("arn:aws:iam::123456789012:role/{name}");
            #[expect(clippy::expect_used, reason = "a constant")]
            RoleArn::parse(&arn).expect("a role")
        };
        Self {
            lifetime_seconds: None,
            instance_role: Some(role("emulated-instance")),
            task_role: role("emulated-task"),
            task_id: secret::request_id(),
            pod_role: role("emulated-pod"),
            pod_tokens: vec![secret::token()],
            region: "us-east-1".to_owned(),
            only_registered_roles: false,
        }
    }
}

/// A change. What is absent stays as it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsChange {
    #[serde(default, deserialize_with = "present")]
    lifetime_seconds: Option<Option<u64>>,
    #[serde(default, deserialize_with = "present")]
    instance_role: Option<Option<RoleArn>>,
    task_role: Option<RoleArn>,
    pod_role: Option<RoleArn>,
    pub(crate) pod_tokens: Option<Vec<String>>,
    region: Option<String>,
    only_registered_roles: Option<bool>,
}

/// Tells `null` from an absent member.
fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

impl IdentitySettings {
    pub(crate) fn change(&mut self, change: SettingsChange) {
        fn set<T>(member: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *member = value;
            }
        }
        set(&mut self.lifetime_seconds, change.lifetime_seconds);
        set(&mut self.instance_role, change.instance_role);
        set(&mut self.task_role, change.task_role);
        set(&mut self.pod_role, change.pod_role);
        set(&mut self.pod_tokens, change.pod_tokens);
        set(&mut self.region, change.region);
        set(&mut self.only_registered_roles, change.only_registered_roles);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_member_stays_and_null_resets() {
        let mut settings = IdentitySettings::default();
        let mut change = |json: &str| {
            settings.change(serde_json::from_str(json).unwrap());
            (settings.lifetime_seconds, settings.instance_role.is_some())
        };
        assert_eq!(change(r#"{"lifetime_seconds":5}"#), (Some(5), true));
        assert_eq!(change(r#"{"instance_role":null}"#), (Some(5), false));
        assert_eq!(change(r#"{"lifetime_seconds":null}"#), (None, false));
        assert!(serde_json::from_str::<SettingsChange>(r#"{"lifetime":5}"#).is_err());
        assert!(serde_json::from_str::<SettingsChange>(r#"{"task_role":"x"}"#).is_err());
    }
}
