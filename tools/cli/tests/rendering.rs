//! Envoy accepts every rendered configuration, and the committed ones are up to date.

mod tools;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use tools::{envoy, filter, repository};

/// Values for every variable that a rendered configuration lists, so that the filter can be
/// configured.
fn with_variables(command: &mut Command, rendered: &str) {
    let lists = rendered.split("host_env_keys:\n").skip(1);
    let names: BTreeSet<&str> = lists
        .flat_map(|list| {
            list.lines()
                .map_while(|line| line.trim_start().strip_prefix("- "))
        })
        .collect();
    assert!(!names.is_empty(), "no variables in\n{rendered}");
    command.envs(names.into_iter().map(|name| (name, "sk-value-of-a-variable")));
}

fn render(config: &Path, output: &Path, arguments: &[&str]) {
    let result = tools::command()
        .arg("render")
        .arg(config)
        .arg("--output")
        .arg(output)
        .arg("--filter")
        .arg(filter())
        .args(arguments)
        // Variables in the test configurations that are not secrets.
        .env("MY_REGION", "eu-west-1")
        .env("GUARDRAIL", "gr3v0wd5zz81")
        .env("GUARDRAIL_VERSION", "DRAFT")
        .env("V6_ENDPOINT", "https://[2001:db8::17]:8443")
        .output()
        .unwrap();
    assert!(
        result.status.success(),
        "{}: {}",
        config.display(),
        String::from_utf8_lossy(&result.stderr)
    );
}

fn assert_valid(rendered: &Path) {
    let text = std::fs::read_to_string(rendered).unwrap();
    let mut command = Command::new(envoy());
    command
        .args(["--mode", "validate", "--log-level", "warning", "-c"])
        .arg(rendered);
    with_variables(&mut command, &text);
    let result = command.output().unwrap();
    let log = String::from_utf8_lossy(&result.stderr).into_owned();
    assert!(result.status.success(), "{}:\n{log}", rendered.display());
    assert!(
        !log.contains("eprecated") && !log.contains("[warning]"),
        "{}:\n{log}",
        rendered.display()
    );
}

#[test]
fn every_configuration_of_the_tests_is_valid_for_envoy() {
    let directory = tempfile::tempdir().unwrap();
    let configs = repository().join("tools/cli/tests/configs");
    let mut count = 0;
    for entry in std::fs::read_dir(configs).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let output = directory.path().join(path.file_name().unwrap());
        render(&path, &output, &[]);
        assert_valid(&output);
        count += 1;
    }
    assert!(count >= 10, "only {count} configurations");
}

#[test]
fn every_option_is_valid_for_envoy() {
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("c.pem"), made.cert.pem()).unwrap();
    std::fs::write(path("k.pem"), made.signing_key.serialize_pem()).unwrap();
    let output = directory.path().join("envoy.yaml");
    let (certificate, key, log) = (path("c.pem"), path("k.pem"), path("access.log"));
    let arguments = [
        "--bind",
        "::1",
        "--port",
        "0",
        "--tls-port",
        "0",
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
        "--admin-port",
        "19901",
        "--metrics-port",
        "0",
        "--upstream-ca",
        &certificate,
        "--access-log",
        &log,
        "--emulator",
        "us-west-2=emulator:9443",
        "--emulator",
        "us-east-1=[::1]:9444",
    ];
    render(&repository().join("config.yaml"), &output, &arguments);
    assert_valid(&output);
}

#[test]
fn every_kind_of_collector_is_valid_for_envoy() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("envoy.yaml");
    let ca = directory.path().join("ca.pem");
    let made = rcgen::generate_simple_self_signed(["collector".to_owned()]).unwrap();
    std::fs::write(&ca, made.cert.pem()).unwrap();
    for protocol in ["grpc", "http/protobuf"] {
        for endpoint in ["http://collector:4318", "https://[2001:db8::1]:4318/otlp"] {
            let arguments = [
                "--otlp-endpoint",
                endpoint,
                "--otlp-protocol",
                protocol,
                "--upstream-ca",
                ca.to_str().unwrap(),
            ];
            render(&repository().join("config.yaml"), &output, &arguments);
            assert_valid(&output);
        }
    }
}

#[test]
fn an_invalid_collector_is_reported_with_its_option() {
    let result = tools::command()
        .current_dir(repository())
        .args(["render", "config.yaml", "--otlp-endpoint", "collector:4317"])
        .output()
        .unwrap();
    let stderr = String::from_utf8(result.stderr).unwrap();
    assert_eq!(result.status.code(), Some(1));
    let expected = "error: --otlp-endpoint: expected a URL like http://localhost:4318 or https://HOST:PORT, but found no \
                    scheme\n";
    assert!(stderr.ends_with(expected), "{stderr}");
}

#[test]
fn the_committed_configuration_is_the_rendered_sample() {
    let committed = std::fs::read_to_string(repository().join("envoy.yaml")).unwrap();
    let result = tools::command()
        .current_dir(repository())
        .args(["render", "config.yaml", "--metrics-port", "9902"])
        .output()
        .unwrap();
    let rendered = String::from_utf8(result.stdout).unwrap();
    assert!(result.status.success());
    assert!(
        rendered == committed,
        "envoy.yaml is out of date: run `make rendered`"
    );
}

#[test]
fn rendering_does_not_depend_on_the_environment() {
    let rendered = |value: Option<&str>| {
        let mut command = tools::command();
        for name in [
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "LITELLM_MASTER_KEY",
        ] {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        command
            .current_dir(repository())
            .args(["render", "config.yaml"])
            .output()
            .unwrap()
            .stdout
    };
    assert_eq!(rendered(Some("sk-a-secret-value")), rendered(None));
}

#[test]
fn an_emulator_for_an_unknown_cluster_is_refused_with_its_name() {
    let arguments = ["render", "config.yaml", "--emulator", "us-west-3=h:1"];
    let result = tools::command()
        .current_dir(repository())
        .args(arguments)
        .output()
        .unwrap();
    let stderr = String::from_utf8(result.stderr).unwrap();
    assert_eq!(result.status.code(), Some(1));
    let expected = "error: --emulator: expected one of us-west-2, us-east-1, but found 'us-west-3'\n";
    assert!(stderr.ends_with(expected), "{stderr}");
}

#[test]
fn metrics_without_a_fixed_admin_port_are_refused() {
    let result = tools::command()
        .current_dir(repository())
        .args([
            "render",
            "config.yaml",
            "--admin-port",
            "0",
            "--metrics-port",
            "9902",
        ])
        .output()
        .unwrap();
    assert_eq!(result.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(result.stderr).unwrap(),
        "error: --metrics-port needs a fixed --admin-port, because the metrics come from there, but found --admin-port 0\n"
    );
}

/// The messages of `render` about a file with one protecting setting and one deployment with a
/// role.
fn rendering(arguments: &[&str], variables: &[(&str, &str)]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.yaml");
    let text = "model_list:\n\
        - {model_name: a, litellm_params: {model: bedrock/amazon.nova-pro-v1:0, aws_role_name: r}}\n\
        - {model_name: b, litellm_params: {model: bedrock/amazon.nova-pro-v1:0}}\n\
        general_settings: {allowed_ips: [10.0.0.1]}\n";
    std::fs::write(&config, text).unwrap();
    let result = tools::command()
        .arg("render")
        .arg(&config)
        .args(["--output", "/dev/null"])
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    (result.status.success(), String::from_utf8(result.stderr).unwrap())
}

#[test]
fn a_configuration_that_cannot_be_served_as_written_is_refused_until_accepted() {
    let (rendered, said) = rendering(&[], &[("ACCEPT_UNPROTECTED", ""), ("LEAVE_OUT_UNSUPPORTED", "")]);
    assert!(!rendered);
    for part in [
        "general_settings.allowed_ips: this protection does not work here",
        "litellm_params.aws_role_name: expected the ARN of a role",
        "--accept-unprotected allowed_ips",
        "--leave-out-unsupported",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let (rendered, said) = rendering(&["--accept-unprotected", "allowed_ips"], &[]);
    assert!(!rendered && !said.contains("allowed_ips"), "{said}");
    let flags = [
        "--accept-unprotected",
        "max_budget,allowed_ips",
        "--leave-out-unsupported",
    ];
    let variables = [
        ("ACCEPT_UNPROTECTED", "allowed_ips"),
        ("LEAVE_OUT_UNSUPPORTED", "1"),
    ];
    for (rendered, said) in [rendering(&flags, &[]), rendering(&[], &variables)] {
        assert!(rendered, "{said}");
        assert!(
            said.contains("note: accepted without this protection: allowed_ips (line 4)"),
            "{said}"
        );
        assert!(
            said.contains("left out: cannot be served: model_list[0].litellm_params.aws_role_name (line 2)"),
            "{said}"
        );
    }
}
