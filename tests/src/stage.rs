//! What runs with sim workers are staged with: a short book, and models that are nothing but manifests.

use std::path::Path;

use serde_json::json;

pub const BOOK: &str = "# One\n\nThe lamp was lit before the guests arrived. Nobody had seen the silver candlestick.\n\n\
    A heavy storm came over the hills, and the river rose. The old bridge held until the morning.\n\n\
    # Two\n\nIn the morning the road was gone. They walked along the ridge to the village instead.\n";

/// Puts a model of so many megabytes into a home.
pub fn install(home: &Path, name: &str, engine: &str, megabytes: usize) {
    let dir = home.join("models").join(name);
    std::fs::create_dir_all(&dir).expect("a folder");
    std::fs::write(dir.join("weights"), vec![0; megabytes << 20]).expect("weights");
    let voices = match engine {
        "starter" => json!([{ "name": "tone", "language": "en", "description": "" }]),
        _ => json!([]),
    };
    let manifest = json!({
        "name": name,
        "engine": engine,
        "source": "here",
        "license": "MIT",
        "voices": voices,
        "files": [{ "path": "weights", "bytes": megabytes << 20, "sha256": "00" }],
        "sha256": "00",
    });
    std::fs::write(dir.join("manifest.json"), manifest.to_string()).expect("a manifest");
}
