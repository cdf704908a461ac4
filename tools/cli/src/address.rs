//! The address of an upstream: a URL, or AWS's endpoint of a region.

use std::fmt;
use std::net::Ipv6Addr;

use http::Uri;

use crate::region::{self, EndpointVariant};

/// The address of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Host, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether the upstream uses TLS.
    pub tls: bool,
    /// Prefix of the request path, without a trailing slash.
    pub base_path: String,
}

/// Why a URL cannot be used. `Display` does not quote the URL, which can contain a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressError {
    /// The text is not a URL.
    NotUrl,
    /// There is no scheme.
    NoScheme,
    /// The scheme is neither http nor https.
    OtherScheme,
    /// There is no host.
    NoHost,
    /// The host is neither a name nor an IP address.
    InvalidHost,
    /// The port is not a number from 1 to 65535.
    InvalidPort,
    /// There is a user name or a password.
    UserInfo,
    /// There is a fragment.
    Fragment,
    /// There is a query.
    Query,
    /// The path has an empty part, `.` or `..`.
    DottedPath,
    /// The path has a character that must be percent-encoded.
    UnencodedPath,
}

impl fmt::Display for AddressError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NotUrl => "something other than a URL",
            Self::NoScheme => "no scheme",
            Self::OtherScheme => "a scheme other than http and https",
            Self::NoHost => "no host",
            Self::InvalidHost => "an invalid host",
            Self::InvalidPort => "an invalid port",
            Self::UserInfo => "a user name or password in it",
            Self::Fragment => "a fragment (#) in it",
            Self::Query => "a query (?) in it",
            Self::DottedPath => "an empty part, . or .. in its path",
            Self::UnencodedPath => "a character in its path that must be percent-encoded",
        })
    }
}

impl Address {
    /// AWS's endpoint of a region.
    pub(crate) fn of_region(region: &str, variant: EndpointVariant) -> Self {
        Address {
            host: region::runtime_host(region, variant),
            port: 443,
            tls: true,
            base_path: String::new(),
        }
    }

    /// Parses a URL.
    pub(crate) fn parse(url: &str) -> Result<Self, AddressError> {
        let uri: Uri = url.parse().map_err(|_| AddressError::NotUrl)?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) => return Err(AddressError::OtherScheme),
            None => return Err(AddressError::NoScheme),
        };
        let authority = uri.authority().ok_or(AddressError::NoHost)?;
        if authority.as_str().contains('@') {
            return Err(AddressError::UserInfo);
        }
        if url.contains('#') {
            return Err(AddressError::Fragment);
        }
        if uri.query().is_some() {
            return Err(AddressError::Query);
        }
        let port = match authority.port() {
            Some(port) if port.as_u16() == 0 => return Err(AddressError::InvalidPort),
            Some(port) => port.as_u16(),
            // For `http`, a colon with no digits or too many is part of the host.
            None if authority.as_str().len() != authority.host().len() => {
                return Err(AddressError::InvalidPort);
            }
            None if tls => 443,
            None => 80,
        };
        Ok(Address {
            host: host(authority.host()).ok_or(AddressError::InvalidHost)?,
            port,
            tls,
            base_path: base_path(uri.path())?,
        })
    }

    /// The host as in a request: with brackets if it is an IPv6 address, and with the port unless
    /// it is the default of the scheme.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        let default_port = if self.tls { 443 } else { 80 };
        if self.port == default_port {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

fn host(text: &str) -> Option<String> {
    if let Some(rest) = text.strip_prefix('[') {
        let address: Ipv6Addr = rest.strip_suffix(']')?.parse().ok()?;
        return Some(address.to_string());
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    (name.len() <= 253 && name.split('.').all(is_label)).then_some(name)
}

fn base_path(path: &str) -> Result<String, AddressError> {
    let path = path.trim_end_matches('/');
    if path
        .split('/')
        .skip(1)
        .any(|part| matches!(part, "" | "." | ".."))
    {
        return Err(AddressError::DottedPath);
    }
    let is_encoded = |byte: u8| byte.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&byte);
    if !path.bytes().all(is_encoded) {
        return Err(AddressError::UnencodedPath);
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
    fn urls_with_more_or_less_than_an_address_are_refused() {
        for (url, found) in [
            ("bedrock.example.com", AddressError::NoScheme),
            ("/bedrock", AddressError::NoScheme),
            ("", AddressError::NotUrl),
            ("ftp://example.com", AddressError::OtherScheme),
            ("https://user:pw@example.com", AddressError::UserInfo),
            ("https://user@example.com", AddressError::UserInfo),
            ("https://example.com/?a=b", AddressError::Query),
            ("https://example.com/?", AddressError::Query),
            ("https://example.com/a#b", AddressError::Fragment),
            ("https://example.com:0", AddressError::InvalidPort),
            ("https://example.com:", AddressError::InvalidPort),
            ("https://example.com:70000", AddressError::InvalidPort),
            ("https://exa$mple.com", AddressError::InvalidHost),
            ("https://[::zz]/", AddressError::InvalidHost),
            ("https://example.com/a//b", AddressError::DottedPath),
            ("https://example.com/../b", AddressError::DottedPath),
        ] {
            assert_eq!(Address::parse(url), Err(found), "{url}");
        }
    }
}
