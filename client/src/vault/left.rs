//! Devices that ended themselves by their last record, until a roster lists them as gone.

use std::collections::BTreeSet;

use proto::wire::bytes::{Reader, Writer};
use proto::wire::limits::{ACTIVE_DEVICES_MAX, GONE_DEVICES_MAX};

use crate::archive::{Archive, Commit, Note};
use crate::error::{Error, Result};
use crate::ids::DeviceId;

const DEVICES_MAX: usize = ACTIVE_DEVICES_MAX + GONE_DEVICES_MAX;

/// Devices whose last record was seen in the log.
pub fn left(archive: &Archive) -> Result<BTreeSet<DeviceId>> {
    let Some(bytes) = archive.note(Note::Left)? else { return Ok(BTreeSet::new()) };
    let mut r = Reader::new(&bytes);
    let read = |r: &mut Reader<'_>| {
        let count = r.count(DEVICES_MAX)?;
        (0..count).map(|_| Ok(DeviceId(r.array()?))).collect::<proto::wire::bytes::Result<_>>()
    };
    read(&mut r).map_err(|_| Error::Archive("its list of devices that left is damaged".to_owned()))
}

/// Keeps the list, in the transaction that applies the record or roster it follows from.
pub fn set_left(commit: &mut Commit<'_>, devices: &BTreeSet<DeviceId>) -> crate::archive::Result<()> {
    let mut w = Writer::new();
    w.uvarint(devices.len() as u64);
    for device in devices {
        w.raw(&device.0);
    }
    commit.set_note(Note::Left, (!devices.is_empty()).then(|| w.finish()).as_deref())
}
