//! The newest head as the archive keeps it, and comparing its digests with this device's own.

use proto::wire::bytes::{Malformed, Reader, Writer};
use proto::wire::head::{HeadClear, NO_PACK};
use proto::wire::header::Record;
use proto::wire::limits::{BODY_BYTES_MAX, RECORD_BYTES};

use super::flow::{Flow, broken};
use super::timers::same;
use crate::archive::Note;
use crate::crypto::Keyring;
use crate::error::Result;
use crate::ids::DeviceId;
use crate::pack::Damaged;
use crate::strata::{FORMAT, HeadContent};

/// `Note::Head`: where the newest head stands, its record and body. Public and sealed bytes only.
pub(super) struct HeadNote {
    pub index: u64,
    pub record: Record,
    pub body: Vec<u8>,
}

/// The newest head, opened.
pub(super) struct OpenHead {
    pub clear: HeadClear,
    pub content: HeadContent,
}

impl HeadNote {
    pub fn encode(&self) -> Vec<u8> {
        Writer::new().u64(self.index).raw(&self.record.encode()).prefixed(&self.body).finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let (index, record) = (r.u64()?, Record::decode(r.take(RECORD_BYTES)?)?);
        let body = r.prefixed(BODY_BYTES_MAX)?.to_vec();
        r.finish()?;
        Ok(Self { index, record, body })
    }
}

impl OpenHead {
    /// Opens a head's body, which must name the pages it seals.
    pub fn open(keyring: &Keyring, record: &Record, body: &[u8]) -> Result<Self, Damaged> {
        let open = keyring.open_body(record, body)?;
        let (clear, content) = (HeadClear::decode(&open.clear)?, HeadContent::decode(&open.content)?);
        let sealed = content.pages.iter().map(|page| page.id);
        if clear.named().eq(sealed) { Ok(Self { clear, content }) } else { Err(Damaged) }
    }

    pub fn has_front_page(&self) -> bool {
        self.clear.pages.first().is_some_and(|page| *page != NO_PACK)
    }
}

impl Flow<'_> {
    /// Opens the newest head this device has verified.
    pub fn head(&self) -> Result<Option<OpenHead>> {
        let Some(note) = self.archive.note(Note::Head)? else { return Ok(None) };
        let note = HeadNote::decode(&note).map_err(|_| broken("its newest head cannot be read"))?;
        self.open_head(&note).map(Some)
    }

    /// Who wrote the newest head.
    pub fn head_author(&self) -> Result<Option<DeviceId>> {
        let Some(note) = self.archive.note(Note::Head)? else { return Ok(None) };
        let note = HeadNote::decode(&note).map_err(|_| broken("its newest head cannot be read"))?;
        Ok(Some(note.record.header.device))
    }

    pub fn open_head(&self, note: &HeadNote) -> Result<OpenHead> {
        OpenHead::open(self.keyring(), &note.record, &note.body).map_err(|_| broken("the newest head does not open"))
    }

    /// Agrees with the newest head if the digests at its covered size are this device's own.
    pub fn compare_head(&mut self) -> Result<()> {
        let Some(generation) = self.follower.state().head.as_ref().map(|h| h.generation) else { return Ok(()) };
        if generation <= self.agreed {
            return Ok(());
        }
        let Some(head) = self.head()? else { return Ok(()) };
        let Some(own) = self.digests.get(&head.clear.covered_size) else { return Ok(()) };
        if head.content.least_format > FORMAT {
            return Ok(());
        }
        if same(&head.content.digests, own, self.archive.gone_day()?.max(self.server_gone())) {
            self.agreed = generation;
            let (follower, agreed) = (&self.follower, self.agreed);
            self.archive.commit(|c| super::flow::save(c, follower, agreed))?;
        } else {
            self.disagreed.push(generation);
        }
        Ok(())
    }
}
