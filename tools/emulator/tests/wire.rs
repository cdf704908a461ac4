//! The emulator as a library, over HTTP/2, from start to shutdown.

mod client;

use std::time::Duration;

use bedrock_emulator::{Emulator, EmulatorConfig, EmulatorError, RegionConfig, TlsConfig};
use bedrock_emulator::{Ended, LogEntry};
use client::{MODEL, SigningClient};
use http_body_util::BodyExt;
use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const REGION: &str = "us-west-2";

async fn start() -> Emulator {
    let region = RegionConfig {
        name: REGION.to_owned(),
        plain_port: Some(0),
        tls_port: Some(0),
    };
    Emulator::start(EmulatorConfig {
        regions: vec![region],
        ..EmulatorConfig::default()
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn the_identity_service_has_a_port_if_it_is_asked_for() {
    assert_eq!(start().await.identity(), None);
    let region = RegionConfig {
        name: REGION.to_owned(),
        plain_port: Some(0),
        tls_port: None,
    };
    let emulator = Emulator::start(EmulatorConfig {
        regions: vec![region],
        identity_port: Some(0),
        ..EmulatorConfig::default()
    })
    .await
    .unwrap();
    let mut stream = TcpStream::connect(emulator.identity().unwrap()).await.unwrap();
    let request = b"GET /latest/meta-data/placement/region HTTP/1.1\r\nhost: m\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 401"), "{response}");
    emulator.shutdown().await;
}

async fn fault(emulator: &Emulator, json: &str) {
    emulator
        .add_fault(serde_json::from_str(json).unwrap())
        .await
        .unwrap();
}

/// The log entries, once there are `count`.
async fn entries(emulator: &Emulator, count: usize) -> Vec<LogEntry> {
    for _ in 0..1000 {
        let (_, found) = emulator.log().read(0, None);
        if found.len() >= count {
            return found.iter().map(|entry| entry.as_ref().clone()).collect();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the log has fewer than {count} entries after 10 s")
}

#[tokio::test]
async fn a_signed_request_over_http2_with_prior_knowledge_is_accepted_in_strict_mode() {
    let emulator = start().await;
    let mut client = SigningClient::http2(&emulator, REGION).await;
    let (status, body) = client.converse("hello").await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert!(body.contains("hello") && body.contains(REGION) && body.contains(MODEL));
    let entry = entries(&emulator, 1).await.remove(0);
    assert_eq!(
        (entry.protocol, entry.verified, entry.violations),
        ("h2", Some(true), Vec::<String>::new())
    );
    emulator.shutdown().await;
}

#[tokio::test]
async fn alpn_selects_http2_over_tls() {
    let emulator = start().await;
    let mut client = SigningClient::http2_over_tls(&emulator, REGION).await;
    assert_eq!(client.converse("hello").await.0, StatusCode::OK);
    let entry = entries(&emulator, 1).await.remove(0);
    assert!(entry.tls && entry.protocol == "h2");
    emulator.shutdown().await;
}

fn pem_config(certificate: &str, key: &str) -> EmulatorConfig {
    let region = RegionConfig {
        name: REGION.to_owned(),
        plain_port: None,
        tls_port: Some(0),
    };
    let tls = TlsConfig::Pem {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
    };
    EmulatorConfig {
        regions: vec![region],
        tls,
        ..EmulatorConfig::default()
    }
}

#[tokio::test]
async fn a_given_certificate_is_served_and_an_invalid_one_is_rejected() {
    let names = [format!("bedrock-runtime.{REGION}.amazonaws.com")];
    let pair = || rcgen::generate_simple_self_signed(names.clone()).unwrap();
    let (mine, other) = (pair(), pair());
    let (certificate, key) = (mine.cert.pem(), mine.signing_key.serialize_pem());
    let emulator = Emulator::start(pem_config(&certificate, &key)).await.unwrap();
    assert_eq!(
        (emulator.ca_pem(), emulator.addresses()[REGION].http),
        (certificate.as_str(), None)
    );
    let mut client = SigningClient::http2_over_tls(&emulator, REGION).await;
    assert_eq!(client.converse("hello").await.0, StatusCode::OK);
    emulator.shutdown().await;

    for (key, reason) in [
        (other.signing_key.serialize_pem(), "as a pair"),
        ("nonsense".to_owned(), "the TLS key is not valid PEM"),
    ] {
        let error = Emulator::start(pem_config(&certificate, &key))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason), "{error}");
    }
    let error = Emulator::start(pem_config("nonsense", &key))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("TLS certificate"), "{error}");
}

#[tokio::test]
async fn a_fault_of_one_http2_stream_leaves_the_connection_open() {
    let emulator = start().await;
    let mut client = SigningClient::http2(&emulator, REGION).await;
    for kind in ["reset", "reset_after_request_headers", "cut"] {
        fault(
            &emulator,
            &format!(r#"{{"kind":"{kind}","count":1,"after_events":2}}"#),
        )
        .await;
        match client.send("converse-stream", "x").await {
            Ok(response) => {
                assert_eq!(kind, "cut");
                assert!(
                    response.into_body().collect().await.is_err(),
                    "the cut stream ended cleanly"
                );
            }
            Err(_) => assert_ne!(kind, "cut"),
        }
    }
    assert_eq!(client.converse("still here").await.0, StatusCode::OK);
    let all = entries(&emulator, 4).await;
    assert!(all.iter().all(|entry| entry.connection == all[0].connection));
    assert_eq!(all.iter().filter(|entry| entry.ended == Ended::Fault).count(), 3);
    emulator.shutdown().await;
}

#[tokio::test]
async fn a_client_that_cancels_an_http2_stream_is_noticed() {
    let emulator = start().await;
    let mut client = SigningClient::http2(&emulator, REGION).await;
    fault(&emulator, r#"{"kind":"silent_start","count":1}"#).await;
    let response = client.send("converse-stream", "x").await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    drop(response);
    let entry = entries(&emulator, 1).await.remove(0);
    assert_eq!((entry.ended, entry.usage_reported), (Ended::ClientGone, false));
    assert!(entry.client_gone_unix_ms.is_some() && entry.usage.is_some());
    assert_eq!(client.converse("next").await.0, StatusCode::OK);
    emulator.shutdown().await;
}

#[tokio::test]
async fn a_body_other_than_the_signed_one_is_refused() {
    let emulator = start().await;
    let mut client = SigningClient::http2(&emulator, REGION).await;
    client.tamper = true;
    let (status, body) = client.converse("hello").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body.contains("does not match"), "{body}");
    assert_eq!(emulator.summary()[REGION].refused_unexpectedly, 1);
    emulator.shutdown().await;
}

#[tokio::test]
async fn a_header_that_no_gateway_sends_is_refused_by_default() {
    let emulator = start().await;
    let mut client = SigningClient::http2(&emulator, REGION).await;
    client.extra_header = Some(("x-envoy-attempt-count", "1"));
    let (status, body) = client.converse("hello").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.contains("x-envoy-attempt-count"), "{body}");
    let entry = entries(&emulator, 1).await.remove(0);
    assert_eq!((entry.verified, entry.violations.len()), (Some(true), 1));
    emulator.shutdown().await;
}

#[tokio::test]
async fn a_refused_region_resets_its_connections_and_returns_on_the_same_port() {
    let emulator = start().await;
    let address = emulator.addresses()[REGION].http.unwrap();
    let mut client = SigningClient::http2(&emulator, REGION).await;
    client.converse("before").await;
    fault(&emulator, r#"{"kind":"refused"}"#).await;
    assert!(client.send("converse", "pooled").await.is_err());
    let refused = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    emulator.clear_faults().await;
    let mut client = SigningClient::http2(&emulator, REGION).await;
    assert_eq!(client.converse("after").await.0, StatusCode::OK);
    emulator.shutdown().await;
}

#[tokio::test]
async fn shutdown_ends_hanging_requests_and_leaves_no_task_or_port() {
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let emulator = start().await;
    let address = emulator.addresses()[REGION].http.unwrap();
    let tls = emulator.addresses()[REGION].https.unwrap();
    fault(&emulator, r#"{"kind":"silent_start"}"#).await;
    fault(&emulator, r#"{"kind":"hang"}"#).await;
    // Three that never end: a stream, a request and a TLS handshake.
    let mut client = SigningClient::http2(&emulator, REGION).await;
    let silent = client.send("converse-stream", "x").await.unwrap();
    let hanging = tokio::spawn(async move { client.send("converse", "x").await.is_err() });
    let _handshake = TcpStream::connect(tls).await.unwrap();
    while emulator.log().in_flight() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    emulator.shutdown().await;
    assert!(hanging.await.unwrap() && silent.into_body().collect().await.is_err());
    TcpListener::bind(address).await.expect("a free port");
    for _ in 0..200 {
        if tokio::runtime::Handle::current().metrics().num_alive_tasks() <= before {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("some tasks are still alive after 2 s");
}

#[tokio::test]
async fn a_port_in_use_and_a_duplicate_region_are_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let region = RegionConfig {
        name: REGION.to_owned(),
        plain_port: Some(port),
        tls_port: None,
    };
    let error = Emulator::start(EmulatorConfig {
        regions: vec![region.clone()],
        ..EmulatorConfig::default()
    })
    .await
    .unwrap_err();
    assert!(matches!(&error, EmulatorError::Bind { address, .. } if address.port() == port));
    assert!(error.to_string().contains("http of us-west-2"), "{error}");

    let twice = EmulatorConfig {
        regions: vec![region.clone(), region],
        ..EmulatorConfig::default()
    };
    assert!(matches!(
        Emulator::start(twice).await.unwrap_err(),
        EmulatorError::Regions(_)
    ));
}
