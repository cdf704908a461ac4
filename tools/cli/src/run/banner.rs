//! What the user sees when the gateway runs.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use anstyle::{AnsiColor, Style};
use envoy_bedrock::contract::settings::Settings;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::backend::{Backend, Reason};
use crate::blueprint::Blueprint;
use crate::environment::Environment;
use crate::otlp::Collector;
use crate::render::AccessLog;

/// What is encoded in a segment of a path: everything but RFC 3986's unreserved characters.
const NOT_IN_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
/// The key that all of LiteLLM's documentation uses: no secret, so it may be shown.
const PUBLIC_KEY: &str = "sk-1234";
const LOUD: Style = Style::new()
    .bold()
    .fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));
const STRONG: Style = Style::new()
    .bold()
    .fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));

/// What is told about a running gateway.
pub(super) struct Banner<'a> {
    pub(super) blueprint: &'a Blueprint,
    pub(super) backend: Backend,
    pub(super) environment: &'a Environment,
    pub(super) plain: SocketAddr,
    pub(super) tls: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) controls: Vec<SocketAddr>,
    pub(super) spend_log: &'a AccessLog,
    pub(super) collector: Option<&'a Collector>,
    pub(super) client_ca: Option<&'a Path>,
}

impl Banner<'_> {
    /// The text, with colours that `anstream` removes where there is no terminal.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        if let Backend::Emulator(reason) = self.backend {
            self.emulated(reason, &mut out);
        }
        let host = if self.tls.ip().is_unspecified() {
            "localhost".to_owned()
        } else {
            host(self.tls)
        };
        let _ = writeln!(
            out,
            "{STRONG}RUNNING on http://{} (and https://{host}:{}){STRONG:#}",
            self.plain,
            self.tls.port()
        );
        let _ = writeln!(out, "Envoy's admin interface: http://{}", self.admin);
        let _ = writeln!(out, "Metrics: http://{}/stats/prometheus", self.admin);
        for control in &self.controls {
            let _ = writeln!(out, "Emulator's control: http://{control}");
        }
        if let AccessLog::File(path) = self.spend_log {
            let _ = writeln!(out, "Spend log: {path}");
        }
        if let Some(collector) = self.collector {
            let _ = writeln!(out, "Spend log by OTLP: {collector}");
        }
        if let Some(alias) = alias(&self.blueprint.settings) {
            self.example(&alias, &mut out);
        }
        if let Some(ca) = self.client_ca {
            let _ = writeln!(
                out,
                "\nboto3 and other clients over https trust it with\n\n  export AWS_CA_BUNDLE={}",
                ca.display()
            );
        }
        out
    }

    fn emulated(&self, reason: Reason, out: &mut String) {
        let why = match reason {
            Reason::NoCredentials => "there are no credentials for AWS",
            Reason::Asked => "BEDROCK=emulator was asked for",
        };
        let lines = [
            format!("BEDROCK IS EMULATED: {why}."),
            "Answers are made up. Nothing leaves this machine and nothing costs money.".to_owned(),
            "For the real one set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what the".to_owned(),
            "configuration names, or BEDROCK=aws to be told what is missing.".to_owned(),
        ];
        let bar = "*".repeat(82);
        let _ = writeln!(out, "{LOUD}{bar}");
        for line in lines {
            let _ = writeln!(out, "* {line:<78} *");
        }
        let _ = writeln!(out, "{bar}{LOUD:#}");
    }

    fn example(&self, alias: &str, out: &mut String) {
        let _ = write!(
            out,
            "\n  curl -X POST 'http://{}/bedrock/model/{alias}/converse' \\\n    \
             -H \"Authorization: Bearer {}\" -H 'Content-Type: application/json' \\\n    \
             -d '{{\"messages\":[{{\"role\":\"user\",\"content\":[{{\"text\":\"Hello, how are you?\"}}]}}],\n         \
             \"inferenceConfig\":{{\"temperature\":0.5,\"maxTokens\":100}}}}'\n",
            self.plain,
            self.key()
        );
    }

    /// How the user gets at the key, never the key itself.
    fn key(&self) -> String {
        let name = &self.blueprint.settings.master_key;
        let literal = self.blueprint.secrets.get(name).map(|secret| secret.0.as_str());
        let value = literal.or_else(|| self.environment.value(&name.0));
        if value == Some(PUBLIC_KEY) {
            PUBLIC_KEY.to_owned()
        } else if literal.is_none() {
            format!("${}", name.0)
        } else {
            "<the master_key of the configuration>".to_owned()
        }
    }
}

fn host(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    }
}

/// A name that can be tried, as it stands in a path.
fn alias(settings: &Settings) -> Option<String> {
    let model = settings.models.iter().find(|model| !model.name.contains('*'))?;
    Some(utf8_percent_encode(&model.name, NOT_IN_SEGMENT).to_string())
}
