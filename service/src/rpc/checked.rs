//! Requests turned into domain types: each field is taken apart here, once, and nowhere else.

use bytes::Bytes;
use proto::v1;
use proto::v1::refusal::Reason;
use proto::v1::token_request::Proof;
use proto::wire::header::{Record, RecordKind};
use proto::wire::ids::{AccountId, DeviceId, PackId};
use proto::wire::ladder::Class;
use proto::wire::limits::{
    BATCH_RECORDS_MAX, BODY_BYTES_MAX, PULL_BYTES_MAX, RANGE_ALIGN_BYTES, SLOT_BYTES, SLOTS_MAX,
};
use proto::wire::roster::SlotKind;
use proto::wire::slot::AccountName;
use tonic::{Code, Status};

use super::refusal::{malformed, refuse};
use crate::meta::{Letter, NewPack, NewRecord, OpenQuery, PullQuery, SlotBytes};

/// An OPAQUE object is shorter than this whatever the name.
const CREDENTIAL_BYTES_MAX: usize = 512;
/// "0.1.0" and the like.
const CLIENT_VERSION_BYTES_MAX: usize = 32;
/// Invite tokens are 16 random bytes.
pub const INVITE_BYTES: usize = 16;

type Checked<T> = Result<T, Status>;

pub fn name(text: &str) -> Checked<AccountName> {
    let invalid = || refuse(Code::InvalidArgument, Reason::NameInvalid, "this cannot be an account's name");
    AccountName::new(text).ok_or_else(invalid)
}

/// The hash an invite is kept under; nothing where none was given.
pub fn invite(token: &Bytes) -> Checked<Option<[u8; 32]>> {
    match token.len() {
        0 => Ok(None),
        INVITE_BYTES => Ok(Some(invite_hash(token))),
        _ => Err(refuse(Code::PermissionDenied, Reason::InviteInvalid, "the invite is not valid")),
    }
}

pub fn invite_hash(token: &[u8]) -> [u8; 32] {
    proto::wire::context::h("invite", &[token])
}

pub fn array<const N: usize>(bytes: &[u8], what: &'static str) -> Checked<[u8; N]> {
    bytes.try_into().map_err(|_| malformed(what))
}

pub fn record(sent: v1::Record) -> Checked<NewRecord> {
    let v1::Record { record, body } = sent;
    let unreadable = |_| refuse(Code::InvalidArgument, Reason::BadRecord, "a record cannot be read");
    if body.len() > BODY_BYTES_MAX {
        return Err(refuse(Code::InvalidArgument, Reason::BadRecord, "a body is above its limit"));
    }
    Ok(NewRecord { record: Record::decode(&record).map_err(unreadable)?, body })
}

pub fn slots(sent: Vec<v1::SlotBytes>) -> Checked<Vec<SlotBytes>> {
    if sent.len() > SLOTS_MAX {
        return Err(malformed("too many slots"));
    }
    sent.into_iter().map(slot).collect()
}

fn slot(sent: v1::SlotBytes) -> Checked<SlotBytes> {
    let v1::SlotBytes { kind, slot, credential, slot_name } = sent;
    let kind = u8::try_from(kind).ok().and_then(|k| SlotKind::new(k).ok()).ok_or_else(|| malformed("unknown slot"))?;
    if slot.len() != SLOT_BYTES || credential.len() > CREDENTIAL_BYTES_MAX {
        return Err(malformed("a slot has a wrong length"));
    }
    let slot_name = match kind {
        SlotKind::Recovery => Some(array(&slot_name, "a recovery slot has no name")?),
        SlotKind::Passphrase if slot_name.is_empty() => None,
        SlotKind::Passphrase => return Err(malformed("a passphrase slot has no name")),
    };
    Ok(SlotBytes { kind, slot, credential, slot_name })
}

pub struct RegisterStart {
    pub request: Bytes,
    pub who: Registrant,
}

/// Who begins a registration: a newcomer, or an account that changes its passphrase.
pub enum Registrant {
    New { name: AccountName, invite: Option<[u8; 32]> },
    Token(Bytes),
}

pub fn register_start(sent: v1::RegisterStartRequest) -> Checked<RegisterStart> {
    let v1::RegisterStartRequest { name: text, opaque_request, invite: code, token } = sent;
    let who = match token.is_empty() {
        true => Registrant::New { name: name(&text)?, invite: invite(&code)? },
        false => Registrant::Token(token),
    };
    Ok(RegisterStart { request: opaque_request, who })
}

pub struct RegisterFinish {
    pub name: AccountName,
    pub invite: Option<[u8; 32]>,
    pub roster: NewRecord,
    pub slots: Vec<SlotBytes>,
}

pub fn register_finish(sent: v1::RegisterFinishRequest) -> Checked<RegisterFinish> {
    let v1::RegisterFinishRequest { name: text, invite: code, roster, slots: bytes } = sent;
    let roster = record(roster.ok_or_else(|| malformed("a registration has no roster"))?)?;
    Ok(RegisterFinish { name: name(&text)?, invite: invite(&code)?, roster, slots: slots(bytes)? })
}

/// What is proved to get in without a passphrase.
pub enum SignedIn {
    Device { account: AccountId, device: DeviceId, signature: [u8; 64] },
    Recovery { name: AccountName, signature: [u8; 64] },
}

/// A challenge names whom it is for only so that its form can be checked: the signature binds it, not a row.
pub fn challenge(sent: v1::ChallengeRequest) -> Checked<()> {
    let v1::ChallengeRequest { account, device, name: text } = sent;
    if account.is_empty() && device.is_empty() {
        return name(&text).map(drop);
    }
    match (account.len(), device.len(), text.is_empty()) {
        (16 | 32, 32, true) => Ok(()),
        _ => Err(malformed("a challenge is for a device or for a name")),
    }
}

pub fn token(sent: v1::TokenRequest) -> Checked<([u8; 32], SignedIn)> {
    let v1::TokenRequest { nonce, proof } = sent;
    let signed_in = match proof.ok_or_else(|| malformed("nothing is proved"))? {
        Proof::Device(v1::DeviceProof { account, device, signature }) => SignedIn::Device {
            account: AccountId(array(&account, "an account id has 32 bytes")?),
            device: DeviceId(array(&device, "a device id has 32 bytes")?),
            signature: array(&signature, "a signature has 64 bytes")?,
        },
        Proof::Recovery(v1::RecoveryProof { name: text, signature }) => {
            SignedIn::Recovery { name: name(&text)?, signature: array(&signature, "a signature has 64 bytes")? }
        }
    };
    Ok((array(&nonce, "a nonce has 32 bytes")?, signed_in))
}

pub struct Open {
    pub query: OpenQuery,
    pub wants_front_page: bool,
    pub client_version: String,
}

pub fn open(sent: v1::OpenRequest) -> Checked<Open> {
    let v1::OpenRequest { known_size, known_incarnation, known_head, known_roster, client_version, no_front_page } =
        sent;
    if client_version.len() > CLIENT_VERSION_BYTES_MAX {
        return Err(malformed("a version is a few characters long"));
    }
    let query = OpenQuery { known_size, known_incarnation, known_head, known_roster };
    Ok(Open { query, wants_front_page: !no_front_page, client_version })
}

/// What may be appended: one ROSTER with its slots, or a device's batch.
pub enum Append {
    Roster(NewRecord, Vec<SlotBytes>),
    Batch(Vec<NewRecord>),
}

pub fn append(sent: v1::AppendRequest) -> Checked<Append> {
    let v1::AppendRequest { records, slots: bytes } = sent;
    if records.is_empty() || records.len() > BATCH_RECORDS_MAX {
        return Err(malformed("a batch has 1 to 64 records"));
    }
    let mut records = records.into_iter().map(record).collect::<Checked<Vec<_>>>()?;
    let slots = slots(bytes)?;
    if let [one] = records.as_slice()
        && one.record.header.kind == RecordKind::Roster
    {
        return Ok(Append::Roster(records.remove(0), slots));
    }
    if !slots.is_empty() {
        return Err(malformed("slots travel beside a roster alone"));
    }
    Ok(Append::Batch(records))
}

/// The key of the side that opens a mailbox, as it is kept.
pub fn open_mailbox(sent: v1::OpenMailboxRequest) -> Checked<[u8; 32]> {
    let v1::OpenMailboxRequest { key } = sent;
    mailbox_key(&key)
}

/// Rows hold a hash: whoever reads them cannot speak for a side.
fn mailbox_key(key: &Bytes) -> Checked<[u8; 32]> {
    let key: [u8; 32] = array(key, "a key has 32 bytes")?;
    Ok(proto::wire::context::h("mailbox key", &[&key]))
}

pub struct Exchange {
    pub number: u32,
    pub key: [u8; 32],
    pub letter: Letter,
}

pub fn exchange(sent: v1::ExchangeRequest) -> Checked<Exchange> {
    let v1::ExchangeRequest { number, key, received, sent, message, close } = sent;
    let letter = Letter { received, sent, message, close };
    Ok(Exchange { number, key: mailbox_key(&key)?, letter })
}

pub fn pull(sent: v1::PullRequest) -> PullQuery {
    let v1::PullRequest { from, known_size, headers_only, past_gaps } = sent;
    PullQuery { from, known_size, headers_only, past_gaps, bytes_max: PULL_BYTES_MAX }
}

/// The size a stream of hints begins after.
pub fn watch(sent: v1::WatchRequest) -> u64 {
    let v1::WatchRequest { known_size } = sent;
    known_size
}

/// The first message of an upload: what is reserved, and the first content.
pub fn put_pack(sent: v1::PutPackRequest) -> Checked<(NewPack, Bytes)> {
    let v1::PutPackRequest { id, class, last_day, content } = sent;
    let id = PackId(array(&id, "a pack id has 16 bytes")?);
    let class = u8::try_from(class).ok().and_then(Class::new).filter(|c| *c >= Class::PAGE);
    let class = class.ok_or_else(|| malformed("a pack's class is 14 to 23"))?;
    Ok((NewPack { id, class, last_day }, content))
}

/// Every later message of an upload carries content and nothing else.
pub fn put_pack_more(sent: v1::PutPackRequest) -> Checked<Bytes> {
    let v1::PutPackRequest { id, class, last_day, content } = sent;
    match (id.is_empty(), class, last_day) {
        (true, 0, 0) => Ok(content),
        _ => Err(malformed("only the first message names the pack")),
    }
}

pub struct GetPack {
    pub id: PackId,
    offset: u64,
    length: u64,
}

pub fn get_pack(sent: v1::GetPackRequest) -> Checked<GetPack> {
    let v1::GetPackRequest { id, offset, length } = sent;
    Ok(GetPack { id: PackId(array(&id, "a pack id has 16 bytes")?), offset, length })
}

impl GetPack {
    /// The bytes meant, of a pack of this class: nothing where all of it is meant.
    pub fn range(&self, class: Class) -> Checked<Option<std::ops::Range<u64>>> {
        let whole = class.bytes() as u64;
        let outside = || Status::out_of_range("the range lies outside the pack");
        let rest = whole.checked_sub(self.offset).ok_or_else(outside)?;
        let length = if self.length == 0 { rest } else { self.length };
        if length == 0 || length > rest {
            return Err(outside());
        }
        if self.offset == 0 && length == whole {
            return Ok(None);
        }
        if !self.offset.is_multiple_of(RANGE_ALIGN_BYTES) || !length.is_multiple_of(RANGE_ALIGN_BYTES) {
            return Err(malformed("a range is aligned to 64 KiB"));
        }
        Ok(Some(self.offset..self.offset + length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_whole_or_aligned_and_inside() {
        let range = |offset, length, class| {
            let asked = GetPack { id: PackId([0; 16]), offset, length };
            asked.range(Class::new(class).unwrap()).map_err(|s| s.code())
        };
        assert_eq!(range(0, 0, 14), Ok(None));
        assert_eq!(range(0, 1 << 14, 14), Ok(None));
        assert_eq!(range(1 << 16, 1 << 16, 20), Ok(Some(65536..131072)));
        assert_eq!(range(1 << 19, 0, 20), Ok(Some(524288..1048576)));
        assert_eq!(range(0, 1 << 12, 14), Err(Code::InvalidArgument));
        assert_eq!(range(100, 0, 20), Err(Code::InvalidArgument));
        assert_eq!(range(100, 1 << 16, 20), Err(Code::InvalidArgument), "a beginning between two pieces");
        for (offset, length) in [(1 << 20, 0), (u64::MAX, 1), (1 << 16, 1 << 20), (0, u64::MAX), (u64::MAX, u64::MAX)] {
            assert_eq!(range(offset, length, 20), Err(Code::OutOfRange), "{offset} {length}");
        }
    }

    #[test]
    fn a_roster_travels_alone() {
        let header = |kind: u8| {
            let mut bytes = vec![0; 276];
            bytes[0] = 1;
            bytes[1] = kind;
            v1::Record { record: bytes.into(), body: Bytes::new() }
        };
        let append = |kinds: &[u8], slots| {
            super::append(v1::AppendRequest { records: kinds.iter().map(|k| header(*k)).collect(), slots })
        };
        assert!(matches!(append(&[2], vec![]), Ok(Append::Roster(..))));
        assert!(matches!(append(&[1, 3], vec![]), Ok(Append::Batch(b)) if b.len() == 2));
        let slot = v1::SlotBytes { kind: 1, slot: vec![0; 512].into(), ..Default::default() };
        assert!(append(&[1], vec![slot.clone()]).is_err());
        assert!(append(&[2], vec![slot.clone()]).is_ok());
        assert!(append(&[2], vec![slot.clone(), slot.clone(), slot]).is_err());
        assert!(append(&[], vec![]).is_err());
        assert!(append(&[1; 65], vec![]).is_err());
        assert!(append(&[9], vec![]).is_err());
    }
}
