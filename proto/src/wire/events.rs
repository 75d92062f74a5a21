//! The clear part of an EVENTS record: what the service must check (`docs/format.md` §4.3).

use super::bytes::{Malformed, Reader, Result, Writer};
use super::context::{BadSignature, purpose, verify};
use super::ids::{AccountId, PackId};
use super::limits::RECORD_PACKS_MAX;

#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct EventsClear {
    /// Every pack the record's events rely on, ascending.
    pub packs: Vec<PackId>,
    pub permit: Option<Permit>,
}

/// The root's consent to a mass deletion.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Permit {
    pub roster_version: u64,
    pub purpose: u8,
    pub bytes: u64,
    pub last_day: u32,
    pub signature: [u8; 64],
}

impl Permit {
    pub const MASS_DELETION: u8 = 1;

    /// The bytes a permit's signature covers, besides the account.
    pub fn signed_fields(&self) -> Vec<u8> {
        Writer::new().u64(self.roster_version).u8(self.purpose).u64(self.bytes).u32(self.last_day).finish()
    }

    pub fn verify(&self, account: &AccountId, roster_key: &[u8; 32]) -> std::result::Result<(), BadSignature> {
        verify(roster_key, purpose::PERMIT, &[&account.0, &self.signed_fields()], &self.signature)
    }
}

/// Reads an ascending list of pack ids.
pub(super) fn packs(r: &mut Reader<'_>, n: usize) -> Result<Vec<PackId>> {
    let list = (0..n).map(|_| Ok(PackId(r.array()?))).collect::<Result<Vec<_>>>()?;
    if list.is_sorted_by(|a, b| a < b) { Ok(list) } else { Err(Malformed::NotCanonical) }
}

impl EventsClear {
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u16(self.packs.len() as u16);
        for pack in &self.packs {
            w.raw(&pack.0);
        }
        match &self.permit {
            None => w.u8(0),
            Some(permit) => w.u8(1).raw(&permit.signed_fields()).raw(&permit.signature),
        };
        w.finish()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        let n = r.u16()? as usize;
        if n > RECORD_PACKS_MAX {
            return Err(Malformed::TooLong);
        }
        let packs = packs(&mut r, n)?;
        let permit = match r.u8()? {
            0 => None,
            1 => Some(Permit {
                roster_version: r.u64()?,
                purpose: r.u8()?,
                bytes: r.u64()?,
                last_day: r.u32()?,
                signature: r.array()?,
            }),
            _ => return Err(Malformed::NotCanonical),
        };
        r.finish()?;
        Ok(Self { packs, permit })
    }
}
