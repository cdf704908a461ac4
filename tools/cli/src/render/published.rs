//! What a running Envoy has read from a directory of `render --dynamic`.
//!
//! Its filter has the variables of the first files, and its environment is fixed. With files that
//! need others, the gateway role would move to another VM than the signer role, and every request
//! would be refused.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use envoy_bedrock::sealing::SealingKey;
use serde::Deserialize;

use super::dynamic::{DynamicConfig, ResourceKind};
use super::error::RenderError;
use crate::admin::Admin;
use crate::document::scalar::Scalar;
use crate::document::yaml::{self, YamlNode, YamlValue};

/// Where the file of the filter has the variables that the filter reads, by runtime.
const VARIABLES: [&[&str]; 2] = [
    &["config", "vm_config", "environment_variables", "host_env_keys"],
    &["filter_config", "value", "environment_variables"],
];
/// Where it has the settings.
const SETTINGS: [&[&str]; 2] = [
    &["config", "configuration", "value"],
    &["filter_config", "value", "settings"],
];

/// What a file of the filter says about secrets.
struct Published {
    path: PathBuf,
    variables: BTreeSet<String>,
    sealed: BTreeMap<String, String>,
}

/// The part of the settings with the sealed secrets.
#[derive(Default, Deserialize)]
struct SealedSecrets {
    #[serde(default)]
    sealed: BTreeMap<String, String>,
}

/// Refuses files for `directory` that the Envoy with this admin port could not use, if it runs with
/// the files that are there. `sealing` is the key of the new files.
///
/// # Errors
/// What differs, and what to do.
pub(crate) fn refuse_other_secrets(
    directory: &Path,
    config: &DynamicConfig,
    sealing: Option<&SealingKey>,
    admin_port: u16,
) -> Result<(), RenderError> {
    let Some(published) = Published::of(directory) else {
        return Ok(());
    };
    let Some(error) = published.difference(config, sealing, admin_port) else {
        return Ok(());
    };
    // Without Envoy, nobody has read the files, or nobody any more.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(RenderError::Runtime)?;
    match runtime.block_on(is_used(admin_port)) {
        true => Err(error),
        false => Ok(()),
    }
}

/// Whether an Envoy with this admin port has read a file of the filter.
async fn is_used(admin_port: u16) -> bool {
    let admin = Admin::at(SocketAddr::from((Ipv4Addr::LOCALHOST, admin_port)));
    let Some(prefix) = ResourceKind::Filters.stats() else {
        return false;
    };
    let version = admin.stats(&format!("^{prefix}.version_text$")).await;
    version.is_some_and(|version| !version.trim().is_empty())
}

impl Published {
    /// What is in the directory. `None` if there is nothing that Envoy could have read.
    fn of(directory: &Path) -> Option<Self> {
        let path = directory.join(ResourceKind::Filters.file_name());
        let (root, _) = yaml::parse(&std::fs::read_to_string(&path).ok()?).ok()?;
        let filter = node(&root, &["resources", "0", "typed_config"])?;
        let found = |places: [&[&str]; 2]| places.into_iter().find_map(|place| node(filter, place));
        let variables = match found(VARIABLES) {
            Some(names) => elements(names).filter_map(text).map(str::to_owned).collect(),
            None => BTreeSet::new(),
        };
        let settings: SealedSecrets = serde_json::from_str(text(found(SETTINGS)?)?).ok()?;
        Some(Self {
            path,
            variables,
            sealed: settings.sealed,
        })
    }

    fn difference(
        self,
        config: &DynamicConfig,
        sealing: Option<&SealingKey>,
        admin_port: u16,
    ) -> Option<RenderError> {
        let after: BTreeSet<String> = config.variables().into_iter().collect();
        if self.variables != after {
            return Some(RenderError::OtherVariables {
                path: self.path,
                admin_port,
                before: list(&self.variables),
                after: list(&after),
            });
        }
        let key = sealing?;
        let is_foreign = |(name, sealed): (&String, &String)| key.open(name, sealed).is_none();
        self.sealed
            .iter()
            .any(is_foreign)
            .then_some(RenderError::OtherSealingKey {
                path: self.path,
                admin_port,
            })
    }
}

fn list(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return "no variables".to_owned();
    }
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// The node at a path of keys and indexes.
fn node<'a>(root: &'a YamlNode, path: &[&str]) -> Option<&'a YamlNode> {
    path.iter().try_fold(root, |node, name| member(node, name))
}

fn member<'a>(node: &'a YamlNode, name: &str) -> Option<&'a YamlNode> {
    match &node.value {
        YamlValue::Mapping(entries) => entries
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| &**value),
        YamlValue::Sequence(nodes) => nodes.get(name.parse::<usize>().ok()?).map(|node| &**node),
        YamlValue::Scalar(_) => None,
    }
}

fn elements(node: &YamlNode) -> impl Iterator<Item = &YamlNode> {
    let nodes = match &node.value {
        YamlValue::Sequence(nodes) => nodes.as_slice(),
        _ => &[],
    };
    nodes.iter().map(|node| &**node)
}

fn text(node: &YamlNode) -> Option<&str> {
    match &node.value {
        YamlValue::Scalar(Scalar::Text(text)) => Some(text),
        _ => None,
    }
}
