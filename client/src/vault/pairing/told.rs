//! What two paired devices tell each other, sealed (`docs/format.md` §8.1). No secret is among it.

use proto::wire::bytes::{Malformed, Reader, Result, Writer};
use proto::wire::limits::ACCOUNT_NAME_BYTES_MAX;
use proto::wire::roster::KEM_KEY_BYTES;
use proto::wire::slot::AccountName;
use proto::wire::tree::Hash;

use crate::crypto::roster::Label;
use crate::crypto::{DevicePublic, Wiped, pad, unpad};
use crate::ids::AccountId;

const VERSION: u8 = 1;
/// What a device calls itself is cut to this.
const LABEL_BYTES_MAX: usize = 64;
/// Hides how long the names are.
const HELLO_BYTES: usize = 1536;

/// The new device's word on itself.
pub(super) struct Hello {
    pub public: DevicePublic,
    pub label: Label,
}

impl Hello {
    pub fn encode(&self) -> Option<Wiped> {
        let mut w = Writer::new();
        w.u8(VERSION).raw(&self.public.verifying_key).raw(&self.public.kem_key[..]);
        w.prefixed(self.label.name.as_bytes()).prefixed(self.label.platform.as_bytes());
        pad(&w.finish(), HELLO_BYTES)
    }

    /// `now_ms` is when it joins, by the clock of the device that lets it.
    pub fn decode(bytes: &[u8], now_ms: i64) -> Result<Self> {
        if bytes.len() != HELLO_BYTES {
            return Err(Malformed::NotCanonical);
        }
        let content = unpad(bytes).map_err(|_| Malformed::NotCanonical)?;
        let mut r = Reader::new(content);
        version(&mut r)?;
        let verifying_key = r.array()?;
        let kem_key = Box::new(r.array::<KEM_KEY_BYTES>()?);
        let (name, platform) = (r.text(LABEL_BYTES_MAX)?, r.text(LABEL_BYTES_MAX)?);
        let label = Label::new(name, platform, now_ms);
        r.finish()?;
        Ok(Self { public: DevicePublic { verifying_key, kem_key }, label })
    }
}

/// The account as the old device has verified it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct About {
    pub account: AccountId,
    pub name: AccountName,
    pub incarnation: u32,
    pub log_size: u64,
    pub log_root: Hash,
}

/// What the old device tells.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum FromOld {
    /// The roster by which the new device is to join, for its signature.
    Sign { about: About, content: Vec<u8> },
    /// That roster is in the log.
    Joined,
}

impl FromOld {
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        match self {
            Self::Sign { about, content } => {
                w.u8(1).raw(&about.account.0).prefixed(about.name.as_str().as_bytes()).u32(about.incarnation);
                w.u64(about.log_size).raw(&about.log_root).raw(content);
            }
            Self::Joined => {
                w.u8(2);
            }
        }
        w.finish()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        match r.u8()? {
            1 => {
                let account = AccountId(r.array()?);
                let name = AccountName::new(r.text(ACCOUNT_NAME_BYTES_MAX)?).ok_or(Malformed::NotCanonical)?;
                let (incarnation, log_size, log_root) = (r.u32()?, r.u64()?, r.array()?);
                let about = About { account, name, incarnation, log_size, log_root };
                Ok(Self::Sign { about, content: r.rest().to_vec() })
            }
            2 => {
                r.finish()?;
                Ok(Self::Joined)
            }
            _ => Err(Malformed::Unknown),
        }
    }
}

fn version(r: &mut Reader<'_>) -> Result<()> {
    if r.u8()? == VERSION { Ok(()) } else { Err(Malformed::Unknown) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_comes_back_and_nothing_else_does() {
        let public = DevicePublic { verifying_key: [1; 32], kem_key: Box::new([2; KEM_KEY_BYTES]) };
        let hello = Hello { public: public.clone(), label: Label::new("ana-phone", "android", 5) };
        let bytes = hello.encode().unwrap();
        let longest = Hello { public, label: Label::new(&"n".repeat(64), &"p".repeat(64), 5) };
        assert_eq!(bytes.len(), longest.encode().unwrap().len());
        let read = Hello::decode(&bytes, 9).unwrap();
        assert_eq!((read.public, read.label), (hello.public, Label::new("ana-phone", "android", 9)));
        for end in 0..bytes.len() {
            assert!(Hello::decode(&bytes[..end], 9).is_err());
        }
        let about = About {
            account: AccountId([3; 32]),
            name: AccountName::new("ana").unwrap(),
            incarnation: 1,
            log_size: 7,
            log_root: [4; 32],
        };
        let sign = FromOld::Sign { about, content: vec![5; 40] };
        let bytes = sign.encode();
        assert_eq!(FromOld::decode(&bytes), Ok(sign));
        for end in 0..bytes.len() - 40 {
            assert!(FromOld::decode(&bytes[..end]).is_err());
        }
        assert_eq!(FromOld::decode(&[2]), Ok(FromOld::Joined));
        assert!(FromOld::decode(&[2, 0]).is_err() && FromOld::decode(&[3]).is_err());
    }
}
