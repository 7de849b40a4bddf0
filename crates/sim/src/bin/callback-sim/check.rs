use std::time::Duration;

use clap::Args;
use tower_callback_sim::check::{CaseResult, Suite, Verdict};

use crate::{Failure, kinds, target::Target};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The platform: wulai or koipy. 平台
    platform: String,
    #[command(flatten)]
    target: Target,
    /// How long a response may take before its case has failed, with a unit: 8s, 1500ms. 等待响应的时间
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Only the cases whose name contains this. 只运行名称包含此文字的用例
    #[arg(long)]
    only: Option<String>,
    /// Prints the results as JSON.
    #[arg(long)]
    json: bool,
}

/// Whether no case failed.
pub(crate) async fn run(options: Options) -> Result<bool, Failure> {
    let suite = Suite::of(&options.platform)
        .ok_or_else(|| format!("there are suites for: {}", Suite::NAMES.join(", ")))?;
    let suite = suite.response_timeout(options.timeout);
    let target = &options.target;
    let service = target.service(&kinds(&options.platform))?;
    // Fails before anything is sent, if they cannot be read.
    target.effects().await?;
    let results = suite.run(service, || target.effects(), options.only.as_deref()).await?;
    if results.is_empty() {
        return Err("no case has this in its name".into());
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&results)?);
    } else {
        print(&results);
    }
    Ok(!results.iter().any(|result| matches!(result.verdict, Verdict::Fail(_))))
}

fn print(results: &[CaseResult]) {
    let (mut passed, mut failed, mut not_applicable) = (0, 0, 0);
    for result in results {
        let (verdict, why, count) = match &result.verdict {
            Verdict::Pass => ("pass", String::new(), &mut passed),
            Verdict::Fail(why) => ("FAIL", format!(": {why}"), &mut failed),
            Verdict::NotApplicable(why) => ("n/a ", format!(": {why}"), &mut not_applicable),
        };
        *count += 1;
        println!("{verdict}  {}{why}\n      {}", result.case, result.matters);
    }
    println!("{passed} passed, {failed} failed, {not_applicable} not applicable");
}
