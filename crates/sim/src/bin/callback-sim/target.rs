//! Where callbacks go.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use clap::Args;
use http::{Request, Response, Uri, uri::Scheme};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{ServiceExt, util::BoxCloneService};
use tower_callback_sim::{Body, Effect, Platform, parse};

use crate::{
    Failure,
    paths::{KindPath, Paths},
};

#[derive(Clone, Debug, Args)]
pub(crate) struct Target {
    /// The receiver, such as <http://127.0.0.1:3000>. With one kind of callback, the URL may have a path,
    /// such as <http://127.0.0.1:3000/hook>. 接收端地址
    #[arg(long = "to", value_name = "URL")]
    pub(crate) to: Uri,
    /// The path of a kind of callback, if it is not the usual one: delivery=/cb/msg. Can be repeated.
    /// 某种回调的路径
    #[arg(long = "path", value_name = "KIND=PATH")]
    paths: Vec<KindPath>,
    /// Allows a host other than this machine. Use it only if the host is yours. 允许发往其他主机
    #[arg(long)]
    i_own_this_host: bool,
    /// What the handlers did: a file with a line of JSON for each run, or its URL. 处理记录
    #[arg(long, value_name = "FILE|URL")]
    effects: Option<String>,
}

pub(crate) type Receiver = BoxCloneService<Request<Body>, Response<hyper::body::Incoming>, Failure>;

/// The most that is read from the URL of `--effects`.
const EFFECTS: usize = 1024 * 1024 * 1024;

impl Target {
    /// The receiver of these kinds as a service. Its requests name the usual path only.
    pub(crate) fn service(&self, kinds: &[Platform]) -> Result<Receiver, Failure> {
        let to = self.checked(&self.to)?;
        let paths = Paths::of(kinds, &to, &self.paths)?;
        let client: Client<HttpConnector, Body> = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(5))
            .build_http();
        let service = client.map_request(move |mut request: Request<Body>| {
            *request.uri_mut() = paths.at(&to, request.uri());
            request
        });
        Ok(BoxCloneService::new(ServiceExt::<Request<Body>>::map_err(service, Failure::from)))
    }

    /// What the handlers did so far; `None` without `--effects`.
    pub(crate) async fn effects(&self) -> Result<Option<Vec<Effect>>, Failure> {
        let Some(place) = &self.effects else { return Ok(None) };
        let lines = if place.starts_with("http://") {
            let uri = self.checked(&place.parse()?)?;
            let client: Client<HttpConnector, Full<Bytes>> =
                Client::builder(TokioExecutor::new()).build_http();
            let response = client.get(uri).await?;
            if !response.status().is_success() {
                return Err(format!("{place} responds with {}", response.status()).into());
            }
            let body = http_body_util::Limited::new(response.into_body(), EFFECTS);
            String::from_utf8(body.collect().await?.to_bytes().into())?
        } else {
            match std::fs::read_to_string(place) {
                Ok(lines) => lines,
                // Hardly because nothing has run: more often the app writes another file, or none.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    return Err(no_file(place).into());
                }
                Err(error) => return Err(format!("{place}: {error}").into()),
            }
        };
        Ok(Some(parse(&lines).map_err(|error| format!("{place}: {error}"))?))
    }

    fn checked(&self, uri: &Uri) -> Result<Uri, Failure> {
        if uri.scheme() != Some(&Scheme::HTTP) {
            return Err(format!("`{uri}` is not an http:// address").into());
        }
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_here =
            host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        if !is_here && !self.i_own_this_host {
            return Err(format!(
                "`{host}` is not this machine: if it is yours, add --i-own-this-host"
            )
            .into());
        }
        Ok(uri.clone())
    }
}

fn no_file(path: &str) -> String {
    format!(
        "there is no file {path}: the app under test has to write a line of JSON to it for each \
         handler run. If it creates the file only with the first line, create an empty one"
    )
}

#[cfg(test)]
mod tests {
    use tower_callback_sim::platform::wulai::delivery;

    use super::*;

    #[test]
    fn only_this_machine_is_allowed_without_the_option() {
        let service = |to, i_own_this_host| {
            let (to, paths) = (Uri::from_static(to), Vec::new());
            let target = Target { to, paths, i_own_this_host, effects: None };
            target.service(&[delivery()]).map(drop)
        };
        for here in ["http://127.0.0.1:3000", "http://[::1]:3000/x", "http://localhost"] {
            assert!(service(here, false).is_ok(), "{here}");
        }
        for there in ["http://example.com", "http://10.0.0.1:80", "http://localhost.example.com"] {
            let refused = service(there, false).expect_err("a refusal").to_string();
            assert!(refused.contains("--i-own-this-host"), "{refused}");
            assert!(service(there, true).is_ok());
        }
        assert!(service("https://127.0.0.1", true).is_err());
    }
}
