//! What operators ask, and how a refusal is told.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

/// A request fits a line of this length.
pub const REQUEST_BYTES_MAX: u64 = 4096;
/// The longest answer: a page of users.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
/// A check of a large store takes long; everything else does not.
const ANSWER_DEADLINE: Duration = Duration::from_secs(24 * 3600);

/// Everything an operator can ask of a running service.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    Health,
    InviteCreate {
        uses: u32,
        expires_ms: u64,
        quota_bytes: Option<u64>,
    },
    InviteList,
    InviteRevoke {
        id: String,
    },
    UserList {
        after: Option<String>,
    },
    UserShow {
        name: String,
    },
    UserSuspend {
        name: String,
    },
    UserResume {
        name: String,
    },
    UserDelete {
        name: String,
        dry_run: bool,
    },
    UserSetQuota {
        name: String,
        quota_bytes: u64,
    },
    /// Percent of the objects whose content is read.
    Check {
        sample: f64,
    },
}

/// A refusal with its code, as SURFACE's error shape has it.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{message}")]
pub struct AdminError {
    pub code: String,
    pub exit: i32,
    pub message: String,
}

impl AdminError {
    pub fn new(code: &str, exit: i32, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), exit, message: message.into() }
    }

    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new("E_NOT_FOUND", 14, what)
    }

    pub fn server(message: impl Into<String>) -> Self {
        Self::new("E_SERVER", 22, message)
    }

    fn unreachable(message: impl Into<String>) -> Self {
        Self::new("E_UNREACHABLE", 20, message)
    }

    pub fn to_json(&self) -> Value {
        let retryable = matches!(self.exit, 11 | 20 | 21 | 22);
        json!({
            "schema": "chatkeep.error/1", "code": self.code, "exit": self.exit, "message": self.message,
            "hints": [], "retryable": retryable, "retry_after_s": null, "request_id": null, "details": {},
        })
    }

    fn from_json(value: &Value) -> Option<Self> {
        (value.get("schema")?.as_str()? == "chatkeep.error/1").then_some(())?;
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let exit = value.get("exit")?.as_i64().and_then(|e| i32::try_from(e).ok())?;
        Some(Self { code: text("code")?, exit, message: text("message")? })
    }
}

/// Asks the running service.
pub async fn call(socket: &Path, request: &Request) -> Result<Value, AdminError> {
    let shown = socket.display();
    let stream = UnixStream::connect(socket).await;
    let stream = stream.map_err(|e| AdminError::unreachable(format!("no service answers at {shown}: {e}")))?;
    let (reader, mut writer) = stream.into_split();
    let broke = |e: std::io::Error| AdminError::unreachable(format!("the service at {shown} broke off: {e}"));
    let line = serde_json::to_string(request).map_err(|e| AdminError::new("E_INTERNAL", 1, e.to_string()))?;
    writer.write_all(format!("{line}\n").as_bytes()).await.map_err(broke)?;
    let mut answer = String::new();
    let mut reader = BufReader::new(reader.take(ANSWER_BYTES_MAX));
    let read = tokio::time::timeout(ANSWER_DEADLINE, reader.read_line(&mut answer)).await;
    read.map_err(|_| AdminError::unreachable("the service does not answer"))?.map_err(broke)?;
    let answer: Value = serde_json::from_str(&answer)
        .map_err(|_| AdminError::unreachable(format!("the service at {shown} broke off")))?;
    match AdminError::from_json(&answer) {
        Some(error) => Err(error),
        None => Ok(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_comes_back_as_it_was() {
        let error = AdminError::not_found("no user \"x\"");
        assert_eq!(AdminError::from_json(&error.to_json()), Some(error.clone()));
        assert_eq!(error.to_json()["retryable"], false);
        assert_eq!(AdminError::server("x").to_json()["retryable"], true);
        assert_eq!(AdminError::from_json(&json!({"schema": "chatkeep.user/1"})), None);
    }

    #[test]
    fn requests_are_read_strictly() {
        let parse = serde_json::from_str::<Request>;
        assert_eq!(parse("{\"op\":\"health\"}").unwrap(), Request::Health);
        assert!(parse("{\"op\":\"reboot\"}").is_err());
        assert!(parse("{\"op\":\"user_show\",\"name\":\"a\",\"extra\":1}").is_err());
    }
}
