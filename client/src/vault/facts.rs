//! What a server says of itself before any secret is asked for.

use proto::v1;

use super::identity::Identity;
use crate::error::{Error, Result};
use crate::remote::{OrError, Remote};

/// Who may register at a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Registration {
    Closed,
    Invite,
    Open,
}

/// Facts about a server that need no account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerFacts {
    pub version: String,
    /// The name sign-ins are signed under.
    pub server_name: String,
    pub registration: Registration,
    pub oldest_client: String,
    pub time_ms: u64,
    /// The operator's words to everybody; may be empty.
    pub notice: String,
}

const NOTICE_CHARACTERS_MAX: usize = 1000;
const VERSION_CHARACTERS_MAX: usize = 32;

/// Asks a connected server.
pub(super) async fn facts(remote: &Remote, server: &str) -> Result<ServerFacts> {
    let answer = remote.server().await.or_error(server, server)?;
    let v1::ServerResponse { version, server_name, registration, oldest_client, time_ms, notice } = answer;
    let odd = |detail: &str| Error::Version { server: server.to_owned(), detail: detail.to_owned() };
    if server_name.is_empty() || server_name.len() > Identity::SERVER_BYTES_MAX {
        return Err(odd("it gives no name of its own"));
    }
    let registration = match registration.as_str() {
        "closed" => Registration::Closed,
        "invite" => Registration::Invite,
        "open" => Registration::Open,
        _ => return Err(odd("it has a mode of registration this client does not know")),
    };
    Ok(ServerFacts {
        version: plain(&version, VERSION_CHARACTERS_MAX),
        server_name,
        registration,
        oldest_client: plain(&oldest_client, VERSION_CHARACTERS_MAX),
        time_ms,
        notice: plain(&notice, NOTICE_CHARACTERS_MAX),
    })
}

/// A stranger's words for a person's screen: short, and without what moves a terminal's cursor.
fn plain(text: &str, characters_max: usize) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').take(characters_max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_words_cannot_steer_a_terminal() {
        assert_eq!(plain("down\nat 5 \u{1b}[2Jpm\r", 100), "down\nat 5 [2Jpm");
        assert_eq!(plain("ééé", 2), "éé");
    }
}
