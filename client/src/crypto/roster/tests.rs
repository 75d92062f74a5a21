//! Rosters through a life: made, joined, revoked, rotated; every one must pass the protocol's own acceptance.

use proto::wire::roster::{SlotKind, accept_first, accept_next};

use super::*;
use crate::crypto::entropy::fixed::Fixed;
use crate::crypto::{DeviceKeys, Refused, account_of};

struct Life {
    entropy: Fixed,
    root: Root,
    keyring: Keyring,
    phone: DeviceKeys,
    first: SealedRecord,
}

const AT: LogPlace = LogPlace { incarnation: 1, seen_size: 0, seen_root: [0; 32], agreed: 0 };

fn slot(kind: SlotKind, generation: u32) -> Slot {
    Slot { kind, generation, slot_digest: [generation as u8; 32], credential_digest: [7; 32] }
}

fn label(name: &str) -> Label {
    Label::new(name, "linux", 1_700_000_000_000)
}

/// Signs a plan, with its joiner when there is one.
fn sealed(
    plan: Plan,
    root: &Root,
    keyring: &Keyring,
    old: Option<&RosterSigner>,
    joiner: Option<&DeviceKeys>,
    entropy: &mut Fixed,
) -> SealedRecord {
    let draft = plan.draft(root, keyring, entropy).unwrap();
    let joiner = joiner.map(|device| device.join(draft.content()).unwrap());
    draft.sign(&AT, root, keyring, old, joiner, entropy).unwrap()
}

impl Life {
    fn begin() -> Self {
        let mut entropy = Fixed::new("roster");
        let root = Root::generate(&mut entropy);
        let keyring = Keyring::generate(&mut entropy);
        let phone = DeviceKeys::generate(&mut entropy);
        let mut plan = Plan {
            account: account_of(&root.signer().verifying_key()),
            version: 1,
            root_generation: 1,
            ended: false,
            slots: vec![slot(SlotKind::Recovery, 1), slot(SlotKind::Passphrase, 1)],
            active: Vec::new(),
            gone: Vec::new(),
            rest: Fields::default(),
        };
        plan.join(phone.public().clone(), label("phone"));
        let first = sealed(plan, &root, &keyring, None, Some(&phone), &mut entropy);
        Self { entropy, root, keyring, phone, first }
    }

    fn open(&self, by: Unlock<'_>) -> Result<OpenRoster, Refused> {
        open_roster(&self.first.record, &self.first.body, by)
    }
}

fn same_lifetime(a: &Keyring, b: &Keyring) -> bool {
    let (a, b) = (a.lifetime().event_key(), b.lifetime().event_key());
    a.event("s", "c", 0, "n") == b.event("s", "c", 0, "n")
}

#[test]
fn the_first_roster_is_accepted_and_opens_for_device_and_root() {
    let life = Life::begin();
    accept_first(&life.first.record, &life.first.body).unwrap();
    for by in [Unlock::Device(&life.phone), Unlock::Root(&life.root)] {
        let open = life.open(by).unwrap();
        assert!(open.keyring.current().0.same(&life.keyring.current().0));
        assert!(same_lifetime(&open.keyring, &life.keyring));
        assert_eq!(open.label(&life.phone.id()), Some(&label("phone")));
    }
}

#[test]
fn strangers_do_not_open_it() {
    let mut life = Life::begin();
    let (stranger, root) = (DeviceKeys::generate(&mut life.entropy), Root::generate(&mut life.entropy));
    assert!(life.open(Unlock::Device(&stranger)).is_err());
    assert!(life.open(Unlock::Root(&root)).is_err());
    for at in (0..life.first.body.len()).step_by(37) {
        let mut body = life.first.body.clone();
        body[at] ^= 1;
        assert!(open_roster(&life.first.record, &body, Unlock::Root(&life.root)).is_err(), "byte {at}");
    }
}

#[test]
fn a_device_joins_and_a_revoked_one_is_kept_out() {
    let mut life = Life::begin();
    let laptop = DeviceKeys::generate(&mut life.entropy);
    let accepted = accept_first(&life.first.record, &life.first.body).unwrap();

    let mut plan = Plan::after(&life.open(Unlock::Root(&life.root)).unwrap());
    plan.join(laptop.public().clone(), label("laptop"));
    let second = sealed(plan, &life.root, &life.keyring, None, Some(&laptop), &mut life.entropy);
    let accepted = accept_next(&accepted.roster, &second.record, &second.body).unwrap();
    let open = open_roster(&second.record, &second.body, Unlock::Device(&laptop)).unwrap();
    assert_eq!(open.labels.len(), 2);

    let mut plan = Plan::after(&open);
    assert!(plan.revoke(&life.phone.id()));
    assert!(!plan.revoke(&life.phone.id()), "it is gone already");
    let mut keyring = open.keyring;
    keyring.advance(&mut life.entropy);
    let third = sealed(plan, &life.root, &keyring, None, None, &mut life.entropy);
    accept_next(&accepted.roster, &third.record, &third.body).unwrap();
    assert!(open_roster(&third.record, &third.body, Unlock::Device(&life.phone)).is_err());
    let open = open_roster(&third.record, &third.body, Unlock::Device(&laptop)).unwrap();
    assert_eq!(open.keyring.epoch(), 1);
    assert!(open.keyring.of_epoch(0).unwrap().0.same(&life.keyring.current().0), "old records still open");
    assert!(same_lifetime(&open.keyring, &life.keyring));
}

#[test]
fn the_root_rotates_with_the_old_ones_consent() {
    let mut life = Life::begin();
    let accepted = accept_first(&life.first.record, &life.first.body).unwrap();
    let open = life.open(Unlock::Root(&life.root)).unwrap();
    let root = Root::generate(&mut life.entropy);
    let rotated = |old: Option<&RosterSigner>, entropy: &mut Fixed| {
        let mut plan = Plan::after(&open);
        plan.root_generation = 2;
        plan.slots = vec![slot(SlotKind::Passphrase, 2), slot(SlotKind::Recovery, 2)];
        let mut keyring = life.open(Unlock::Root(&life.root)).unwrap().keyring;
        keyring.advance(entropy);
        sealed(plan, &root, &keyring, old, None, entropy)
    };
    let mut entropy = Fixed::new("rotation");
    let good = rotated(Some(&life.root.signer()), &mut entropy);
    accept_next(&accepted.roster, &good.record, &good.body).unwrap();
    assert!(open_roster(&good.record, &good.body, Unlock::Root(&life.root)).is_err());
    assert!(open_roster(&good.record, &good.body, Unlock::Root(&root)).is_ok());
    assert!(open_roster(&good.record, &good.body, Unlock::Device(&life.phone)).is_ok());
    let bad = rotated(None, &mut entropy);
    assert!(accept_next(&accepted.roster, &bad.record, &bad.body).is_err());
}

#[test]
fn a_wrap_of_another_key_than_committed_is_refused() {
    let mut life = Life::begin();
    let mut plan = Plan::after(&life.open(Unlock::Root(&life.root)).unwrap());
    plan.version = 1;
    let mut draft = plan.draft(&life.root, &life.keyring, &mut life.entropy).unwrap();
    draft.roster.epoch_commitment = [1; 32];
    draft.content = draft.roster.encode();
    let joiner = life.phone.join(&draft.content).unwrap();
    let record = draft.sign(&AT, &life.root, &life.keyring, None, Some(joiner), &mut life.entropy).unwrap();
    accept_first(&record.record, &record.body).unwrap();
    assert!(open_roster(&record.record, &record.body, Unlock::Device(&life.phone)).is_err());
    assert!(open_roster(&record.record, &record.body, Unlock::Root(&life.root)).is_err());
}

#[test]
fn a_device_signs_only_a_roster_it_joins_with() {
    let mut life = Life::begin();
    let laptop = DeviceKeys::generate(&mut life.entropy);
    let open = life.open(Unlock::Root(&life.root)).unwrap();
    let mut draft = |plan: Plan| plan.draft(&life.root, &life.keyring, &mut life.entropy).unwrap().content;
    let without = draft(Plan::after(&open));
    assert_eq!(laptop.join(&without), Err(Refused));
    assert_eq!(life.phone.join(&without), Err(Refused), "it joined with an earlier one");
    assert_eq!(laptop.join(b"any bytes at all"), Err(Refused));
    let mut plan = Plan::after(&open);
    plan.join(laptop.public().clone(), label("laptop"));
    assert!(laptop.join(&draft(plan)).is_ok());
}

#[test]
fn unknown_fields_travel_on() {
    let mut life = Life::begin();
    let mut plan = Plan::after(&life.open(Unlock::Root(&life.root)).unwrap());
    plan.rest.set(900, b"from a newer version".to_vec());
    plan.active[0].label.rest.set(70, b"too".to_vec());
    let next = sealed(plan, &life.root, &life.keyring, None, None, &mut life.entropy);
    let open = open_roster(&next.record, &next.body, Unlock::Device(&life.phone)).unwrap();
    let again = Plan::after(&open);
    assert_eq!(again.rest.get(900), Some(&b"from a newer version"[..]));
    assert_eq!(again.active[0].label.rest.get(70), Some(&b"too"[..]));
}

#[test]
fn twenty_devices_and_many_former_ones_fit() {
    let mut life = Life::begin();
    let mut keyring = Keyring::generate(&mut life.entropy);
    let mut plan = Plan::after(&life.open(Unlock::Root(&life.root)).unwrap());
    let name = "n".repeat(64);
    plan.active.clear();
    for _ in 0..ACTIVE_DEVICES_MAX {
        plan.join(DeviceKeys::generate(&mut life.entropy).public().clone(), label(&name));
    }
    let gone = |at: u8| Device {
        id: DeviceId([at; 32]),
        joined_version: 1,
        verifying_key: [at; 32],
        state: DeviceState::Revoked { at_version: 1 },
    };
    plan.gone = (0..GONE_DEVICES_MAX as u8).map(gone).collect();
    // Former devices revoked two at a time: as many epochs as a roster this full has room for.
    for _ in 0..60 {
        keyring.advance(&mut life.entropy);
    }
    let sealed = sealed(plan.clone(), &life.root, &keyring, None, None, &mut life.entropy);
    assert_eq!(sealed.body.len(), 64 << 10);
    plan.gone.push(gone(200));
    assert_eq!(plan.draft(&life.root, &keyring, &mut life.entropy).err(), Some(RosterError::TooManyDevices));
}
