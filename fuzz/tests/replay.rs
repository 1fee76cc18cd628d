//! Everything that the fuzzer ever found interesting, through the same functions, without the fuzzer.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fuzz_targets::TARGETS;

const MOST_FILES: usize = 200;
const MOST_BYTES: u64 = 400 * 1024;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    files.sort();
    files
}

/// A file whose target panics is named on standard error before the panic's own words end the test.
struct Named<'a>(&'a str);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in {}", self.0);
        }
    }
}

#[test]
fn every_corpus_passes() {
    for target in TARGETS {
        let files = files(&corpus().join(target.name));
        assert!(!files.is_empty(), "no corpus for {}", target.name);
        for file in &files {
            let name = file.display().to_string();
            let _named = Named(&name);
            (target.run)(&fs::read(file).expect("a readable file"));
        }
        println!("{}: {} files", target.name, files.len());
    }
}

#[test]
fn every_seed_passes_and_the_empty_input_too() {
    for target in TARGETS {
        (target.run)(&[]);
        for (number, bytes) in (target.seeds)().iter().enumerate() {
            let name = format!("seed {number} of {}", target.name);
            let _named = Named(&name);
            (target.run)(bytes);
        }
    }
}

#[test]
fn each_target_has_its_corpus_and_the_tree_stays_small() {
    let known: BTreeSet<_> = TARGETS.iter().map(|it| it.name.to_owned()).collect();
    let name = |path: PathBuf| path.file_name().map(|it| it.to_string_lossy().into_owned());
    let there: BTreeSet<_> = files(&corpus()).into_iter().filter_map(name).collect();
    assert_eq!(there, known);
    let mut bytes = 0;
    for target in known {
        let files = files(&corpus().join(&target));
        assert!(files.len() <= MOST_FILES, "{target}: {}", files.len());
        let size = |file: &PathBuf| fs::metadata(file).expect("a readable file").len();
        bytes += files.iter().map(size).sum::<u64>();
    }
    assert!(bytes <= MOST_BYTES, "{bytes} bytes of corpora");
}
