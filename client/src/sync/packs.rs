//! Where packs come from: the service, or a bucket's folder.

use std::cmp::Ordering;

use async_trait::async_trait;
use proto::wire::ladder::Class;
use proto::wire::limits::{PACK_BYTES_MAX, RANGE_ALIGN_BYTES};
use tonic::Code;

use super::retry::with_retry;
use crate::error::{Error, Result};
use crate::ids::PackId;
use crate::vault::{CallError, Session, Work};

/// Why a pack did not come.
#[derive(Debug)]
pub(super) enum NoPack {
    /// There is none of this id.
    Missing,
    /// It ends before its class says; what there is of it.
    Short(Vec<u8>),
    /// It is longer than any object of its kind.
    Long,
    /// The disk does not give it up, or it is no file.
    Unreadable,
    Error(Error),
}

impl NoPack {
    /// What to say of an object that did not come; a failure that says nothing of the object ends the work.
    pub fn reason(self) -> Result<&'static str> {
        match self {
            Self::Missing => Ok("missing"),
            Self::Short(_) => Ok("truncated"),
            Self::Long => Ok("too long"),
            Self::Unreadable => Ok("unreadable"),
            Self::Error(error) => Err(error),
        }
    }
}

/// Gives whole packs.
#[async_trait]
pub(super) trait Packs: Send + Sync {
    /// The bytes of a pack, or a part of it; fewer where it is shorter than that.
    async fn read(&self, id: PackId, part: Part) -> Result<Vec<u8>, NoPack>;

    /// A whole pack of a stated length.
    async fn get(&self, id: PackId, class: Class) -> Result<Vec<u8>, NoPack> {
        let bytes = self.read(id, Part::Whole).await?;
        match bytes.len().cmp(&class.bytes()) {
            Ordering::Equal => Ok(bytes),
            Ordering::Less => Err(NoPack::Short(bytes)),
            Ordering::Greater => Err(NoPack::Long),
        }
    }
}

/// How much of a pack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Whole,
    Range { offset: u64, length: u64 },
}

impl Part {
    /// What to ask for so that it holds the part, in units packs are read in: offset, length, and the most that comes.
    pub fn aligned(self) -> (u64, u64, usize) {
        match self {
            Self::Whole => (0, 0, PACK_BYTES_MAX),
            Self::Range { offset, length } => {
                let start = offset - offset % RANGE_ALIGN_BYTES;
                let end = offset.saturating_add(length).next_multiple_of(RANGE_ALIGN_BYTES);
                (start, end - start, usize::try_from(end - start).unwrap_or(PACK_BYTES_MAX))
            }
        }
    }

    /// Cuts the part out of what was asked for.
    pub fn cut(self, mut bytes: Vec<u8>) -> Vec<u8> {
        if let Self::Range { offset, length } = self {
            let skip = usize::try_from(offset % RANGE_ALIGN_BYTES).unwrap_or(0).min(bytes.len());
            bytes.drain(..skip);
            bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        }
        bytes
    }
}

/// The service's packs.
pub(super) struct ServicePacks<'a> {
    pub session: &'a Session,
    pub work: &'a Work,
}

#[async_trait]
impl Packs for ServicePacks<'_> {
    async fn read(&self, id: PackId, part: Part) -> Result<Vec<u8>, NoPack> {
        let (offset, length, expected) = part.aligned();
        let bytes = with_retry(&self.session.env, self.work, || async {
            let call = self
                .session
                .call(|remote, token| async move { remote.get_pack(&token, id, offset, length, expected).await });
            match call.await {
                Ok(bytes) => Ok(Ok(bytes)),
                Err(CallError::Refused(refused)) if refused.code() == Code::NotFound => Ok(Err(NoPack::Missing)),
                // The service has its row and not its bytes.
                Err(CallError::Refused(refused)) if refused.code() == Code::DataLoss => Ok(Err(NoPack::Missing)),
                Err(CallError::Refused(refused)) if refused.code() == Code::OutOfRange => {
                    Ok(Err(NoPack::Short(Vec::new())))
                }
                Err(error) => Err(error.into_error(&self.session.identity)),
            }
        });
        let bytes = bytes.await.map_err(NoPack::Error)??;
        self.work.received(bytes.len() as u64);
        Ok(part.cut(bytes))
    }
}
