//! What the user sees when the gateway is running.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use anstyle::{AnsiColor, Style};
use envoy_bedrock::contract::settings::Settings;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::backend::{Backend, Reason};
use super::wanted;
use crate::blueprint::Blueprint;
use crate::environment::Environment;
use crate::otlp::Collector;
use crate::render::AccessLog;

/// Characters to encode in a path segment: all but RFC 3986's unreserved ones.
const NOT_IN_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
/// The key in LiteLLM's documentation. It is not a secret, so it may be shown.
const PUBLIC_KEY: &str = "sk-1234";
const LOUD: Style = Style::new()
    .bold()
    .fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));
const STRONG: Style = Style::new()
    .bold()
    .fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));

/// A running gateway.
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
    /// The text, with colours, which `anstream` removes if standard output is not a terminal.
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
            let _ = writeln!(out, "Spend log over OTLP: {collector}");
        }
        if let Some(alias) = alias(&self.blueprint.settings) {
            self.example(&alias, &mut out);
        }
        if let Some(ca) = self.client_ca {
            let _ = writeln!(
                out,
                "\nFor https, make boto3 and other AWS clients trust the certificate:\n\n  export AWS_CA_BUNDLE={}",
                ca.display()
            );
        }
        out
    }

    /// Logs what a program needs of the text.
    pub(super) fn log(&self) {
        let spend_log = match self.spend_log {
            AccessLog::File(path) => path,
            AccessLog::Stdout => "-",
        };
        tracing::info!(
            url = format!("http://{}", self.plain),
            tls_url = format!("https://{}", self.tls),
            admin = format!("http://{}", self.admin),
            spend_log,
            emulated = matches!(self.backend, Backend::Emulator(_)),
            "RUNNING on http://{} (and https://{})",
            self.plain,
            self.tls
        );
    }

    fn emulated(&self, reason: Reason, out: &mut String) {
        let why = match reason {
            Reason::NoCredentials => "no AWS credentials were found",
            Reason::Asked => "BEDROCK=emulator is set",
        };
        let mut lines = vec![
            format!("BEDROCK IS EMULATED: {why}."),
            "Responses are made up. Nothing leaves this machine, and nothing costs money.".to_owned(),
        ];
        match reason {
            Reason::NoCredentials => lines.extend(wanted::lines(self.blueprint)),
            Reason::Asked => lines.push("To use AWS, set BEDROCK=aws.".to_owned()),
        }
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

    /// The key for the example. Unless it is public, this is its variable or a placeholder, never
    /// the key.
    fn key(&self) -> String {
        let name = &self.blueprint.settings.master_key;
        let literal = self.blueprint.secrets.get(name).map(|secret| secret.expose());
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

/// An alias that can be tried, encoded for a path.
fn alias(settings: &Settings) -> Option<String> {
    let model = settings.models.iter().find(|model| !model.name.contains('*'))?;
    Some(utf8_percent_encode(&model.name, NOT_IN_SEGMENT).to_string())
}
