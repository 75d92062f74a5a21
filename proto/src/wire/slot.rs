//! Slot objects and OPAQUE objects as they are stored (`docs/format.md` §6), and account names.

use super::bytes::{Malformed, Reader, Result, Writer};
use super::context::{h, purpose};
use super::ids::AccountId;
use super::limits::{ACCOUNT_NAME_BYTES_MAX, OPAQUE_RECORD_BYTES, SLOT_BYTES};
use super::roster::SlotKind;

/// An account's name: 1–64 lower-case letters, digits, `.`, `-`, `_`, beginning with a letter or digit. Never changes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AccountName(String);

impl AccountName {
    pub fn new(text: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let fits = !text.is_empty()
            && text.len() <= ACCOUNT_NAME_BYTES_MAX
            && text.starts_with(plain)
            && text.chars().all(|c| plain(c) || matches!(c, '.' | '-' | '_'));
        fits.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Argon2id's cost, as it travels beside OPAQUE and inside the slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Argon2Cost {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

impl Argon2Cost {
    pub const BYTES: usize = 12;

    pub fn encode(&self) -> [u8; Self::BYTES] {
        let bytes = Writer::new().u32(self.memory_kib).u32(self.passes).u32(self.lanes).finish();
        bytes.try_into().expect("three u32 are twelve bytes")
    }

    pub fn read(r: &mut Reader<'_>) -> Result<Self> {
        Ok(Self { memory_kib: r.u32()?, passes: r.u32()?, lanes: r.u32()? })
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        let cost = Self::read(&mut r)?;
        r.finish()?;
        Ok(cost)
    }
}

/// What a slot object says in clear: its associated data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SlotPrefix {
    pub kind: SlotKind,
    pub account: AccountId,
    pub generation: u32,
    pub root_generation: u32,
    pub name: AccountName,
}

impl SlotPrefix {
    const VERSION: u8 = 1;

    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(Self::VERSION).u8(self.kind as u8).raw(&self.account.0).u32(self.generation).u32(self.root_generation);
        w.prefixed(self.name.as_str().as_bytes());
        w.finish()
    }

    /// Splits a slot object into prefix and sealed part.
    pub fn split(object: &[u8]) -> Result<(Self, &[u8])> {
        if object.len() != SLOT_BYTES {
            return Err(Malformed::TooLong);
        }
        let mut r = Reader::new(object);
        if r.u8()? != Self::VERSION {
            return Err(Malformed::Unknown);
        }
        let kind = SlotKind::new(r.u8()?)?;
        let (account, generation, root_generation) = (AccountId(r.array()?), r.u32()?, r.u32()?);
        let name = AccountName::new(r.text(ACCOUNT_NAME_BYTES_MAX)?).ok_or(Malformed::NotCanonical)?;
        Ok((Self { kind, account, generation, root_generation, name }, r.rest()))
    }
}

/// `H("slot", slot object)`.
pub fn slot_digest(object: &[u8]) -> [u8; 32] {
    h(purpose::SLOT, &[object])
}

/// `H("credential", OPAQUE object or recovery verifying key)`.
pub fn credential_digest(credential: &[u8]) -> [u8; 32] {
    h(purpose::CREDENTIAL, &[credential])
}

/// An OPAQUE record with all that a login needs beside the server's seed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpaqueObject {
    pub account: AccountId,
    pub generation: u32,
    pub name: AccountName,
    pub credential_id: [u8; 32],
    pub cost: Argon2Cost,
    pub record: [u8; OPAQUE_RECORD_BYTES],
}

impl OpaqueObject {
    const VERSION: u8 = 1;

    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(Self::VERSION).raw(&self.account.0).u32(self.generation).prefixed(self.name.as_str().as_bytes());
        w.raw(&self.credential_id).raw(&self.cost.encode()).raw(&self.record);
        w.finish()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        if r.u8()? != Self::VERSION {
            return Err(Malformed::Unknown);
        }
        let (account, generation) = (AccountId(r.array()?), r.u32()?);
        let name = AccountName::new(r.text(ACCOUNT_NAME_BYTES_MAX)?).ok_or(Malformed::NotCanonical)?;
        let object = Self {
            account,
            generation,
            name,
            credential_id: r.array()?,
            cost: Argon2Cost::read(&mut r)?,
            record: r.array()?,
        };
        r.finish()?;
        Ok(object)
    }
}
