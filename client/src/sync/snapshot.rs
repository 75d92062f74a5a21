//! Snapshots: rows that name a size of the log, with counts and labels (`docs/format.md` §3.6).

use serde::{Deserialize, Serialize};

use super::flow::{Flow, broken};
use crate::archive::{Archive, StoredRow};
use crate::crypto::draw;
use crate::error::Result;
use crate::event::{Chat, Kind, Row, tag};
use crate::ids::{DeviceId, EventId};

/// One complete backup, as its row states it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    pub id: EventId,
    /// When it was made, ms since 1970 UTC, by the clock of the device that made it.
    pub at_ms: i64,
    pub device: Option<DeviceId>,
    pub labels: Vec<String>,
    pub attachments: u64,
    pub chats: u64,
    pub messages: u64,
    /// Bytes of messages and attachments as they are read.
    pub logical_bytes: u64,
    /// Bytes this snapshot's backup sent.
    pub added_bytes: u64,
    /// Log index of its record; absent while it waits to be sent.
    pub index: Option<u64>,
    /// Keyed digest of all other rows: two snapshots of the same state have the same one.
    pub(super) state: String,
}

/// What stands in the row's counts.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Stated {
    added_bytes: u64,
    attachments: u64,
    chats: u64,
    device: String,
    labels: Vec<String>,
    logical_bytes: u64,
    messages: u64,
    state: String,
}

/// Reads the archive's snapshots, newest first.
pub fn snapshots(archive: &Archive) -> Result<Vec<Snapshot>> {
    archive.snapshots()?.iter().map(read).collect()
}

fn read(stored: &StoredRow) -> Result<Snapshot> {
    let row = stored.row()?;
    let stated: Stated = serde_json::from_slice(row.fields.get(tag::COUNTS).unwrap_or(b"{}"))
        .map_err(|_| broken("a snapshot's counts cannot be read"))?;
    let Stated { added_bytes, attachments, chats, device, labels, logical_bytes, messages, state } = stated;
    Ok(Snapshot {
        id: stored.key.id,
        at_ms: row.time,
        device: DeviceId::from_hex(&device),
        labels,
        attachments,
        chats,
        messages,
        logical_bytes,
        added_bytes,
        index: stored.arrival,
        state,
    })
}

impl Flow<'_> {
    /// The keyed digest of everything but snapshots and settings, as the log holds it.
    pub fn state_mark(&self) -> Result<String> {
        let vault = Chat::vault();
        let id = self.keys.event.chat(&vault.source, &vault.conversation);
        let mut digest = self.archive.digest()?;
        self.archive.each_row(Some(&[id]), true, |row| {
            digest.remove(&self.keys.digest.term(&vault.source, &vault.conversation, &row.value));
            Ok(true)
        })?;
        Ok(blake3::Hash::from(digest.hash()).to_hex().to_string())
    }

    /// Adds a snapshot of what the vault has now; it waits to be sent like any row.
    pub fn add_snapshot(&mut self, labels: &[String], state: String, added_bytes: u64) -> Result<Snapshot> {
        let counts = self.archive.counts()?;
        let device = self.vault.session.device.id();
        let mut labels = labels.to_vec();
        labels.sort();
        labels.dedup();
        let stated = Stated {
            added_bytes,
            attachments: counts.attachments,
            chats: counts.chats,
            device: device.hex(),
            labels: labels.clone(),
            logical_bytes: self.archive.media_bytes()? + self.archive.text_bytes()?,
            messages: counts.messages,
            state: state.clone(),
        };
        let native: [u8; 16] = draw(&mut self.entropy());
        let native: String = native.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut row = Row::new(Kind::SNAPSHOT, self.vault.session.env.now_ms(), &native);
        row.fields.set(tag::COUNTS, serde_json::to_vec(&stated).unwrap_or_default());
        let put = self.archive.commit(|c| c.add_row(&Chat::vault(), &row))?;
        Ok(Snapshot {
            id: put.key.id,
            at_ms: row.time,
            device: Some(device),
            labels,
            attachments: stated.attachments,
            chats: stated.chats,
            messages: stated.messages,
            logical_bytes: stated.logical_bytes,
            added_bytes,
            index: None,
            state,
        })
    }
}
