//! Invites: links whose token stands after the `#`, so that no server on the way ever sees it. Rows hold its hash.

use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::answer::{Admin, failed, moment};
use super::protocol::AdminError;
use crate::env::files::replace_private;
use crate::env::random;
use crate::meta::{Invite, MetaError};
use crate::rpc::{INVITE_BYTES, invite_hash};

/// Characters of an invite's hash that name it.
const ID_CHARACTERS_MIN: usize = 4;
const USES_MAX: u32 = 1_000_000;
const FIRST_INVITE_MS: u64 = 30 * 86_400_000;

type Answer = Result<Value, AdminError>;

pub async fn create(admin: &Admin, uses: u32, expires_ms: u64, quota_bytes: Option<u64>) -> Answer {
    if uses == 0 || uses > USES_MAX || expires_ms == 0 {
        return Err(AdminError::new("E_USAGE", 2, "an invite has 1 to 1,000,000 uses and some time to live"));
    }
    let (invite, link) = make(admin, uses, expires_ms, quota_bytes).await.map_err(failed)?;
    Ok(json!({"schema": "chatkeep.invite-create/1", "changed": true, "link": link, "invite": told(admin, &invite)}))
}

pub async fn list(admin: &Admin) -> Answer {
    let invites = admin.meta.invites().await.map_err(failed)?;
    let invites: Vec<Value> = invites.iter().map(|i| told(admin, i)).collect();
    Ok(json!({"schema": "chatkeep.invites/1", "invites": invites}))
}

/// Revokes the invite whose id begins so.
pub async fn revoke(admin: &Admin, id: &str) -> Answer {
    if id.len() < ID_CHARACTERS_MIN {
        return Err(AdminError::new("E_USAGE", 2, "give at least 4 characters of the invite's id"));
    }
    let invites = admin.meta.invites().await.map_err(failed)?;
    let mut matching = invites.iter().filter(|i| hex(&i.hash).starts_with(&id.to_ascii_lowercase()));
    let (found, other) = (matching.next(), matching.next());
    let Some(found) = found else { return Err(AdminError::not_found(format!("no invite's id begins with \"{id}\""))) };
    if other.is_some() {
        return Err(AdminError::new("E_AMBIGUOUS", 2, format!("\"{id}\" matches several invites")));
    }
    admin.meta.invite_revoke(found.hash).await.map_err(failed)?;
    let changed = !found.revoked;
    let after = Invite { revoked: true, ..found.clone() };
    Ok(json!({"schema": "chatkeep.invite-revoke/1", "changed": changed, "invite": told(admin, &after)}))
}

/// Writes the first invite of a service that has nobody yet; true when there is a new one in the file.
pub async fn first_invite(admin: &Admin, path: &Path) -> Result<bool, FirstInviteError> {
    let totals = admin.meta.totals().await?;
    let has_invites = !admin.meta.invites().await?.is_empty();
    if totals.accounts > 0 || has_invites && path.exists() {
        return Ok(false);
    }
    let (_, link) = make(admin, 1, FIRST_INVITE_MS, None).await?;
    let path = path.to_owned();
    let written = tokio::task::spawn_blocking(move || replace_private(&path, format!("{link}\n").as_bytes())).await;
    written.map_err(io::Error::other)??;
    Ok(true)
}

#[derive(Debug, thiserror::Error)]
pub enum FirstInviteError {
    #[error(transparent)]
    Meta(#[from] MetaError),
    #[error("the first invite cannot be written: {0}")]
    File(#[from] io::Error),
}

async fn make(
    admin: &Admin,
    uses: u32,
    expires_ms: u64,
    quota_bytes: Option<u64>,
) -> Result<(Invite, String), MetaError> {
    let token = random::<INVITE_BYTES>(admin.entropy.as_ref());
    let now_ms = admin.clock.now_ms();
    let invite = Invite {
        hash: invite_hash(&token),
        uses_left: uses,
        expires_ms: now_ms.saturating_add(expires_ms),
        quota_bytes,
        created_ms: now_ms,
        revoked: false,
    };
    admin.meta.invite_create(invite.clone()).await?;
    let link = format!("{}/#{}", admin.public_url.trim_end_matches('/'), hex(&token));
    Ok((invite, link))
}

fn told(admin: &Admin, invite: &Invite) -> Value {
    let usable = !invite.revoked && invite.uses_left > 0 && admin.clock.now_ms() < invite.expires_ms;
    json!({
        "id": hex(&invite.hash), "uses_left": invite.uses_left, "quota_bytes": invite.quota_bytes, "usable": usable,
        "created_at": moment(invite.created_ms), "expires_at": moment(invite.expires_ms), "revoked": invite.revoked,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
