use super::*;

const SECRET: &str = "t0psecret";

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().copied().collect()
}

fn read_all(
    arguments: &CollectorArguments,
    variables: &[(&str, &str)],
) -> Result<Option<Collector>, CollectorError> {
    read(arguments, &environment(variables), || {
        Ok("system-ca.pem".to_owned())
    })
}

fn collector(variables: &[(&str, &str)]) -> Option<Collector> {
    read_all(&CollectorArguments::default(), variables).unwrap()
}

fn shown(variables: &[(&str, &str)]) -> Option<String> {
    collector(variables).map(|collector| collector.to_string())
}

fn refusal(variable: &'static str, value: &str) -> String {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
        (variable, value),
    ];
    read_all(&CollectorArguments::default(), &variables)
        .unwrap_err()
        .to_string()
}

#[test]
fn without_an_endpoint_there_is_no_collector_and_nothing_is_checked() {
    let others = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
    ];
    assert!(collector(&[]).is_none() && collector(&others).is_none());
}

#[test]
fn the_most_specific_endpoint_wins() {
    let litellm = ("OTEL_ENDPOINT", "http://litellm:1");
    let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:2");
    let logs = ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://logs:3/here");
    let given = |text: &str| Some(format!("{text} (http/protobuf)"));
    assert_eq!(shown(&[litellm]), given("http://litellm:1/v1/logs"));
    assert_eq!(shown(&[litellm, all]), given("http://all:2/v1/logs"));
    assert_eq!(shown(&[litellm, all, logs]), given("http://logs:3/here"));
    let arguments = CollectorArguments {
        otlp_endpoint: Some("http://option:4".to_owned()),
        otlp_protocol: Some("grpc".to_owned()),
    };
    let found = read_all(&arguments, &[litellm, all, logs, ("OTEL_SDK_DISABLED", "true")]);
    assert_eq!(found.unwrap().unwrap().to_string(), "http://option:4 (grpc)");
}

#[test]
fn the_path_for_logs_is_added_to_a_base_and_replaces_that_of_another_signal() {
    for (base, expected) in [
        ("http://c:4318", "http://c:4318/v1/logs"),
        ("http://c:4318/", "http://c:4318/v1/logs"),
        ("https://c/otlp", "https://c/otlp/v1/logs"),
        ("https://c/otlp/v1/traces", "https://c/otlp/v1/logs"),
        ("https://c/v1/logs", "https://c/v1/logs"),
        ("https://[2001:db8::1]:4318", "https://[2001:db8::1]:4318/v1/logs"),
    ] {
        assert_eq!(
            collector(&[("OTEL_EXPORTER_OTLP_ENDPOINT", base)]).unwrap().url(),
            expected
        );
    }
    let whole = |url| {
        collector(&[("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", url)])
            .unwrap()
            .url()
    };
    assert_eq!(whole("http://c:4318"), "http://c:4318/");
    assert_eq!(whole("http://c:4318/v1/traces"), "http://c:4318/v1/traces");
}

#[test]
fn protocols_have_the_names_of_the_standard_and_of_litellm() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1/v1/traces");
    let (grpc, http) = (
        Some("http://c:1 (grpc)".to_owned()),
        Some("http://c:1/v1/logs (http/protobuf)".to_owned()),
    );
    assert_eq!(shown(&[endpoint]), http);
    for (name, value, expected) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", &grpc),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", &http),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", &http),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "grpc", &grpc),
        ("OTEL_EXPORTER", "otlp_grpc", &grpc),
        ("OTEL_EXPORTER", "otlp_http", &http),
        ("OTEL_EXPORTER", "console", &http),
    ] {
        assert_eq!(&shown(&[endpoint, (name, value)]), expected, "{name}={value}");
    }
}

#[test]
fn the_standard_switches_disable_the_collector() {
    let with = |name, value| {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1");
        collector(&[endpoint, (name, value)]).is_some()
    };
    assert!(!with("OTEL_SDK_DISABLED", "TRUE") && with("OTEL_SDK_DISABLED", "false"));
    assert!(!with("OTEL_LOGS_EXPORTER", "none") && !with("OTEL_LOGS_EXPORTER", "console"));
    assert!(with("OTEL_LOGS_EXPORTER", "console, otlp"));
}

#[test]
fn header_values_are_decoded_and_hidden() {
    let text = format!("Authorization=Bearer%20{SECRET}, x-team = a=b%zz ,");
    let found = collector(&[
        ("OTEL_ENDPOINT", "http://c:1"),
        ("OTEL_EXPORTER_OTLP_HEADERS", &text),
        ("OTEL_HEADERS", "not=used"),
    ])
    .unwrap();
    let headers: Vec<_> = found
        .headers
        .iter()
        .map(|header| (&*header.name, &*header.variable.0, header.value.expose()))
        .collect();
    assert_eq!(
        headers,
        [
            (
                "authorization",
                "ENVOY_BEDROCK_OTLP_HEADER_AUTHORIZATION",
                "Bearer t0psecret"
            ),
            ("x-team", "ENVOY_BEDROCK_OTLP_HEADER_X_TEAM", "a=b%zz"),
        ]
    );
    assert!(!format!("{found:?} {found}").contains(SECRET));
}

#[test]
fn the_service_always_has_a_name() {
    let resource = |variables: &[(&str, &str)]| {
        let endpoint = [("OTEL_ENDPOINT", "http://c:1")];
        let found = collector(&[&endpoint, variables].concat()).unwrap().resource;
        found
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(resource(&[]), ["service.name=envoy-bedrock"]);
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,team=b%2Cc");
    assert_eq!(resource(&[attributes]), ["service.name=a", "team=b,c"]);
    let named = [attributes, ("OTEL_SERVICE_NAME", "d")];
    assert_eq!(resource(&named), ["service.name=d", "team=b,c"]);
}

#[test]
fn only_tls_needs_a_ca_and_the_variable_wins() {
    let ca = |url, more: &[(&str, &str)]| {
        collector(&[&[("OTEL_EXPORTER_OTLP_ENDPOINT", url)], more].concat())
            .unwrap()
            .ca
    };
    let own = [("OTEL_EXPORTER_OTLP_CERTIFICATE", "own.pem")];
    assert_eq!(ca("http://c", &own), None);
    assert_eq!(ca("https://c", &own).as_deref(), Some("own.pem"));
    assert_eq!(ca("https://c", &[]).as_deref(), Some("system-ca.pem"));
}

#[test]
fn the_timeout_is_in_milliseconds_and_bounded() {
    let timeout = |value| {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1");
        collector(&[endpoint, ("OTEL_EXPORTER_OTLP_TIMEOUT", value)])
            .unwrap()
            .timeout
    };
    assert_eq!(timeout(""), Duration::from_secs(10));
    assert_eq!(timeout("1"), Duration::from_millis(1));
    assert_eq!(timeout("60000"), Duration::from_secs(60));
    for value in ["0", "60001", "10s"] {
        let expected = "OTEL_EXPORTER_OTLP_TIMEOUT: expected milliseconds from 1 to 60000, but found ";
        assert_eq!(
            refusal("OTEL_EXPORTER_OTLP_TIMEOUT", value),
            format!("{expected}'{value}'")
        );
    }
}

#[test]
fn errors_name_the_variable_and_never_a_secret() {
    let url = |found: &str| {
        format!(
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: expected a URL like http://localhost:4318 or https://HOST:PORT, \
             but found {found}"
        )
    };
    let headers = |rest: &str| format!("OTEL_EXPORTER_OTLP_HEADERS: {rest}");
    for (variable, value, expected) in [
        (
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
            "localhost:4317",
            url("no scheme"),
        ),
        (
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
            "ftp://c",
            url("a scheme other than http and https"),
        ),
        (
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
            "http://user:t0psecret@c",
            url("a user name or password in it"),
        ),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "udp",
            "OTEL_EXPORTER_OTLP_PROTOCOL: expected grpc or http/protobuf, but found 'udp'".to_owned(),
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            SECRET,
            headers("expected name=value pairs separated by commas, but found one without ="),
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "=t0psecret",
            headers("expected name=value pairs separated by commas, but found one without a name"),
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "t0psecret t=x",
            headers("a header name contains a character that is not allowed in one"),
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "a=t0psecret%0d%0a",
            headers("the value of a contains a character other than printable ASCII"),
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "a-b=t0psecret,A_B=t0psecret",
            headers("the header a_b occurs twice (- and _ count as the same character)"),
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "Host=t0psecret",
            headers("Envoy sets the header host itself"),
        ),
        (
            "OTEL_EXPORTER_OTLP_CLIENT_KEY",
            "t0psecret.pem",
            "OTEL_EXPORTER_OTLP_CLIENT_KEY: client certificates are not supported yet".to_owned(),
        ),
    ] {
        let found = refusal(variable, value);
        assert_eq!(found, expected);
        assert!(!found.contains(SECRET));
    }
}
