//! What the script that runs this said, and the other programs of the test.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::Failure;

#[derive(Deserialize)]
struct Tokens {
    email: String,
    personal: String,
    service: String,
}

#[derive(Deserialize)]
pub(crate) struct Given {
    pub(crate) mcp: String,
    pub(crate) mcp_everything: String,
    pub(crate) protocol: String,
    admin: String,
    control: String,
    browser: String,
    jar: String,
    tokens: Tokens,
}

impl Given {
    pub(crate) fn from_environment() -> Result<Self, Failure> {
        Ok(serde_json::from_str(&std::env::var("REAL")?)?)
    }

    pub(crate) fn basic(&self) -> String {
        let pair = format!("{}:{}", self.tokens.email, self.tokens.personal);
        format!("Basic {}", STANDARD.encode(pair))
    }

    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.tokens.service)
    }

    /// Changes what the authorization server does; what happened there since the last time.
    pub(crate) async fn control(&self, changes: &Value) -> Result<Vec<Value>, Failure> {
        let request = reqwest::Client::new().post(&self.control).json(changes);
        let answer: Value = request.send().await?.error_for_status()?.json().await?;
        Ok(answer["events"].as_array().cloned().unwrap_or_default())
    }

    pub(crate) async fn events(&self) -> Result<Vec<Value>, Failure> {
        self.control(&json!({})).await
    }

    /// What the MCP server answered since the last time.
    pub(crate) async fn log(&self) -> Result<Vec<Value>, Failure> {
        let answer = reqwest::get(format!("{}/log", self.admin)).await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    pub(crate) async fn api_tokens(&self, state: &str) -> Result<(), Failure> {
        let url = format!("{}/organizations/acme/api-tokens/{state}", self.admin);
        let answer = reqwest::Client::new().post(url).send().await?;
        answer.error_for_status()?;
        Ok(())
    }

    /// A person logs in and says yes; where the browser ended.
    pub(crate) async fn visit(&self, page: &str) -> Result<Url, Failure> {
        let query = [("url", page), ("user", "alice"), ("jar", &self.jar)];
        let visit = Url::parse_with_params(&format!("{}/visit", self.browser), query)?;
        let answer: Value = reqwest::get(visit).await?.json().await?;
        let location = answer["location"].as_str();
        Ok(location.ok_or_else(|| answer.to_string())?.parse()?)
    }

    /// Until a token of two seconds has expired.
    pub(crate) async fn expire(&self) {
        tokio::time::sleep(Duration::from_millis(2100)).await;
    }
}
