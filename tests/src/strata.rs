//! What a vault stores, taken from the service's own tables and objects and opened with a device's keys: the view of
//! somebody who has every byte.

use std::collections::BTreeMap;

use client::ids::{AccountId, PackId};
use client::log::EventsContent;
use client::pack::{Family, PackRef, RunEntry};
use client::strata::{Catalogue, HeadContent, RunRows, Sorted as _};
use client::vault::{Ring, Vault};
use proto::wire::events::EventsClear;
use proto::wire::head::HeadClear;
use proto::wire::header::{Leaf, RecordKind};
use service::meta::{Caller, Entry, Meta as _, PullQuery};
use service::objects::{ObjectName, Objects as _, collect};

use crate::world::World;

/// The whole log and all packs of an account.
pub struct Stored {
    pub account: AccountId,
    pub entries: Vec<(Leaf, Entry)>,
    pub packs: BTreeMap<PackId, Vec<u8>>,
}

/// The newest head and what it names, opened.
pub struct Opened {
    pub clear: HeadClear,
    pub front: Option<PackRef>,
    pub catalogue: Catalogue,
}

impl Stored {
    /// Reads everything the service keeps, trimmed bodies aside, for the account of `vault`, which must be one of its active devices.
    pub async fn of(world: &World, vault: &Vault) -> Self {
        let account = vault.session.identity.account;
        let caller = caller(world, vault).await;
        let (mut entries, mut from) = (Vec::new(), 0);
        loop {
            let query = PullQuery { from, known_size: 0, headers_only: false, past_gaps: true, bytes_max: 1 << 20 };
            let page = world.meta.pull(&caller, query, 0).await.unwrap();
            if page.trimmed.is_some() {
                from = page.start.size();
                continue;
            }
            let Some(last) = page.entries.last() else { break };
            from = last.index + 1;
            entries.extend(page.entries.into_iter().map(|entry| (Leaf::decode(&entry.leaf).unwrap(), entry)));
        }
        let mut packs = BTreeMap::new();
        for found in world.objects.list(&account.address(), None, usize::MAX).await.unwrap() {
            if let Some(id) = PackId::from_hex(found.name.leaf()) {
                packs.insert(id, object(world, &account, id).await.unwrap());
            }
        }
        Self { account, entries, packs }
    }

    /// Clear parts of all heads, in the log's order.
    pub fn heads(&self) -> Vec<(HeadClear, Leaf)> {
        let heads = self.entries.iter().filter(|(leaf, _)| leaf.record.header.kind == RecordKind::Head);
        let clear = |(leaf, entry): &(Leaf, Entry)| {
            let (clear, _) = leaf.record.split_body(&entry.body).unwrap();
            (HeadClear::decode(clear).unwrap(), leaf.clone())
        };
        heads.map(clear).collect()
    }

    /// Packs that records pin, in the log's order.
    pub fn pinned(&self) -> Vec<PackId> {
        let events = self.entries.iter().filter(|(leaf, _)| leaf.record.header.kind == RecordKind::Events);
        let packs = |(leaf, entry): &(Leaf, Entry)| {
            let Ok((clear, _)) = leaf.record.split_body(&entry.body) else { return Vec::new() };
            EventsClear::decode(clear).map_or_else(|_| Vec::new(), |clear| clear.packs)
        };
        events.flat_map(packs).collect()
    }

    /// The newest head and its catalogue.
    pub fn open(&self, ring: &Ring) -> Opened {
        let heads = self.entries.iter().rev().find(|(leaf, _)| leaf.record.header.kind == RecordKind::Head);
        let (leaf, entry) = heads.expect("there is a head");
        let body = ring.open_body(&leaf.record, &entry.body).map_err(|_| "the head opens").unwrap();
        let clear = HeadClear::decode(&body.clear).unwrap();
        let content = HeadContent::decode(&body.content).unwrap();
        let has_front = clear.pages[0] != proto::wire::head::NO_PACK;
        let (front, pages) = Catalogue::pages_of(content, has_front);
        let mut catalogue = Catalogue::default();
        for page in pages {
            let bytes = &self.packs[&page.id];
            catalogue.take_page(&self.account, page, bytes).unwrap();
        }
        Opened { clear, front, catalogue }
    }

    /// How many rows of messages the newest head's runs hold together, each counted wherever it stands, and how many
    /// different keys they have.
    pub fn rows(&self, ring: &Ring) -> (usize, usize) {
        let opened = self.open(ring);
        let ids = ring.lifetime().event_key();
        let (mut rows, mut keys) = (0, std::collections::BTreeSet::new());
        for run in opened.catalogue.runs.values().filter(|run| run.family == Family::Messages) {
            let mut read = RunRows::open(&self.account, run, &self.packs[&run.pack.id], &ids).unwrap();
            while let Some(row) = read.next_row().unwrap() {
                rows += 1;
                keys.insert(row.key);
            }
        }
        (rows, keys.len())
    }
}

impl Opened {
    /// The levels at which there are runs of messages.
    pub fn levels(&self) -> std::collections::BTreeSet<u8> {
        self.catalogue.runs.values().filter(|run| run.family == Family::Messages).map(|run| run.level).collect()
    }

    pub fn runs(&self, family: Family) -> impl Iterator<Item = &RunEntry> {
        self.catalogue.runs.values().filter(move |run| run.family == family)
    }
}

/// Opens the content of a record of events.
pub fn events(ring: &Ring, leaf: &Leaf, body: &[u8]) -> Option<EventsContent> {
    let open = ring.open_body(&leaf.record, body).ok()?;
    EventsContent::decode(&open.content).ok()
}

/// A device as the service's tables know it.
pub async fn caller(world: &World, vault: &Vault) -> Caller {
    let (account, device) = (vault.session.identity.account, vault.session.device.id());
    let access = world.meta.device_access(&account, &device).await.unwrap().expect("an active device");
    Caller { account, device, generation: access.generation }
}

/// The bytes of a pack as the service keeps them.
pub async fn object(world: &World, account: &AccountId, id: PackId) -> Option<Vec<u8>> {
    let content = world.objects.get(&ObjectName::pack(account, id), None).await.ok()?;
    Some(collect(content, u64::MAX).await.unwrap().to_vec())
}

/// Puts other bytes in the place of a pack; none takes it away.
pub async fn spoil(world: &World, account: &AccountId, id: PackId, bytes: Option<&[u8]>) {
    let name = ObjectName::pack(account, id);
    match bytes {
        Some(bytes) => world.objects.put(&name, bytes.to_vec().into()).await.unwrap(),
        None => world.objects.delete(&name).await.unwrap(),
    }
}
