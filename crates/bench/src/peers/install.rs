//! Installs what the peers in Python and Node need into the build folder.

use std::{
    env::current_exe,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::load::Failure;

/// The programs that run the peers, or why one is missing.
pub(crate) struct Installed {
    pub(crate) python: Result<PathBuf, String>,
    pub(crate) node: Result<PathBuf, String>,
    /// The folder of the app for Node and its packages.
    pub(crate) node_folder: PathBuf,
}

/// The folder of the apps.
pub(crate) const APPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");

impl Installed {
    pub(crate) fn new() -> Result<Self, Failure> {
        let program = current_exe()?;
        let target = program.parent().and_then(Path::parent).ok_or("not in a build folder")?;
        let folder = target.join("peers");
        let node_folder = folder.join("node");
        fs::create_dir_all(&node_folder)?;
        let python = python(&folder.join("python"));
        let node = node(&node_folder);
        Ok(Self { python, node, node_folder })
    }
}

fn python(folder: &Path) -> Result<PathBuf, String> {
    let python = folder.join("bin/python");
    if !python.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    }
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    run(Command::new(&python).args(install).arg(format!("{APPS}/requirements.txt")))?;
    Ok(python)
}

fn node(folder: &Path) -> Result<PathBuf, String> {
    for file in ["package.json", "package-lock.json", "express_app.js"] {
        fs::copy(format!("{APPS}/{file}"), folder.join(file)).map_err(|why| why.to_string())?;
    }
    let install = ["ci", "--silent", "--no-audit", "--no-fund"];
    run(Command::new("npm").args(install).current_dir(folder))?;
    run(Command::new("node").arg("--version"))?;
    Ok("node".into())
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.stdout(Stdio::null()).status();
    let status = status.map_err(|why| format!("{program} cannot be run: {why}"))?;
    if status.success() { Ok(()) } else { Err(format!("{program} ended with {status}")) }
}
