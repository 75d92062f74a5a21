//! Database against storage: does every pack that has a row have its bytes, and every object its row?

use proto::wire::ids::{AccountId, PackId};
use serde_json::{Value, json};

use super::answer::{Admin, failed};
use super::protocol::AdminError;
use crate::env::random;
use crate::meta::PackFacts;
use crate::objects::{ObjectError, ObjectName, collect};

const PAGE: usize = 1000;
/// Problems named one by one; all are counted.
const NAMED_MAX: usize = 1000;

#[derive(Default)]
struct Found {
    objects: u64,
    read_bytes: u64,
    unfinished: u64,
    unknown_objects: u64,
    problems: u64,
    named: Vec<Value>,
}

impl Found {
    fn problem(&mut self, kind: &str, name: &ObjectName) {
        self.problems += 1;
        if self.named.len() < NAMED_MAX {
            let named = json!({"kind": kind, "object": name.key(), "snapshots": [], "messages_affected": null, "repairable": false});
            self.named.push(named);
        }
    }
}

/// Walks all packs. `sample` percent of them are also read to their end.
pub async fn run(admin: &Admin, sample: f64) -> Result<Value, AdminError> {
    if !(0.0..=100.0).contains(&sample) {
        return Err(AdminError::new("E_USAGE", 2, "a sample is 0 to 100 percent"));
    }
    let mut found = Found::default();
    let mut after = None;
    loop {
        let page = admin.meta.packs_after(after, PAGE).await.map_err(failed)?;
        for pack in &page {
            let before = after.replace((pack.account, pack.id));
            look(admin, before, pack, sample, &mut found).await?;
        }
        if page.len() < PAGE {
            break;
        }
    }
    unknown(admin, &mut found).await?;
    Ok(json!({
        "schema": "chatkeep.check/1", "level": if sample > 0.0 { "sample" } else { "structure" },
        "ok": found.problems == 0, "objects": found.objects, "read_bytes": found.read_bytes,
        "unfinished_uploads": found.unfinished, "unknown_objects": found.unknown_objects,
        "problem_count": found.problems, "problems": found.named,
    }))
}

type Place = (AccountId, PackId);

async fn look(
    admin: &Admin,
    before: Option<Place>,
    pack: &PackFacts,
    sample: f64,
    found: &mut Found,
) -> Result<(), AdminError> {
    if !pack.whole {
        found.unfinished += 1;
        return Ok(());
    }
    found.objects += 1;
    let name = ObjectName::pack(&pack.account, pack.id);
    let bytes = pack.class.bytes() as u64;
    let problem = match admin.objects.length(&name).await {
        Ok(length) if length != bytes => Some("wrong_length"),
        Ok(_) if is_sampled(admin, sample) => read(admin, &name, bytes, found).await?,
        Ok(_) => None,
        Err(ObjectError::NotFound) => Some("missing"),
        Err(error) => return Err(AdminError::server(error.to_string())),
    };
    let Some(kind) = problem else { return Ok(()) };
    // The sweep may have taken it since the page was read.
    let again = admin.meta.packs_after(before, 1).await.map_err(failed)?;
    if again.first() == Some(pack) {
        found.problem(kind, &name);
    }
    Ok(())
}

fn is_sampled(admin: &Admin, sample: f64) -> bool {
    let drawn = u32::from_le_bytes(random(admin.entropy.as_ref()));
    f64::from(drawn) / (f64::from(u32::MAX) + 1.0) < sample / 100.0
}

/// Reads an object to its end. What is in it only devices can judge.
async fn read(
    admin: &Admin,
    name: &ObjectName,
    bytes: u64,
    found: &mut Found,
) -> Result<Option<&'static str>, AdminError> {
    let content = match admin.objects.get(name, None).await {
        Ok(content) => collect(content, bytes).await,
        Err(error) => Err(error),
    };
    match content {
        Ok(content) => {
            found.read_bytes += content.len() as u64;
            Ok((content.len() as u64 != bytes).then_some("wrong_length"))
        }
        Err(ObjectError::NotFound) => Ok(Some("missing")),
        Err(ObjectError::WrongLength) => Ok(Some("wrong_length")),
        Err(_) => Ok(Some("unreadable")),
    }
}

/// Counts objects in accounts' folders that no row names. They harm nobody: left by an upload that was cut off.
async fn unknown(admin: &Admin, found: &mut Found) -> Result<(), AdminError> {
    let mut after = None;
    loop {
        let users = admin.meta.users(after.as_ref(), PAGE).await.map_err(failed)?;
        for user in &users {
            unknown_of(admin, &user.account, found).await?;
        }
        after = users.last().map(|u| u.name.clone());
        if users.len() < PAGE {
            return Ok(());
        }
    }
}

async fn unknown_of(admin: &Admin, account: &AccountId, found: &mut Found) -> Result<(), AdminError> {
    let mut after = None;
    loop {
        let listed = admin.objects.list(&account.address(), after.as_ref(), PAGE).await;
        let listed = listed.map_err(|e| AdminError::server(e.to_string()))?;
        for object in &listed {
            // Mirrored objects have names of other forms.
            let Some(id) = PackId::from_hex(object.name.leaf()) else { continue };
            if !has_row(admin, account, id).await? {
                found.unknown_objects += 1;
            }
        }
        after = listed.last().map(|o| o.name.clone());
        if listed.len() < PAGE {
            return Ok(());
        }
    }
}

async fn has_row(admin: &Admin, account: &AccountId, id: PackId) -> Result<bool, AdminError> {
    let before = predecessor(account, id);
    let next = admin.meta.packs_after(before, 1).await.map_err(failed)?;
    Ok(next.first().is_some_and(|p| p.account == *account && p.id == id))
}

/// The place just before a pack's, in the order of accounts and packs.
fn predecessor(account: &AccountId, id: PackId) -> Option<Place> {
    let id = u128::from_be_bytes(id.0);
    if id > 0 {
        return Some((*account, PackId((id - 1).to_be_bytes())));
    }
    let mut bytes = account.0;
    for byte in bytes.iter_mut().rev() {
        let (less, borrowed) = byte.overflowing_sub(1);
        *byte = less;
        if !borrowed {
            return Some((AccountId(bytes), PackId([0xff; 16])));
        }
    }
    None
}
