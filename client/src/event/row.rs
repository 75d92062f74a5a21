//! The row: key, then fields (`docs/format.md` §3.1).

use proto::wire::bytes::{Malformed, Reader, Result, Writer};

use super::{Fields, Kind, tag};
use crate::ids::EventId;

/// A row's encoding is at most this long; longer fields are stored like attachments (DESIGN §6).
pub const ROW_BYTES_MAX: usize = 24 << 10;
/// A text field stays in the row up to this length.
pub const TEXT_BYTES_MAX: usize = 16 << 10;

/// What all rows of one chat share: the source's name and its own key of the conversation.
///
/// The chat's id is a keyed hash of both (`crypto::IdKey::chat`), so it is never stored.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Chat {
    /// `whatsapp`, `telegram`, …; `chatkeep` for the vault's own rows (snapshots, settings).
    pub source: String,
    /// The source's key: Telegram `type:id`, WhatsApp the label (FORMATS §2).
    pub conversation: String,
}

impl Chat {
    pub const SOURCE_BYTES_MAX: usize = 64;
    pub const CONVERSATION_BYTES_MAX: usize = 1024;

    /// The chat that holds the vault's own rows.
    pub fn vault() -> Self {
        Self { source: "chatkeep".into(), conversation: String::new() }
    }

    pub fn encode(&self, out: &mut Writer) {
        out.prefixed(self.source.as_bytes()).prefixed(self.conversation.as_bytes());
    }

    pub fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let source = r.text(Self::SOURCE_BYTES_MAX)?.to_owned();
        let conversation = r.text(Self::CONVERSATION_BYTES_MAX)?.to_owned();
        Ok(Self { source, conversation })
    }
}

/// What a row speaks about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// Itself: messages and all that stands in the chat by itself.
    Own,
    /// The event with this id.
    Event(EventId),
}

/// One event in its stored form. Its chat stands beside it: rows of a chat travel together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    pub kind: Kind,
    /// The target's time as its source states it, in ms: UTC where the source knows it, else local time read as UTC.
    /// Edits, reactions and deletions repeat their target's, so that they sort beside it.
    pub time: i64,
    pub target: Target,
    /// The source's own key of this event inside the chat; with chat and kind it makes the event id.
    pub native: String,
    pub fields: Fields,
}

impl Row {
    pub const NATIVE_BYTES_MAX: usize = 2048;

    pub fn new(kind: Kind, time: i64, native: impl Into<String>) -> Self {
        Self { kind, time, target: Target::Own, native: native.into(), fields: Fields::default() }
    }

    /// Makes a row about another event.
    pub fn about(kind: Kind, time: i64, target: EventId, native: impl Into<String>) -> Self {
        Self { kind, time, target: Target::Event(target), native: native.into(), fields: Fields::default() }
    }

    pub fn body(&self) -> Option<&str> {
        self.fields.text(tag::BODY)
    }

    /// Encodes the row without its length prefix.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(64 + self.native.len() + self.fields.encoded_bytes_max());
        w.uvarint(u64::from(self.kind.0)).svarint(self.time);
        match self.target {
            Target::Own => w.u8(0),
            Target::Event(id) => w.u8(1).raw(&id.0),
        };
        w.prefixed(self.native.as_bytes());
        self.fields.encode(&mut w);
        w.finish()
    }

    /// Decodes exactly one row.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let (RowHead { kind, time, target, native }, mut r) = RowHead::split(bytes)?;
        let fields = Fields::decode(&mut r, ROW_BYTES_MAX)?;
        Ok(Self { kind, time, target, native: native.to_owned(), fields })
    }
}

/// What of an encoded row makes its key; its fields are not looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RowHead<'a> {
    pub kind: Kind,
    pub time: i64,
    pub target: Target,
    pub native: &'a str,
}

impl<'a> RowHead<'a> {
    pub fn decode(bytes: &'a [u8]) -> Result<Self> {
        Ok(Self::split(bytes)?.0)
    }

    /// Whether an encoded row may have a field: false only where it has none, without looking at what follows it.
    pub fn may_hold(bytes: &[u8], tag: u16) -> bool {
        let Ok((_, mut r)) = RowHead::split(bytes) else { return true };
        while !r.is_empty() {
            match (r.uvarint(), r.prefixed(ROW_BYTES_MAX)) {
                (Ok(found), Ok(_)) if found >= u64::from(tag) => return found == u64::from(tag),
                (Ok(_), Ok(_)) => {}
                _ => return true,
            }
        }
        false
    }

    fn split(bytes: &'a [u8]) -> Result<(Self, Reader<'a>)> {
        if bytes.len() > ROW_BYTES_MAX {
            return Err(Malformed::TooLong);
        }
        let mut r = Reader::new(bytes);
        let kind = Kind(u16::try_from(r.uvarint()?).map_err(|_| Malformed::TooLong)?);
        let time = r.svarint()?;
        let target = match r.u8()? {
            0 => Target::Own,
            1 => Target::Event(EventId(r.array()?)),
            _ => return Err(Malformed::Unknown),
        };
        let native = r.text(Row::NATIVE_BYTES_MAX)?;
        Ok((Self { kind, time, target, native }, r))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row() -> impl Strategy<Value = Row> {
        let fields = prop::collection::btree_map(any::<u16>(), prop::collection::vec(any::<u8>(), 0..40), 0..12);
        (any::<u16>(), any::<i64>(), any::<Option<[u8; 32]>>(), "\\PC{0,40}", fields).prop_map(
            |(kind, time, target, native, values)| {
                let mut fields = Fields::default();
                for (t, v) in values {
                    fields.set(t, v);
                }
                let target = target.map_or(Target::Own, |id| Target::Event(EventId(id)));
                Row { kind: Kind(kind), time, target, native, fields }
            },
        )
    }

    proptest! {
        #[test]
        fn unknown_kinds_and_fields_come_back(row in row()) {
            prop_assert_eq!(Row::decode(&row.encode()).unwrap(), row);
        }

        #[test]
        fn what_decodes_is_canonical(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(row) = Row::decode(&bytes) {
                prop_assert_eq!(row.encode(), bytes);
            }
        }
    }
}
