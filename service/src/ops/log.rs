//! Logs: one line an event, ours alone. Names, tokens, invites, keys and object ids are never given to it.

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::stamp::rfc3339;
use crate::config::LogFormat;
use crate::env::Clock;

/// Begins logging to stderr. Other crates' lines are left out: they may hold what ours never do.
pub fn init(format: LogFormat, level: LevelFilter, clock: Arc<dyn Clock>) {
    let lines = Lines { format, clock, out: Mutex::new(std::io::stderr()) };
    let ours = Targets::new().with_target("service", level).with_target(crate::PRODUCT, level);
    // Where another subscriber is set already, it stays.
    let _ = tracing_subscriber::registry().with(lines.with_filter(ours)).try_init();
}

/// Writes each event as a line.
struct Lines<W> {
    format: LogFormat,
    clock: Arc<dyn Clock>,
    out: Mutex<W>,
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Write + Send + 'static,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let ts = rfc3339(self.clock.now_ms());
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        let line = match self.format {
            LogFormat::Json => json(ts, level, fields.0),
            LogFormat::Text => text(&ts, &level, &fields.0),
        };
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that cannot be written to must not stop the service.
        let _ = out.write_all(line.as_bytes());
    }
}

fn json(ts: String, level: String, fields: Map<String, Value>) -> String {
    let mut line = Map::new();
    line.insert("ts".to_owned(), Value::String(ts));
    line.insert("level".to_owned(), Value::String(level));
    line.extend(fields);
    format!("{}\n", Value::Object(line))
}

fn text(ts: &str, level: &str, fields: &Map<String, Value>) -> String {
    let mut line = format!("{ts} {level:<5}");
    for (name, value) in fields {
        let shown = match value {
            Value::String(text) if name == "event" => text.clone(),
            value => format!("{name}={value}"),
        };
        line.push(' ');
        line.push_str(&shown);
    }
    line.push('\n');
    line
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if !value.is_empty() {
            self.put(field, Value::String(value.to_owned()));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct At;

    impl Clock for At {
        fn now_ms(&self) -> u64 {
            1_700_000_000_123
        }
    }

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat) -> String {
        let out = Shared::default();
        let lines = Lines { format, clock: Arc::new(At), out: Mutex::new(out.clone()) };
        let subscriber = tracing_subscriber::registry().with(lines);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(event = "rpc", duration_s = 0.5, peer = "", code = "Ok\n", error = %"shown");
        });
        let bytes = out.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_is_one_line_with_the_promised_names() {
        let line = logged(LogFormat::Json);
        assert_eq!(line.matches('\n').count(), 1);
        let value: Value = serde_json::from_str(&line).unwrap();
        let expected = serde_json::json!({"ts": "2023-11-14T22:13:20.123Z", "level": "info", "event": "rpc",
            "duration_s": 0.5, "code": "Ok\n", "error": "shown"});
        assert_eq!(value, expected);
        let line = logged(LogFormat::Text);
        assert_eq!(line, "2023-11-14T22:13:20.123Z info  rpc duration_s=0.5 code=\"Ok\\n\" error=\"shown\"\n");
    }
}
