//! The ops listener: `/livez`, `/readyz`, `/metrics`, `/version`. Plain HTTP for the operator's own network.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::env::Clock;
use crate::meta::Meta;
use crate::mirror::OLD;
use crate::objects::Objects;

/// A store that does not answer within this is not ready.
const PROBE_DEADLINE: Duration = Duration::from_secs(5);
const HEADER_DEADLINE: Duration = Duration::from_secs(5);
const CONNECTIONS_MAX: usize = 64;

/// Whether the service can do its work.
pub struct Status {
    pub meta: Arc<dyn Meta>,
    pub objects: Arc<dyn Objects>,
    pub clock: Arc<dyn Clock>,
    pub draining: AtomicBool,
}

/// What readiness is made of.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Ready {
    pub database: bool,
    pub storage: bool,
    pub draining: bool,
    /// Since when the bucket is behind; nothing where that cannot be told.
    pub mirror_age_s: Option<u64>,
    /// Behind for more than an hour: a warning, not a reason to turn people away.
    pub mirror_old: bool,
}

impl Ready {
    pub fn is_ready(&self) -> bool {
        self.database && self.storage && !self.draining
    }
}

impl Status {
    pub fn new(meta: Arc<dyn Meta>, objects: Arc<dyn Objects>, clock: Arc<dyn Clock>) -> Self {
        Self { meta, objects, clock, draining: AtomicBool::new(false) }
    }

    pub async fn ready(&self) -> Ready {
        let database = tokio::time::timeout(PROBE_DEADLINE, self.meta.ready());
        let storage = tokio::time::timeout(PROBE_DEADLINE, self.objects.ready());
        let (database, storage, age) = tokio::join!(database, storage, self.mirror_age());
        Ready {
            database: matches!(database, Ok(Ok(()))),
            storage: matches!(storage, Ok(Ok(()))),
            draining: self.draining.load(Ordering::Relaxed),
            mirror_age_s: age.map(|a| a.as_secs()),
            mirror_old: age.is_some_and(|a| a > OLD),
        }
    }

    /// How long the oldest mirror work waits.
    pub async fn mirror_age(&self) -> Option<Duration> {
        let since = tokio::time::timeout(PROBE_DEADLINE, self.meta.mirror_since()).await.ok()?.ok()?;
        let waited = |at| Duration::from_millis(self.clock.now_ms().saturating_sub(at));
        Some(since.map_or(Duration::ZERO, waited))
    }
}

/// Serves for ever.
pub async fn serve(listener: TcpListener, status: Arc<Status>, metrics: Option<PrometheusHandle>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (status, metrics) = (status.clone(), metrics.clone());
        tokio::spawn(async move {
            let _place = place;
            let answering = service_fn(move |request| answer(request, status.clone(), metrics.clone()));
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_DEADLINE)
                .serve_connection(TokioIo::new(stream), answering)
                .await;
            if let Err(error) = served {
                tracing::debug!(event = "ops_connection_failed", %error);
            }
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    status: Arc<Status>,
    metrics: Option<PrometheusHandle>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Ok(plain(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET only\n"));
    }
    let verbose = request.uri().query().is_some_and(|q| q.split('&').any(|p| p == "verbose" || p == "verbose=1"));
    let response = match request.uri().path() {
        "/livez" => plain(StatusCode::OK, "text/plain", "ok\n"),
        "/readyz" => {
            let ready = status.ready().await;
            let code = if ready.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            match verbose {
                true => {
                    plain(code, "application/json", json!({"ready": ready.is_ready(), "checks": ready}).to_string())
                }
                false => plain(code, "text/plain", if ready.is_ready() { "ok\n" } else { "not ready\n" }),
            }
        }
        "/metrics" => match metrics {
            Some(handle) => plain(StatusCode::OK, "text/plain; version=0.0.4", handle.render()),
            None => plain(StatusCode::NOT_FOUND, "text/plain", "metrics are not kept\n"),
        },
        "/version" => {
            let version =
                json!({"schema": "chatkeep.version/1", "name": crate::PRODUCT, "version": env!("CARGO_PKG_VERSION")});
            plain(StatusCode::OK, "application/json", version.to_string())
        }
        _ => plain(StatusCode::NOT_FOUND, "text/plain", "not found\n"),
    };
    Ok(response)
}

fn plain(code: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = code;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}
