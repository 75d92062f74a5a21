//! A served log against what its devices signed: each lie the follower must notice, one test each.

use proto::wire::events::EventsClear;
use proto::wire::head::{HeadClear, NO_PACK};
use proto::wire::header::{Header, Leaf, Record, RecordKind};
use proto::wire::roster::{SlotKind, accept_first};
use proto::wire::tree::Frontier;

use super::*;
use crate::crypto::fixed::Fixed;
use crate::crypto::roster::{Label, LogPlace, Plan};
use crate::crypto::{DeviceKeys, Keyring, Root, SealedRecord, account_of, seal_record};
use crate::fields::Fields;
use crate::ids::AccountId;

/// An account with one device, its log after the first ROSTER, and the device's own place in it.
struct World {
    entropy: Fixed,
    account: AccountId,
    device: DeviceKeys,
    keyring: Keyring,
    start: LogState,
    counter: u64,
    previous: [u8; 32],
}

impl World {
    fn new() -> Self {
        let mut entropy = Fixed::new("log");
        let root = Root::generate(&mut entropy);
        let keyring = Keyring::generate(&mut entropy);
        let device = DeviceKeys::generate(&mut entropy);
        let account = account_of(&root.signer().verifying_key());
        let slot = proto::wire::roster::Slot {
            kind: SlotKind::Recovery,
            generation: 1,
            slot_digest: [1; 32],
            credential_digest: [2; 32],
        };
        let mut plan = Plan {
            account,
            version: 1,
            root_generation: 1,
            ended: false,
            slots: vec![slot],
            active: Vec::new(),
            gone: Vec::new(),
            rest: Fields::default(),
        };
        plan.join(device.public().clone(), Label::new("phone", "linux", 0));
        let draft = plan.draft(&root, &keyring, &mut entropy).unwrap();
        let joiner = device.join(draft.content()).unwrap();
        let at = LogPlace { incarnation: 1, seen_size: 0, seen_root: [0; 32], agreed: 0 };
        let first = draft.sign(&at, &root, &keyring, None, Some(joiner), &mut entropy).unwrap();
        let roster = accept_first(&first.record, &first.body).unwrap().roster;
        let mut frontier = Frontier::default();
        frontier.append(Leaf { record: first.record, server_time: 10 }.hash());
        let start =
            LogState { incarnation: 1, frontier, server_time: 10, roster, devices: Default::default(), head: None };
        Self { entropy, account, device, keyring, start, counter: 0, previous: [0; 32] }
    }

    fn follower(&self) -> Follower {
        Follower::new(self.account, self.start.clone())
    }

    fn header(&self, kind: RecordKind, seen: &Frontier) -> Header {
        Header {
            kind,
            flags: 0,
            incarnation: 1,
            account: self.account,
            device: self.device.id(),
            counter: self.counter + 1,
            previous: self.previous,
            seen_size: seen.size(),
            seen_root: seen.root(),
            agreed: 0,
            roster_version: 1,
            last_day: 0,
            clear_len: 0,
            body_len: 0,
            body_hash: [0; 32],
        }
    }

    fn seal(&mut self, header: Header, clear: &[u8]) -> SealedRecord {
        seal_record(&self.device, self.keyring.current(), header, clear, b"content", &mut self.entropy).unwrap()
    }

    /// The next EVENTS record by one who has seen this frontier.
    fn events(&mut self, seen: &Frontier) -> SealedRecord {
        let sealed = self.seal(self.header(RecordKind::Events, seen), &EventsClear::default().encode());
        self.count(&sealed.record);
        sealed
    }

    fn head(&mut self, seen: &Frontier, generation: u64, covered: &Frontier) -> SealedRecord {
        let clear = HeadClear {
            generation,
            parent: if generation == 1 { [0; 32] } else { [3; 32] },
            covered_size: covered.size(),
            covered_root: covered.root(),
            front_size: 0,
            erase: Vec::new(),
            adds: Vec::new(),
            drops: Vec::new(),
            pages: vec![NO_PACK],
        };
        let sealed = self.seal(self.header(RecordKind::Head, seen), &clear.encode());
        self.count(&sealed.record);
        sealed
    }

    fn count(&mut self, record: &Record) {
        self.counter += 1;
        self.previous = record.digest();
    }
}

fn leaf(record: &Record, server_time: u64) -> Vec<u8> {
    Leaf { record: record.clone(), server_time }.encode().to_vec()
}

/// Serves an entry, and holds that an alarm changes nothing.
fn serve(f: &mut Follower, index: u64, sealed: &SealedRecord, time: u64, erased: bool) -> Result<Accepted, Alarm> {
    let before = f.state().clone();
    let body: &[u8] = if erased { &[] } else { &sealed.body };
    let result = f.accept(index, &leaf(&sealed.record, time), body, erased);
    if result.is_err() {
        assert!(*f.state() == before, "an alarm leaves the state as it was");
    }
    result
}

#[test]
fn an_honest_log_is_followed_and_its_state_comes_back() {
    let mut world = World::new();
    let mut f = world.follower();
    for index in 1..5 {
        let record = world.events(&f.state().frontier.clone());
        assert!(serve(&mut f, index, &record, 10 + index, false).unwrap().body.is_some());
    }
    let covered = f.state().frontier.clone();
    let head = world.head(&covered.clone(), 1, &covered);
    assert!(serve(&mut f, 5, &head, 20, false).unwrap().head.is_some());
    assert_eq!(f.state().head.as_ref().map(|h| (h.generation, h.covered_size)), Some((1, 5)));
    assert_eq!(LogState::decode(&f.state().encode()).unwrap(), *f.state());
}

#[test]
fn a_body_is_withheld_only_below_a_verified_head() {
    let mut world = World::new();
    let mut f = world.follower();
    let record = world.events(&world.start.frontier.clone());
    assert_eq!(serve(&mut f, 1, &record, 11, true).err(), Some(Alarm::Withheld));
    let mut state = world.start.clone();
    state.head = Some(HeadSeen { generation: 1, index: 0, digest: [0; 32], covered_size: 2 });
    let mut f = Follower::new(world.account, state);
    assert!(serve(&mut f, 1, &record, 11, true).unwrap().body.is_none());
}

#[test]
fn a_body_with_a_last_day_goes_when_that_day_is_over_and_not_before() {
    const DAY: u64 = 86_400_000;
    let mut world = World::new();
    let seen = world.start.frontier.clone();
    let mut timed = |kind, clear: &[u8]| {
        let header = Header { last_day: 20_000, ..world.header(kind, &seen) };
        world.seal(header, clear)
    };
    let events = timed(RecordKind::Events, &EventsClear::default().encode());
    let head = timed(RecordKind::Head, &[]);
    // By the entry's own time, or by what the server tells when it is asked.
    for (told, time, withheld) in
        [(0, 20_001 * DAY - 1, true), (0, 20_001 * DAY, false), (20_001 * DAY - 1, 11, true), (20_001 * DAY, 11, false)]
    {
        let mut f = world.follower();
        f.told(told);
        let served = serve(&mut f, 1, &events, time, true);
        assert_eq!(served.err(), withheld.then_some(Alarm::Withheld), "told {told}, at {time}");
        // No head goes by itself.
        let mut f = world.follower();
        f.told(told);
        assert_eq!(serve(&mut f, 1, &head, time, true).err(), Some(Alarm::Withheld));
    }
    // Without a last day no time is late enough.
    let mut f = world.follower();
    f.told(u64::MAX);
    let plain = world.events(&seen);
    assert_eq!(serve(&mut f, 1, &plain, 11, true).err(), Some(Alarm::Withheld));
}

#[test]
fn gaps_repeats_and_swaps_in_an_authors_chain_are_noticed() {
    let mut world = World::new();
    let seen = world.start.frontier.clone();
    let (one, two) = (world.events(&seen), world.events(&seen));
    let mut f = world.follower();
    assert_eq!(serve(&mut f, 1, &two, 11, false).err(), Some(Alarm::Forged), "dropped the first");
    serve(&mut f, 1, &one, 11, false).unwrap();
    assert_eq!(serve(&mut f, 2, &one, 12, false).err(), Some(Alarm::Forged), "served twice");
    assert_eq!(serve(&mut f, 3, &two, 12, false).err(), Some(Alarm::Forged), "at another index");
    assert_eq!(serve(&mut f, 2, &two, 10, false).err(), Some(Alarm::Forged), "time fell");
    serve(&mut f, 2, &two, 12, false).unwrap();
}

#[test]
fn what_no_device_of_the_account_signed_is_forged() {
    let mut world = World::new();
    let seen = world.start.frontier.clone();
    let good = world.events(&seen);
    let mut f = world.follower();
    for at in 0..good.body.len() {
        let mut bad = SealedRecord { record: good.record.clone(), body: good.body.clone() };
        bad.body[at] ^= 1;
        assert_eq!(serve(&mut f, 1, &bad, 11, false).err(), Some(Alarm::Forged));
    }
    let bytes = leaf(&good.record, 11);
    for at in 0..bytes.len() - 8 {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        assert!(f.accept(1, &bad, &good.body, false).is_err(), "byte {at}");
    }
    let stranger = DeviceKeys::generate(&mut world.entropy);
    let header = world.header(RecordKind::Events, &seen);
    let clear = EventsClear::default().encode();
    let alien = seal_record(&stranger, world.keyring.current(), header, &clear, b"x", &mut world.entropy).unwrap();
    assert_eq!(serve(&mut f, 1, &alien, 11, false).err(), Some(Alarm::Forged));
    serve(&mut f, 1, &good, 11, false).unwrap();
}

#[test]
fn an_author_or_head_that_saw_another_history_gives_the_fork_away() {
    let mut world = World::new();
    let mut other = world.start.frontier.clone();
    other.append([9; 32]);
    let mut f = world.follower();
    let one = world.events(&world.start.frontier.clone());
    serve(&mut f, 1, &one, 11, false).unwrap();
    let (counter, previous) = (world.counter, world.previous);
    let astray = world.events(&other);
    assert_eq!(serve(&mut f, 2, &astray, 12, false).err(), Some(Alarm::OtherHistory));
    (world.counter, world.previous) = (counter, previous);
    let head = world.head(&f.state().frontier.clone(), 1, &other);
    assert_eq!(serve(&mut f, 2, &head, 12, false).err(), Some(Alarm::OtherHistory));
    (world.counter, world.previous) = (counter, previous);
    let late = world.events(&{
        let mut ahead = f.state().frontier.clone();
        ahead.append([1; 32]);
        ahead
    });
    assert_eq!(serve(&mut f, 2, &late, 12, false).err(), Some(Alarm::Forged), "seen more than there is");
}

#[test]
fn shrinking_and_rewriting_are_told_apart() {
    let mut world = World::new();
    let mut f = world.follower();
    let one = world.events(&world.start.frontier.clone());
    serve(&mut f, 1, &one, 11, false).unwrap();
    assert_eq!(f.continues(&world.start.frontier, &[]), Err(Alarm::Rollback));
    assert_eq!(f.continues(&f.state().frontier.clone(), &[]), Ok(()));
    let mut rewritten = world.start.frontier.clone();
    rewritten.append([5; 32]);
    assert_eq!(f.continues(&rewritten, &[]), Err(Alarm::Fork));
}

#[test]
fn counter_and_previous_record_are_each_held() {
    let mut world = World::new();
    let seen = world.start.frontier.clone();
    let clear = EventsClear::default().encode();
    let mut skipped = world.header(RecordKind::Events, &seen);
    skipped.counter = 2;
    let mut unchained = world.header(RecordKind::Events, &seen);
    unchained.previous = [1; 32];
    let mut f = world.follower();
    for header in [skipped, unchained] {
        let record = world.seal(header, &clear);
        assert_eq!(serve(&mut f, 1, &record, 11, false).err(), Some(Alarm::Forged));
    }
}

#[test]
fn each_claim_of_a_header_is_held_alone() {
    let mut world = World::new();
    let mut state = world.start.clone();
    state.head = Some(HeadSeen { generation: 3, index: 0, digest: [3; 32], covered_size: 1 });
    let seen = world.start.frontier.clone();
    let mut sealed = |change: &dyn Fn(&mut Header)| {
        let mut header = world.header(RecordKind::Events, &seen);
        change(&mut header);
        world.seal(header, &EventsClear::default().encode())
    };
    let claims: [&dyn Fn(&mut Header); 5] = [
        &|h| h.incarnation = 2,
        &|h| h.account = AccountId([9; 32]),
        &|h| h.roster_version = 2,
        &|h| h.agreed = 4,
        &|h| h.seen_size = 2,
    ];
    let bad: Vec<_> = claims.iter().map(|claim| sealed(claim)).collect();
    let (good, early) = (sealed(&|h| h.agreed = 3), sealed(&|_| {}));
    let mut f = Follower::new(world.account, state);
    for (at, record) in bad.iter().enumerate() {
        assert_eq!(serve(&mut f, 1, record, 11, false).err(), Some(Alarm::Forged), "claim {at}");
    }
    assert_eq!(serve(&mut f, 1, &early, 9, false).err(), Some(Alarm::Forged), "server time falls");
    assert_eq!(serve(&mut f, 2, &early, 11, false).err(), Some(Alarm::Forged), "an entry is left out");
    serve(&mut f, 1, &good, 11, false).unwrap();
}

#[test]
fn a_head_stands_on_the_last_one() {
    let mut world = World::new();
    let seen = world.start.frontier.clone();
    let mut state = world.start.clone();
    state.head = Some(HeadSeen { generation: 3, index: 0, digest: [3; 32], covered_size: 1 });
    // A second first head, then one that leaves a generation out but names the right parent.
    for generation in [1, 5] {
        let mut f = Follower::new(world.account, state.clone());
        let (counter, previous) = (world.counter, world.previous);
        let head = world.head(&seen, generation, &seen);
        (world.counter, world.previous) = (counter, previous);
        assert_eq!(serve(&mut f, 1, &head, 11, false).err(), Some(Alarm::Forged), "generation {generation}");
    }
    // The next generation, on another head than the one that was seen; and on that one.
    for (digest, refused) in [([4; 32], Some(Alarm::Forged)), ([3; 32], None)] {
        state.head = Some(HeadSeen { generation: 3, index: 0, digest, covered_size: 1 });
        let mut f = Follower::new(world.account, state.clone());
        let (counter, previous) = (world.counter, world.previous);
        let head = world.head(&seen, 4, &seen);
        (world.counter, world.previous) = (counter, previous);
        assert_eq!(serve(&mut f, 1, &head, 11, false).err(), refused);
    }
}
