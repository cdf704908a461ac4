use super::*;
use crate::admission::target::Target;
use crate::headers::HeaderPair;
use crate::sigv4::PayloadHash;
use crate::time::UnixTime;

const NOW: u64 = 1_795_357_174_000_000_000;

fn config() -> Rc<ActiveConfig> {
    let deployment = |id: &str, model: &str, cluster: &str, credentials: &str| {
        format!(
            r#"{{"id": "{id}", "model": "{model}", "region": "{cluster}", "cluster": "{cluster}",
                "authority": "{cluster}.test:8443", "base_path": "/base", "weight": 1, "credentials": {credentials}}}"#
        )
    };
    let signed =
        r#"{"sigv4": {"access_key_id": "ID", "secret_access_key": "SECRET", "session_token": "TOKEN"}}"#;
    let bearer = r#"{"bearer": {"api_key": "API"}}"#;
    let profile = "arn:aws:bedrock:west:123456789012:application-inference-profile/abc";
    let json = format!(
        r#"{{"master_key": "MASTER", "attempts": 3, "body_limit_bytes": 10, "models": [
            {{"name": "team/m:0", "deployments": [{}, {}]}},
            {{"name": "profile", "deployments": [{}, {}]}},
            {{"name": "us.*", "deployments": [{}]}}]}}"#,
        deployment("w", "a:0", "west", signed),
        deployment("e", "a:0", "east", signed),
        deployment("known", "us.a.b", "east", signed),
        deployment("opaque", profile, "west", signed),
        deployment("b", "us.*", "west", bearer),
    );
    let variable = |name: &str| {
        Some(if name == "MASTER" {
            "sk-1".into()
        } else {
            format!("value-of-{name}")
        })
    };
    Rc::new(ActiveConfig::new(json.as_bytes(), variable).unwrap())
}

fn headers<'a>(path: &'a str, more: &[(&'a str, &'a str)]) -> Vec<HeaderPair<'a>> {
    let fixed = [
        (":method", "POST"),
        (":path", path),
        (":authority", "localhost"),
        ("authorization", "Bearer sk-1"),
    ];
    // A header of the test replaces the default one.
    let kept = fixed
        .into_iter()
        .filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
    kept.chain(more.iter().copied())
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect()
}

/// Begins a request. A probe returns its status in `Err(Ok(…))`.
fn begin(path: &str, more: &[(&str, &str)]) -> Result<Request, Result<u16, Reject>> {
    let (config, headers) = (config(), headers(path, more));
    let now = UnixTime::from_nanoseconds(NOW);
    match Target::of(&config, Headers(&headers), None, &mut None, now).map_err(Err)? {
        Target::Model(target, key) => {
            Request::begin(Rc::clone(&config), target, key, Headers(&headers)).map_err(Err)
        }
        Target::Probe(probe) => Err(Ok(probe.reply(&config, now).status)),
        Target::Lookup(_) | Target::Inquiry(..) => panic!("not a model request"),
    }
}

fn status(path: &str, more: &[(&str, &str)]) -> u16 {
    match begin(path, more) {
        Ok(_) => 0,
        Err(Ok(status)) => status,
        Err(Err(reject)) => reject.reply().status,
    }
}

#[test]
fn count_tokens_for_a_profile_requires_its_foundation_model() {
    let refused = |path: &str, more: &[(&str, &str)]| match begin(path, more) {
        Err(Err(reject)) => reject.reply(),
        other => panic!("{other:?}"),
    };
    let reply = refused("/model/profile/count-tokens", &[]);
    assert_eq!(reply.status, 400);
    assert_eq!(reply.reason, Some("uncountable"));
    assert!(
        reply
            .headers
            .contains(&("x-amzn-errortype", "ValidationException".into()))
    );
    let body = String::from_utf8(reply.body).unwrap();
    assert!(
        body.contains("deployment opaque is not configured. Set model_info.base_model"),
        "{body}"
    );
    assert_eq!(
        status("/model/profile/converse", &[]),
        0,
        "other operations are allowed"
    );
    // Without a key, a client cannot learn what is configured.
    let stranger = refused("/model/profile/count-tokens", &[("authorization", "Bearer sk-2")]);
    assert_eq!(stranger.status, 401);
}

fn dispatched(path: &str, more: &[(&str, &str)], body: &[u8]) -> Dispatch {
    let mut request = begin(path, more).unwrap();
    for chunk in body.chunks(3) {
        request.receive(chunk).unwrap();
    }
    request
        .complete()
        .unwrap()
        .0
        .dispatch(
            "call-1".to_owned(),
            &mut Random::new(1),
            UnixTime::from_nanoseconds(NOW),
        )
        .unwrap()
}

fn text(header: HeaderPair<'_>) -> (String, String) {
    (
        String::from_utf8_lossy(header.0).into_owned(),
        String::from_utf8_lossy(header.1).into_owned(),
    )
}

#[test]
fn the_key_is_checked_before_anything_else() {
    let wrong = ("authorization", "Bearer sk-2");
    for path in [
        "/model/team%2Fm:0/converse",
        "/model/unknown/converse",
        "/model/../x",
        "/bedrock/nothing",
        "/models",
    ] {
        assert_eq!(status(path, &[wrong]), 401, "{path}");
        assert_eq!(status(path, &[wrong, (":method", "GET")]), 401, "{path}");
    }
    let too_large = ("content-length", "11");
    assert_eq!(status("/model/team%2Fm:0/converse", &[wrong, too_large]), 401);
}

#[test]
fn with_a_valid_key_each_error_has_its_status() {
    for (path, more, expected) in [
        ("/model/team%2Fm:0/converse", &[][..], 0),
        ("/bedrock/model/team/m%3A0/converse", &[], 0),
        ("/model/us.x/invoke", &[], 0),
        ("/model/Team%2Fm:0/converse", &[], 400),
        ("/model/team%2Fm:0/../converse", &[], 400),
        ("/model/team%2Fm:0/other", &[], 404),
        ("/", &[], 404),
        ("/model/team%2Fm:0/converse", &[(":method", "GET")], 405),
        ("/model/team%2Fm:0/converse", &[(":method", "post")], 405),
        ("/model/team%2Fm:0/converse", &[("content-length", "10")], 0),
        ("/model/team%2Fm:0/converse", &[("content-length", "11")], 413),
        ("/health/liveliness", &[(":method", "GET")], 200),
    ] {
        assert_eq!(status(path, more), expected, "{path} {more:?}");
    }
}

#[test]
fn a_body_longer_than_the_limit_is_refused() {
    let begin = || begin("/model/us.x/invoke", &[]).unwrap();
    let too_large = Err(Reject::BodyTooLarge(10));
    let mut request = begin();
    assert!(request.receive(&[0; 9]).is_ok());
    assert!(request.receive(&[0; 1]).is_ok());
    assert_eq!(request.receive(&[0; 1]), too_large);
    assert_eq!(begin().receive(&[0; 11]), too_large);
    assert_eq!(Reject::BodyTooLarge(10).reply().status, 413);
}

#[test]
fn streams_use_their_own_route() {
    assert_eq!(
        dispatched("/model/us.x/converse-stream", &[], b"").route,
        ROUTE_STREAM
    );
    assert_eq!(
        dispatched("/model/us.x/invoke-with-response-stream", &[], b"").route,
        ROUTE_STREAM
    );
    assert_eq!(dispatched("/model/us.x/converse", &[], b"").route, ROUTE_UNARY);
    assert_eq!(
        dispatched("/model/us.x/count-tokens", &[], b"").route,
        ROUTE_UNARY
    );
}

#[test]
fn a_request_is_signed_for_the_deployment_of_its_attempt() {
    let dispatch = dispatched(
        "/model/team%2Fm:0/converse",
        &[("content-type", "application/json")],
        b"{\"a\":1}",
    );
    let clusters: Vec<&str> = (1..).map_while(|number| dispatch.plan.cluster(number)).collect();
    assert_eq!(clusters.len(), 3);
    assert_ne!(clusters[0], clusters[1]);
    for (number, cluster) in (1..).zip(&clusters) {
        let now = UnixTime::from_nanoseconds(NOW);
        let request = dispatch.plan.request(number, cluster.as_bytes(), now).unwrap();
        let mut headers: Vec<_> = request.headers().into_iter().map(text).collect();
        let authorization = headers.remove(5);
        assert_eq!(authorization.0, "authorization");
        let expected = format!(
            "AWS4-HMAC-SHA256 Credential=value-of-ID/20261122/{cluster}/bedrock/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-security-token, Signature="
        );
        assert!(authorization.1.starts_with(&expected), "{authorization:?}");
        let expected = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", &format!("{cluster}.test:8443")),
            (":path", "/base/model/a%3A0/converse"),
            ("content-length", "7"),
            ("x-amz-date", "20261122T141934Z"),
            ("x-amz-security-token", "value-of-TOKEN"),
            ("content-type", "application/json"),
        ];
        assert_eq!(
            headers,
            expected.map(|(name, value)| (name.to_string(), value.to_string()))
        );
    }
}

#[test]
fn an_attempt_for_an_unplanned_endpoint_is_refused() {
    let dispatch = dispatched("/model/team%2Fm:0/converse", &[], b"");
    let clusters: Vec<&str> = (1..).map_while(|number| dispatch.plan.cluster(number)).collect();
    let now = UnixTime::from_nanoseconds(NOW);
    for (number, cluster) in [
        (1, clusters[1]),
        (2, clusters[0]),
        (0, clusters[0]),
        (4, clusters[0]),
        (1, ""),
    ] {
        let result = dispatch.plan.request(number, cluster.as_bytes(), now);
        assert_eq!(result.err(), Some(Reject::Unsignable), "{number} {cluster}");
    }
}

#[test]
fn a_deployment_with_an_api_key_sends_it_instead_of_a_signature() {
    let dispatch = dispatched(
        "/model/us.x:0/invoke",
        &[("x-amz-date", "old"), ("x-amzn-bedrock-trace", "ENABLED")],
        b"",
    );
    let request = dispatch
        .plan
        .request(3, b"west", UnixTime::from_nanoseconds(NOW))
        .unwrap();
    let headers: Vec<_> = request.headers().into_iter().map(text).collect();
    let expected = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "west.test:8443"),
        (":path", "/base/model/us.x%3A0/invoke"),
        ("content-length", "0"),
        ("authorization", "Bearer value-of-API"),
        ("x-amzn-bedrock-trace", "ENABLED"),
    ];
    assert_eq!(
        headers,
        expected.map(|(name, value)| (name.to_string(), value.to_string()))
    );
}

#[test]
fn the_body_is_hashed_in_chunks() {
    let dispatch = dispatched("/model/us.x/invoke", &[], b"0123456789");
    assert_eq!(dispatch.plan.payload, Some(PayloadHash::of(b"0123456789")));
}
