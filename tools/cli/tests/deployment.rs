//! The rendered configuration in deploy/ is up to date.

use std::path::{Path, PathBuf};
use std::process::Command;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_demo_for_docker_compose_is_rendered_from_its_configuration() {
    let result = Command::new(env!("CARGO_BIN_EXE_envoy-bedrock"))
        .current_dir(repository())
        .args(["render", "deploy/config.emulator.yaml", "--metrics-port", "9902"])
        .output()
        .unwrap();
    assert!(result.status.success());
    assert!(
        String::from_utf8(result.stdout).unwrap() == read("deploy/envoy.emulator.yaml"),
        "deploy/envoy.emulator.yaml is out of date: run `make rendered`"
    );
}

#[test]
fn the_configuration_of_the_demo_is_the_sample_with_endpoints() {
    let settings = |path: &str| -> Vec<String> {
        let text = read(path).replace("os.environ/EMULATOR_", "os.environ/AWS_");
        let lines = text
            .lines()
            .map(|line| line.split(" #").next().unwrap_or(line).trim_end());
        lines
            .filter(|line| {
                !line.starts_with('#') && !line.contains("aws_bedrock_runtime_endpoint: http://emulator:")
            })
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(settings("deploy/config.emulator.yaml"), settings("config.yaml"));
}
