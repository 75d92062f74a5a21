//! What a device keeps of the log between runs. Public bytes only; stored in the home.

use std::collections::BTreeMap;

use proto::wire::bytes::{Malformed, Reader, Result, Writer};
use proto::wire::roster::Roster;
use proto::wire::tree::Frontier;

use crate::ids::DeviceId;

/// A device's newest record in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastRecord {
    pub counter: u64,
    pub digest: [u8; 32],
}

/// The newest head a device has verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeadSeen {
    pub generation: u64,
    pub index: u64,
    pub digest: [u8; 32],
    pub covered_size: u64,
}

/// The verified state of the log at a size.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogState {
    pub incarnation: u32,
    pub frontier: Frontier,
    pub server_time: u64,
    pub roster: Roster,
    pub devices: BTreeMap<DeviceId, LastRecord>,
    pub head: Option<HeadSeen>,
}

impl LogState {
    const VERSION: u8 = 1;
    const DEVICES_MAX: usize = 4096;

    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(Self::VERSION).u32(self.incarnation).u64(self.frontier.size());
        for hash in self.frontier.hashes() {
            w.raw(hash);
        }
        w.u64(self.server_time).prefixed(&self.roster.encode()).uvarint(self.devices.len() as u64);
        for (device, last) in &self.devices {
            w.raw(&device.0).u64(last.counter).raw(&last.digest);
        }
        match &self.head {
            None => w.u8(0),
            Some(h) => w.u8(1).u64(h.generation).u64(h.index).raw(&h.digest).u64(h.covered_size),
        };
        w.finish()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        if r.u8()? != Self::VERSION {
            return Err(Malformed::Unknown);
        }
        let (incarnation, size) = (r.u32()?, r.u64()?);
        let hashes = (0..size.count_ones()).map(|_| r.array()).collect::<Result<Vec<_>>>()?;
        let frontier = Frontier::from_parts(size, hashes)?;
        let server_time = r.u64()?;
        let roster = Roster::decode(r.prefixed(bytes.len())?)?;
        let n = r.count(Self::DEVICES_MAX)?;
        let devices = (0..n)
            .map(|_| Ok((DeviceId(r.array()?), LastRecord { counter: r.u64()?, digest: r.array()? })))
            .collect::<Result<BTreeMap<_, _>>>()?;
        let head = match r.u8()? {
            0 => None,
            1 => Some(HeadSeen { generation: r.u64()?, index: r.u64()?, digest: r.array()?, covered_size: r.u64()? }),
            _ => return Err(Malformed::NotCanonical),
        };
        r.finish()?;
        Ok(Self { incarnation, frontier, server_time, roster, devices, head })
    }
}
