//! From refusals to gRPC statuses: a code, a sentence, and the typed reason as bytes in the metadata.

use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use proto::v1::Refusal;
use proto::v1::refusal::Reason;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

use crate::meta::{MetaError, Refused};
use crate::objects::ObjectError;

/// Metadata key of the typed reason.
pub const REASON: &str = "chatkeep-reason-bin";

/// When to try for a mailbox again: by then some have been closed.
const MAILBOXES_RETRY_MS: u64 = 60_000;

/// A status with a reason and nothing more to say about it.
pub fn refuse(code: Code, reason: Reason, message: &'static str) -> Status {
    with_detail(code, message, Refusal { reason: reason.into(), ..Refusal::default() })
}

pub fn with_detail(code: Code, message: impl Into<String>, detail: Refusal) -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert_bin(REASON, MetadataValue::from_bytes(&detail.encode_to_vec()));
    Status::with_metadata(code, message, metadata)
}

/// A request that is not of the protocol's form.
pub fn malformed(message: &'static str) -> Status {
    Status::invalid_argument(message)
}

/// Wrong passphrase, unknown name, wrong recovery key: all alike.
pub fn wrong_secret() -> Status {
    refuse(Code::Unauthenticated, Reason::WrongSecret, "the secret does not open this account")
}

pub fn token_expired() -> Status {
    refuse(Code::Unauthenticated, Reason::TokenExpired, "the token is not or no longer valid")
}

/// Says when to come back.
pub fn busy(message: &'static str, retry_after: Duration) -> Status {
    let retry_after_ms = retry_after.as_millis() as u64;
    let detail = Refusal { reason: Reason::Busy.into(), retry_after_ms, ..Refusal::default() };
    with_detail(Code::ResourceExhausted, message, detail)
}

/// The status of any failure of the metadata store. What is not the caller's fault is logged, not told.
pub fn of_meta(error: MetaError) -> Status {
    match error {
        MetaError::Refused(refused) => of_refused(refused),
        MetaError::Full => {
            tracing::error!(event = "database_full");
            refuse(Code::Internal, Reason::StorageFull, "the service has no room; its operator must act")
        }
        MetaError::Closed => Status::unavailable("the service is stopping"),
        error => {
            tracing::error!(event = "database_failed", %error, cause = cause(&error));
            Status::internal("the service's database failed")
        }
    }
}

/// The status of any failure of object storage.
pub fn of_objects(error: ObjectError) -> Status {
    match error {
        ObjectError::WrongLength => malformed("a pack is not as long as its class says"),
        ObjectError::Conflict => refuse(Code::AlreadyExists, Reason::PackConflict, "the pack holds something else"),
        ObjectError::OutOfRange => Status::out_of_range("the range lies outside the pack"),
        ObjectError::Interrupted(_) => Status::cancelled("the upload broke off"),
        ObjectError::Full => {
            tracing::error!(event = "storage_full");
            refuse(Code::Internal, Reason::StorageFull, "the service has no room; its operator must act")
        }
        ObjectError::NotFound => {
            tracing::error!(event = "object_missing");
            Status::data_loss("a pack that should be there is missing")
        }
        ObjectError::Deadline => busy("object storage is slow", Duration::from_secs(5)),
        error => {
            tracing::error!(event = "storage_failed", %error, cause = cause(&error));
            Status::unavailable("object storage failed")
        }
    }
}

fn cause(error: &dyn std::error::Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

fn of_refused(refused: Refused) -> Status {
    use Code::*;
    let message = refused.to_string();
    let plain = |code, reason: Reason| (code, Refusal { reason: reason.into(), ..Refusal::default() });
    let (code, detail) = match refused {
        Refused::NameTaken => plain(AlreadyExists, Reason::NameTaken),
        Refused::InviteInvalid => plain(PermissionDenied, Reason::InviteInvalid),
        Refused::UnknownAccount | Refused::AccountEnded => plain(PermissionDenied, Reason::AccountEnded),
        Refused::Suspended => plain(PermissionDenied, Reason::Suspended),
        Refused::TokenOld => plain(Unauthenticated, Reason::TokenExpired),
        Refused::DeviceGone => plain(PermissionDenied, Reason::DeviceGone),
        Refused::DevicesFull => plain(FailedPrecondition, Reason::DevicesFull),
        Refused::GuessesSpent { retry_after_ms } => {
            let (code, detail) = plain(ResourceExhausted, Reason::GuessesSpent);
            (code, Refusal { retry_after_ms, ..detail })
        }
        Refused::BadRecord(_) => plain(InvalidArgument, Reason::BadRecord),
        Refused::Equivocation { last_counter } => {
            let (code, detail) = plain(Aborted, Reason::Equivocation);
            (code, Refusal { last_counter, ..detail })
        }
        Refused::CounterGap { last_counter } => {
            let (code, detail) = plain(Aborted, Reason::CounterGap);
            (code, Refusal { last_counter, ..detail })
        }
        Refused::RosterMoved => plain(Aborted, Reason::RosterMoved),
        Refused::HeadMoved => plain(Aborted, Reason::HeadMoved),
        Refused::HeadCondition(_) => plain(FailedPrecondition, Reason::HeadCondition),
        Refused::PackGone(packs) => {
            let (code, detail) = plain(FailedPrecondition, Reason::PackGone);
            let packs = packs.iter().map(|p| Bytes::copy_from_slice(&p.0)).collect();
            (code, Refusal { packs, ..detail })
        }
        Refused::PackConflict => plain(AlreadyExists, Reason::PackConflict),
        Refused::UnknownPack => plain(NotFound, Reason::PackGone),
        Refused::Quota { needed_bytes, free_bytes } => {
            let (code, detail) = plain(ResourceExhausted, Reason::Quota);
            (code, Refusal { needed_bytes, free_bytes, ..detail })
        }
        Refused::StagedTooMuch { needed_bytes, free_bytes } => {
            let (code, detail) = plain(ResourceExhausted, Reason::StagedTooMuch);
            (code, Refusal { needed_bytes, free_bytes, ..detail })
        }
        Refused::OutOfRange => plain(OutOfRange, Reason::Unspecified),
        Refused::NoMailbox => plain(NotFound, Reason::NoMailbox),
        Refused::LetterTooLong => plain(InvalidArgument, Reason::Unspecified),
        Refused::MailboxesFull => {
            let (code, detail) = plain(ResourceExhausted, Reason::Busy);
            (code, Refusal { retry_after_ms: MAILBOXES_RETRY_MS, ..detail })
        }
    };
    with_detail(code, message, detail)
}
