//! When the account's devices wrote last and when they went, as this device has seen it in the log, by the server's
//! clock. It says nothing of what lay in the log before this device joined.

use std::collections::{BTreeMap, BTreeSet};

use proto::wire::bytes::{Reader, Writer};
use proto::wire::header::{Header, RecordKind};
use proto::wire::limits::{ACTIVE_DEVICES_MAX, GONE_DEVICES_MAX};
use proto::wire::roster::Roster;

use crate::archive::{Archive, Commit, Note};
use crate::error::{Error, Result};
use crate::ids::DeviceId;

/// Times of one device, ms since 1970 UTC.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Its newest record that reached the log.
    pub last_ms: Option<u64>,
    /// When it left or its access ended.
    pub gone_ms: Option<u64>,
}

/// Times by device.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct AllSeen(BTreeMap<DeviceId, Seen>);

const DEVICES_MAX: usize = ACTIVE_DEVICES_MAX + GONE_DEVICES_MAX;

impl AllSeen {
    /// What the archive has noted.
    pub fn of(archive: &Archive) -> Result<Self> {
        let Some(bytes) = archive.note(Note::Seen)? else { return Ok(Self::default()) };
        Self::decode(&bytes).map_err(|_| Error::Archive("its times of devices are damaged".to_owned()))
    }

    pub fn get(&self, device: &DeviceId) -> Seen {
        self.0.get(device).copied().unwrap_or_default()
    }

    /// Notes a record that is in the log. A time less than `step_ms` after the last stays out.
    pub fn record(&mut self, header: &Header, server_time: u64, step_ms: u64) {
        if header.kind == RecordKind::Roster {
            return;
        }
        let seen = self.0.entry(header.device).or_default();
        if seen.last_ms.is_none_or(|last| server_time >= last.saturating_add(step_ms)) {
            seen.last_ms = Some(server_time);
        }
        if header.is_last() {
            seen.gone_ms.get_or_insert(server_time);
        }
    }

    /// Notes a device that joined.
    pub fn joined(&mut self, device: DeviceId, server_time: u64) {
        let seen = self.0.entry(device).or_default();
        seen.last_ms = seen.last_ms.max(Some(server_time));
    }

    /// Notes a roster that is in the log: which of those that were active before it lists no more as active.
    pub fn roster(&mut self, active_before: &BTreeSet<DeviceId>, now: &Roster, server_time: u64) {
        for device in active_before.iter().filter(|device| now.active(device).is_none()) {
            self.0.entry(*device).or_default().gone_ms.get_or_insert(server_time);
        }
    }

    /// Keeps the times, of devices that the roster still lists.
    pub fn keep(&self, roster: &Roster, commit: &mut Commit<'_>) -> crate::archive::Result<()> {
        let listed = |id: &&DeviceId| roster.devices.iter().any(|d| d.id == **id);
        let kept: Vec<_> = self.0.keys().filter(listed).take(DEVICES_MAX).collect();
        let mut w = Writer::new();
        w.uvarint(kept.len() as u64);
        for id in kept {
            let seen = self.get(id);
            w.raw(&id.0).u64(seen.last_ms.unwrap_or(0)).u64(seen.gone_ms.unwrap_or(0));
        }
        commit.set_note(Note::Seen, Some(&w.finish()))
    }

    fn decode(bytes: &[u8]) -> proto::wire::bytes::Result<Self> {
        let mut r = Reader::new(bytes);
        let count = r.count(DEVICES_MAX)?;
        let known = |ms: u64| Some(ms).filter(|ms| *ms > 0);
        let one = |r: &mut Reader<'_>| {
            Ok((DeviceId(r.array()?), Seen { last_ms: known(r.u64()?), gone_ms: known(r.u64()?) }))
        };
        let all = (0..count).map(|_| one(&mut r)).collect::<proto::wire::bytes::Result<BTreeMap<_, _>>>()?;
        r.finish()?;
        Ok(Self(all))
    }
}

/// Devices a roster lists as active.
pub(crate) fn active(roster: &Roster) -> BTreeSet<DeviceId> {
    roster.devices.iter().filter(|d| d.is_active()).map(|d| d.id).collect()
}

/// A day as people write it, UTC.
pub(super) fn day(ms: u64) -> Option<String> {
    let time = chrono::DateTime::from_timestamp_millis(i64::try_from(ms).ok()?)?;
    Some(time.format("%Y-%m-%d").to_string())
}
