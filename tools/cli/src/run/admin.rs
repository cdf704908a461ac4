//! Envoy's admin interface, as far as starting it needs to look.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest answer that is read.
const ANSWER_MAX_BYTES: u64 = 1024 * 1024;

/// Whether Envoy serves: its start is over and every worker thread has its VM.
pub(super) async fn is_ready(admin: SocketAddr) -> bool {
    let live = get(admin, "/ready")
        .await
        .is_ok_and(|answer| answer.trim() == "LIVE");
    let statistic = "/stats?filter=^listener_manager.workers_started$";
    live && get(admin, statistic)
        .await
        .is_ok_and(|answer| answer.trim().ends_with(": 1"))
}

/// Where the listener `name` listens.
pub(super) async fn listener(admin: SocketAddr, name: &str) -> Option<SocketAddr> {
    let answer = get(admin, "/listeners").await.ok()?;
    answer.lines().find_map(|line| {
        let (found, address) = line.split_once("::")?;
        (found == name).then(|| address.parse().ok()).flatten()
    })
}

/// The body of the answer to a GET that succeeds.
async fn get(admin: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(admin).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX_BYTES).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let is_chunked = head
        .to_ascii_lowercase()
        .contains("\r\ntransfer-encoding: chunked");
    Ok(if is_chunked { joined(body) } else { body.to_owned() })
}

/// The text of a chunked body, which Envoy cuts anywhere.
fn joined(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or(0);
        match (rest.get(..size), rest.get(size.saturating_add(2)..)) {
            (Some(chunk), Some(after)) if size > 0 => {
                text.push_str(chunk);
                body = after;
            }
            _ => break,
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_and_a_cut_body_ends_without_a_panic() {
        assert_eq!(joined("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), "abcde");
        for cut in ["", "3", "3\r\nab", "zz\r\nab", "ffffffffffffffff\r\na"] {
            assert_eq!(joined(cut), "");
        }
    }
}
