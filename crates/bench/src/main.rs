//! Measures what the layers cost, compared with bare axum and with what people would use instead.
//!
//! ```sh
//! cargo run --release -p bench -- inprocess
//! cargo run --release -p bench -- http
//! cargo run --release -p bench -- peers
//! cargo run --release -p bench -- scale
//! ```

mod callgrind;
mod http;
mod inprocess;
mod load;
mod payload;
mod peers;
mod plot;
mod process;
mod report;
mod scale;
mod server;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{load::Failure, peers::Served, report::publish, server::Variant};

/// Measures what the layers cost, compared with bare axum and with what people would use instead.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    what: What,
    /// Also writes the results to this folder, as Markdown, JSON and pictures, and replaces the last ones in
    /// the page beside it that has the folder's name, such as `docs/performance.md`.
    #[arg(long, global = true, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Measures every layer around a handler that is always ready.
    Inprocess,
    /// Measures servers in processes of their own, under load over loopback.
    Http {
        /// How many requests each run sends.
        #[arg(long, default_value_t = 40_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
        requests: u64,
    },
    /// Measures what people would use instead, under the same load and in the same trouble.
    ///
    /// Installs the packages for Python and Node from their registries into the build folder.
    Peers {
        /// How many requests each run sends.
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1_000..=1_000_000))]
        requests: u64,
    },
    /// Measures how the cost of a callback grows with ids, conversations, duplicates and connections.
    Scale,
    /// Calls the service of one case, for callgrind.
    #[command(hide = true)]
    Call { case: String, size: usize, calls: u64 },
    /// Serves one variant, for the other commands.
    #[command(hide = true)]
    Serve {
        #[arg(value_enum)]
        variant: Variant,
    },
    /// Serves one of the peers in Rust, for the other commands.
    #[command(hide = true)]
    ServePeer {
        #[arg(value_enum)]
        peer: Served,
    },
}

fn main() -> Result<(), Failure> {
    let Args { what, out } = Args::parse();
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let out = out.as_deref();
    match what {
        What::Inprocess => {
            let (rows, table) = inprocess::run()?;
            publish("In process", inprocess::ABOUT, &table, &rows, out)
        }
        What::Http { requests } => {
            let (rows, table) = runtime()?.block_on(http::run(requests))?;
            publish("Over HTTP", http::ABOUT, &table, &rows, out)?;
            plot::http(&rows, out)
        }
        What::Scale => {
            let (rows, table) = runtime()?.block_on(scale::run())?;
            publish("At scale", scale::ABOUT, &table, &rows, out)?;
            plot::scale(&rows, out)
        }
        What::Peers { requests } => runtime()?.block_on(peers::run(requests, out)),
        What::Call { case, size, calls } => inprocess::call(&case, size, calls),
        What::ServePeer { peer } => Ok(runtime()?.block_on(peer.serve())?),
        What::Serve { variant } => Ok(runtime()?.block_on(variant.serve())?),
    }
}
