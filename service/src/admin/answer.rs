//! Answers to operators' requests.

use std::sync::Arc;

use proto::wire::slot::AccountName;
use serde_json::{Value, json};

use super::protocol::{AdminError, Request};
use super::{check, invites};
use crate::env::{Clock, Entropy};
use crate::meta::{Meta, MetaError, Refused, User, UserChange};
use crate::objects::Objects;
use crate::ops::stamp::rfc3339;
use crate::ops::status::Status;
use crate::rpc::{Grown, Hints};

/// Users in one answer; the next page begins after the last.
const PAGE: usize = 1000;

/// What administration works on.
pub struct Admin {
    pub meta: Arc<dyn Meta>,
    pub objects: Arc<dyn Objects>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub status: Arc<Status>,
    /// Through which running streams learn that somebody is no longer admitted.
    pub hints: Arc<Hints>,
    /// What invite links begin with.
    pub public_url: String,
}

type Answer = Result<Value, AdminError>;

impl Admin {
    pub async fn answer(&self, request: Request) -> Answer {
        match request {
            Request::Health => {
                let ready = self.status.ready().await;
                Ok(json!({"schema": "chatkeep.health/1", "ready": ready.is_ready(), "checks": ready}))
            }
            Request::InviteCreate { uses, expires_ms, quota_bytes } => {
                invites::create(self, uses, expires_ms, quota_bytes).await
            }
            Request::InviteList => invites::list(self).await,
            Request::InviteRevoke { id } => invites::revoke(self, &id).await,
            Request::UserList { after } => self.user_list(after).await,
            Request::UserShow { name } => self.user_show(&name).await,
            Request::UserSuspend { name } => self.user_change("suspend", &name, UserChange::Suspend).await,
            Request::UserResume { name } => self.user_change("resume", &name, UserChange::Resume).await,
            Request::UserSetQuota { name, quota_bytes } => {
                self.user_change("set-quota", &name, UserChange::Quota(quota_bytes)).await
            }
            Request::UserDelete { name, dry_run: true } => {
                let user = self.user(&name).await?;
                Ok(json!({"schema": "chatkeep.user-delete/1", "changed": false, "dry_run": true, "user": told(&user)}))
            }
            Request::UserDelete { name, dry_run: false } => self.user_change("delete", &name, UserChange::Delete).await,
            Request::Check { sample } => check::run(self, sample).await,
        }
    }

    async fn user_list(&self, after: Option<String>) -> Answer {
        let after = after.map(|text| named(&text)).transpose()?;
        let users = self.meta.users(after.as_ref(), PAGE).await.map_err(failed)?;
        let next = (users.len() == PAGE).then(|| users.last().map(|u| u.name.as_str().to_owned())).flatten();
        let users: Vec<Value> = users.iter().map(told).collect();
        Ok(json!({"schema": "chatkeep.users/1", "users": users, "next": next}))
    }

    async fn user_show(&self, name: &str) -> Answer {
        let user = self.user(name).await?;
        let devices = self.meta.user_devices(&user.account).await.map_err(failed)?;
        let devices: Vec<Value> = devices
            .iter()
            .map(|d| {
                json!({"id": d.id.hex(), "active": d.active, "records": d.counter, "seen_size": d.seen_size,
                    "agreed_head": d.agreed, "last_append_at": moment(d.last_append_ms)})
            })
            .collect();
        Ok(json!({"schema": "chatkeep.user/1", "user": told(&user), "devices": devices}))
    }

    async fn user_change(&self, verb: &str, name: &str, change: UserChange) -> Answer {
        let before = self.user(name).await?;
        self.meta.user_change(&before.name, change).await.map_err(failed)?;
        self.hints.grew(&before.account, Grown { access: true, ..Grown::default() });
        // A deleted account may be gone by the time we look again.
        let after = self.meta.user(&before.name).await.map_err(failed)?;
        let changed = after.as_ref() != Some(&before);
        let user = told(after.as_ref().unwrap_or(&before));
        Ok(json!({"schema": format!("chatkeep.user-{verb}/1"), "changed": changed, "dry_run": false, "user": user}))
    }

    async fn user(&self, name: &str) -> Result<User, AdminError> {
        let found = self.meta.user(&named(name)?).await.map_err(failed)?;
        found.ok_or_else(|| AdminError::not_found(format!("there is no user \"{name}\"")))
    }
}

fn named(text: &str) -> Result<AccountName, AdminError> {
    AccountName::new(text).ok_or_else(|| AdminError::not_found(format!("\"{text}\" cannot be a user's name")))
}

fn told(user: &User) -> Value {
    let state = match (user.ended, user.suspended) {
        (true, _) => "deleting",
        (false, true) => "suspended",
        (false, false) => "active",
    };
    json!({
        "name": user.name.as_str(), "account": user.account.hex(), "state": state,
        "created_at": moment(user.created_ms), "last_append_at": moment(user.last_append_ms),
        "devices": user.devices, "records": user.log_size,
        "stored_bytes": user.usage.stored_bytes, "quota_bytes": user.usage.quota_bytes,
    })
}

/// A moment, or nothing for one that never came.
pub fn moment(ms: u64) -> Option<String> {
    (ms != 0).then(|| rfc3339(ms))
}

pub fn failed(error: MetaError) -> AdminError {
    match error {
        MetaError::Refused(Refused::UnknownAccount) => AdminError::not_found("there is no such user"),
        MetaError::Refused(refused) => AdminError::new("E_REFUSED", 17, refused.to_string()),
        error => AdminError::server(error.to_string()),
    }
}
