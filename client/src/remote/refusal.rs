//! From gRPC status to [`Error`]: typed reasons first, then what the transport says.

use std::time::Duration;

use prost::Message as _;
use proto::v1::Refusal;
use proto::v1::refusal::Reason;
use tonic::{Code, Status};

use super::connect::deepest;
use crate::error::Error;

/// Metadata key that carries a [`Refusal`].
const REASON: &str = "chatkeep-reason-bin";

/// A refused call: what the service says, still to be told apart by the caller.
#[derive(Debug)]
pub struct Refused {
    pub reason: Reason,
    pub detail: Refusal,
    status: Status,
}

impl Refused {
    pub fn new(status: Status) -> Self {
        let detail = status
            .metadata()
            .get_bin(REASON)
            .and_then(|v| v.to_bytes().ok())
            .and_then(|b| Refusal::decode(b).ok())
            .unwrap_or_default();
        Self { reason: detail.reason(), detail, status }
    }

    /// Whether no answer came, so that the call may have been done or not: the same bytes can be sent again.
    pub fn is_lost(&self) -> bool {
        use std::error::Error as _;
        let broken = self.status.source().is_some();
        self.reason == Reason::Unspecified
            && match self.status.code() {
                Code::Unavailable | Code::DeadlineExceeded => true,
                Code::Unknown | Code::Internal | Code::Cancelled => broken,
                _ => false,
            }
    }

    /// What kind of failure the transport says it is.
    pub fn code(&self) -> Code {
        self.status.code()
    }

    fn wait(&self) -> Duration {
        Duration::from_millis(self.detail.retry_after_ms)
    }

    /// The error for callers that have no better use for the reason. `account` is `name@server`.
    pub fn into_error(self, server: &str, account: &str) -> Error {
        let server = server.to_owned();
        let account = account.to_owned();
        match self.reason {
            Reason::WrongSecret => Error::WrongPassphrase { account },
            Reason::GuessesSpent => Error::Guesses { wait: self.wait() },
            Reason::NameTaken => {
                Error::NameTaken { name: account.split('@').next().unwrap_or_default().into(), server }
            }
            Reason::NameInvalid => Error::NameInvalid { name: account.split('@').next().unwrap_or_default().into() },
            Reason::RegistrationClosed | Reason::InviteInvalid => Error::RegistrationClosed { server },
            Reason::DeviceGone => Error::DeviceRevoked { account, at: None },
            Reason::AccountEnded => Error::AccountEnded { account },
            Reason::Suspended => Error::Suspended { server },
            Reason::Quota | Reason::StagedTooMuch => {
                Error::Quota { needed: self.detail.needed_bytes, free: self.detail.free_bytes }
            }
            Reason::NoMailbox => Error::PairingFailed,
            Reason::DevicesFull => Error::DevicesFull,
            Reason::Busy => Error::Overloaded { server, wait: self.wait() },
            Reason::ClientTooOld => Error::Version { server, detail: self.status.message().to_owned() },
            _ => self.by_code(server),
        }
    }

    fn by_code(self, server: String) -> Error {
        use std::error::Error as _;
        let status = self.status;
        match status.code() {
            Code::Unavailable => Error::Unreachable { server, cause: cause(&status) },
            // A broken connection arrives as Unknown with the transport's error inside.
            Code::Unknown | Code::Internal | Code::Cancelled if status.source().is_some() => {
                Error::Unreachable { server, cause: cause(&status) }
            }
            Code::Cancelled | Code::DeadlineExceeded => Error::Unreachable { server, cause: "timed out".into() },
            Code::ResourceExhausted => Error::Overloaded { server, wait: Duration::from_secs(1) },
            Code::Unimplemented => Error::Version { server, detail: status.message().to_owned() },
            Code::NotFound => Error::NotFound(status.message().to_owned()),
            code => {
                let id = status.metadata().get("chatkeep-request-id").and_then(|v| v.to_str().ok());
                let request_id = id.unwrap_or("none").to_owned();
                Error::Server { request_id, cause: format!("{code:?}: {}", status.message()) }
            }
        }
    }
}

fn cause(status: &Status) -> String {
    use std::error::Error as _;
    status.source().map_or_else(|| status.message().to_owned(), deepest)
}
