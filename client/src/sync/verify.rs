//! Whether an object of the vault is what was written, down to its last byte.

use std::sync::Arc;

use proto::wire::ladder::Class;

use super::apply::entry;
use crate::archive::Chunk;
use crate::crypto::{ChunkIdKey, EventKey};
use crate::error::Result;
use crate::ids::{AccountId, PackId};
use crate::pack::{Family, RunEntry, open_packed_chunk, open_run, read_chunk_block};
use crate::strata::{RunRows, Sorted as _};

/// What one object turned out to be.
pub(super) type Verdict = std::result::Result<(), &'static str>;

/// An object of the vault and what it should be.
pub(super) enum Object {
    Front(crate::pack::PackRef),
    Run(RunEntry),
    Chunks(PackId, Vec<Chunk>),
}

impl Object {
    pub fn id(&self) -> PackId {
        match self {
            Self::Front(page) => page.id,
            Self::Run(run) => run.pack.id,
            Self::Chunks(id, _) => *id,
        }
    }
}

/// Opens objects, on whichever thread.
pub(super) struct Verifier {
    pub account: AccountId,
    pub event: Arc<EventKey>,
    pub chunk: ChunkIdKey,
}

impl Verifier {
    /// Opens everything an object holds.
    pub fn verify(&self, object: &Object, bytes: &[u8]) -> Result<Verdict> {
        Ok(match object {
            Object::Front(page) => {
                whole(bytes, page.class.bytes(), || open_run(&self.account, page, bytes).map(|_| ()).map_err(|_| ()))
            }
            Object::Run(run) => whole(bytes, run.pack.class.bytes(), || match run.family {
                Family::Messages => {
                    let mut rows = RunRows::open(&self.account, run, bytes, &self.event).map_err(|_| ())?;
                    while rows.next_row().map_err(|_| ())?.is_some() {}
                    Ok(())
                }
                Family::Chunks => {
                    let open = open_run(&self.account, &run.pack, bytes).map_err(|_| ())?;
                    open.blocks.iter().try_for_each(|block| read_chunk_block(block).map(|_| ()).map_err(|_| ()))
                }
            }),
            Object::Chunks(_, chunks) => {
                for chunk in chunks {
                    let entry = entry(chunk)?;
                    let start = entry.offset as usize;
                    let Some(sealed) = bytes.get(start..start.saturating_add(entry.sealed_len as usize)) else {
                        return Ok(Err("truncated"));
                    };
                    if open_packed_chunk(&self.account, &self.chunk, &entry, sealed).is_err() {
                        return Ok(Err("damaged"));
                    }
                }
                self.verify_padding(chunks, bytes)?
            }
        })
    }

    /// A chunk pack is padded by its first chunk's key: a flipped byte behind the last chunk shows as well.
    fn verify_padding(&self, chunks: &[Chunk], bytes: &[u8]) -> Result<Verdict> {
        let mut by_place: Vec<&Chunk> = chunks.iter().collect();
        by_place.sort_by_key(|chunk| chunk.at);
        let end = by_place.last().map_or(0, |c| c.at as usize + c.sealed_bytes as usize);
        // Padding cut off at another class still begins as it should: the length tells.
        if Class::fitting(end, Class::PACK).is_none_or(|class| bytes.len() < class.bytes()) {
            return Ok(Err("truncated"));
        }
        // Where the pack's other chunks have newer places, what lies between is not this device's to judge.
        let contiguous = by_place
            .iter()
            .try_fold(0u64, |at, chunk| (u64::from(chunk.at) == at).then(|| at + u64::from(chunk.sealed_bytes)));
        let (Some(first), Some(_)) = (by_place.first(), contiguous) else { return Ok(Ok(())) };
        let first = entry(first)?;
        let rest = bytes.get(end..).unwrap_or_default();
        let holds = bytes.len().is_power_of_two() && ends_in(rest, &first.key.padding(&first.pack, rest.len()));
        Ok(if holds { Ok(()) } else { Err("damaged") })
    }
}

fn whole(bytes: &[u8], length: usize, verify: impl FnOnce() -> std::result::Result<(), ()>) -> Verdict {
    match bytes.len() {
        n if n < length => Err("truncated"),
        n if n > length => Err("damaged"),
        _ => verify().map_err(|()| "damaged"),
    }
}

/// Bytes of padding by which it is known.
const MARK: usize = 32;

/// Whether what lies behind the chunks this device knows of a pack is padding, or chunks with newer places and then
/// padding: when two devices bring the same photo at once, each pack holds it and one of them is its place.
fn ends_in(rest: &[u8], padding: &[u8]) -> bool {
    if rest == padding {
        return true;
    }
    let alike = |from: usize, to: usize| from < to && rest.get(from..to) == padding.get(from..to);
    if alike(MARK, 2 * MARK) || alike(rest.len().saturating_sub(MARK), rest.len()) {
        return false;
    }
    let Some(mark) = padding.get(..MARK) else { return true };
    let begins = rest.windows(MARK).position(|window| window == mark);
    begins.is_none_or(|at| rest.get(at..) == padding.get(..rest.len() - at))
}

#[cfg(test)]
mod tests {
    use super::ends_in;

    #[test]
    fn padding_is_told_from_chunks_and_from_damage() {
        let padding: Vec<u8> =
            (0..4_096u32).flat_map(|n| blake3::hash(&n.to_le_bytes()).as_bytes()[..1].to_vec()).collect();
        assert!(ends_in(&padding, &padding));
        let behind_a_chunk = [&[7; 900][..], &padding[..3_196]].concat();
        assert!(ends_in(&behind_a_chunk, &padding));
        assert!(ends_in(&[7; 4_096], &padding), "a chunk up to the end");
        assert!(ends_in(&[], &[]));
        for at in 0..padding.len() {
            let mut spoilt = padding.clone();
            spoilt[at] ^= 1;
            assert!(!ends_in(&spoilt, &padding), "{at}");
        }
        for at in 932..4_096 {
            let mut spoilt = behind_a_chunk.clone();
            spoilt[at] ^= 1;
            assert!(!ends_in(&spoilt, &padding), "{at}");
        }
    }
}
