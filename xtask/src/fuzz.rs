use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::build::{cargo, root, target};
use crate::process::{output, run as finish};
use crate::{Options, Outcome};

const MINUTES: u64 = 5;
/// Inputs stay short, so that the corpora in the tree stay small.
const LONGEST_INPUT: &str = "4096";
/// A single input that takes longer is a finding.
const SECONDS_FOR_ONE: &str = "10";
/// In the tree, for each target; those that cover most stay.
const MOST_KEPT: usize = 200;
const MEGABYTES: &str = "2048";

/// Coverage for libFuzzer as stable Rust can give it: LLVM's own pass, without a sanitizer's runtime.
const INSTRUMENTATION: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks --cfg fuzzing";

/// Replays the corpora, or fuzzes one target after the other.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    if options.has("--replay") {
        return replay();
    }
    let minutes = match options.value("--minutes") {
        None => MINUTES,
        // libFuzzer takes 0 for "for ever"
        Some(text) => match text.parse() {
            Ok(minutes @ 1..) => minutes,
            Ok(0) | Err(_) => return Err(format!("--minutes {text}: a number from 1")),
        },
    };
    let targets = targets(options.value("--only"))?;
    let host = host()?;
    build(&host)?;
    let mut findings = Vec::new();
    for name in &targets {
        let paths = Paths::of(name, &host);
        if options.has("--minimise") {
            paths.minimise()?;
        } else {
            findings.extend(paths.fuzz(minutes)?);
        }
    }
    if findings.is_empty() {
        return Ok(());
    }
    let list: Vec<_> = findings.iter().map(|it| it.display().to_string()).collect();
    Err(format!("findings:\n{}", list.join("\n")))
}

/// Runs every input of the corpora through its target, without libFuzzer.
pub(crate) fn replay() -> Outcome<()> {
    println!("replaying the fuzzer's corpora ...");
    finish(cargo().args(["test", "--quiet", "-p", "fuzz-targets"]))
}

fn folder() -> PathBuf {
    root().join("fuzz")
}

fn built() -> PathBuf {
    target().join("fuzz")
}

fn targets(only: Option<&str>) -> Outcome<Vec<String>> {
    let source = folder().join("targets");
    let mut all: Vec<String> = fs::read_dir(&source)
        .map_err(|e| format!("{}: {e}", source.display()))?
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    all.sort();
    match only {
        None => Ok(all),
        Some(name) if all.iter().any(|known| known == name) => Ok(vec![name.to_owned()]),
        Some(name) => Err(format!("--only {name}: one of {}", all.join(", "))),
    }
}

fn host() -> Outcome<String> {
    let said = output(Command::new("rustc").arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| "rustc does not tell its host".to_owned())
}

/// With `--target`, build scripts and macros are left without instrumentation.
fn build(host: &str) -> Outcome<()> {
    println!("building the fuzz targets ...");
    finish(
        cargo()
            .args(["build", "--quiet", "--release", "-p", "fuzz-targets"])
            .args(["--bins", "--features", "libfuzzer", "--target", host])
            .env("CARGO_TARGET_DIR", built())
            .env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only")
            .env("CARGO_PROFILE_RELEASE_STRIP", "none")
            .env("RUSTFLAGS", INSTRUMENTATION),
    )
}

/// Where a target's things are.
struct Paths {
    name: String,
    program: PathBuf,
    /// In the tree: small, replayed by every test.
    kept: PathBuf,
    /// Grows from run to run.
    grown: PathBuf,
    findings: PathBuf,
    log: PathBuf,
}

impl Paths {
    fn of(name: &str, host: &str) -> Self {
        Self {
            name: name.to_owned(),
            program: built().join(host).join("release").join(name),
            kept: folder().join("corpus").join(name),
            grown: built().join("corpus").join(name),
            findings: built().join("findings").join(name),
            log: built().join(format!("{name}.log")),
        }
    }

    fn fuzz(&self, minutes: u64) -> Outcome<Vec<PathBuf>> {
        for folder in [&self.grown, &self.findings] {
            fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        }
        let before = files(&self.findings)?;
        let mut command = Command::new(&self.program);
        command
            .arg(format!("-max_total_time={}", minutes.saturating_mul(60)))
            .arg(format!("-max_len={LONGEST_INPUT}"))
            .arg(format!("-timeout={SECONDS_FOR_ONE}"))
            .arg(format!("-rss_limit_mb={MEGABYTES}"))
            .arg(format!("-artifact_prefix={}/", self.findings.display()))
            .arg("-print_final_stats=1")
            .args(self.dictionary())
            .args([&self.grown, &self.kept]);
        let ended_well = self.logged(&mut command)?;
        let said = self.said()?;
        let mut found = files(&self.findings)?;
        found.retain(|path| !before.contains(path));
        println!(
            "{:<14} {} findings={}",
            self.name,
            Figures::of(&said),
            found.len()
        );
        if !ended_well && found.is_empty() {
            return Err(format!("{} failed: {}", self.name, self.log.display()));
        }
        Ok(found)
    }

    /// Words of the target's own language, where it has one.
    fn dictionary(&self) -> Option<String> {
        let file = folder().join("words").join(format!("{}.dict", self.name));
        file.is_file().then(|| format!("-dict={}", file.display()))
    }

    /// Replaces the corpus in the tree by the smallest one that covers as much as all that was found.
    fn minimise(&self) -> Outcome<()> {
        fs::create_dir_all(&self.grown).map_err(|e| format!("{}: {e}", self.grown.display()))?;
        let fresh = built().join("minimal").join(&self.name);
        let _ = fs::remove_dir_all(&fresh);
        fs::create_dir_all(&fresh).map_err(|e| format!("{}: {e}", fresh.display()))?;
        let mut command = Command::new(&self.program);
        command
            .args(["-set_cover_merge=1", "-use_counters=0"])
            .arg(format!("-max_len={LONGEST_INPUT}"))
            .arg(&fresh)
            .args([&self.kept, &self.grown]);
        if !self.logged(&mut command)? {
            return Err(format!("{} failed: {}", self.name, self.log.display()));
        }
        let (by_hand, old): (Vec<_>, Vec<_>) =
            files(&self.kept)?.into_iter().partition(|it| !is_hash(it));
        for path in old {
            fs::remove_file(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        }
        let mut minimal: Vec<_> = files(&fresh)?
            .into_iter()
            .filter(|it| is_hash(it))
            .collect();
        // libFuzzer writes each time what adds most to what it has written.
        minimal.sort_by_key(|path| fs::metadata(path).and_then(|it| it.modified()).ok());
        minimal.truncate(MOST_KEPT.saturating_sub(by_hand.len()));
        for path in &minimal {
            let to = self.kept.join(path.file_name().unwrap_or_default());
            fs::copy(path, &to).map_err(|e| format!("{}: {e}", to.display()))?;
        }
        println!(
            "{:<14} {} inputs in the tree",
            self.name,
            minimal.len() + by_hand.len()
        );
        Ok(())
    }

    fn logged(&self, command: &mut Command) -> Outcome<bool> {
        let file = File::create(&self.log).map_err(|e| format!("{}: {e}", self.log.display()))?;
        let status = command
            .stdout(Stdio::null())
            .stderr(file)
            .status()
            .map_err(|e| format!("{}: {e}", self.program.display()))?;
        Ok(status.success())
    }

    fn said(&self) -> Outcome<String> {
        let bytes = fs::read(&self.log).map_err(|e| format!("{}: {e}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Named by libFuzzer. Seeds and findings have other names, and stay.
fn is_hash(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect())
}

/// What libFuzzer says at its end.
#[derive(Debug, Default, Eq, PartialEq)]
struct Figures {
    runs: u64,
    per_second: u64,
    edges: u64,
    features: u64,
    corpus: String,
}

impl Figures {
    fn of(said: &str) -> Self {
        let mut figures = Self::default();
        for line in said.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let after = |name: &str| {
                let place = words.iter().position(|word| *word == name)?;
                words.get(place.saturating_add(1)).copied()
            };
            let number = |name: &str| after(name).and_then(|text| text.parse().ok());
            if let Some(runs) = number("stat::number_of_executed_units:") {
                figures.runs = runs;
            }
            if let Some(rate) = number("stat::average_exec_per_sec:") {
                figures.per_second = rate;
            }
            if let (Some(edges), Some(features)) = (number("cov:"), number("ft:")) {
                (figures.edges, figures.features) = (edges, features);
                figures.corpus = after("corp:").unwrap_or_default().to_owned();
            }
        }
        figures
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            runs,
            per_second,
            edges,
            features,
            corpus,
        } = self;
        write!(
            f,
            "runs={runs} runs/s={per_second} edges={edges} features={features} corpus={corpus}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_figures_count() {
        let said = "#2\tINITED cov: 3 ft: 4 corp: 1/1b exec/s: 0 rss: 30Mb\n\
            #900\tDONE   cov: 812 ft: 2310 corp: 97/4821b lim: 80 exec/s: 450 rss: 60Mb\n\
            stat::number_of_executed_units: 900\nstat::average_exec_per_sec:     450\n";
        let expected = Figures {
            runs: 900,
            per_second: 450,
            edges: 812,
            features: 2310,
            corpus: "97/4821b".to_owned(),
        };
        assert_eq!(Figures::of(said), expected);
        assert_eq!(Figures::of("killed"), Figures::default());
    }

    #[test]
    fn a_target_that_is_none_is_refused_and_all_have_a_corpus() {
        assert!(targets(Some("envelopes")).is_err());
        for name in targets(None).expect("the targets are in the tree") {
            assert!(folder().join("corpus").join(&name).is_dir(), "{name}");
        }
    }
}
