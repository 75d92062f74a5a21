//! Admission: which calls run now, which wait, which are told to come back.
//!
//! Every class may use a part of the whole, the more the more it matters: registrations least, then media, pull and
//! watch, commits; sign-ins and restores may use all of it and so are shed last. A call waits briefly for a place, in
//! a queue of bounded length, and is then refused with a delay.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::body::Body;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::network::{Network, Peer};
use super::{CALL_DEADLINE, UPLOAD_DEADLINE};
use crate::env::{Clock, Entropy, Stopwatch, random};
use crate::ops::stamp::http_date;
use crate::rpc::refusal::busy;

/// What a call is for, from least to most important.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    Register,
    Media,
    Read,
    Commit,
    SignIn,
    /// Health and reflection: never counted, so that a full service still says that it lives.
    Probe,
}

impl Class {
    const ALL: [Self; 5] = [Self::Register, Self::Media, Self::Read, Self::Commit, Self::SignIn];

    pub fn of_path(path: &str) -> Self {
        match path {
            "/chatkeep.v1.Accounts/RegisterStart" | "/chatkeep.v1.Accounts/RegisterFinish" => Self::Register,
            "/chatkeep.v1.Vault/PutPack" | "/chatkeep.v1.Vault/GetPack" | "/chatkeep.v1.Vault/Staged" => Self::Media,
            "/chatkeep.v1.Vault/Pull" | "/chatkeep.v1.Vault/Watch" | "/chatkeep.v1.Vault/Slots" => Self::Read,
            // It is asked again and again while two people compare words.
            "/chatkeep.v1.Pairing/Exchange" => Self::Read,
            "/chatkeep.v1.Vault/Append" => Self::Commit,
            path if path.starts_with("/grpc.") => Self::Probe,
            _ => Self::SignIn,
        }
    }

    /// The part of the whole this class may use, in percent.
    fn percent(self) -> usize {
        match self {
            Self::Register => 25,
            Self::Media => 50,
            Self::Read => 75,
            Self::Commit => 90,
            Self::SignIn | Self::Probe => 100,
        }
    }

    fn part_of(self, whole: usize) -> usize {
        (whole * self.percent() / 100).max(1)
    }

    /// How long those refused are asked to stay away: the less a class matters the longer.
    fn retry_after(self) -> Duration {
        Duration::from_secs(match self {
            Self::Register => 30,
            Self::Media => 10,
            Self::Read => 5,
            Self::Commit => 2,
            Self::SignIn | Self::Probe => 1,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Media => "media",
            Self::Read => "read",
            Self::Commit => "commit",
            Self::SignIn => "sign_in",
            Self::Probe => "probe",
        }
    }
}

/// The places there are.
pub struct Admission {
    all: Arc<Semaphore>,
    classes: [Arc<Semaphore>; 5],
    waiting: AtomicUsize,
    queue: usize,
    patience: Duration,
}

/// A place, until dropped.
pub struct Place(#[allow(dead_code, reason = "held for its end")] Option<[OwnedSemaphorePermit; 2]>);

impl Admission {
    pub fn new(in_flight_max: usize, queue: usize, patience: Duration) -> Self {
        let classes = Class::ALL.map(|class| Arc::new(Semaphore::new(class.part_of(in_flight_max))));
        let all = Arc::new(Semaphore::new(in_flight_max.max(1)));
        Self { all, classes, waiting: AtomicUsize::new(0), queue, patience }
    }

    /// Gives a place, at once or after a short wait; otherwise the delay after which to come back.
    pub async fn enter(&self, class: Class) -> Result<Place, Duration> {
        let Some(own) = self.classes.get(class as usize) else { return Ok(Place(None)) };
        let both = async {
            let own = own.clone().acquire_owned().await;
            let all = self.all.clone().acquire_owned().await;
            own.and_then(|own| all.map(|all| [own, all]))
        };
        let mut both = std::pin::pin!(both);
        if let Some(place) = now(both.as_mut()) {
            return place.map(|p| Place(Some(p))).map_err(|_| class.retry_after());
        }
        // Counted by a guard: whoever hangs up while waiting leaves the queue too.
        let waiting = Waiting::join(&self.waiting);
        if waiting.before >= class.part_of(self.queue) {
            return Err(class.retry_after());
        }
        match tokio::time::timeout(self.patience, both).await {
            Ok(Ok(place)) => Ok(Place(Some(place))),
            _ => Err(class.retry_after()),
        }
    }
}

/// A place in the queue, until dropped.
struct Waiting<'a> {
    queue: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waiting<'a> {
    fn join(queue: &'a AtomicUsize) -> Self {
        let before = queue.fetch_add(1, Ordering::Relaxed);
        metrics::gauge!("chatkeepd_admission_queue_depth").increment(1);
        Self { queue, before }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.queue.fetch_sub(1, Ordering::Relaxed);
        metrics::gauge!("chatkeepd_admission_queue_depth").decrement(1);
    }
}

/// Polls once, without waking anybody later.
fn now<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(std::task::Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Puts admission, deadlines, request ids, counting and logging around every call.
#[derive(Clone)]
pub struct AdmissionLayer {
    pub admission: Arc<Admission>,
    pub entropy: Arc<dyn Entropy>,
    pub clock: Arc<dyn Clock>,
    pub label: Label,
}

/// What logs call the account of a call with these headers; nothing where the call proves none.
pub type Label = Arc<dyn Fn(&http::HeaderMap) -> Option<String> + Send + Sync>;

impl<S> Layer<S> for AdmissionLayer {
    type Service = Admitting<S>;

    fn layer(&self, inner: S) -> Admitting<S> {
        Admitting { inner, layer: self.clone() }
    }
}

#[derive(Clone)]
pub struct Admitting<S> {
    inner: S,
    layer: AdmissionLayer,
}

impl<S> Service<Request<Body>> for Admitting<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let fresh = self.inner.clone();
        // The service that was asked whether it is ready is the one to call.
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        let layer = self.layer.clone();
        Box::pin(async move {
            let clock = Stopwatch::start();
            let about = About::of(&request, &layer);
            if let Some(network) = about.network {
                request.extensions_mut().insert(network);
            }
            let running = Running::begin();
            let answer = match layer.admission.enter(about.class).await {
                Ok(place) => {
                    metrics::histogram!("chatkeepd_admission_wait_seconds").record(clock.elapsed());
                    let answer = tokio::time::timeout(deadline(about.class), inner.call(request)).await;
                    drop(place);
                    answer.unwrap_or_else(|_| Ok(Status::deadline_exceeded("the call took too long").into_http()))
                }
                Err(retry_after) => {
                    metrics::counter!("chatkeepd_rpc_shed_total", "reason" => about.class.name()).increment(1);
                    Ok(busy("the service is busy", retry_after).into_http())
                }
            };
            drop(running);
            let dated = http_date(layer.clock.now_ms());
            answer.map(|response| about.finish(response, clock.elapsed(), &dated))
        })
    }
}

/// A call that is counted as running until it ends or its caller hangs up.
struct Running;

impl Running {
    fn begin() -> Self {
        metrics::gauge!("chatkeepd_rpc_in_flight").increment(1);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        metrics::gauge!("chatkeepd_rpc_in_flight").decrement(1);
    }
}

fn deadline(class: Class) -> Duration {
    if class == Class::Media { UPLOAD_DEADLINE } else { CALL_DEADLINE }
}

/// What is known of a call without reading its message.
struct About {
    id: String,
    class: Class,
    rpc: String,
    network: Option<Network>,
    acct: String,
}

impl About {
    fn of(request: &Request<Body>, layer: &AdmissionLayer) -> Self {
        let peer = request.extensions().get::<Peer>().copied().unwrap_or_default();
        let forwarded_for = request.headers().get("x-forwarded-for").and_then(|v| v.to_str().ok());
        let class = Class::of_path(request.uri().path());
        Self {
            id: format!("{:016x}", u64::from_le_bytes(random(layer.entropy.as_ref()))),
            class,
            rpc: rpc_name(request.uri().path()),
            network: Network::of_call(&peer, forwarded_for),
            acct: (layer.label)(request.headers()).unwrap_or_default(),
        }
    }

    fn finish(self, mut response: Response<Body>, took: Duration, dated: &str) -> Response<Body> {
        // Where there is none the transport would read the machine's clock.
        if let Ok(dated) = http::HeaderValue::from_str(dated) {
            response.headers_mut().insert(http::header::DATE, dated);
        }
        // A refusal stands in the headers; what succeeds says so after its last message.
        let status = response.headers().get("grpc-status").and_then(|v| v.to_str().ok()?.parse::<i32>().ok());
        let code = Code::from(status.unwrap_or(0));
        if let Ok(id) = MetadataValue::try_from(&self.id)
            && let Ok(id) = http::HeaderValue::from_bytes(id.as_bytes())
        {
            response.headers_mut().insert("chatkeep-request-id", id);
        }
        let shown = format!("{code:?}");
        metrics::counter!("chatkeepd_rpc_requests_total", "rpc" => self.rpc.clone(), "code" => shown.clone())
            .increment(1);
        metrics::histogram!("chatkeepd_rpc_duration_seconds", "rpc" => self.rpc.clone()).record(took);
        let peer = self.network.map(|n| n.to_string()).unwrap_or_default();
        if self.class != Class::Probe {
            let duration_s = took.as_secs_f64();
            let acct = self.acct;
            tracing::info!(event = "rpc", request_id = self.id, rpc = self.rpc, code = shown, duration_s, acct, peer);
        }
        response
    }
}

/// The method's name, from a closed list: a path from outside is no label.
fn rpc_name(path: &str) -> String {
    let known = path.strip_prefix("/chatkeep.v1.").filter(|rest| KNOWN.contains(rest));
    known.unwrap_or(if path.starts_with("/grpc.") { "probe" } else { "unknown" }).to_owned()
}

const KNOWN: [&str; 17] = [
    "Accounts/Server",
    "Accounts/RegisterStart",
    "Accounts/RegisterFinish",
    "Accounts/LoginStart",
    "Accounts/LoginFinish",
    "Accounts/Challenge",
    "Accounts/Token",
    "Pairing/Open",
    "Pairing/Exchange",
    "Vault/Open",
    "Vault/Append",
    "Vault/Pull",
    "Vault/Watch",
    "Vault/PutPack",
    "Vault/GetPack",
    "Vault/Staged",
    "Vault/Slots",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_matters_less_is_shed_first() {
        let admission = Admission::new(8, 0, Duration::from_secs(3));
        let mut held = Vec::new();
        let mut fill = async |class| {
            let mut n = 0;
            while let Ok(place) = admission.enter(class).await {
                held.push(place);
                n += 1;
            }
            n
        };
        assert_eq!(fill(Class::Register).await, 2);
        assert_eq!(fill(Class::Media).await, 4);
        assert_eq!(fill(Class::Commit).await, 2);
        assert_eq!(fill(Class::SignIn).await, 0);
        held.truncate(7);
        assert!(admission.enter(Class::SignIn).await.is_ok());
        assert!(admission.enter(Class::Probe).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_queue_waits_and_a_long_one_is_refused_at_once() {
        let admission = Arc::new(Admission::new(1, 1, Duration::from_secs(3)));
        let place = admission.enter(Class::SignIn).await.ok().unwrap();
        let clock = Stopwatch::start();
        let waiter = tokio::spawn({
            let admission = admission.clone();
            async move { admission.enter(Class::SignIn).await.is_ok() }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(admission.enter(Class::SignIn).await.err(), Some(Duration::from_secs(1)));
        assert_eq!(clock.elapsed(), Duration::from_secs(1), "the refusal came at once");
        drop(place);
        assert!(waiter.await.unwrap());
        let _place = admission.enter(Class::SignIn).await.ok().unwrap();
        assert!(admission.enter(Class::SignIn).await.is_err());
        assert_eq!(clock.elapsed(), Duration::from_secs(4), "patience ended");
        assert_eq!(admission.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_hangs_up_while_waiting_leaves_the_queue() {
        let admission = Admission::new(1, 4, Duration::from_secs(3));
        let _place = admission.enter(Class::SignIn).await.ok().unwrap();
        for _ in 0..20 {
            let waited = tokio::time::timeout(Duration::from_millis(1), admission.enter(Class::SignIn)).await;
            assert!(waited.is_err(), "still waiting, not refused");
        }
        assert_eq!(admission.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn every_method_is_known_and_has_its_class() {
        let set = <prost_types::FileDescriptorSet as prost::Message>::decode(proto::v1::DESCRIPTOR).unwrap();
        let mut methods = 0;
        for service in
            set.file.iter().flat_map(|f| &f.service).filter(|s| matches!(s.name(), "Accounts" | "Pairing" | "Vault"))
        {
            for method in &service.method {
                let path = format!("/chatkeep.v1.{}/{}", service.name(), method.name());
                assert_ne!(rpc_name(&path), "unknown", "{path}");
                methods += 1;
            }
        }
        assert_eq!(methods, KNOWN.len());
        assert_eq!(Class::of_path("/chatkeep.v1.Vault/Append"), Class::Commit);
        assert_eq!(Class::of_path("/chatkeep.v1.Vault/Open"), Class::SignIn);
        assert_eq!(rpc_name("/chatkeep.v1.Vault/Append2"), "unknown");
    }
}
