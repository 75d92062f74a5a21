//! The newest verified ROSTER, opened: who the account's devices are, and all keys an active one works with.

use proto::v1;
use proto::wire::bytes::{Malformed, Reader, Writer};
use proto::wire::header::Record;
use proto::wire::limits::{BODY_BYTES_MAX, RECORD_BYTES};
use proto::wire::roster::{Roster, accept_next};

use super::verify::Chain;
use crate::crypto::roster::{OpenRoster, Unlock, open_roster};
use crate::crypto::{DeviceKeys, Keyring, Lifetime, OpenBody, Refused, account_of};

/// A roster that was accepted, with its keys.
pub struct Ring {
    pub record: Record,
    pub body: Vec<u8>,
    /// Where the log has it.
    pub index: u64,
    pub open: OpenRoster,
    /// Roster keys of all root generations, oldest first.
    pub known_keys: Vec<[u8; 32]>,
}

const VERSION: u8 = 1;
/// Each root rotation is a deliberate act with the account's secrets.
const ROOTS_MAX: usize = 65_536;

impl Ring {
    /// Opens a roster that was accepted, with this device's wrap. The keys must be those of the account's roots in
    /// turn: the first gives the account's id, the last signed this roster.
    pub(super) fn new(
        record: Record,
        body: Vec<u8>,
        index: u64,
        known_keys: Vec<[u8; 32]>,
        device: &DeviceKeys,
    ) -> Result<Self, Refused> {
        let open = open_roster(&record, &body, Unlock::Device(device))?;
        let roster = &open.clear.roster;
        let first = known_keys.first().map(account_of);
        let fits = first == Some(roster.account)
            && known_keys.last() == Some(&roster.verifying_key)
            && u32::try_from(known_keys.len()) == Ok(roster.root_generation);
        if fits { Ok(Self { record, body, index, open, known_keys }) } else { Err(Refused) }
    }

    /// Opens the roster that follows this one in the log. A device that is gone by it cannot.
    pub fn next(&self, record: Record, body: Vec<u8>, index: u64, device: &DeviceKeys) -> Result<Self, Refused> {
        let next = accept_next(self.roster(), &record, &body).map_err(|_| Refused)?;
        let mut known_keys = self.known_keys.clone();
        if next.rotation.is_some() {
            known_keys.push(next.roster.verifying_key);
        }
        Self::new(record, body, index, known_keys, device)
    }

    /// Opens the newest of rosters that lead here from the account's id, for a device that has not seen all between:
    /// the `rosters` of an `Open` from version 0. One that leads past this roster to an older one is refused.
    pub fn leap(&self, rosters: &[v1::Entry], device: &DeviceKeys) -> Result<Self, Refused> {
        let chain = Chain::read(rosters).map_err(|_| Refused)?;
        let newest = chain.accept(&self.roster().account).map_err(|_| Refused)?;
        let known_keys = chain.keys().map_err(|_| Refused)?;
        let (last, body) = chain.last().map_err(|_| Refused)?;
        let same = last.leaf.record.digest() == self.record.digest();
        if !same && newest.roster.version <= self.roster().version || !known_keys.starts_with(&self.known_keys) {
            return Err(Refused);
        }
        Self::new(last.leaf.record.clone(), body.to_vec(), last.index, known_keys, device)
    }

    /// The bytes that the archive keeps as `Note::Roster`. What they hold of keys is sealed.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(VERSION).raw(&self.record.encode()).prefixed(&self.body).u64(self.index);
        w.uvarint(self.known_keys.len() as u64);
        for key in &self.known_keys {
            w.raw(key);
        }
        w.finish()
    }

    /// Opens what [`encode`](Self::encode) wrote. A device that is not in the roster cannot.
    pub fn open(bytes: &[u8], device: &DeviceKeys) -> Result<Self, Refused> {
        let (record, body, index, known_keys) = read(bytes).map_err(|_| Refused)?;
        Self::new(record, body, index, known_keys, device)
    }

    pub fn roster(&self) -> &Roster {
        &self.open.clear.roster
    }

    pub fn keyring(&self) -> &Keyring {
        &self.open.keyring
    }

    pub fn lifetime(&self) -> &Lifetime {
        self.keyring().lifetime()
    }

    /// Opens a record's body with the current epoch's key, or the newest earlier one that does.
    pub fn open_body(&self, record: &Record, body: &[u8]) -> Result<OpenBody, Refused> {
        self.keyring().open_body(record, body)
    }
}

type Parts = (Record, Vec<u8>, u64, Vec<[u8; 32]>);

fn read(bytes: &[u8]) -> Result<Parts, Malformed> {
    let mut r = Reader::new(bytes);
    if r.u8()? != VERSION {
        return Err(Malformed::Unknown);
    }
    let record = Record::decode(r.take(RECORD_BYTES)?)?;
    let body = r.prefixed(BODY_BYTES_MAX)?.to_vec();
    let index = r.u64()?;
    let count = r.count(ROOTS_MAX)?;
    let known_keys = (0..count).map(|_| r.array()).collect::<Result<Vec<_>, _>>()?;
    r.finish()?;
    Ok((record, body, index, known_keys))
}
