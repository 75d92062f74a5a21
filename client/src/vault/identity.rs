//! Which account this device belongs to, and where. Public bytes.

use proto::wire::bytes::{Malformed, Reader, Result, Writer};
use proto::wire::limits::ACCOUNT_NAME_BYTES_MAX;
use proto::wire::slot::AccountName;

use crate::ids::AccountId;

/// An account at a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The server as people write it.
    pub server: String,
    /// What sign-ins are signed under.
    pub server_name: String,
    pub name: AccountName,
    pub account: AccountId,
}

impl Identity {
    const VERSION: u8 = 1;
    pub(super) const SERVER_BYTES_MAX: usize = 255;

    /// The account as people write it, such as `ana@vault.example.org`.
    pub fn shown(&self) -> String {
        shown(&self.name, &self.server)
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(Self::VERSION).prefixed(self.server.as_bytes()).prefixed(self.server_name.as_bytes());
        w.prefixed(self.name.as_str().as_bytes()).raw(&self.account.0);
        w.finish()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        if r.u8()? != Self::VERSION {
            return Err(Malformed::Unknown);
        }
        let server = r.text(Self::SERVER_BYTES_MAX)?.to_owned();
        let server_name = r.text(Self::SERVER_BYTES_MAX)?.to_owned();
        let name = AccountName::new(r.text(ACCOUNT_NAME_BYTES_MAX)?).ok_or(Malformed::NotCanonical)?;
        let account = AccountId(r.array()?);
        r.finish()?;
        Ok(Self { server, server_name, name, account })
    }
}

/// A name at a server, before it is known whether there is such an account.
pub(super) fn shown(name: &AccountName, server: &str) -> String {
    format!("{}@{server}", name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_and_nothing_shorter_or_longer_does() {
        let identity = Identity {
            server: "vault.example.org:9000".to_owned(),
            server_name: "vault.example.org".to_owned(),
            name: AccountName::new("ana").unwrap(),
            account: AccountId([7; 32]),
        };
        assert_eq!(identity.shown(), "ana@vault.example.org:9000");
        let bytes = identity.encode();
        assert_eq!(Identity::decode(&bytes), Ok(identity));
        for end in 0..bytes.len() {
            assert!(Identity::decode(&bytes[..end]).is_err());
        }
        assert!(Identity::decode(&[&bytes[..], &[0]].concat()).is_err());
    }
}
