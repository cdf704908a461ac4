//! An address of an upstream: from a URL, or AWS's endpoint of a region.

use std::net::Ipv6Addr;

use http::Uri;

use crate::region::{self, Variant};

/// An address to send requests to, before its cluster has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Host without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Path in front of Bedrock's, without a slash at its end.
    pub base_path: String,
}

impl Address {
    /// AWS's own endpoint of a region.
    pub(crate) fn of_region(region: &str, variant: Variant) -> Self {
        Address {
            host: region::runtime_host(region, variant),
            port: 443,
            tls: true,
            base_path: String::new(),
        }
    }

    /// Reads a URL. The error says what is wrong without quoting it: there may be a password in it.
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        let uri: Uri = url.parse().map_err(|_| "another text")?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) => return Err("another scheme"),
            None => return Err("no scheme"),
        };
        let authority = uri.authority().ok_or("no host")?;
        if authority.as_str().contains('@') {
            return Err("a user name or password in it");
        }
        if url.contains('#') {
            return Err("a fragment (#) in it");
        }
        if uri.query().is_some() {
            return Err("a query (?) in it");
        }
        let port = match authority.port() {
            Some(port) if port.as_u16() == 0 => return Err("port 0"),
            Some(port) => port.as_u16(),
            // `http` takes a colon with no digits or too many of them for part of the host.
            None if authority.as_str().len() != authority.host().len() => return Err("a port that is none"),
            None if tls => 443,
            None => 80,
        };
        let host = host(authority.host()).ok_or("a host that is none")?;
        Ok(Address {
            host,
            port,
            tls,
            base_path: base_path(uri.path())?,
        })
    }

    /// Host as in a request: with brackets, and with the port where it is not the scheme's own.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        let own_port = if self.tls { 443 } else { 80 };
        if self.port == own_port {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

fn host(written: &str) -> Option<String> {
    if let Some(inner) = written.strip_prefix('[') {
        let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some(address.to_string());
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let name = written.strip_suffix('.').unwrap_or(written).to_ascii_lowercase();
    (name.len() <= 253 && name.split('.').all(is_label)).then_some(name)
}

fn base_path(path: &str) -> Result<String, &'static str> {
    let path = path.trim_end_matches('/');
    let parts = || path.split('/').skip(1);
    if parts().any(|part| matches!(part, "" | "." | "..")) {
        return Err("an empty or dotted part in its path");
    }
    if !path
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&byte))
    {
        return Err("a character in its path that has to be percent-encoded");
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str, port: u16, tls: bool, base_path: &str) -> Address {
        Address {
            host: host.to_owned(),
            port,
            tls,
            base_path: base_path.to_owned(),
        }
    }

    #[test]
    fn urls_keep_their_port_and_base_path() {
        for (url, expected, authority) in [
            (
                "https://bedrock.example.com",
                address("bedrock.example.com", 443, true, ""),
                "bedrock.example.com",
            ),
            (
                "https://bedrock.example.com:443/",
                address("bedrock.example.com", 443, true, ""),
                "bedrock.example.com",
            ),
            (
                "http://127.0.0.1:9101",
                address("127.0.0.1", 9101, false, ""),
                "127.0.0.1:9101",
            ),
            (
                "http://Example.com/a/b/",
                address("example.com", 80, false, "/a/b"),
                "example.com",
            ),
            (
                "http://example.com:443/a%2Fb",
                address("example.com", 443, false, "/a%2Fb"),
                "example.com:443",
            ),
            (
                "https://[2001:db8::1]:8443/x",
                address("2001:db8::1", 8443, true, "/x"),
                "[2001:db8::1]:8443",
            ),
            ("http://[::1]", address("::1", 80, false, ""), "[::1]"),
        ] {
            let parsed = Address::parse(url).unwrap();
            assert_eq!(parsed, expected, "{url}");
            assert_eq!(parsed.authority(), authority, "{url}");
        }
    }

    #[test]
    fn urls_that_say_more_or_less_than_a_place_are_refused() {
        for (url, found) in [
            ("bedrock.example.com", "no scheme"),
            ("/bedrock", "no scheme"),
            ("", "another text"),
            ("ftp://example.com", "another scheme"),
            ("https://user:pw@example.com", "a user name or password in it"),
            ("https://user@example.com", "a user name or password in it"),
            ("https://example.com/?a=b", "a query (?) in it"),
            ("https://example.com/?", "a query (?) in it"),
            ("https://example.com/a#b", "a fragment (#) in it"),
            ("https://example.com:0", "port 0"),
            ("https://example.com:", "a port that is none"),
            ("https://example.com:70000", "a port that is none"),
            ("https://exa$mple.com", "a host that is none"),
            ("https://[::zz]/", "a host that is none"),
            ("https://example.com/a//b", "an empty or dotted part in its path"),
            ("https://example.com/../b", "an empty or dotted part in its path"),
        ] {
            assert_eq!(Address::parse(url), Err(found), "{url}");
        }
    }
}
