//! The servers that are compared: one handler, with more and more layers around it.

use std::io;

use axum::{Json, Router, body::Bytes, extract::DefaultBodyLimit, routing::post};
use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};
use tower_callback::{
    Callback, Refusal,
    wulai::{Delivery, RouteReply, WulaiDedupLayer, WulaiLayer},
};

use crate::payload::Kind;

/// What stands around the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Variant {
    /// Nothing; the handler takes the bytes.
    Bytes,
    /// Nothing; the handler takes the message, typed, by `axum::Json`.
    Json,
    /// `WulaiDedupLayer`; the handler takes the message, typed.
    Dedup,
    /// `WulaiLayer::delivery()`; the handler takes the message, typed.
    Delivery,
    /// Nothing; the handler takes a question by `axum::Json`, and sends the suggestions back.
    JsonRoute,
    /// `WulaiLayer::route()`; the handler takes a question, and sends the suggestions back.
    Route,
}

impl Variant {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Bytes | Self::Json | Self::Dedup | Self::Delivery => Kind::Delivery,
            Self::JsonRoute | Self::Route => Kind::Route,
        }
    }

    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |name| name.get_name().to_owned())
    }

    pub(crate) fn router(self) -> Router {
        let handler = match self {
            Self::Bytes => post(async |_: Bytes| "success"),
            Self::Json => post(async |Json(_): Json<Delivery>| "success"),
            Self::Dedup => post(deliver).layer(WulaiDedupLayer::new()),
            Self::Delivery => post(deliver).layer(WulaiLayer::delivery()),
            Self::JsonRoute => post(async |Json(mut question): Json<Value>| {
                let suggestions = question["suggested_response"].take();
                Json(json!({ "is_dispatch": false, "suggested_response": suggestions }))
            }),
            Self::Route => post(answer).layer(WulaiLayer::route()),
        };
        Router::new().route(self.kind().path(), handler).layer(DefaultBodyLimit::max(1024 * 1024))
    }

    /// Serves on a free port, which is printed, until it is killed.
    pub(crate) async fn serve(self) -> io::Result<()> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        axum::serve(listener, self.router()).await
    }
}

async fn deliver(_: Delivery) -> &'static str {
    "success"
}

async fn answer(callback: Callback) -> Result<Json<RouteReply>, Refusal> {
    RouteReply::to(&callback).map(Json)
}
