use clap::Args;
use tower_callback_sim::check::{Suite, Verdict};

use crate::{Failure, target::Target};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The platform: wulai or koipy. 平台
    platform: String,
    #[command(flatten)]
    target: Target,
    /// Only the cases whose name contains this. 只运行名称包含此文字的用例
    #[arg(long)]
    only: Option<String>,
    /// Prints the results as JSON.
    #[arg(long)]
    json: bool,
}

/// Whether no case failed.
pub(crate) async fn run(options: Options) -> Result<bool, Failure> {
    let target = options.target.clone();
    let effects = move || {
        let target = target.clone();
        async move { target.effects().await }
    };
    let suite = Suite::of(&options.platform)
        .ok_or_else(|| format!("there are suites for: {}", Suite::NAMES.join(", ")))?;
    let suite = suite.patience(options.target.patience());
    let service = options.target.service()?;
    let results = suite.run(service, effects, options.only.as_deref()).await?;
    if results.is_empty() {
        return Err("no case has that in its name".into());
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&results)?);
    } else {
        for result in &results {
            let (verdict, why) = match &result.verdict {
                Verdict::Pass => ("pass", String::new()),
                Verdict::Fail(why) => ("FAIL", format!(": {why}")),
                Verdict::NotApplicable(why) => ("n/a ", format!(": {why}")),
            };
            println!("{verdict}  {}{why}\n      {}", result.case, result.matters);
        }
    }
    Ok(!results.iter().any(|result| matches!(result.verdict, Verdict::Fail(_))))
}
