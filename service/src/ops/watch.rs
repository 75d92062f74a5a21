//! Metrics: what is described, how it is kept, what is refreshed on a timer.

use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use super::process;
use super::status::Status;
use crate::env::Clock;
use crate::mirror::OLD;
use crate::sweep::Swept;

/// Bounds of everything measured in seconds: half a millisecond to a minute.
const SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 20.0, 60.0];
const REFRESH_EVERY: Duration = Duration::from_secs(15);

/// Begins keeping metrics in this process; at most once.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?;
    let handle = builder.install_recorder()?;
    metrics::gauge!("chatkeepd_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

/// Refreshes for ever what is read rather than counted.
pub async fn refresh(status: Arc<Status>, handle: PrometheusHandle) {
    loop {
        process::measure();
        handle.run_upkeep();
        if let Ok(totals) = status.meta.totals().await {
            metrics::gauge!("chatkeepd_accounts").set(totals.accounts as f64);
            metrics::gauge!("chatkeepd_devices").set(totals.devices as f64);
            metrics::gauge!("chatkeepd_stored_objects").set(totals.packs as f64);
            metrics::gauge!("chatkeepd_stored_bytes").set(totals.stored_bytes as f64);
        }
        if let Some(age) = status.mirror_age().await {
            metrics::gauge!("chatkeepd_mirror_queue_age_seconds").set(age.as_secs_f64());
            if age > OLD {
                tracing::warn!(event = "mirror_queue_old", age_s = age.as_secs());
            }
        }
        tokio::time::sleep(REFRESH_EVERY).await;
    }
}

/// Counts what a sweep did.
pub fn swept(done: Swept, clock: &dyn Clock) {
    metrics::counter!("chatkeepd_gc_runs_total").increment(1);
    metrics::counter!("chatkeepd_packs_deleted_total").increment(done.packs);
    if done.failed == 0 {
        metrics::gauge!("chatkeepd_gc_last_success_timestamp_seconds").set((clock.now_ms() / 1000) as f64);
    }
    if done != Swept::default() {
        tracing::info!(event = "swept", packs = done.packs, accounts = done.accounts, failed = done.failed);
    }
}
