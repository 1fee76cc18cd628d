//! Runs checks one after the other on a stage, each with the money afterwards.

use virtual_card::AnyProfile;

use super::report::{Check, Report};
use super::stage::{Setting, Stage, balance};
use crate::say;

/// Loads of a stage add up: with more than so much on the card, a new stage is made. Fen.
const ENOUGH: i64 = 10_000;
/// Each check takes one code by SMS at most, and the bank's inbox keeps 100.
const MOST_CHECKS: usize = 80;

pub(crate) struct Bench<'s> {
    pub(crate) setting: &'s Setting,
    stage: Option<Stage>,
    /// Checks on this stage so far.
    checks: usize,
    report: Report,
    quiet: bool,
    strangers: Vec<String>,
}

impl<'s> Bench<'s> {
    pub(crate) async fn new(setting: &'s Setting, quiet: bool) -> Result<Self, String> {
        let package = &setting.anatomy.package;
        let report = Report {
            industry: package.industry().to_string(),
            version: package.version(),
            checks: Vec::new(),
        };
        // what is wrong with the bank or the package is told before any check
        let stage = Stage::new(setting, setting.card.clone()).await?;
        Ok(Self {
            setting,
            stage: Some(stage),
            checks: 0,
            report,
            quiet,
            strangers: Vec::new(),
        })
    }

    /// A check with the card that was given. The stage of the last one serves again when nothing is wrong with it.
    pub(crate) async fn check(
        &mut self,
        name: impl Into<String>,
        story: impl AsyncFnOnce(&mut Stage) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut stage = self.stage().await?;
        match self.run(name.into(), &mut stage, story).await {
            true => self.stage = Some(stage),
            false => stage.end().await,
        }
        Ok(())
    }

    async fn stage(&mut self) -> Result<Stage, String> {
        let card = &self.setting.card;
        let most = balance(card).saturating_add(ENOUGH);
        self.checks = self.checks.saturating_add(1);
        if let Some(stage) = self.stage.take() {
            if stage.card_balance() <= most && self.checks <= MOST_CHECKS {
                return Ok(stage);
            }
            stage.end().await;
        }
        self.checks = 1;
        Stage::new(self.setting, card.clone()).await
    }

    /// A check with a card of its own.
    pub(crate) async fn check_with(
        &mut self,
        name: impl Into<String>,
        card: AnyProfile,
        story: impl AsyncFnOnce(&mut Stage) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut stage = Stage::new(self.setting, card).await?;
        self.run(name.into(), &mut stage, story).await;
        stage.end().await;
        Ok(())
    }

    async fn run(
        &mut self,
        name: String,
        stage: &mut Stage,
        story: impl AsyncFnOnce(&mut Stage) -> Result<(), String>,
    ) -> bool {
        stage.begin_check();
        let outcome = match story(stage).await {
            Ok(()) => stage.is_settled().await,
            Err(why) => Err(why),
        };
        let heard = stage.all_heard();
        self.look_at(&heard);
        let check = Check {
            name,
            passed: outcome.is_ok(),
            why: outcome.err(),
            commands: heard.len(),
        };
        if !self.quiet {
            say(&check.line());
        }
        let passed = check.passed;
        self.report.checks.push(check);
        passed
    }

    /// The virtual card's own record says whether anything was sent that the package does not list.
    fn look_at(&mut self, heard: &[Vec<u8>]) {
        let kinds = self.setting.anatomy.kinds();
        let listed = |command: &Vec<u8>| command.get(..2).is_some_and(|it| kinds.contains(it));
        let strange = heard.iter().filter(|command| !listed(command));
        self.strangers.extend(strange.map(hex::encode_upper));
    }

    pub(crate) async fn end(mut self) -> Result<Report, String> {
        if let Some(stage) = self.stage.take() {
            stage.end().await;
        }
        let stranger = self.strangers.first();
        let check = Check {
            name: "the card received only commands of the package".to_owned(),
            passed: stranger.is_none(),
            why: stranger.cloned(),
            commands: 0,
        };
        if !self.quiet {
            say(&check.line());
        }
        self.report.checks.push(check);
        Ok(self.report)
    }
}
