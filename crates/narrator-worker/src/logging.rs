//! Where log lines go: standard error, always, since standard output is data.

use std::io;

use tracing_subscriber::EnvFilter;

/// Environment variable with the filter, such as `debug` or `narrator_torch=trace`.
const ENV_LOG: &str = "NARRATOR_LOG";

/// One JSON object a line, for narratord, which files them under the worker's slot.
pub fn as_json() {
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter("info"))
        .with_writer(io::stderr);
    // Fails only when there is a subscriber already, which then is the better one.
    let _ = subscriber.try_init();
}

/// Short lines for a person at a terminal.
pub fn for_people() {
    let subscriber = tracing_subscriber::fmt()
        .compact()
        .without_time()
        .with_target(false)
        .with_env_filter(filter("warn"))
        .with_writer(io::stderr);
    let _ = subscriber.try_init();
}

fn filter(default: &str) -> EnvFilter {
    EnvFilter::try_from_env(ENV_LOG).unwrap_or_else(|_| EnvFilter::new(default))
}
