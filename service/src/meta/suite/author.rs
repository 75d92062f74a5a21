//! Makes an account's records as its devices would: from the documents, with keys that are told here.

use bytes::Bytes;
use ed25519_dalek::{Signer as _, SigningKey};
use proto::wire::context::{h, purpose, signed_bytes};
use proto::wire::events::EventsClear;
use proto::wire::head::HeadClear;
use proto::wire::header::{Header, Leaf, Record, RecordKind, body_hash};
use proto::wire::ids::{AccountId, DeviceId};
use proto::wire::roster::{self, DeviceState, Joiner, Roster, RosterClear, Rotation, SlotKind};
use proto::wire::slot::{AccountName, Argon2Cost, OpaqueObject, SlotPrefix, credential_digest, slot_digest};
use proto::wire::tree::{EMPTY, Hash, node};

use crate::meta::{Appended, Caller, Meta, NewAccount, NewRecord, Placed, SlotBytes};

/// A day long after 1970, ms.
pub const T0: u64 = 1_790_000_000_000;
pub const QUOTA: u64 = 64 << 20;

pub struct Device {
    pub key: SigningKey,
    kem_key: Box<[u8; 1216]>,
    pub id: DeviceId,
    pub counter: u64,
    pub digest: [u8; 32],
}

/// An account with all its keys, and the log as an honest device knows it.
pub struct Author {
    pub name: AccountName,
    pub account: AccountId,
    root: SigningKey,
    pub devices: Vec<Device>,
    pub roster: Roster,
    pub leaves: Vec<Hash>,
    pub generation: u64,
    pub head: Option<HeadClear>,
    pub head_digest: [u8; 32],
}

/// A header that can still be changed, and the body it is for.
pub struct Draft {
    pub header: Header,
    pub body: Bytes,
}

/// RFC 9162 §2.1.1, over the leaves themselves.
pub fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY,
        [one] => *one,
        many => {
            let k = (many.len().next_power_of_two()) / 2;
            let (left, right) = many.split_at(k);
            node(&naive_root(left), &naive_root(right))
        }
    }
}

fn key(seed: u8, place: u8) -> SigningKey {
    let mut bytes = [seed; 32];
    bytes[0] = place;
    SigningKey::from_bytes(&bytes)
}

fn device(seed: u8, number: u8) -> Device {
    let key = key(seed, number);
    let kem_key = Box::new([number; 1216]);
    let id = DeviceId(h(purpose::DEVICE_ID, &[key.verifying_key().as_bytes(), &kem_key[..]]));
    Device { key, kem_key, id, counter: 0, digest: [0; 32] }
}

fn listed(device: &Device, version: u64) -> roster::Device {
    roster::Device {
        id: device.id,
        joined_version: version,
        verifying_key: device.key.verifying_key().to_bytes(),
        state: DeviceState::Active {
            kem_key: device.kem_key.clone(),
            encapsulated: Box::new([1; 1120]),
            wrapped: [2; 48],
        },
    }
}

/// A root rotation to be signed: its roster, both new slots, and the root before.
pub struct NextRoot {
    pub roster: Roster,
    pub slots: Vec<SlotBytes>,
    pub old: SigningKey,
}

impl Author {
    pub fn new(seed: u8) -> Self {
        let root = key(seed, 200);
        let verifying_key = root.verifying_key().to_bytes();
        let first = device(seed, 1);
        let roster = Roster {
            account: AccountId(h(purpose::ACCOUNT_ID, &[&verifying_key])),
            version: 1,
            epoch: 0,
            root_generation: 1,
            verifying_key,
            epoch_commitment: [3; 32],
            root_wrap: [4; 112],
            ended: false,
            slots: Vec::new(),
            devices: vec![listed(&first, 1)],
        };
        Self {
            name: AccountName::new(&format!("ana-{seed}")).unwrap(),
            account: roster.account,
            root,
            devices: vec![first],
            roster,
            leaves: Vec::new(),
            generation: 1,
            head: None,
            head_digest: [0; 32],
        }
    }

    /// Slot bytes of a kind and generation, and what a roster says of them.
    pub fn slot(&self, kind: SlotKind, generation: u32) -> (SlotBytes, roster::Slot) {
        let (account, name) = (self.account, self.name.clone());
        let root_generation = self.roster.root_generation;
        let mut slot = SlotPrefix { kind, account, generation, root_generation, name: name.clone() }.encode();
        slot.resize(512, generation as u8);
        let credential = match kind {
            SlotKind::Passphrase => OpaqueObject {
                account,
                generation,
                name,
                credential_id: [6; 32],
                cost: Argon2Cost { memory_kib: 65536, passes: 3, lanes: 1 },
                record: [generation as u8; 192],
            }
            .encode(),
            SlotKind::Recovery => vec![generation as u8; 32],
        };
        let mut slot_name = [generation as u8; 16];
        slot_name[..8].copy_from_slice(&self.account.0[..8]);
        let said = roster::Slot {
            kind,
            generation,
            slot_digest: slot_digest(&slot),
            credential_digest: credential_digest(&credential),
        };
        let slot_name = (kind == SlotKind::Recovery).then_some(slot_name);
        (SlotBytes { kind, slot: slot.into(), credential: credential.into(), slot_name }, said)
    }

    pub fn new_account(&mut self) -> NewAccount {
        let (passphrase, said_passphrase) = self.slot(SlotKind::Passphrase, 1);
        let (recovery, said_recovery) = self.slot(SlotKind::Recovery, 1);
        self.roster.slots = vec![said_passphrase, said_recovery];
        let roster = self.sign_roster(self.roster.clone(), Some(0), None);
        NewAccount {
            name: self.name.clone(),
            roster,
            slots: vec![passphrase, recovery],
            quota_bytes: QUOTA,
            devices_max: 3,
            invite: None,
        }
    }

    /// Registers, and knows its first entry.
    pub async fn register(store: &dyn Meta, seed: u8) -> Self {
        let mut author = Self::new(seed);
        let new = author.new_account();
        let placed = store.create_account(new.clone(), T0).await.unwrap();
        author.know(&new.roster, placed);
        author
    }

    pub fn caller(&self, device: usize) -> Caller {
        Caller { account: self.account, device: self.devices[device].id, generation: self.generation }
    }

    /// Takes a placed record into the log this author knows.
    pub fn know(&mut self, new: &NewRecord, placed: Placed) {
        assert_eq!(placed.index, self.leaves.len() as u64);
        let leaf = Leaf { record: new.record.clone(), server_time: placed.server_time_ms };
        self.leaves.push(leaf.hash());
        let header = &new.record.header;
        if let Some(device) = self.devices.iter_mut().find(|d| d.id == header.device) {
            device.counter = header.counter;
            device.digest = new.record.digest();
        }
        if header.kind == RecordKind::Head {
            let (clear, _) = new.record.split_body(&new.body).unwrap();
            self.head = Some(HeadClear::decode(clear).unwrap());
            self.head_digest = new.record.digest();
        }
    }

    pub fn root_at(&self, size: usize) -> Hash {
        naive_root(&self.leaves[..size])
    }

    /// A record that would be accepted now.
    pub fn draft(&self, device: usize, kind: RecordKind, clear: &[u8], body_len: usize) -> Draft {
        let mut body = clear.to_vec();
        assert!(body.len() <= body_len);
        body.resize(body_len, 0x5a);
        let author = &self.devices[device];
        let header = Header {
            kind,
            flags: 0,
            incarnation: 1,
            account: self.account,
            device: author.id,
            counter: author.counter + 1,
            previous: author.digest,
            seen_size: self.leaves.len() as u64,
            seen_root: self.root_at(self.leaves.len()),
            agreed: 0,
            roster_version: self.roster.version,
            last_day: 0,
            clear_len: clear.len() as u32,
            body_len: body.len() as u32,
            body_hash: body_hash(&body),
        };
        Draft { header, body: body.into() }
    }

    pub fn sign(&self, device: usize, draft: Draft) -> NewRecord {
        let header_bytes = draft.header.encode();
        let signature = self.devices[device].key.sign(&signed_bytes(purpose::RECORD, &[&header_bytes])).to_bytes();
        NewRecord { record: Record { header: draft.header, header_bytes, signature }, body: draft.body }
    }

    pub fn events(&self, device: usize, clear: &EventsClear) -> NewRecord {
        let clear = clear.encode();
        let len = clear.len().next_power_of_two().max(256);
        self.sign(device, self.draft(device, RecordKind::Events, &clear, len))
    }

    pub fn empty(&self, device: usize) -> NewRecord {
        self.sign(device, self.draft(device, RecordKind::Events, &[], 0))
    }

    /// The next head over all that is known, with no packs.
    pub fn next_head(&self) -> HeadClear {
        let size = self.leaves.len();
        HeadClear {
            generation: self.head.as_ref().map_or(1, |h| h.generation + 1),
            parent: self.head_digest,
            covered_size: size as u64,
            covered_root: self.root_at(size),
            front_size: 0,
            erase: Vec::new(),
            adds: Vec::new(),
            drops: Vec::new(),
            pages: vec![proto::wire::head::NO_PACK],
        }
    }

    pub fn head(&self, device: usize, clear: &HeadClear) -> NewRecord {
        let clear = clear.encode();
        let len = clear.len().next_power_of_two().max(256);
        self.sign(device, self.draft(device, RecordKind::Head, &clear, len))
    }

    /// Appends one record of a device and knows it.
    pub async fn append(&mut self, store: &dyn Meta, device: usize, new: NewRecord, now_ms: u64) -> Appended {
        let done = store.append(&self.caller(device), vec![new.clone()], now_ms).await.unwrap();
        self.know(&new, done.placed[0]);
        done
    }

    /// A second, third … device with its place in the next roster.
    pub fn joining(&mut self, seed: u8) -> Roster {
        let device = device(seed, self.devices.len() as u8 + 1);
        let mut next = self.next_roster();
        next.devices.push(listed(&device, next.version));
        next.devices.sort_by_key(|d| d.id);
        self.devices.push(device);
        next
    }

    pub fn next_roster(&self) -> Roster {
        Roster { version: self.roster.version + 1, ..self.roster.clone() }
    }

    /// Makes a new root, which signs from here on. The recovery slot keeps a name, or gets one of its own.
    pub fn rotation(&mut self, slot_name: Option<[u8; 16]>) -> NextRoot {
        let root = key(self.roster.root_generation as u8 + 90, 201);
        let mut roster = self.next_roster();
        roster.verifying_key = root.verifying_key().to_bytes();
        roster.root_generation += 1;
        roster.epoch += 1;
        let generations: Vec<_> = roster.slots.iter().map(|s| (s.kind, s.generation + 1)).collect();
        let before = std::mem::replace(&mut self.roster.root_generation, roster.root_generation);
        let (mut slots, said): (Vec<_>, _) = generations.into_iter().map(|(kind, g)| self.slot(kind, g)).unzip();
        self.roster.root_generation = before;
        roster.slots = said;
        slots[1].slot_name = slot_name.or(slots[1].slot_name);
        NextRoot { roster, slots, old: std::mem::replace(&mut self.root, root) }
    }

    /// Appends a rotation that the old root consents to.
    pub async fn rotate(&mut self, store: &dyn Meta, next: NextRoot, now_ms: u64) -> Placed {
        let new = self.sign_roster(next.roster, None, Some(&next.old));
        self.append_roster_at(store, new, next.slots, now_ms).await
    }

    pub fn take_root(&mut self, root: SigningKey) {
        self.root = root;
    }

    /// Signs a roster; `joiner` proves its keys, `old` consents to the new root.
    pub fn sign_roster(&self, roster: Roster, joiner: Option<usize>, old: Option<&SigningKey>) -> NewRecord {
        let content = roster.encode();
        let joiner = joiner.map(|at| Joiner {
            device: self.devices[at].id,
            signature: self.devices[at].key.sign(&signed_bytes(purpose::DEVICE_JOIN, &[&content])).to_bytes(),
        });
        let rotation = old.map(|old| Rotation {
            old_verifying_key: old.verifying_key().to_bytes(),
            signature: old.sign(&signed_bytes(purpose::ROSTER_ROTATION, &[&content])).to_bytes(),
        });
        let version = roster.version;
        let clear = RosterClear { roster, content, rotation, joiner }.encode();
        let len = clear.len().next_power_of_two();
        let mut draft = self.draft(0, RecordKind::Roster, &clear, len);
        draft.header.device = DeviceId([0; 32]);
        draft.header.counter = 0;
        draft.header.previous = [0; 32];
        draft.header.roster_version = version;
        let header_bytes = draft.header.encode();
        let signature = self.root.sign(&signed_bytes(purpose::ROSTER, &[&header_bytes])).to_bytes();
        NewRecord { record: Record { header: draft.header, header_bytes, signature }, body: draft.body }
    }

    pub fn root_key(&self) -> &SigningKey {
        &self.root
    }

    /// Appends a roster, knows it, and has tokens of its generation from then on.
    pub async fn append_roster(&mut self, store: &dyn Meta, new: NewRecord, slots: Vec<SlotBytes>) -> Placed {
        self.append_roster_at(store, new, slots, T0).await
    }

    async fn append_roster_at(
        &mut self,
        store: &dyn Meta,
        new: NewRecord,
        slots: Vec<SlotBytes>,
        now_ms: u64,
    ) -> Placed {
        let done = store.append_roster(new.clone(), slots, now_ms).await.unwrap();
        self.know(&new, done.placed[0]);
        let (clear, _) = new.record.split_body(&new.body).unwrap();
        self.roster = RosterClear::decode(clear).unwrap().roster;
        self.generation += 1;
        done.placed[0]
    }
}

/// The refusal a call met.
pub fn refusal<T: std::fmt::Debug>(result: crate::meta::Result<T>) -> crate::meta::Refused {
    match result {
        Err(crate::meta::MetaError::Refused(refused)) => refused,
        other => panic!("expected a refusal, got {other:?}"),
    }
}
