//! Values inside a row's fields. Each is itself a field map, so parts this version does not know stay in it.

use std::collections::BTreeSet;

use proto::wire::bytes::{Malformed, Reader, Result, Writer};

use super::{Fields, Row, tag};

/// Who wrote or did something.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Party {
    /// The source's id of the person, where it has one (`user123`, a phone number).
    pub native_id: Option<String>,
    pub name: Option<String>,
    pub is_self: bool,
    pub rest: Fields,
}

/// Where a time's zone comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ZoneSource {
    Explicit,
    Assumed,
    Unknown,
}

/// How fine a source's times are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Precision {
    Minute,
    Second,
    Milli,
    Micro,
    Nano,
}

/// A time as the source states it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// Milliseconds since 1970 UTC where the source knows the instant.
    pub utc_ms: Option<i64>,
    /// The source's own text, as it stood; absent where `utc_ms` is all there was.
    pub local_text: Option<String>,
    pub offset_min: Option<i64>,
    pub zone: ZoneSource,
    pub precision: Precision,
    pub rest: Fields,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Photo,
    Video,
    Voice,
    File,
    Sticker,
    Contact,
    Location,
    Gif,
}

/// Whether an attachment's bytes came with the export.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    Present,
    Omitted,
    Expired,
    Missing,
    /// Its owner deleted it here; the message stays.
    Deleted,
}

/// A file that belongs to a message. A reference without bytes is a normal state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attachment {
    pub name: Option<String>,
    pub mime: Option<String>,
    pub size: Option<u64>,
    pub role: Role,
    pub presence: Presence,
    /// BLAKE3 of the content, unkeyed: it names the file on export and never leaves a sealed place. The keyed file id
    /// under which chunks are found derives from it.
    pub hash: Option<[u8; 32]>,
    /// Where the source had it: a path in the export, a URL without its expiring query.
    pub source_ref: Option<String>,
    pub rest: Fields,
}

/// What a message answers.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Reply {
    /// Native key of the message answered.
    pub native: Option<String>,
    /// Conversation key where it is another chat's message.
    pub conversation: Option<String>,
    pub quoted_text: Option<String>,
    pub rest: Fields,
}

/// A styled or linked part of a body. Start and length count UTF-16 units, as Telegram and Signal do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Range {
    pub start: u32,
    pub len: u32,
    /// `bold`, `italic`, `mention`, `link`, `code`, … in the source's word.
    pub style: String,
    pub value: Option<String>,
}

fn unsigned(fields: &Fields, tag: u16) -> Option<u64> {
    fields.number(tag).and_then(|n| u64::try_from(n).ok())
}

fn take_text(f: &mut Fields, tag: u16) -> Result<Option<String>> {
    f.remove(tag).map(|v| String::from_utf8(v).map_err(|_| Malformed::NotCanonical)).transpose()
}

fn take_number(f: &mut Fields, tag: u16) -> Result<Option<i64>> {
    if f.get(tag).is_none() {
        return Ok(None);
    }
    let n = f.number(tag).ok_or(Malformed::NotCanonical)?;
    f.remove(tag);
    Ok(Some(n))
}

impl Party {
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut f = self.rest.clone();
        f.set_some(1, self.native_id.as_deref()).set_some(2, self.name.as_deref());
        if self.is_self {
            f.set_number(3, 1);
        }
        f.to_bytes()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut f = Fields::from_bytes(bytes)?;
        let native_id = take_text(&mut f, 1)?;
        let name = take_text(&mut f, 2)?;
        let is_self = take_number(&mut f, 3)?.is_some_and(|n| n != 0);
        Ok(Self { native_id, name, is_self, rest: f })
    }
}

impl Stamp {
    /// A time known to the instant.
    pub fn utc(ms: i64, precision: Precision) -> Self {
        Self {
            utc_ms: Some(ms),
            local_text: None,
            offset_min: None,
            zone: ZoneSource::Explicit,
            precision,
            rest: Fields::default(),
        }
    }

    /// A local time whose zone the source does not tell.
    pub fn local(text: impl Into<String>, precision: Precision) -> Self {
        let local_text = Some(text.into());
        Self {
            utc_ms: None,
            local_text,
            offset_min: None,
            zone: ZoneSource::Unknown,
            precision,
            rest: Fields::default(),
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut f = self.rest.clone();
        if let Some(ms) = self.utc_ms {
            f.set_number(1, ms);
        }
        f.set_some(2, self.local_text.as_deref());
        if let Some(min) = self.offset_min {
            f.set_number(3, min);
        }
        let zone = match self.zone {
            ZoneSource::Explicit => 0,
            ZoneSource::Assumed => 1,
            ZoneSource::Unknown => 2,
        };
        f.set_number(4, zone).set_number(5, self.precision as i64);
        f.to_bytes()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut f = Fields::from_bytes(bytes)?;
        let utc_ms = take_number(&mut f, 1)?;
        let local_text = take_text(&mut f, 2)?;
        let offset_min = take_number(&mut f, 3)?;
        let zone = match take_number(&mut f, 4)? {
            Some(0) => ZoneSource::Explicit,
            Some(1) => ZoneSource::Assumed,
            Some(2) => ZoneSource::Unknown,
            _ => return Err(Malformed::Unknown),
        };
        let precision = match take_number(&mut f, 5)? {
            Some(0) => Precision::Minute,
            Some(1) => Precision::Second,
            Some(2) => Precision::Milli,
            Some(3) => Precision::Micro,
            Some(4) => Precision::Nano,
            _ => return Err(Malformed::Unknown),
        };
        Ok(Self { utc_ms, local_text, offset_min, zone, precision, rest: f })
    }
}

/// A content in a row that names it: BLAKE3 and size.
const CONTENT_BYTES: usize = 40;

const ROLES: [Role; 8] =
    [Role::Photo, Role::Video, Role::Voice, Role::File, Role::Sticker, Role::Contact, Role::Location, Role::Gif];
const PRESENCES: [Presence; 5] =
    [Presence::Present, Presence::Omitted, Presence::Expired, Presence::Missing, Presence::Deleted];

impl Attachment {
    pub const COUNT_MAX: usize = 1024;

    pub fn new(role: Role, presence: Presence) -> Self {
        Self {
            name: None,
            mime: None,
            size: None,
            role,
            presence,
            hash: None,
            source_ref: None,
            rest: Fields::default(),
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut f = self.rest.clone();
        f.set_some(1, self.name.as_deref()).set_some(2, self.mime.as_deref());
        if let Some(size) = self.size {
            f.set_number(3, i64::try_from(size).unwrap_or(i64::MAX));
        }
        f.set_number(4, self.role as i64).set_number(5, self.presence as i64);
        f.set_some(6, self.hash).set_some(7, self.source_ref.as_deref());
        f.to_bytes()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut f = Fields::from_bytes(bytes)?;
        let name = take_text(&mut f, 1)?;
        let mime = take_text(&mut f, 2)?;
        let size = unsigned(&f, 3);
        f.remove(3);
        let index = |n: Option<i64>| n.and_then(|n| usize::try_from(n).ok()).ok_or(Malformed::Unknown);
        let role = *ROLES.get(index(take_number(&mut f, 4)?)?).ok_or(Malformed::Unknown)?;
        let presence = *PRESENCES.get(index(take_number(&mut f, 5)?)?).ok_or(Malformed::Unknown)?;
        let hash = f.remove(6).map(|h| h.try_into().map_err(|_| Malformed::NotCanonical)).transpose()?;
        let source_ref = take_text(&mut f, 7)?;
        Ok(Self { name, mime, size, role, presence, hash, source_ref, rest: f })
    }
}

impl Reply {
    pub fn encode(&self) -> Vec<u8> {
        let mut f = self.rest.clone();
        f.set_some(1, self.native.as_deref());
        f.set_some(2, self.conversation.as_deref());
        f.set_some(3, self.quoted_text.as_deref());
        f.to_bytes()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut f = Fields::from_bytes(bytes)?;
        let native = take_text(&mut f, 1)?;
        let conversation = take_text(&mut f, 2)?;
        let quoted_text = take_text(&mut f, 3)?;
        Ok(Self { native, conversation, quoted_text, rest: f })
    }
}

/// Encodes a list: count, then each item length-prefixed.
fn encode_list(items: impl ExactSizeIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut w = Writer::new();
    w.uvarint(items.len() as u64);
    for item in items {
        w.prefixed(&item);
    }
    w.finish()
}

fn decode_list<T>(bytes: &[u8], count_max: usize, item: impl Fn(&[u8]) -> Result<T>) -> Result<Vec<T>> {
    let mut r = Reader::new(bytes);
    let n = r.count(count_max)?;
    let list = (0..n).map(|_| item(r.prefixed(bytes.len())?)).collect::<Result<Vec<_>>>()?;
    r.finish()?;
    Ok(list)
}

impl Range {
    pub const COUNT_MAX: usize = 8192;

    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.uvarint(u64::from(self.start)).uvarint(u64::from(self.len)).prefixed(self.style.as_bytes());
        if let Some(value) = &self.value {
            w.prefixed(value.as_bytes());
        }
        w.finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        let number = |n: u64| u32::try_from(n).map_err(|_| Malformed::TooLong);
        let (start, len) = (number(r.uvarint()?)?, number(r.uvarint()?)?);
        let style = r.text(bytes.len())?.to_owned();
        let value = if r.is_empty() { None } else { Some(r.text(bytes.len())?.to_owned()) };
        r.finish()?;
        Ok(Self { start, len, style, value })
    }
}

/// Typed access to the fields above. A field that does not decode reads as absent; its bytes stay.
impl Row {
    /// So many contents fit a row beside all else.
    pub const CONTENTS_MAX: usize = 400;

    pub fn sender(&self) -> Option<Party> {
        Party::decode(self.fields.get(tag::SENDER)?).ok()
    }

    pub fn set_sender(&mut self, party: &Party) {
        self.fields.set(tag::SENDER, party.encode());
    }

    pub fn sent_at(&self) -> Option<Stamp> {
        Stamp::decode(self.fields.get(tag::SENT_AT)?).ok()
    }

    pub fn set_sent_at(&mut self, stamp: &Stamp) {
        self.fields.set(tag::SENT_AT, stamp.encode());
    }

    pub fn attachments(&self) -> Vec<Attachment> {
        let bytes = self.fields.get(tag::ATTACHMENTS);
        bytes.and_then(|b| decode_list(b, Attachment::COUNT_MAX, Attachment::decode).ok()).unwrap_or_default()
    }

    pub fn set_attachments(&mut self, list: &[Attachment]) {
        if !list.is_empty() {
            self.fields.set(tag::ATTACHMENTS, encode_list(list.iter().map(Attachment::encode)));
        }
    }

    /// Contents it names: BLAKE3 and size. Bytes that are no whole content are none.
    pub fn contents(&self) -> Vec<([u8; 32], u64)> {
        let named = self.fields.get(tag::CONTENTS).unwrap_or_default().chunks_exact(CONTENT_BYTES);
        let split = |one: &[u8]| {
            let (hash, size) = one.split_first_chunk::<32>()?;
            Some((*hash, u64::from_le_bytes(size.try_into().ok()?)))
        };
        named.filter_map(split).collect()
    }

    pub fn set_contents(&mut self, contents: &BTreeSet<([u8; 32], u64)>) {
        let bytes: Vec<u8> =
            contents.iter().flat_map(|(hash, size)| hash.iter().copied().chain(size.to_le_bytes())).collect();
        self.fields.set(tag::CONTENTS, bytes);
    }

    pub fn reply(&self) -> Option<Reply> {
        Reply::decode(self.fields.get(tag::REPLY_TO)?).ok()
    }

    pub fn set_reply(&mut self, reply: &Reply) {
        self.fields.set(tag::REPLY_TO, reply.encode());
    }

    pub fn ranges(&self) -> Vec<Range> {
        let bytes = self.fields.get(tag::RANGES);
        bytes.and_then(|b| decode_list(b, Range::COUNT_MAX, Range::decode).ok()).unwrap_or_default()
    }

    pub fn set_ranges(&mut self, list: &[Range]) {
        if !list.is_empty() {
            self.fields.set(tag::RANGES, encode_list(list.iter().map(Range::encode)));
        }
    }
}
