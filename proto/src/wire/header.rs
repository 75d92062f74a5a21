//! The record's header, record and leaf (`docs/format.md` §4.1). Signed as bytes, never re-serialised.

use super::bytes::{Malformed, Reader, Result, Writer};
use super::context::{BadSignature, h, purpose, verify};
use super::ids::{AccountId, DeviceId};
use super::ladder::Class;
use super::limits::{BODY_BYTES_MAX, HEADER_AAD_BYTES, HEADER_BYTES, LEAF_BYTES, RECORD_BYTES};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordKind {
    Events = 1,
    Roster = 2,
    Head = 3,
}

/// Flag bit: the device leaves with this record.
pub const FLAG_LAST: u16 = 1;

/// What a device signs about a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    pub kind: RecordKind,
    pub flags: u16,
    pub incarnation: u32,
    pub account: AccountId,
    pub device: DeviceId,
    pub counter: u64,
    pub previous: [u8; 32],
    pub seen_size: u64,
    pub seen_root: [u8; 32],
    pub agreed: u64,
    pub roster_version: u64,
    pub last_day: u32,
    pub clear_len: u32,
    pub body_len: u32,
    pub body_hash: [u8; 32],
}

impl Header {
    pub const VERSION: u8 = 1;

    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut w = Writer::new();
        w.u8(Self::VERSION).u8(self.kind as u8).u16(self.flags).u32(self.incarnation);
        w.raw(&self.account.0).raw(&self.device.0).u64(self.counter).raw(&self.previous);
        w.u64(self.seen_size).raw(&self.seen_root).u64(self.agreed).u64(self.roster_version);
        w.u32(self.last_day).u32(self.clear_len).u32(self.body_len).raw(&self.body_hash);
        w.finish().try_into().expect("the fields above add up to the header's length")
    }

    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        if r.u8()? != Self::VERSION {
            return Err(Malformed::Unknown);
        }
        let kind = match r.u8()? {
            1 => RecordKind::Events,
            2 => RecordKind::Roster,
            3 => RecordKind::Head,
            _ => return Err(Malformed::Unknown),
        };
        let flags = r.u16()?;
        if flags & !FLAG_LAST != 0 {
            return Err(Malformed::Unknown);
        }
        let header = Self {
            kind,
            flags,
            incarnation: r.u32()?,
            account: AccountId(r.array()?),
            device: DeviceId(r.array()?),
            counter: r.u64()?,
            previous: r.array()?,
            seen_size: r.u64()?,
            seen_root: r.array()?,
            agreed: r.u64()?,
            roster_version: r.u64()?,
            last_day: r.u32()?,
            clear_len: r.u32()?,
            body_len: r.u32()?,
            body_hash: r.array()?,
        };
        r.finish()?;
        if header.clear_len > header.body_len || header.body_len as usize > BODY_BYTES_MAX {
            return Err(Malformed::TooLong);
        }
        if header.body_len != 0 && Class::of_length(header.body_len as usize).is_none() {
            return Err(Malformed::NotCanonical);
        }
        Ok(header)
    }

    pub fn is_last(&self) -> bool {
        self.flags & FLAG_LAST != 0
    }
}

/// The part of an encoded header that a body's associated data holds.
pub fn aad_prefix(header: &[u8; HEADER_BYTES]) -> &[u8] {
    header.split_at(HEADER_AAD_BYTES).0
}

/// The hash of a body that a header names.
pub fn body_hash(body: &[u8]) -> [u8; 32] {
    h(purpose::BODY, &[body])
}

/// A header with its signature, as it was signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    pub header: Header,
    pub header_bytes: [u8; HEADER_BYTES],
    pub signature: [u8; 64],
}

impl Record {
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        let header_bytes: [u8; HEADER_BYTES] = r.array()?;
        let signature = r.array()?;
        r.finish()?;
        Ok(Self { header: Header::decode(&header_bytes)?, header_bytes, signature })
    }

    pub fn encode(&self) -> [u8; RECORD_BYTES] {
        let mut out = [0; RECORD_BYTES];
        let (head, tail) = out.split_at_mut(HEADER_BYTES);
        head.copy_from_slice(&self.header_bytes);
        tail.copy_from_slice(&self.signature);
        out
    }

    /// What the device's next record names as its previous one.
    pub fn digest(&self) -> [u8; 32] {
        h(purpose::RECORD_DIGEST, &[&self.header_bytes, &self.signature])
    }

    /// Verifies the signature of an EVENTS or HEAD record.
    pub fn verify(&self, device_key: &[u8; 32]) -> std::result::Result<(), BadSignature> {
        verify(device_key, purpose::RECORD, &[&self.header_bytes], &self.signature)
    }

    /// Verifies the signature of a ROSTER record.
    pub fn verify_as_roster(&self, roster_key: &[u8; 32]) -> std::result::Result<(), BadSignature> {
        verify(roster_key, purpose::ROSTER, &[&self.header_bytes], &self.signature)
    }

    /// Holds a body to its header: length, hash; then splits clear from sealed part.
    pub fn split_body<'b>(&self, body: &'b [u8]) -> Result<(&'b [u8], &'b [u8])> {
        if body.len() != self.header.body_len as usize || body_hash(body) != self.header.body_hash {
            return Err(Malformed::NotCanonical);
        }
        body.split_at_checked(self.header.clear_len as usize).ok_or(Malformed::Short)
    }
}

/// A record in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leaf {
    pub record: Record,
    /// The service's time of the append, ms.
    pub server_time: u64,
}

impl Leaf {
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        let record = Record::decode(r.take(RECORD_BYTES)?)?;
        let server_time = r.u64()?;
        r.finish()?;
        Ok(Self { record, server_time })
    }

    pub fn encode(&self) -> [u8; LEAF_BYTES] {
        let mut out = [0; LEAF_BYTES];
        let (head, tail) = out.split_at_mut(RECORD_BYTES);
        head.copy_from_slice(&self.record.encode());
        tail.copy_from_slice(&self.server_time.to_le_bytes());
        out
    }

    pub fn hash(&self) -> [u8; 32] {
        leaf_hash(&self.encode())
    }
}

/// `H("log leaf", leaf)`.
pub fn leaf_hash(leaf: &[u8]) -> [u8; 32] {
    h(purpose::LOG_LEAF, &[leaf])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_decodes_encodes_alike(mut bytes in prop::collection::vec(any::<u8>(), HEADER_BYTES), kind in 1u8..4) {
            bytes[0] = 1;
            bytes[1] = kind;
            bytes[2] = 0;
            bytes[3] = 0;
            bytes[172..180].copy_from_slice(&[0, 0, 0, 0, 0, 1, 0, 0]);
            let bytes: [u8; HEADER_BYTES] = bytes.try_into().unwrap();
            let header = Header::decode(&bytes).unwrap();
            prop_assert_eq!(header.body_len, 256);
            prop_assert_eq!(header.encode(), bytes);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Record::decode(&bytes);
            let _ = Leaf::decode(&bytes);
        }
    }
}
