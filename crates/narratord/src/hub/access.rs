//! Where the hub is and who asks.

use std::path::PathBuf;
use std::time::Duration;

use narrator_core::settings::Hub as HubSettings;
use ureq::Agent;
use ureq::config::RedirectAuthHeaders;

use crate::error::Failure;
use crate::exit::Exit;

/// Where the hub is when nothing else is said.
const ENDPOINT: &str = "https://huggingface.co";

/// A connection must stand by then.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);
/// A server that says nothing for so long has gone.
const QUIET_PATIENCE: Duration = Duration::from_secs(30);

/// How the hub is reached.
#[derive(Clone)]
pub struct Access {
    pub endpoint: String,
    pub token: Option<String>,
    /// Fruitless tries in a row after which a transfer is given up.
    pub tries: u32,
    pub agent: Agent,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the token.
        f.debug_struct("Access").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Access {
    /// From the flag, the environment (`HF_ENDPOINT`, `HF_TOKEN`), the settings, and what a login of the
    /// hub's own tools left behind, in this order.
    pub fn find(flag: Option<&str>, settings: &HubSettings) -> Result<Self, Failure> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let endpoint = flag
            .map(str::to_string)
            .or_else(|| variable("HF_ENDPOINT"))
            .or_else(|| settings.endpoint.clone())
            .unwrap_or_else(|| ENDPOINT.into());
        let endpoint = endpoint.trim_end_matches('/').to_string();
        if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
            return Err(Failure::new(Exit::BadSettings, format!("`{endpoint}` is not the address of a hub"))
                .hint("give it as https://HOST, with --endpoint, HF_ENDPOINT or hub.endpoint"));
        }
        let token = match (variable("HF_TOKEN"), &settings.token_file) {
            (Some(token), _) => Some(token),
            (None, Some(path)) => Some(read_token(path)?),
            (None, None) => hf_hub::Cache::from_env().token(),
        };
        let token = token.map(|token| token.trim().to_string()).filter(|token| !token.is_empty());
        let agent = Agent::config_builder()
            .user_agent(concat!("narratord/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .max_redirects(5)
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_PATIENCE))
            .timeout_recv_response(Some(QUIET_PATIENCE))
            .timeout_per_read(Some(QUIET_PATIENCE))
            .build()
            .new_agent();
        Ok(Self { endpoint, token, tries: settings.tries.max(1), agent })
    }

    /// The hub as hf-hub speaks to it.
    pub fn api(&self) -> Result<hf_hub::api::sync::Api, Failure> {
        hf_hub::api::sync::ApiBuilder::new()
            .with_endpoint(self.endpoint.clone())
            .with_token(self.token.clone())
            .with_progress(false)
            .build()
            .map_err(|error| Failure::new(Exit::BadSettings, "the hub cannot be asked").because(error))
    }

    /// What is wrong when the hub answers with `status`.
    pub fn refused(&self, status: u16, what: &str) -> Failure {
        let endpoint = &self.endpoint;
        let failure = |said: &str| Failure::new(Exit::Missing, format!("{endpoint} {said} ({status})"));
        let with_token = self.token.is_some();
        match status {
            401 | 403 if with_token => failure(&format!("does not give {what} to the owner of this token"))
                .hint("is the token still valid, and were the model's terms accepted? HF_TOKEN, or hub.token_file"),
            401 | 403 => failure(&format!("does not give {what} without a token")).hint(
                "make one on the hub's page for access tokens and give it as HF_TOKEN, or in the file \
                 hub.token_file; or the repository does not exist",
            ),
            404 => failure(&format!("does not have {what}")).hint("is the name right? `narratord models pull --help`"),
            _ => failure(&format!("does not give {what}")),
        }
    }
}

fn read_token(path: &PathBuf) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::io("read the token in", path, error))
}
