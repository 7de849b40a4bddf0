//! Where callbacks go.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use clap::Args;
use http::{Request, Response, Uri, uri};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{ServiceExt, util::BoxCloneService};
use tower_callback_sim::{Body, Effect, parse};

use crate::Failure;

#[derive(Clone, Debug, Args)]
pub(crate) struct Target {
    /// The receiver, such as <http://127.0.0.1:3000>; with a path, if it is not the usual one. 接收端地址
    #[arg(long = "to", value_name = "URL")]
    pub(crate) to: Uri,
    /// Sends to a host that is not this machine. Only do so if it is yours. 允许发往其他主机
    #[arg(long)]
    i_own_this_host: bool,
    /// How long the platform waits for a reply, such as 5s; in a storm as its contract says unless
    /// given, else 30s. 超时
    #[arg(long, value_parser = humantime::parse_duration)]
    pub(crate) timeout: Option<Duration>,
    /// What the handlers did: a file with a line of JSON for each run, or the URL of one. 处理记录
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) effects: Option<String>,
}

pub(crate) type Receiver = BoxCloneService<Request<Body>, Response<hyper::body::Incoming>, Failure>;

/// The longest answer that is read from `--effects`.
const EFFECTS: usize = 1024 * 1024 * 1024;

impl Target {
    pub(crate) fn patience(&self) -> Duration {
        self.timeout.unwrap_or(Duration::from_secs(30))
    }

    /// The receiver as a service: requests name a path only.
    pub(crate) fn service(&self) -> Result<Receiver, Failure> {
        let to = self.checked(&self.to)?;
        let client: Client<HttpConnector, Body> = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(5))
            .build_http();
        let service = client.map_request(move |mut request: Request<Body>| {
            *request.uri_mut() = at(&to, request.uri());
            request
        });
        Ok(BoxCloneService::new(ServiceExt::<Request<Body>>::map_err(service, Failure::from)))
    }

    /// What the handlers did so far; `None` if nobody says.
    pub(crate) async fn effects(&self) -> Result<Option<Vec<Effect>>, Failure> {
        let Some(place) = &self.effects else { return Ok(None) };
        let lines = if place.starts_with("http://") {
            let uri = self.checked(&place.parse()?)?;
            let client: Client<HttpConnector, Full<Bytes>> =
                Client::builder(TokioExecutor::new()).build_http();
            let reply = client.get(uri).await?;
            if !reply.status().is_success() {
                return Err(format!("{place} says {}", reply.status()).into());
            }
            let body = http_body_util::Limited::new(reply.into_body(), EFFECTS);
            String::from_utf8(body.collect().await?.to_bytes().into())?
        } else {
            match std::fs::read_to_string(place) {
                Ok(lines) => lines,
                // Nothing has run yet.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
                Err(error) => return Err(format!("{place}: {error}").into()),
            }
        };
        Ok(Some(parse(&lines).map_err(|error| format!("{place}: {error}"))?))
    }

    fn checked(&self, uri: &Uri) -> Result<Uri, Failure> {
        if uri.scheme() != Some(&uri::Scheme::HTTP) {
            return Err(format!("`{uri}` is no http:// address").into());
        }
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_here =
            host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        if !is_here && !self.i_own_this_host {
            return Err(format!(
                "`{host}` is not this machine: if it is yours, say --i-own-this-host"
            )
            .into());
        }
        Ok(uri.clone())
    }
}

/// The target's own path, if it has one, or the usual one.
fn at(to: &Uri, usual: &Uri) -> Uri {
    let mut parts = to.clone().into_parts();
    if matches!(to.path(), "" | "/") {
        parts.path_and_query = usual.path_and_query().cloned();
    }
    Uri::from_parts(parts).expect("a host and a path")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(to: &'static str, is_mine: bool) -> Target {
        let to = Uri::from_static(to);
        Target { to, i_own_this_host: is_mine, timeout: None, effects: None }
    }

    #[test]
    fn only_this_machine_is_sent_to_unless_one_says_so() {
        for here in ["http://127.0.0.1:3000", "http://[::1]:3000/x", "http://localhost"] {
            assert!(target(here, false).service().is_ok(), "{here}");
        }
        for there in ["http://example.com", "http://10.0.0.1:80", "http://localhost.example.com"] {
            let refused =
                target(there, false).service().map(drop).expect_err("a refusal").to_string();
            assert!(refused.contains("--i-own-this-host"), "{refused}");
            assert!(target(there, true).service().is_ok());
        }
        assert!(target("https://127.0.0.1", true).service().is_err());
    }

    #[test]
    fn a_path_of_ones_own_is_kept() {
        let usual = Uri::from_static("/callback/message");
        let at = |to| at(&Uri::from_static(to), &usual).to_string();
        assert_eq!(at("http://localhost:1"), "http://localhost:1/callback/message");
        assert_eq!(at("http://localhost:1/hook"), "http://localhost:1/hook");
    }
}
