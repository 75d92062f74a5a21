//! The liar's `Vault`: it passes calls on, lets somebody else append first, or loses an answer.

use std::pin::Pin;

use proto::v1;
use proto::v1::vault_server::Vault;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use crate::liar::Liar;

type Answer<T> = Result<Response<T>, Status>;
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn not_here<T>() -> Answer<T> {
    Err(Status::unimplemented("this proxy passes on what accounts need"))
}

#[tonic::async_trait]
impl Vault for Liar {
    async fn open(&self, request: Request<v1::OpenRequest>) -> Answer<v1::OpenResponse> {
        let asks_all = request.get_ref().known_roster == 0;
        let mut answer = self.vault.clone().open(request).await?.into_inner();
        if let Some(lie) = self.state().open_lie.as_mut().filter(|_| asks_all) {
            lie(&mut answer);
        }
        Ok(Response::new(answer))
    }

    async fn append(&self, request: Request<v1::AppendRequest>) -> Answer<v1::AppendResponse> {
        let first = {
            let mut state = self.state();
            state.appends.push(request.get_ref().clone());
            state.first.pop()
        };
        if let Some(first) = first {
            first.await;
        }
        let answer = self.vault.clone().append(request).await;
        let mut state = self.state();
        if state.lost > 0 {
            state.lost -= 1;
            return Err(Status::unavailable("the connection broke"));
        }
        answer
    }

    async fn slots(&self, request: Request<v1::SlotsRequest>) -> Answer<v1::SlotsResponse> {
        let mut answer = self.vault.clone().slots(request).await?.into_inner();
        if self.state().other_slots {
            answer.slots.reverse();
            answer.slots.iter_mut().for_each(|slot| slot.slot = vec![1; 512].into());
        }
        Ok(Response::new(answer))
    }

    async fn pull(&self, request: Request<v1::PullRequest>) -> Answer<v1::PullResponse> {
        self.vault.clone().pull(request).await
    }

    type WatchStream = Answers<v1::WatchHint>;

    async fn watch(&self, _: Request<v1::WatchRequest>) -> Answer<Self::WatchStream> {
        not_here()
    }

    async fn put_pack(&self, _: Request<Streaming<v1::PutPackRequest>>) -> Answer<v1::PutPackResponse> {
        not_here()
    }

    type GetPackStream = Answers<v1::GetPackResponse>;

    async fn get_pack(&self, request: Request<v1::GetPackRequest>) -> Answer<Self::GetPackStream> {
        let answer = self.vault.clone().get_pack(request).await?.into_inner();
        Ok(Response::new(Box::pin(answer)))
    }

    async fn staged(&self, _: Request<v1::StagedRequest>) -> Answer<v1::StagedResponse> {
        not_here()
    }
}
