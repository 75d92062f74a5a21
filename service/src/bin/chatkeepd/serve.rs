//! `chatkeepd serve`: puts everything together, and takes it apart again without losing an answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use service::admin::{self, Admin, first_invite};
use service::config::{Config, TlsMode};
use service::env::{Clock, Entropy, SystemClock, SystemEntropy};
use service::mirror::Mirror;
use service::ops::status::Status;
use service::ops::tls::Certificate;
use service::ops::{listen, log, status, watch};
use service::rpc::{Registration, Service};
use service::sweep::Sweep;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tracing_subscriber::filter::LevelFilter;

use super::output::Failure;
use super::stores;

/// Whatever the grace is, the mirror gets this long to finish.
const MIRROR_GRACE_MIN: Duration = Duration::from_secs(5);

pub async fn run(config: Config) -> Result<(), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let level = config.log.level.parse::<LevelFilter>();
    let level =
        level.map_err(|_| Failure::new("E_CONFIG", 2, "log.level: expected error, warn, info, debug or off"))?;
    log::init(config.log.format, level, clock.clone());
    let metrics = watch::install().map_err(|e| Failure::internal(e.to_string()))?;
    let signals = Signals::new()?;

    service::env::files::make_private_dir(&config.data_dir)
        .map_err(|e| Failure::new("E_IO", 32, format!("{}: {e}", config.data_dir.display())))?;
    let secrets = stores::secrets(&config).await?;
    let meta = stores::meta(&config).await?;
    let objects = stores::objects(&config).await?;
    let (protection, certificate) = protection(&config)?;

    let service =
        Service::new(meta.clone(), objects.clone(), secrets, clock.clone(), entropy.clone(), config.settings());
    let status = Arc::new(Status::new(meta.clone(), objects.clone(), clock.clone()));
    let listener = bind(&config.listen).await?;
    let address = listener.local_addr().map_err(|e| Failure::internal(e.to_string()))?;
    let public_url = config.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    let administration = Arc::new(Admin {
        meta: meta.clone(),
        objects: objects.clone(),
        clock: clock.clone(),
        entropy,
        status: status.clone(),
        hints: service.hints(),
        public_url,
    });

    let mut background = Vec::new();
    if let Some(address) = config.ops_address() {
        let ops = bind(&address).await?;
        let at = ops.local_addr().map(|a| a.to_string()).unwrap_or_default();
        tracing::info!(event = "ops_listening", address = at);
        background.push(tokio::spawn(status::serve(ops, status.clone(), Some(metrics.clone()))));
    }
    background.push(tokio::spawn(watch::refresh(status.clone(), metrics)));
    background.extend(certificate.map(|c| tokio::spawn(c.follow())));
    let socket = config.admin_socket();
    let admin_listener =
        admin::bind(&socket).await.map_err(|e| Failure::new("E_IO", 32, format!("{}: {e}", socket.display())))?;
    background.push(tokio::spawn(admin::serve(admin_listener, administration.clone())));
    let sweeper = Sweep { meta: meta.clone(), objects: objects.clone(), clock: clock.clone() };
    background.push(tokio::spawn({
        let clock = clock.clone();
        async move { sweeper.run(std::future::pending(), |done| watch::swept(done, clock.as_ref())).await }
    }));
    let (stop_mirror, mirror_stopped) = tokio::sync::oneshot::channel::<()>();
    let mirror = Mirror { meta, objects, clock, work: service.mirror_work() };
    let mirroring = tokio::spawn(async move { mirror.run(async { drop(mirror_stopped.await) }).await });

    if config.registration.mode == Registration::Invite {
        greet(&administration, &config).await?;
    }
    tracing::info!(event = "listening", address = %address, version = env!("CARGO_PKG_VERSION"));
    let grace = config.shutdown_grace();
    serve_until_told(&service, listener, protection, signals, &status, grace).await?;

    background.iter().for_each(JoinHandle::abort);
    let _ = std::fs::remove_file(&socket);
    let _ = stop_mirror.send(());
    if tokio::time::timeout(grace.max(MIRROR_GRACE_MIN), mirroring).await.is_err() {
        tracing::warn!(event = "mirror_not_drained");
    }
    tracing::info!(event = "stopped");
    Ok(())
}

/// Serves until a signal; then running calls have the grace to end. A second signal ends it at once.
async fn serve_until_told(
    service: &Service,
    listener: TcpListener,
    protection: listen::Protection,
    mut signals: Signals,
    status: &Status,
    grace: Duration,
) -> Result<(), Failure> {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let incoming = listen::incoming(listener, protection);
    let serving = service.serve(incoming, async { drop(stopped.await) });
    tokio::pin!(serving);
    let failed = |e: tonic::transport::Error| Failure::internal(e.to_string());
    tokio::select! {
        served = &mut serving => return served.map_err(failed),
        () = signals.next() => {}
    }
    tracing::info!(event = "stopping");
    status.draining.store(true, Ordering::Relaxed);
    let _ = stop.send(());
    tokio::select! {
        served = &mut serving => served.map_err(failed),
        () = tokio::time::sleep(grace) => {
            tracing::warn!(event = "calls_cut_off");
            Ok(())
        }
        () = signals.next() => Ok(()),
    }
}

async fn bind(address: &std::net::SocketAddr) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|e| Failure::new("E_CONFIG", 2, format!("cannot listen at {address}: {e}")))
}

fn protection(config: &Config) -> Result<(listen::Protection, Option<Arc<Certificate>>), Failure> {
    let failed = |e: service::ops::tls::TlsError| Failure::new("E_CONFIG", 2, e.to_string());
    match (config.tls_mode(), &config.tls.cert, &config.tls.key) {
        (TlsMode::Off, ..) => Ok((listen::Protection::Plain, None)),
        (TlsMode::Proxy, ..) => Ok((listen::Protection::Proxy(config.tls.trusted_proxies.clone()), None)),
        (TlsMode::Files, Some(cert), Some(key)) => {
            let certificate = Certificate::load(cert, key).map_err(failed)?;
            let server = certificate.server_config().map_err(failed)?;
            Ok((listen::Protection::Tls(server), Some(certificate)))
        }
        (TlsMode::Files, ..) => Err(Failure::new("E_CONFIG", 2, "tls.mode: files needs both cert and key")),
    }
}

/// Leaves the operator the first invite. Its place is logged, never the invite.
async fn greet(admin: &Admin, config: &Config) -> Result<(), Failure> {
    let path = config.data_dir.join("first-invite");
    let made = first_invite(admin, &path).await;
    if made.map_err(|e| Failure::new("E_IO", 32, e.to_string()))? {
        tracing::info!(event = "first_invite", path = %path.display());
    }
    Ok(())
}

/// The signals that end the service.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let on = |kind| signal(kind).map_err(|e| Failure::internal(e.to_string()));
        Ok(Self { interrupt: on(SignalKind::interrupt())?, terminate: on(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
