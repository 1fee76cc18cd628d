//! What the checks came to, for people and for programs.

use serde::Serialize;

/// One check.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) passed: bool,
    /// Why it did not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
    /// Commands that the card received in it.
    pub(crate) commands: usize,
}

/// All of them.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) industry: String,
    pub(crate) version: u32,
    pub(crate) checks: Vec<Check>,
}

#[derive(Serialize)]
struct Summed<'r> {
    #[serde(flatten)]
    report: &'r Report,
    passed: usize,
    failed: usize,
    commands: usize,
}

impl Check {
    pub(crate) fn line(&self) -> String {
        match &self.why {
            None => format!("passed  {} ({} commands)", self.name, self.commands),
            Some(why) => format!("FAILED  {}: {why}", self.name),
        }
    }
}

impl Report {
    pub(crate) fn failed(&self) -> usize {
        self.checks.iter().filter(|check| !check.passed).count()
    }

    pub(crate) fn sum(&self) -> String {
        let Summed {
            passed,
            failed,
            commands,
            ..
        } = self.summed();
        format!("{passed} checks passed, {failed} failed; the card received {commands} commands")
    }

    pub(crate) fn json(&self) -> Result<String, String> {
        serde_json::to_string_pretty(&self.summed()).map_err(|why| why.to_string())
    }

    fn summed(&self) -> Summed<'_> {
        let failed = self.failed();
        Summed {
            report: self,
            passed: self.checks.len().saturating_sub(failed),
            failed,
            commands: self.checks.iter().map(|check| check.commands).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_check_is_counted_and_told_with_its_reason() {
        let check = |name: &str, why: Option<&str>| Check {
            name: name.to_owned(),
            passed: why.is_none(),
            why: why.map(str::to_owned),
            commands: 4,
        };
        let report = Report {
            industry: "0004".to_owned(),
            version: 1,
            checks: vec![check("balance", None), check("top-up", Some("card-lost"))],
        };
        assert_eq!(report.failed(), 1);
        assert_eq!(report.checks[0].line(), "passed  balance (4 commands)");
        assert_eq!(report.checks[1].line(), "FAILED  top-up: card-lost");
        let sum = "1 checks passed, 1 failed; the card received 8 commands";
        assert_eq!(report.sum(), sum);
        let json = report.json().unwrap_or_default();
        assert!(
            json.contains("\"failed\": 1") && json.contains("\"why\": \"card-lost\""),
            "{json}"
        );
    }
}
