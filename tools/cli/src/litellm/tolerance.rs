//! What the operator accepts of a configuration that cannot be served as written.

use clap::builder::FalseyValueParser;

use crate::document::location::Location;

/// The option that accepts settings without their protection.
pub(crate) const ACCEPT_UNPROTECTED: &str = "--accept-unprotected";

/// What the operator accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct Tolerance {
    /// Start without the protection of these settings, which do not work here, such as allowed_ips
    /// or general_settings.allowed_ips. May be repeated.
    #[arg(
        long,
        env = "ACCEPT_UNPROTECTED",
        value_name = "NAME[,NAME…]",
        value_delimiter = ','
    )]
    pub accept_unprotected: Vec<String>,
    /// Start without the deployments that cannot be served. Each is listed with the reason.
    #[arg(long, env = "LEAVE_OUT_UNSUPPORTED", value_parser = FalseyValueParser::new())]
    pub leave_out_unsupported: bool,
}

impl Tolerance {
    /// The settings that are accepted without their protection.
    pub(crate) fn accepted(&self) -> impl Iterator<Item = &str> {
        self.accept_unprotected
            .iter()
            .map(|name| name.trim())
            .filter(|name| !name.is_empty())
    }

    /// The entry that accepts the setting `name` of `section` at `location`.
    pub(crate) fn accepting(&self, section: &str, name: &str, location: &Location) -> Option<&str> {
        self.accepted().find(|entry| {
            *entry == name || *entry == location.path || entry.rsplit_once('.') == Some((section, name))
        })
    }

    /// This, and also `names` without their protection.
    pub(crate) fn and_accepting(&self, names: &[String]) -> Tolerance {
        let mut tolerance = self.clone();
        tolerance.accept_unprotected.extend_from_slice(names);
        tolerance
    }

    /// This, and also without the deployments that cannot be served.
    pub(crate) fn and_leaving_out(&self) -> Tolerance {
        Tolerance {
            leave_out_unsupported: true,
            ..self.clone()
        }
    }
}
