//! What the libraries trace goes where the run's events go; before there is a job, warnings go to stderr.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level as TraceLevel, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::events::{EventLog, Level};
use crate::output;

/// Where traced events go at the moment.
#[derive(Clone, Debug, Default)]
pub struct Route {
    log: Arc<Mutex<Option<EventLog>>>,
}

impl Route {
    /// Takes over the process's tracing. The first caller wins, which is all that one process needs.
    pub fn install() -> Self {
        let route = Self::default();
        let subscriber = tracing_subscriber::registry().with(route.clone());
        // Fails only when there is a subscriber already: then traces go there.
        let _ = tracing::subscriber::set_global_default(subscriber);
        route
    }

    /// Sends everything to `log` from now on; `None` back to stderr.
    pub fn to(&self, log: Option<EventLog>) {
        *self.log.lock().unwrap_or_else(PoisonError::into_inner) = log;
    }
}

impl<S: Subscriber> Layer<S> for Route {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let metadata = event.metadata();
        // Other crates' debug chatter is not this program's log.
        let ours = metadata.target().starts_with("narrat");
        let level = match *metadata.level() {
            TraceLevel::ERROR => Level::Error,
            TraceLevel::WARN => Level::Warn,
            TraceLevel::INFO if ours => Level::Info,
            TraceLevel::DEBUG if ours => Level::Debug,
            _ => return,
        };
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = fields.open_worker_line().unwrap_or(level);
        let name = fields.take_name().unwrap_or_else(|| metadata.target().replace("::", "_"));
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        match &*log {
            Some(log) => log.emit(level, &name, &fields.0),
            None if level >= Level::Warn => output::note(format_args!("narratord: {}", fields.sentence())),
            None => {}
        }
    }
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn take_name(&mut self) -> Option<String> {
        self.0.shift_remove("event")?.as_str().map(str::to_string)
    }

    /// Workers log in JSON: their line is taken apart, and its level is the level of the event.
    fn open_worker_line(&mut self) -> Option<Level> {
        let line: Value = serde_json::from_str(self.0.get("message")?.as_str()?).ok()?;
        let mut line = line.as_object()?.clone();
        let level = line.shift_remove("level")?.as_str()?.to_lowercase();
        for known in ["timestamp", "target"] {
            line.shift_remove(known);
        }
        self.0.insert("message".into(), Value::Object(line));
        serde_json::from_value(level.into()).ok()
    }

    fn sentence(&self) -> String {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
        let message = self.0.get("message").map(text).unwrap_or_default();
        let rest: Vec<String> = self
            .0
            .iter()
            .filter(|(key, _)| *key != "message")
            .map(|(key, value)| format!("{key}: {}", text(value)))
            .collect();
        if rest.is_empty() { message } else { format!("{message} ({})", rest.join(", ")) }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().into(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().into(), value.into());
    }
}
