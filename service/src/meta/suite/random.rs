//! The same random work on the model and on SQLite, which is closed and opened again in between: equal answers, and
//! nothing acknowledged is lost. Work is data, drawn from a seed that a failure prints and shrinks.

use std::path::Path;

use proptest::prelude::*;
use proto::wire::head::{Add, Drop, DropReason};
use proto::wire::header::RecordKind;
use proto::wire::ids::PackId;
use proto::wire::ladder::Class;
use proto::wire::roster::SlotKind;

use super::author::{Author, T0};
use super::packs::{pack, relying};
use crate::meta::{Meta, MetaError, Model, NewRecord, OpenQuery, PullQuery, Sqlite, UserChange};

/// One step. Small numbers pick among few devices, packs and indexes, so that steps meet each other.
#[derive(Clone, Debug)]
enum Step {
    Events { device: u8, packs: Vec<u8>, stale: bool },
    Repeat { device: u8 },
    Head { device: u8, adds: Vec<u8>, drops: Vec<u8>, covers_all: bool, agreed: bool, purge: bool },
    Reserve { device: u8, pack: u8, class: u8 },
    Stored { device: u8, pack: u8 },
    Join,
    ChangePassphrase,
    Rotate { keeps_key: bool },
    Suspend(bool),
    Sweep,
    Mirror(u8),
    Guess(u8),
    Once(u8),
    Reopen,
    Wait(u8),
}

fn packs() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::btree_set(0u8..6, 0..3).prop_map(|set| set.into_iter().collect())
}

fn step() -> impl Strategy<Value = Step> {
    let device = 0u8..2;
    prop_oneof![
        6 => (device.clone(), packs(), prop::bool::weighted(0.1))
            .prop_map(|(device, packs, stale)| Step::Events { device, packs, stale }),
        1 => device.clone().prop_map(|device| Step::Repeat { device }),
        3 => (device.clone(), packs(), packs(), any::<[bool; 3]>()).prop_map(
            |(device, adds, drops, [covers_all, agreed, purge])| Step::Head {
                device, adds, drops, covers_all, agreed, purge
            }
        ),
        6 => (device.clone(), 0u8..6, prop::sample::select(vec![16u8, 17, 20, 21])).prop_map(|(device, pack, class)| Step::Reserve { device, pack, class }),
        6 => (device, 0u8..6).prop_map(|(device, pack)| Step::Stored { device, pack }),
        1 => Just(Step::Join),
        1 => Just(Step::ChangePassphrase),
        1 => any::<bool>().prop_map(|keeps_key| Step::Rotate { keeps_key }),
        1 => prop::bool::weighted(0.2).prop_map(Step::Suspend),
        2 => Just(Step::Sweep),
        2 => (0u8..8).prop_map(Step::Mirror),
        1 => (0u8..2).prop_map(Step::Guess),
        1 => (0u8..3).prop_map(Step::Once),
        1 => Just(Step::Reopen),
        2 => (0u8..30).prop_map(Step::Wait),
    ]
}

/// What an answer says, so that two stores can be compared: errors by their text, since some carry no equality.
fn said<T: std::fmt::Debug>(result: &Result<T, MetaError>) -> String {
    format!("{result:?}")
}

struct Pair {
    model: Model,
    sqlite: Sqlite,
    author: Author,
    now: u64,
    last: Vec<(usize, NewRecord)>,
    /// Records of events, by index.
    events: Vec<u64>,
}

/// Does the same on both stores, holds the answers equal, and gives one of them.
macro_rules! both {
    ($pair:expr, $store:ident => $call:expr) => {{
        let one = {
            let $store: &dyn Meta = &$pair.model;
            $call.await
        };
        let two = {
            let $store: &dyn Meta = &$pair.sqlite;
            $call.await
        };
        assert_eq!(said(&one), said(&two));
        one
    }};
}

impl Pair {
    fn device(&self, device: u8) -> usize {
        usize::from(device) % self.author.devices.len()
    }

    /// The newest record of events, which a purge may erase.
    fn erasable(&self) -> Option<u64> {
        self.events.last().copied()
    }

    async fn append(&mut self, device: usize, new: NewRecord) {
        let (caller, now) = (self.author.caller(device), self.now);
        let done = both!(self, s => s.append(&caller, vec![new.clone()], now));
        if let Ok(done) = done
            && done.grew
        {
            self.author.know(&new, done.placed[0]);
            if new.record.header.kind == RecordKind::Events {
                self.events.push(done.placed[0].index);
            }
            self.last.push((device, new));
        }
    }

    async fn roster(&mut self, new: NewRecord, slots: Vec<crate::meta::SlotBytes>) -> bool {
        let now = self.now;
        let done = both!(self, s => s.append_roster(new.clone(), slots.clone(), now));
        let Ok(done) = done else { return false };
        self.author.know(&new, done.placed[0]);
        let (clear, _) = new.record.split_body(&new.body).unwrap();
        self.author.roster = proto::wire::roster::RosterClear::decode(clear).unwrap().roster;
        self.author.generation += 1;
        true
    }

    async fn rotate(&mut self, keeps_key: bool) {
        let generation = self.author.roster.slots[1].generation;
        let name = self.author.slot(SlotKind::Recovery, generation).0.slot_name.filter(|_| keeps_key);
        let next = self.author.rotation(name);
        let new = self.author.sign_roster(next.roster, None, Some(&next.old));
        if !self.roster(new, next.slots).await {
            self.author.take_root(next.old);
        }
    }

    async fn take(&mut self, step: Step, path: &Path) {
        let now = self.now;
        match step {
            Step::Events { device, packs, stale } => {
                let device = self.device(device);
                let mut caller = self.author.caller(device);
                if stale {
                    caller.generation -= 1;
                    let new = self.author.empty(device);
                    let refused = both!(self, s => s.append(&caller, vec![new.clone()], now));
                    assert!(refused.is_err());
                    return;
                }
                let new = self.author.events(device, &relying(&packs));
                self.append(device, new).await;
            }
            Step::Repeat { device } => {
                let device = self.device(device);
                let Some((device, new)) = self.last.iter().rev().find(|(d, _)| *d == device).cloned() else { return };
                let caller = self.author.caller(device);
                let done = both!(self, s => s.append(&caller, vec![new.clone()], now));
                assert!(!done.unwrap().grew);
            }
            Step::Head { device, adds, drops, covers_all, agreed, purge } => {
                let device = self.device(device);
                let mut clear = self.author.next_head();
                if !covers_all {
                    let size = self.author.leaves.len() / 2;
                    (clear.covered_size, clear.covered_root) = (size as u64, self.author.root_at(size));
                }
                let add = |id: &u8| Add { pack: PackId([*id; 16]), class: Class::PACK, last_day: 0 };
                clear.adds = adds.iter().map(add).collect();
                let kept = drops.iter().filter(|id| !adds.contains(id));
                let reason = if purge { DropReason::Purged } else { DropReason::Merged };
                clear.drops = kept.map(|id| Drop { pack: PackId([*id; 16]), reason }).collect();
                if covers_all {
                    clear.front_size = clear.covered_size;
                    clear.erase = Vec::from_iter(self.erasable().filter(|_| purge));
                }
                let bytes = clear.encode();
                let len = bytes.len().next_power_of_two().max(256);
                let mut draft = self.author.draft(device, RecordKind::Head, &bytes, len);
                let newest = self.author.head.as_ref().map_or(0, |h| h.generation);
                draft.header.agreed = if agreed { newest } else { 0 };
                let new = self.author.sign(device, draft);
                self.append(device, new).await;
            }
            Step::Reserve { device, pack: id, class } => {
                let caller = self.author.caller(self.device(device));
                let _answer = both!(self, s => s.reserve_pack(&caller, pack(id, class), now));
            }
            Step::Stored { device, pack } => {
                let caller = self.author.caller(self.device(device));
                let id = PackId([pack; 16]);
                let _answer = both!(self, s => s.pack_stored(&caller, id, now));
                let _answer = both!(self, s => s.readable_pack(&caller, id, now));
            }
            Step::Join => {
                if self.author.devices.len() < 3 {
                    let next = self.author.joining(1);
                    let at = self.author.devices.len() - 1;
                    let new = self.author.sign_roster(next, Some(at), None);
                    if !self.roster(new, vec![]).await {
                        self.author.devices.pop();
                    }
                }
            }
            Step::ChangePassphrase => {
                let generation = self.author.roster.slots[0].generation + 1;
                let (bytes, said) = self.author.slot(SlotKind::Passphrase, generation);
                let mut next = self.author.next_roster();
                next.slots[0] = said;
                let new = self.author.sign_roster(next, None, None);
                self.roster(new, vec![bytes]).await;
            }
            Step::Rotate { keeps_key } => self.rotate(keeps_key).await,
            Step::Suspend(suspend) => {
                let change = if suspend { UserChange::Suspend } else { UserChange::Resume };
                both!(self, s => s.user_change(&self.author.name, change)).unwrap();
            }
            Step::Sweep => {
                let page = both!(self, s => s.sweepable(now, None, 3)).unwrap();
                for due in page.packs {
                    both!(self, s => s.pack_swept(due, now)).unwrap();
                }
                for account in both!(self, s => s.trimming(9)).unwrap() {
                    while !both!(self, s => s.trim_step(&account)).unwrap() {}
                }
                both!(self, s => s.drop_expired(now)).unwrap();
            }
            Step::Mirror(limit) => {
                for account in both!(self, s => s.mirror_accounts(None, 9)).unwrap() {
                    for job in both!(self, s => s.mirror_jobs(&account, usize::from(limit))).unwrap() {
                        both!(self, s => s.mirror_done(&job)).unwrap();
                    }
                }
            }
            Step::Guess(key) => {
                let _answer = both!(self, s => s.spend_guess([key; 32], now));
            }
            Step::Once(id) => {
                let kind = crate::meta::Once::Nonce;
                let taken = both!(self, s => s.take_once(kind, [id; 32], now)).unwrap();
                if taken.is_none() {
                    both!(self, s => s.put_once(kind, [id; 32], vec![id], now + 60_000)).unwrap();
                }
            }
            Step::Reopen => self.sqlite = Sqlite::open(path).await.unwrap(),
            Step::Wait(hours) => self.now += u64::from(hours) * 3_600_000,
        }
    }

    /// Everything both stores can tell, told alike.
    async fn compare(&self) {
        let now = self.now;
        for device in 0..self.author.devices.len() {
            let caller = self.author.caller(device);
            let known_size = self.author.leaves.len() as u64 / 2;
            let query = OpenQuery { known_size, known_incarnation: 1, known_head: 0, known_roster: 0 };
            let _answer = both!(self, s => s.open(&caller, query, now));
            let query = PullQuery { from: 0, known_size, headers_only: false, past_gaps: false, bytes_max: 1 << 20 };
            let pulled = both!(self, s => s.pull(&caller, query, now));
            if let Ok(pulled) = pulled {
                assert_eq!(pulled.log.root(), self.author.root_at(self.author.leaves.len()));
            }
            let _answer = both!(self, s => s.staged(&caller, now));
        }
        let _answer = both!(self, s => s.sign_in(&self.author.account, SlotKind::Passphrase));
        let _answer = both!(self, s => s.user_devices(&self.author.account));
        let _answer = both!(self, s => s.users(None, 9));
        let _answer = both!(self, s => s.packs_after(None, 99));
        let _answer = both!(self, s => s.sweepable(now + (1 << 40), None, 99));
        let _answer = both!(self, s => s.mirror_accounts(None, 9));
        let _answer = both!(self, s => s.mirror_jobs(&self.author.account, 99));
        let _answer = both!(self, s => s.totals());
        // The bytes charged are those of the rows that are there.
        let packs = self.model.packs_after(None, 99).await.unwrap();
        let bytes: u64 = packs.iter().map(|p| p.class.bytes() as u64).sum();
        assert_eq!(self.model.totals().await.unwrap().stored_bytes, bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_model_and_sqlite_answer_alike(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("meta.db");
            let (model, sqlite) = (Model::new(), Sqlite::open(&path).await.unwrap());
            Author::register(&sqlite, 1).await;
            let author = Author::register(&model, 1).await;
            let mut pair = Pair { model, sqlite, author, now: T0, last: Vec::new(), events: Vec::new() };
            for step in steps {
                pair.take(step, &path).await;
            }
            pair.compare().await;
        });
    }
}
