//! A vault of three levels of runs, and each of its objects with what opens it.

use std::collections::BTreeMap;

use client::archive::Archive;
use client::crypto::{ChunkIdKey, EventKey};
use client::ids::{AccountId, PackId};
use client::pack::{
    ChunkEntry, ChunkRunEntry, Family, PackRef, RunEntry, open_packed_chunk, open_page, open_run, read_block,
    read_chunk_block,
};
use client::strata::{RunRows, Sorted as _};
use client::sync::BackupOptions;
use client::vault::{Vault, Work};
use tests::history::import;
use tests::strata::Stored;
use tests::world::{Place, World};

/// Eight runs of eight make a level; with so many backups there are runs of three.
const BACKUPS: u64 = 73;

pub struct Home {
    pub vault: Vault,
    pub archive: Archive,
    pub _place: Place,
}

impl Home {
    pub async fn backup(&mut self) -> client::sync::Backup {
        self.vault.backup(&mut self.archive, &BackupOptions::default(), &Work::quiet()).await.unwrap()
    }
}

pub async fn three_levels(world: &World) -> Home {
    backed_up(world, BACKUPS).await
}

pub async fn one_backup(world: &World) -> Home {
    backed_up(world, 1).await
}

async fn backed_up(world: &World, times: u64) -> Home {
    let (joined, _) = world.register("ana", "laptop").await;
    let place = Place::new();
    let vault = place.install(joined);
    let archive = vault.archive().unwrap();
    let mut home = Home { vault, archive, _place: place };
    for n in 0..times {
        import(&mut home.archive, (n % 4) as usize, n * 10, n * 10 + 3, 900);
        assert!(home.backup().await.created);
    }
    home
}

/// An object of the vault, with what is needed to open it.
pub enum Thing {
    Page(PackRef),
    Front(PackRef),
    Run(RunEntry),
    Chunks(Vec<ChunkEntry>),
}

/// The keys with which what is inside is read.
pub struct Keys {
    pub account: AccountId,
    pub events: EventKey,
    pub chunks: ChunkIdKey,
}

impl Keys {
    pub fn of(vault: &Vault) -> Self {
        let lifetime = vault.ring.lifetime();
        let account = vault.session.identity.account;
        Self { account, events: lifetime.event_key(), chunks: lifetime.chunk_id_key() }
    }
}

/// Every object the newest head reaches. A chunk that was sent again has its newer place.
pub fn things(stored: &Stored, home: &Home) -> BTreeMap<PackId, Thing> {
    let opened = stored.open(&home.vault.ring);
    let mut out = BTreeMap::new();
    let mut chunks: BTreeMap<PackId, Vec<ChunkEntry>> = BTreeMap::new();
    for run in opened.runs(Family::Chunks) {
        for block in open_run(&stored.account, &run.pack, &stored.packs[&run.pack.id]).unwrap().blocks {
            for entry in read_chunk_block(&block).unwrap() {
                let ChunkRunEntry::Chunk(chunk) = entry else { continue };
                if home.archive.chunk(&chunk.id).unwrap().is_some_and(|known| known.pack == chunk.pack) {
                    chunks.entry(chunk.pack).or_default().push(chunk);
                }
            }
        }
    }
    out.extend(opened.front.into_iter().map(|front| (front.id, Thing::Front(front))));
    let catalogue = opened.catalogue;
    out.extend(catalogue.pages.into_iter().map(|page| (page.pack.id, Thing::Page(page.pack))));
    out.extend(catalogue.runs.into_iter().map(|(id, run)| (id, Thing::Run(run))));
    for (id, mut list) in chunks {
        list.sort_by_key(|chunk| chunk.offset);
        list.dedup_by_key(|chunk| chunk.offset);
        out.insert(id, Thing::Chunks(list));
    }
    out
}

impl Thing {
    /// What `check` calls it.
    pub fn holds(&self) -> &'static str {
        match self {
            Self::Page(_) => "page",
            Self::Front(_) => "front page",
            Self::Run(run) if run.family == Family::Messages => "run",
            Self::Run(_) => "chunk run",
            Self::Chunks(_) => "attachments",
        }
    }

    /// Opens it as the client does; false where it refuses.
    pub fn opens(&self, keys: &Keys, bytes: &[u8]) -> bool {
        match self {
            Self::Page(page) => open_page(&keys.account, page, bytes).is_ok(),
            Self::Front(page) => open_run(&keys.account, page, bytes)
                .is_ok_and(|run| run.blocks.iter().all(|block| read_block(block, &keys.events).is_ok())),
            Self::Run(run) if run.family == Family::Messages => {
                let Ok(mut rows) = RunRows::open(&keys.account, run, bytes, &keys.events) else { return false };
                loop {
                    match rows.next_row() {
                        Ok(Some(_)) => {}
                        Ok(None) => return true,
                        Err(_) => return false,
                    }
                }
            }
            Self::Run(run) => open_run(&keys.account, &run.pack, bytes)
                .is_ok_and(|run| run.blocks.iter().all(|block| read_chunk_block(block).is_ok())),
            Self::Chunks(chunks) => {
                let whole = |chunk: &ChunkEntry| {
                    let start = chunk.offset as usize;
                    let sealed = bytes.get(start..start + chunk.sealed_len as usize);
                    sealed.is_some_and(|sealed| open_packed_chunk(&keys.account, &keys.chunks, chunk, sealed).is_ok())
                };
                let end = chunks.iter().map(|c| c.offset as usize + c.sealed_len as usize).max().unwrap_or(0);
                let (first, padding) = (&chunks[0], bytes.get(end..).unwrap_or_default());
                bytes.len() >= 1 << 16
                    && chunks.iter().all(whole)
                    && first.key.padding(&first.pack, padding.len()) == padding
            }
        }
    }

    /// Makes the stated hash that of other bytes: then only the seal is left to refuse them. Chunks have no hash.
    pub fn set_hash(&mut self, bytes: &[u8]) {
        match self {
            Self::Page(pack) | Self::Front(pack) => pack.hash = *blake3::hash(bytes).as_bytes(),
            Self::Run(run) => run.pack.hash = *blake3::hash(bytes).as_bytes(),
            Self::Chunks(_) => {}
        }
    }
}
