//! Where connections come from. Tests and simulations bring their own [`Connector`].

use std::time::Duration;

use async_trait::async_trait;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use super::proxy::Proxy;
use crate::error::{Error, Result};

/// HTTP/2 windows: streams run at 62–166 MB/s with the default ones and above 1 GB/s with these.
const WINDOW_BYTES: u32 = 4 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A partitioned connection never recovers by itself, so silence must be noticed.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// Opens channels to one server.
#[async_trait]
pub trait Connector: Send + Sync {
    /// The server's name as people write it; it stands in error messages.
    fn server(&self) -> &str;
    async fn connect(&self) -> Result<Channel>;
}

/// A server's address as given: `host[:port]` (TLS, 8443 by default) or `http://127.0.0.1:PORT`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerAddress {
    pub shown: String,
    pub uri: String,
    pub tls: bool,
}

impl ServerAddress {
    pub const PORT: u16 = 8443;

    /// What a name is resolved by.
    pub fn host_and_port(&self) -> &str {
        self.uri.split_once("://").map_or(&self.uri, |(_, rest)| rest)
    }

    /// Reads an address. Plain HTTP is refused except to loopback.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |why: &str| Error::Refused(format!("\"{text}\" cannot be a server: {why}"));
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let authority = rest.trim_end_matches('/');
        let uri: http::Uri = format!("https://{authority}").parse().map_err(|_| refuse("not host[:port]"))?;
        let host = uri.host().filter(|h| !h.is_empty()).ok_or_else(|| refuse("not host[:port]"))?;
        if uri.path() != "/" || authority.contains('@') {
            return Err(refuse("not host[:port]"));
        }
        let plain = host.trim_matches(['[', ']']);
        let loopback = plain == "localhost" || plain.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let tls = match scheme {
            "" => !loopback,
            "https" => true,
            "http" if loopback => false,
            "http" => return Err(refuse("plain http is for loopback only")),
            _ => return Err(refuse("unknown scheme")),
        };
        let port = match authority.strip_prefix(host).and_then(|rest| rest.strip_prefix(':')) {
            None => Self::PORT,
            Some(digits) => digits.parse().map_err(|_| refuse("the port is not a number up to 65535"))?,
        };
        let shown = if port == Self::PORT { host.to_owned() } else { format!("{host}:{port}") };
        let scheme = if tls { "https" } else { "http" };
        Ok(Self { shown, uri: format!("{scheme}://{host}:{port}"), tls })
    }
}

/// The real network.
pub struct Network {
    address: ServerAddress,
    extra_ca_pem: Option<Vec<u8>>,
    proxy: Option<Proxy>,
}

impl Network {
    /// `extra_ca_pem` is trusted besides the system's roots (`CHATKEEP_CA_FILE`).
    pub fn new(address: ServerAddress, extra_ca_pem: Option<Vec<u8>>) -> Self {
        Self { address, extra_ca_pem, proxy: None }
    }

    /// Goes through a proxy.
    pub fn through(mut self, proxy: Option<Proxy>) -> Self {
        self.proxy = proxy;
        self
    }

    fn endpoint(&self) -> Result<Endpoint> {
        let endpoint = Endpoint::from_shared(self.address.uri.clone())
            .map_err(|e| Error::Internal(e.to_string()))?
            .connect_timeout(CONNECT_TIMEOUT)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .keep_alive_while_idle(true)
            .tcp_nodelay(true);
        if !self.address.tls {
            return Ok(endpoint);
        }
        let mut tls = ClientTlsConfig::new().with_native_roots();
        if let Some(pem) = &self.extra_ca_pem {
            tls = tls.ca_certificate(Certificate::from_pem(pem));
        }
        endpoint.tls_config(tls).map_err(|e| self.failed(&e))
    }

    fn failed(&self, error: &tonic::transport::Error) -> Error {
        let server = self.address.shown.clone();
        let cause = deepest(error);
        if cause.to_ascii_lowercase().contains("certificate") {
            return Error::Tls { server, cause };
        }
        match &self.proxy {
            None => Error::Unreachable { server, cause },
            Some(proxy) => {
                Error::Unreachable { server, cause: format!("through the proxy {}: {cause}", proxy.shown()) }
            }
        }
    }
}

#[async_trait]
impl Connector for Network {
    fn server(&self) -> &str {
        &self.address.shown
    }

    async fn connect(&self) -> Result<Channel> {
        let endpoint = self.endpoint()?;
        let connected = match &self.proxy {
            None => endpoint.connect().await,
            Some(proxy) => endpoint.connect_with_connector(proxy.tunnel()).await,
        };
        connected.map_err(|e| self.failed(&e))
    }
}

/// The innermost cause: the outer ones only say "transport error".
pub(super) fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let parse = |t| ServerAddress::parse(t).map(|a| (a.shown, a.uri)).ok();
        let some = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(parse("vault.example.org"), some("vault.example.org", "https://vault.example.org:8443"));
        assert_eq!(parse("https://v.example:443/"), some("v.example:443", "https://v.example:443"));
        assert_eq!(parse("http://127.0.0.1:9000"), some("127.0.0.1:9000", "http://127.0.0.1:9000"));
        assert_eq!(parse("127.0.0.1:9000"), some("127.0.0.1:9000", "http://127.0.0.1:9000"));
        assert_eq!(parse("[::1]:9000"), some("[::1]:9000", "http://[::1]:9000"));
        let resolved = ServerAddress::parse("vault.example.org").unwrap();
        assert_eq!(resolved.host_and_port(), "vault.example.org:8443");
        for bad in ["http://vault.example.org", "ftp://x", "", "a b", "x/y", "u@h", "host:99999"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
