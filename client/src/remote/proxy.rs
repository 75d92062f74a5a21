//! The way through a proxy: what the environment says of it (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, also in small
//! letters), and the tunnel that it opens. TLS is spoken with the server inside it, so the proxy learns the server's
//! name and nothing else.

use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;

use super::connect::ServerAddress;
use crate::error::{Error, Result};

/// A proxy that connections to one server go through.
#[derive(Clone)]
pub struct Proxy {
    uri: Uri,
    auth: Option<HeaderValue>,
}

impl Proxy {
    /// The proxy that this process's environment names for a server. None for plain connections: they do not leave
    /// this machine.
    pub fn from_environment(server: &ServerAddress) -> Result<Option<Self>> {
        Self::find(&Matcher::from_env(), server)
    }

    fn find(matcher: &Matcher, server: &ServerAddress) -> Result<Option<Self>> {
        let target: Uri = server.uri.parse().map_err(|_| Error::Internal("an address that is none".to_owned()))?;
        if !server.tls {
            return Ok(None);
        }
        let Some(found) = matcher.intercept(&target) else { return Ok(None) };
        if found.uri().scheme_str() != Some("http") {
            let scheme = found.uri().scheme_str().unwrap_or("none");
            return Err(Error::Refused(format!(
                "HTTPS_PROXY asks for a proxy of kind {scheme}; only http:// is known"
            )));
        }
        Ok(Some(Self { uri: found.uri().clone(), auth: found.basic_auth().cloned() }))
    }

    /// Host and port, without what signs in to it.
    pub fn shown(&self) -> String {
        let port = self.uri.port_u16().unwrap_or(80);
        format!("{}:{port}", self.uri.host().unwrap_or_default())
    }

    pub(super) fn tunnel(&self) -> Tunnel<HttpConnector> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let tunnel = Tunnel::new(self.uri.clone(), connector);
        match &self.auth {
            Some(auth) => tunnel.with_auth(auth.clone()),
            None => tunnel,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides_by_server() {
        let matcher = Matcher::builder().all("http://ana:secret@proxy.example:3128").no("inside.example").build();
        let found = |server: &str| {
            let server = ServerAddress::parse(server).unwrap();
            Proxy::find(&matcher, &server).unwrap().map(|proxy| (proxy.shown(), proxy.auth.is_some()))
        };
        assert_eq!(found("vault.example.org"), Some(("proxy.example:3128".to_owned(), true)));
        assert_eq!(found("vault.inside.example"), None);
        assert_eq!(found("http://127.0.0.1:9000"), None, "a plain connection stays on this machine");
        let unknown = Matcher::builder().https("socks5://proxy.example:1080").build();
        let server = ServerAddress::parse("vault.example.org").unwrap();
        assert!(Proxy::find(&unknown, &server).is_err(), "never past a proxy that was asked for");
    }
}
