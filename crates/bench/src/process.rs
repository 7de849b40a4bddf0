//! Runs a server in a process of its own, and reads what it uses from /proc, on Linux only.

use std::{fs, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, BufReader, copy, sink},
    process::{Child, Command},
};

use crate::load::Failure;

/// A running server, which ends when this is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
}

/// What a process has used.
#[derive(Clone, Copy)]
pub(crate) struct Used {
    pub(crate) cpu_seconds: f64,
    pub(crate) resident_mib: f64,
}

impl Server {
    /// Starts a command that prints the port it listens on.
    pub(crate) async fn start(command: &mut Command) -> Result<Self, Failure> {
        let mut process = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = process.stdout.take().ok_or("no standard output")?;
        let (mut stdout, mut line) = (BufReader::new(stdout), String::new());
        stdout.read_line(&mut line).await?;
        // It may print more, and must not fail then.
        tokio::spawn(async move { copy(&mut stdout, &mut sink()).await });
        let port = line.trim().parse().map_err(|_| format!("no port: {line:?}"))?;
        Ok(Self { process, port })
    }

    pub(crate) fn used(&self) -> Result<Used, Failure> {
        let pid = self.process.id().ok_or("it has ended")?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The 14th and 15th field are the ticks. The name before them may contain anything.
        let fields = stat.rsplit_once(") ").ok_or("no such format")?.1;
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<f64>);
        let ticks: f64 = ticks.sum::<Result<f64, _>>()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no such line")?;
        let kib: f64 = line.split_whitespace().nth(1).ok_or("no size")?.parse()?;
        Ok(Used { cpu_seconds: ticks / 100.0, resident_mib: kib / 1024.0 })
    }
}
