//! `Vault`: the log and what stands beside it. Packs are in `packs`, streams of hints in `watch`.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use proto::v1;
use proto::v1::refusal::Reason;
use proto::v1::vault_server::Vault;
use proto::wire::header::RecordKind;
use tokio_stream::Stream;
use tonic::{Code, Request, Response, Status, Streaming};

use super::accounts::{OLDEST_CLIENT, check_credentials};
use super::checked::{self, Append};
use super::hints::Grown;
use super::refusal::{of_meta, refuse};
use super::state::{State, take_try};
use super::{answers, packs, watch};
use crate::auth::token::Caller;
use crate::limits::{FRONT_PAGE_WAIT, Share};
use crate::meta::{NewRecord, Opened, SlotBytes};
use crate::objects::{ObjectName, collect};

pub struct VaultRpc(pub Arc<State>);

type Answer<T> = Result<Response<T>, Status>;
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Vault for VaultRpc {
    async fn open(&self, request: Request<v1::OpenRequest>) -> Answer<v1::OpenResponse> {
        let state = &self.0;
        let (caller, _place) = state.enter(request.metadata(), Share::Call)?;
        let asked = checked::open(request.into_inner())?;
        check_version(&asked.client_version)?;
        let opened = state.meta.open(&caller, asked.query, state.now_ms()).await.map_err(of_meta)?;
        let front_page = if asked.wants_front_page { state.front_page(&caller, &opened).await } else { Bytes::new() };
        Ok(Response::new(answers::opened(opened, front_page)))
    }

    async fn append(&self, request: Request<v1::AppendRequest>) -> Answer<v1::AppendResponse> {
        let state = &self.0;
        let (metadata, extensions, message) = request.into_parts();
        match checked::append(message)? {
            // The roster key alone admits it: a device that has just joined has no token yet.
            Append::Roster(roster, slots) => {
                take_try(&state.signed, &extensions, state.now_ms())?;
                state.append_roster(roster, slots).await.map(Response::new)
            }
            Append::Batch(records) => {
                let (caller, _place) = state.enter(&metadata, Share::Call)?;
                state.append_batch(&caller, records).await.map(Response::new)
            }
        }
    }

    async fn pull(&self, request: Request<v1::PullRequest>) -> Answer<v1::PullResponse> {
        let state = &self.0;
        let (caller, _place) = state.enter(request.metadata(), Share::Call)?;
        let query = checked::pull(request.into_inner());
        let pulled = state.meta.pull(&caller, query, state.now_ms()).await.map_err(of_meta)?;
        Ok(Response::new(answers::pulled(pulled)))
    }

    type WatchStream = Answers<v1::WatchHint>;

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Answer<Self::WatchStream> {
        let (caller, place) = self.0.enter(request.metadata(), Share::Watch)?;
        let from = checked::watch(request.into_inner());
        let hints = watch::begin(self.0.clone(), caller, from, place).await?;
        Ok(Response::new(Box::pin(hints)))
    }

    async fn put_pack(&self, request: Request<Streaming<v1::PutPackRequest>>) -> Answer<v1::PutPackResponse> {
        let (caller, _place) = self.0.enter(request.metadata(), Share::Media)?;
        packs::put(&self.0, &caller, request.into_inner()).await.map(Response::new)
    }

    type GetPackStream = Answers<v1::GetPackResponse>;

    async fn get_pack(&self, request: Request<v1::GetPackRequest>) -> Answer<Self::GetPackStream> {
        let (caller, place) = self.0.enter(request.metadata(), Share::Media)?;
        let asked = checked::get_pack(request.into_inner())?;
        let content = packs::get(&self.0, &caller, asked, place).await?;
        Ok(Response::new(Box::pin(content)))
    }

    async fn staged(&self, request: Request<v1::StagedRequest>) -> Answer<v1::StagedResponse> {
        let state = &self.0;
        let (caller, _place) = state.enter(request.metadata(), Share::Call)?;
        let staged = state.meta.staged(&caller, state.now_ms()).await.map_err(of_meta)?;
        let packs = staged.into_iter().map(|p| v1::staged_response::Pack {
            id: Bytes::copy_from_slice(&p.id.0),
            class: p.class.number().into(),
            whole: p.whole,
        });
        Ok(Response::new(v1::StagedResponse { packs: packs.collect() }))
    }

    async fn slots(&self, request: Request<v1::SlotsRequest>) -> Answer<v1::SlotsResponse> {
        let (caller, _place) = self.0.enter(request.metadata(), Share::Call)?;
        let slots = self.0.meta.slots(&caller).await.map_err(of_meta)?;
        Ok(Response::new(v1::SlotsResponse { slots: slots.into_iter().map(answers::slot).collect() }))
    }
}

impl State {
    async fn append_roster(&self, roster: NewRecord, slots: Vec<SlotBytes>) -> Result<v1::AppendResponse, Status> {
        check_credentials(self, &slots, None)?;
        let account = roster.record.header.account;
        let appended = self.meta.append_roster(roster, slots, self.now_ms()).await.map_err(of_meta)?;
        if appended.grew {
            self.hints.grew(&account, Grown { size: appended.size, access: true, ..Grown::default() });
            self.mirror_work.notify_one();
        }
        Ok(answers::appended(appended))
    }

    async fn append_batch(&self, caller: &Caller, records: Vec<NewRecord>) -> Result<v1::AppendResponse, Status> {
        // A record without a body is a sign of life: it wakes nobody, unless its device leaves.
        let leaves = records.iter().any(|r| r.record.header.is_last());
        let has_head = records.iter().any(|r| r.record.header.kind == RecordKind::Head);
        let wakes = leaves || records.iter().any(|r| !r.body.is_empty());
        let watched = self.hints.is_watched(&caller.account).then(|| records.clone());
        let appended = self.meta.append(caller, records, self.now_ms()).await.map_err(of_meta)?;
        if appended.grew {
            let entries = watched.map_or_else(Vec::new, |records| watch::entries(records, &appended.placed));
            self.hints.grew(&caller.account, Grown { size: appended.size, access: leaves, wakes, entries });
            // Those who wait for a message go before the answer to who sent it, who has it already.
            tokio::task::yield_now().await;
        }
        if appended.grew && has_head {
            self.mirror_work.notify_one();
        }
        Ok(answers::appended(appended))
    }

    /// The front page's bytes, if the store gives them soon. Nothing in `Open` depends on them.
    async fn front_page(&self, caller: &Caller, opened: &Opened) -> Bytes {
        let Some((id, class)) = opened.front_page else { return Bytes::new() };
        let name = ObjectName::pack(&caller.account, id);
        let bytes = class.bytes() as u64;
        let read = async { collect(self.objects.get(&name, None).await?, bytes).await };
        match tokio::time::timeout(FRONT_PAGE_WAIT, read).await {
            Ok(Ok(page)) if page.len() as u64 == bytes => page,
            Ok(Ok(_)) => Bytes::new(),
            Ok(Err(error)) => {
                tracing::warn!(event = "front_page_unread", %error);
                Bytes::new()
            }
            Err(_) => Bytes::new(),
        }
    }
}

fn check_version(client: &str) -> Result<(), Status> {
    let parts = |text: &str| -> Vec<u32> { text.split(['.', '-']).map_while(|p| p.parse().ok()).take(2).collect() };
    if !client.is_empty() && parts(client) < parts(OLDEST_CLIENT) {
        return Err(refuse(Code::FailedPrecondition, Reason::ClientTooOld, "needs 0.1.0 or newer"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_clients_are_told() {
        assert!(check_version("").is_ok());
        assert!(check_version("0.1.0").is_ok());
        assert!(check_version("0.10.2-rc1").is_ok());
        assert!(check_version("1.0").is_ok());
        assert!(check_version("0.0.9").is_err());
        assert!(check_version("nonsense").is_err());
    }
}
