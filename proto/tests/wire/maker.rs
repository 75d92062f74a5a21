//! Makes signed rosters from plans. Hashes and signatures are put together here from `docs/format.md` §1 alone.

use ed25519_dalek::{Signer, SigningKey};
use proto::wire::header::{Header, Record, RecordKind};
use proto::wire::ids::{AccountId, DeviceId};
use proto::wire::roster::{Device, DeviceState, Joiner, Roster, RosterClear, Rotation, Slot, SlotKind};

/// `H(purpose, parts)` by the page.
pub fn hash(purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
    blake3::derive_key(&format!("chatkeep 2026 v1 {purpose}"), &parts.concat())
}

/// `Sign(key, purpose, message)` by the page.
pub fn sign(key: &SigningKey, purpose: &str, message: &[u8]) -> [u8; 64] {
    key.sign(&[b"chatkeep 2026 v1 ", purpose.as_bytes(), &[0], message].concat()).to_bytes()
}

pub fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

pub fn public(n: u8) -> [u8; 32] {
    key(n).verifying_key().to_bytes()
}

/// The key numbers of roots start here, below are devices.
pub const ROOT: u8 = 100;

pub fn account() -> AccountId {
    AccountId(hash("account id", &[&public(ROOT)]))
}

pub fn device_id(n: u8) -> DeviceId {
    DeviceId(hash("device id", &[&public(n), &[n; 1216]]))
}

pub fn active(n: u8, joined_version: u64) -> Device {
    let state = DeviceState::Active {
        kem_key: Box::new([n; 1216]),
        encapsulated: Box::new([n ^ 0xff; 1120]),
        wrapped: [n; 48],
    };
    Device { id: device_id(n), joined_version, verifying_key: public(n), state }
}

pub fn gone(n: u8, joined_version: u64, at_version: u64) -> Device {
    Device { state: DeviceState::Revoked { at_version }, ..active(n, joined_version) }
}

pub fn slot(kind: SlotKind, generation: u32, seed: u8) -> Slot {
    Slot { kind, generation, slot_digest: [seed; 32], credential_digest: [seed ^ 0x0f; 32] }
}

/// What a ROSTER record is to say, and by whom it is to be signed.
#[derive(Clone)]
pub struct Plan {
    pub roster: Roster,
    pub signer: u8,
    /// The old root named in a rotation, and whose key consents.
    pub rotated_from: Option<(u8, u8)>,
    /// The joining device, and whose key proves it.
    pub joiner: Option<(DeviceId, u8)>,
    pub header: Header,
}

impl Plan {
    /// The first roster of the account: one device, one of each slot.
    pub fn first() -> Self {
        let roster = Roster {
            account: account(),
            version: 1,
            epoch: 0,
            root_generation: 1,
            verifying_key: public(ROOT),
            epoch_commitment: [0xc0; 32],
            root_wrap: [0xee; 112],
            ended: false,
            slots: vec![slot(SlotKind::Passphrase, 1, 0x11), slot(SlotKind::Recovery, 1, 0x22)],
            devices: vec![active(1, 1)],
        };
        Self { header: blank(&roster), roster, signer: ROOT, rotated_from: None, joiner: Some((device_id(1), 1)) }
    }

    /// An unchanged roster on top of `current`.
    pub fn after(current: &Roster, signer: u8) -> Self {
        let roster = Roster { version: current.version + 1, ..current.clone() };
        Self { header: blank(&roster), roster, signer, rotated_from: None, joiner: None }
    }

    pub fn join(&mut self, n: u8) {
        self.roster.devices.push(active(n, self.roster.version));
        self.joiner = Some((device_id(n), n));
    }

    /// Names a new root, with the old one's consent, and all that has to follow from that.
    pub fn rotate(&mut self, to: u8) {
        self.rotated_from = Some((self.signer, self.signer));
        self.signer = to;
        self.roster.verifying_key = public(to);
        self.roster.root_generation += 1;
        self.next_epoch();
        for slot in &mut self.roster.slots {
            slot.generation += 1;
            slot.slot_digest = [to; 32];
        }
    }

    pub fn next_epoch(&mut self) {
        self.roster.epoch += 1;
        self.roster.epoch_commitment = [self.roster.epoch as u8; 32];
    }

    /// Signs the plan: record and body.
    pub fn publish(&self) -> (Record, Vec<u8>) {
        let mut roster = self.roster.clone();
        roster.devices.sort_by_key(|d| d.id);
        let content = roster.encode();
        let rotation = self.rotated_from.map(|(old, consents)| Rotation {
            old_verifying_key: public(old),
            signature: sign(&key(consents), "roster rotation", &content),
        });
        let joiner = self
            .joiner
            .map(|(device, prover)| Joiner { device, signature: sign(&key(prover), "device join", &content) });
        let clear = RosterClear { roster, content, rotation, joiner }.encode();
        record(self.header.clone(), &clear, &key(self.signer))
    }
}

fn blank(roster: &Roster) -> Header {
    Header {
        kind: RecordKind::Roster,
        flags: 0,
        incarnation: 1,
        account: roster.account,
        device: DeviceId([0; 32]),
        counter: 0,
        previous: [0; 32],
        seen_size: 0,
        seen_root: [0; 32],
        agreed: 0,
        roster_version: roster.version,
        last_day: 0,
        clear_len: 0,
        body_len: 0,
        body_hash: [0; 32],
    }
}

/// Puts a body behind a clear part, states both in the header, and signs that as a roster.
pub fn record(header: Header, clear: &[u8], signer: &SigningKey) -> (Record, Vec<u8>) {
    let mut body = clear.to_vec();
    body.resize((clear.len() + 80).next_power_of_two(), 0x5e);
    let clear_len = clear.len() as u32;
    let header = Header { clear_len, body_len: body.len() as u32, body_hash: hash("body", &[&body]), ..header };
    let header_bytes = header.encode();
    let signature = sign(signer, "roster", &header_bytes);
    (Record { header, header_bytes, signature }, body)
}
