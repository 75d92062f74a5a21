//! An answer with a head, and every way in which its parts may not fit; what needs no head stands in the end-to-end
//! suite of accounts.

use proto::wire::header::Header;
use proto::wire::roster::{Slot, SlotKind};
use proto::wire::slot::AccountName;
use proto::wire::tree::{EMPTY, Subtrees, consistency_proof, inclusion_proof, node};

use super::*;
use crate::crypto::fixed::Fixed;
use crate::crypto::roster::{Label, LogPlace, Plan};
use crate::crypto::slot::{SlotPlace, make_recovery_slot, open_recovery_slot};
use crate::crypto::{DeviceKeys, Keyring, RecoveryKey, Root, SealedRecord, account_of, seal_record};
use crate::vault::Ring;

/// An account with one device, whose log is its ROSTER and its first HEAD.
struct World {
    entropy: Fixed,
    root: Root,
    keyring: Keyring,
    device: DeviceKeys,
    roster: SealedRecord,
    slot: [u8; 512],
    key: RecoveryKey,
}

impl World {
    fn new() -> Self {
        let mut entropy = Fixed::new("verify");
        let (root, keyring) = (Root::generate(&mut entropy), Keyring::generate(&mut entropy));
        let (device, key) = (DeviceKeys::generate(&mut entropy), RecoveryKey::generate(&mut entropy));
        let account = account_of(&root.signer().verifying_key());
        let at = SlotPlace { account, name: AccountName::new("ana").unwrap(), generation: 1, root_generation: 1 };
        let slot = make_recovery_slot(&at, &key, &root, &mut entropy);
        let named = Slot {
            kind: SlotKind::Recovery,
            generation: 1,
            slot_digest: slot_digest(&slot),
            credential_digest: [2; 32],
        };
        let mut plan = Plan {
            account,
            version: 1,
            root_generation: 1,
            ended: false,
            slots: vec![named],
            active: Vec::new(),
            gone: Vec::new(),
            rest: Default::default(),
        };
        plan.join(device.public().clone(), Label::new("phone", "linux", 0));
        let draft = plan.draft(&root, &keyring, &mut entropy).unwrap();
        let joiner = device.join(draft.content()).unwrap();
        let place = LogPlace { incarnation: 1, seen_size: 0, seen_root: EMPTY, agreed: 0 };
        let roster = draft.sign(&place, &root, &keyring, None, Some(joiner), &mut entropy).unwrap();
        Self { entropy, root, keyring, device, roster, slot, key }
    }

    /// The first head, changed before it is signed by `author`.
    fn head(&mut self, author: &DeviceKeys, change: impl FnOnce(&mut Header, &mut HeadClear)) -> SealedRecord {
        let mut clear = HeadClear {
            generation: 1,
            parent: [0; 32],
            covered_size: 1,
            covered_root: leaf(&self.roster, 10).hash(),
            front_size: 1,
            erase: Vec::new(),
            adds: Vec::new(),
            drops: Vec::new(),
            pages: vec![proto::wire::head::NO_PACK],
        };
        let mut header = Header {
            kind: RecordKind::Head,
            counter: 1,
            seen_size: 1,
            seen_root: clear.covered_root,
            roster_version: 1,
            ..self.roster.record.header.clone()
        };
        change(&mut header, &mut clear);
        seal_record(author, self.keyring.current(), header, &clear.encode(), b"", &mut self.entropy).unwrap()
    }

    fn answer(&self, head: &SealedRecord) -> v1::SignInAnswer {
        let (first, second) = (leaf(&self.roster, 10), leaf(head, 20));
        let mut leaves = Leaves(vec![first.hash(), second.hash()]);
        let mut frontier = Frontier::default();
        for hash in &leaves.0 {
            frontier.append(*hash);
        }
        let mut proof = |index| bytes(&inclusion_proof(&mut leaves, index, 2).unwrap());
        v1::SignInAnswer {
            slot: self.slot.to_vec().into(),
            account: self.roster.record.header.account.0.to_vec().into(),
            rosters: vec![entry(0, &first, &self.roster.body)],
            roster_proof: proof(0),
            head: Some(entry(1, &second, &head.body)),
            head_proof: proof(1),
            log: Some(v1::LogState { size: 2, frontier: bytes(frontier.hashes()) }),
            incarnation: 1,
            suspended: false,
        }
    }

    fn verify(&self, answer: v1::SignInAnswer) -> Result<Verified> {
        verify(answer, &open_recovery_slot(&self.slot, None, &self.key).unwrap())
    }
}

struct Leaves(Vec<Hash>);

impl Subtrees for Leaves {
    type Error = std::convert::Infallible;

    fn subtree(&mut self, height: u32, index: u64) -> std::result::Result<Hash, Self::Error> {
        Ok(match height {
            0 => self.0[index as usize],
            _ => node(&self.0[0], &self.0[1]),
        })
    }
}

fn leaf(sealed: &SealedRecord, server_time: u64) -> Leaf {
    Leaf { record: sealed.record.clone(), server_time }
}

fn entry(index: u64, leaf: &Leaf, body: &[u8]) -> v1::Entry {
    v1::Entry { index, leaf: leaf.encode().to_vec().into(), body: body.to_vec().into(), erased: false }
}

fn bytes(hashes: &[Hash]) -> Vec<Bytes> {
    hashes.iter().map(|hash| Bytes::copy_from_slice(hash)).collect()
}

#[test]
fn an_answer_that_fits_gives_the_log_and_all_keys() {
    let mut world = World::new();
    let device = DeviceKeys::import(&world.device.export());
    let head = world.head(&device, |_, _| ());
    let verified = world.verify(world.answer(&head)).unwrap();
    assert_eq!((verified.log.frontier.size(), verified.log.server_time), (2, 20));
    assert_eq!(verified.known_keys, [world.root.signer().verifying_key()]);
    let mut without = world.answer(&head);
    (without.head, without.head_proof) = (None, Vec::new());
    assert_eq!(world.verify(without).unwrap().log.server_time, 10);
}

#[test]
fn an_answer_is_held_to_the_slot_that_opened() {
    let mut world = World::new();
    let device = DeviceKeys::import(&world.device.export());
    let head = world.head(&device, |_, _| {});
    let good = world.answer(&head);
    let mut other_account = good.clone();
    other_account.account = vec![9; 32].into();
    // Another slot under the same root, which opens as well: not the one the roster names.
    let at = SlotPlace {
        account: world.roster.record.header.account,
        name: AccountName::new("ana").unwrap(),
        generation: 1,
        root_generation: 1,
    };
    let other_slot = make_recovery_slot(&at, &world.key, &world.root, &mut world.entropy);
    let mut unnamed = good.clone();
    unnamed.slot = other_slot.to_vec().into();
    for (bad, why) in [(other_account, "another account"), (unnamed, "another slot")] {
        assert!(matches!(world.verify(bad).err(), Some(Error::RosterMismatch { .. })), "{why}");
    }
    assert!(world.verify(good).is_ok());
}

#[test]
fn a_head_is_held_to_the_roster_and_the_log() {
    let mut world = World::new();
    let device = DeviceKeys::import(&world.device.export());
    let stranger = DeviceKeys::generate(&mut world.entropy);
    let mut forged = world.head(&device, |_, _| ());
    forged.record.signature[0] ^= 1;
    let heads = [
        forged,
        world.head(&stranger, |_, _| ()),
        world.head(&device, |header, _| header.kind = RecordKind::Events),
        world.head(&device, |header, _| header.account = crate::ids::AccountId([9; 32])),
        world.head(&device, |header, _| header.incarnation = 2),
        world.head(&device, |header, _| header.roster_version = 2),
        world.head(&device, |_, clear| clear.covered_size = 2),
    ];
    for head in &heads {
        assert!(matches!(world.verify(world.answer(head)), Err(Error::RosterMismatch { .. })));
    }
    let head = world.head(&device, |_, _| ());
    type Lie = fn(&mut v1::SignInAnswer);
    let lies: [Lie; 6] = [
        |a| a.head_proof.clear(),
        |a| a.head_proof[0] = Bytes::copy_from_slice(&[7; 32]),
        |a| a.head_proof[0] = Bytes::copy_from_slice(&[7; 31]),
        |a| a.head.as_mut().unwrap().index = 0,
        |a| a.head.as_mut().unwrap().body = Bytes::new(),
        |a| a.head = Some(a.rosters[0].clone()),
    ];
    for lie in lies {
        let mut answer = world.answer(&head);
        lie(&mut answer);
        assert!(world.verify(answer).is_err());
    }
    for at in 0..284 {
        let mut answer = world.answer(&head);
        let mut leaf = answer.head.as_ref().unwrap().leaf.to_vec();
        leaf[at] ^= 1;
        answer.head.as_mut().unwrap().leaf = leaf.into();
        assert!(world.verify(answer).is_err(), "byte {at}");
    }
}

#[test]
fn a_chain_gives_a_ring_to_its_devices_alone() {
    let mut world = World::new();
    let device = DeviceKeys::import(&world.device.export());
    let head = world.head(&device, |_, _| ());
    let rosters = world.answer(&head).rosters;
    let key = world.root.signer().verifying_key();
    let ring = |keys, device| Ring::new(world.roster.record.clone(), world.roster.body.clone(), 0, keys, device);
    let first = ring(vec![key], &device).unwrap_or_else(|_| panic!("its own device"));
    assert!(ring(vec![], &device).is_err());
    assert!(ring(vec![[1; 32]], &device).is_err());
    assert!(ring(vec![key, key], &device).is_err());
    assert!(ring(vec![key], &DeviceKeys::generate(&mut Fixed::new("stranger"))).is_err());
    assert!(first.leap(&rosters, &device).is_ok(), "nothing is new");
    assert!(first.leap(&[], &device).is_err());
    assert!(first.next(world.roster.record.clone(), world.roster.body.clone(), 1, &device).is_err());

    let bytes = first.encode();
    let again = Ring::open(&bytes, &device).unwrap_or_else(|_| panic!("what was written"));
    assert_eq!((again.roster(), again.index, &again.known_keys), (first.roster(), 0, &first.known_keys));
    for end in (0..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
        assert!(Ring::open(&bytes[..end], &device).is_err());
    }
    assert!(Ring::open(&[&bytes[..], &[0]].concat(), &device).is_err());
}

#[test]
fn a_server_is_held_to_what_another_device_has_seen() {
    let mut world = World::new();
    let device = DeviceKeys::import(&world.device.export());
    let head = world.head(&device, |_, _| ());
    let signed = world.answer(&head);
    let hashes = vec![leaf(&world.roster, 10).hash(), leaf(&head, 20).hash()];
    let (first, mut leaves) = (hashes[0], Leaves(hashes));
    let proof = consistency_proof(&mut leaves, 1, 2).unwrap();
    let answer = || v1::OpenResponse {
        incarnation: 1,
        log: signed.log.clone(),
        consistency: bytes(&proof),
        continuity: true,
        rosters: signed.rosters.clone(),
        roster_proof: signed.roster_proof.clone(),
        head: signed.head.clone(),
        head_proof: signed.head_proof.clone(),
        ..Default::default()
    };
    let (clear, _) = world.roster.record.split_body(&world.roster.body).unwrap();
    let content = RosterClear::decode(clear).unwrap().content;
    let seen = |change: fn(&mut Seen)| {
        let account = world.roster.record.header.account;
        let roster_content = content.clone();
        let mut seen = Seen { account, incarnation: 1, size: 1, root: first, roster_version: 1, roster_content };
        change(&mut seen);
        seen
    };
    let (ring, log) = verify_seen(answer(), &seen(|_| ()), &device).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((ring.roster().version, log.frontier.size(), log.server_time), (1, 2, 20));

    type Change = fn(&mut Seen);
    let refused = |change: Change| verify_seen(answer(), &seen(change), &device).map(|_| ()).unwrap_err();
    assert!(matches!(refused(|s| s.incarnation = 2), Error::Rollback));
    assert!(matches!(refused(|s| s.size = 3), Error::Rollback), "a shorter log");
    assert!(matches!(refused(|s| s.root = [7; 32]), Error::Fork), "another log");
    assert!(matches!(refused(|s| s.roster_version = 2), Error::Rollback), "the roster signed is not there");
    assert!(matches!(refused(|s| s.roster_content[50] ^= 1), Error::Fork), "another roster of that version");
    assert!(matches!(refused(|s| s.account = AccountId([9; 32])), Error::RosterMismatch { .. }));
    let lies: [fn(&mut v1::OpenResponse); 4] = [
        |a| a.roster_proof[0] = Bytes::copy_from_slice(&[7; 32]),
        |a| a.rosters.clear(),
        |a| a.log = None,
        |a| {
            a.head_proof.clear();
        },
    ];
    for lie in lies {
        let mut bad = answer();
        lie(&mut bad);
        assert!(verify_seen(bad, &seen(|_| ()), &device).is_err());
    }
    let stranger = DeviceKeys::generate(&mut Fixed::new("stranger"));
    assert!(verify_seen(answer(), &seen(|_| ()), &stranger).is_err(), "a roster that does not list this device");
}
