//! Everything a service stores, opened with every key of the account that anything stored names.

use std::collections::BTreeMap;

use client::ids::{ChunkId, PackId};
use client::log::EventsContent;
use client::pack::{
    ChunkEntry, ChunkRunEntry, Family, PackRef, RunEntry, decode_run_entries, open_packed_chunk, open_page, open_run,
    read_block_frames, read_chunk_block,
};
use client::strata::HeadContent;
use client::vault::Vault;
use proto::wire::header::RecordKind;
use tests::strata::Stored;
use tests::world::World;

/// Plaintexts by where they stand.
pub struct Everything(pub BTreeMap<String, Vec<u8>>);

impl Everything {
    /// Where some bytes stand.
    pub fn holding(&self, bytes: &[u8]) -> Vec<&str> {
        let holds = |plain: &[u8]| plain.windows(bytes.len()).any(|part| part == bytes);
        self.0.iter().filter(|(_, plain)| holds(plain)).map(|(name, _)| name.as_str()).collect()
    }

    /// Reads all of it as one who has the device `vault`, and the bytes of every object and row.
    pub async fn of(world: &World, vault: &Vault) -> Self {
        let stored = Stored::of(world, vault).await;
        let mut found = Found { stored: &stored, vault, out: BTreeMap::new(), chunks: BTreeMap::new() };
        for (leaf, entry) in &stored.entries {
            let name = format!("body {}", entry.index);
            found.out.insert(format!("raw {name}"), entry.body.to_vec());
            let Ok(open) = vault.ring.open_body(&leaf.record, &entry.body) else { continue };
            match leaf.record.header.kind {
                RecordKind::Events => {
                    let Ok(content) = EventsContent::decode(&open.content) else { continue };
                    if let Some(block) = &content.block {
                        found.block(&name, block);
                    }
                    content.runs.iter().for_each(|run| found.run(run));
                    found.places(content.chunks);
                }
                RecordKind::Head => {
                    let Ok(content) = HeadContent::decode(&open.content) else { continue };
                    content.pages.iter().for_each(|page| found.page(page));
                }
                RecordKind::Roster => {}
            }
        }
        found.open_chunks();
        for (id, bytes) in &stored.packs {
            found.out.insert(format!("raw pack {}", id.hex()), bytes.clone());
        }
        Self(found.out)
    }
}

struct Found<'a> {
    stored: &'a Stored,
    vault: &'a Vault,
    out: BTreeMap<String, Vec<u8>>,
    chunks: BTreeMap<(ChunkId, PackId), ChunkEntry>,
}

impl Found<'_> {
    fn block(&mut self, name: &str, block: &[u8]) {
        let ids = self.vault.ring.lifetime().event_key();
        let frames = read_block_frames(block, &ids).unwrap();
        let rows = frames.iter().flat_map(|frame| &frame.rows).flat_map(|row| row.row.encode());
        let all: Vec<u8> = rows.collect();
        self.out.entry(name.to_owned()).or_default().extend(all);
    }

    /// A page of a catalogue, or a front page.
    fn page(&mut self, page: &PackRef) {
        let Some(bytes) = self.stored.packs.get(&page.id) else { return };
        if let Ok(content) = open_page(&self.stored.account, page, bytes) {
            for run in decode_run_entries(&content).unwrap() {
                self.run(&run);
            }
        } else {
            let open = open_run(&self.stored.account, page, bytes).unwrap();
            open.blocks.iter().for_each(|block| self.block(&format!("front page {}", page.id.hex()), block));
        }
    }

    fn run(&mut self, run: &RunEntry) {
        let Some(bytes) = self.stored.packs.get(&run.pack.id) else { return };
        let open = open_run(&self.stored.account, &run.pack, bytes).unwrap();
        for block in &open.blocks {
            match run.family {
                Family::Messages => self.block(&format!("run {}", run.pack.id.hex()), block),
                Family::Chunks => self.places(read_chunk_block(block).unwrap()),
            }
        }
    }

    fn places(&mut self, entries: Vec<ChunkRunEntry>) {
        for entry in entries {
            if let ChunkRunEntry::Chunk(chunk) = entry {
                self.chunks.insert((chunk.id, chunk.pack), chunk);
            }
        }
    }

    fn open_chunks(&mut self) {
        let ids = self.vault.ring.lifetime().chunk_id_key();
        for chunk in self.chunks.values() {
            let Some(bytes) = self.stored.packs.get(&chunk.pack) else { continue };
            let start = chunk.offset as usize;
            let sealed = &bytes[start..start + chunk.sealed_len as usize];
            let content = open_packed_chunk(&self.stored.account, &ids, chunk, sealed).unwrap();
            self.out.insert(format!("chunk {} in {}", chunk.id.hex(), chunk.pack.hex()), content.to_vec());
        }
    }
}
