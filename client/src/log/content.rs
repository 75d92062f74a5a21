//! The sealed content of an EVENTS record (`docs/format.md` §4.3).

use proto::wire::bytes::{Malformed, Reader, Result, Writer};
use proto::wire::limits::BODY_BYTES_MAX;
use zeroize::Zeroizing;

use crate::pack::{ChunkRunEntry, RunEntry, decode_entries, decode_run_entries, encode_entries, encode_run_entries};

/// What a record of events brings.
#[derive(Default)]
pub struct EventsContent {
    /// A block's plaintext; arrivals in it are 0.
    pub block: Option<Vec<u8>>,
    /// Runs that the next head adopts unchanged.
    pub runs: Vec<RunEntry>,
    /// Chunks and files that no chunk run lists yet, ascending.
    pub chunks: Vec<ChunkRunEntry>,
    /// Shows its author, should it not have kept the record, that it was its own.
    pub ticket: Option<Ticket>,
}

/// Random; noted by a device before the record that carries it is sent.
pub type Ticket = [u8; 16];

/// Chunk and file entries of one record; more go out as a chunk run.
pub const RECORD_CHUNKS_MAX: usize = 200;

mod section {
    pub const BLOCK: u8 = 1;
    pub const RUNS: u8 = 2;
    pub const CHUNKS: u8 = 3;
    pub const TICKET: u8 = 4;
}

impl EventsContent {
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut w = Writer::new();
        let mut section = |kind, bytes: &[u8]| {
            w.u8(kind).u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX)).raw(bytes);
        };
        if let Some(block) = &self.block {
            section(section::BLOCK, block);
        }
        if !self.runs.is_empty() {
            section(section::RUNS, &encode_run_entries(self.runs.iter()));
        }
        if !self.chunks.is_empty() {
            section(section::CHUNKS, &Zeroizing::new(encode_entries(&self.chunks)));
        }
        if let Some(ticket) = &self.ticket {
            section(section::TICKET, ticket);
        }
        Zeroizing::new(w.finish())
    }

    /// Reads a content. Sections of kinds that a newer client adds are refused: such a client writes a newer format.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        let mut out = Self::default();
        let mut last = 0;
        while !r.is_empty() {
            let kind = r.u8()?;
            if kind <= last {
                return Err(Malformed::NotCanonical);
            }
            last = kind;
            let length = r.u32()? as usize;
            if length > BODY_BYTES_MAX {
                return Err(Malformed::TooLong);
            }
            let content = r.take(length)?;
            match kind {
                section::BLOCK => out.block = Some(content.to_vec()),
                section::RUNS => out.runs = decode_run_entries(content)?,
                section::CHUNKS => out.chunks = decode_entries(content)?,
                section::TICKET => out.ticket = Some(content.try_into().map_err(|_| Malformed::TooLong)?),
                _ => return Err(Malformed::Unknown),
            }
        }
        let chunks = out.chunks.iter().filter(|e| matches!(e, ChunkRunEntry::Chunk(_))).count();
        if chunks > RECORD_CHUNKS_MAX { Err(Malformed::TooLong) } else { Ok(out) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_come_in_order_and_once() {
        let section = |kind: u8, bytes: &[u8]| {
            let mut w = Writer::new();
            w.u8(kind).u32(bytes.len() as u32).raw(bytes).finish()
        };
        let block = section(1, b"block");
        let runs = section(2, &[0]);
        assert_eq!(EventsContent::decode(&block).unwrap().block.as_deref(), Some(&b"block"[..]));
        assert!(EventsContent::decode(&[]).unwrap().block.is_none());
        assert!(EventsContent::decode(&[block.clone(), runs.clone()].concat()).is_ok());
        let ticket = EventsContent::decode(&[block.clone(), section(4, &[7; 16])].concat()).unwrap().ticket;
        assert_eq!(ticket, Some([7; 16]));
        for bad in [
            [runs.clone(), block.clone()].concat(),
            [block.clone(), block.clone()].concat(),
            section(4, &[7; 15]),
            section(5, b""),
        ] {
            assert!(EventsContent::decode(&bad).is_err());
        }
        let mut long = Writer::new();
        long.u8(1).u32(u32::MAX);
        assert_eq!(EventsContent::decode(&long.finish()).err(), Some(Malformed::TooLong));
        assert!(EventsContent::decode(block.get(..7).unwrap_or_default()).is_err());
    }
}
