//! The verbs about policies as a person types them, without a cluster.

use std::path::Path;

use clap::Parser as _;
use serde_json::Value;

use crate::args::Cli;
use crate::exit::Exit;
use crate::output::Output;

mod check;

/// The workspace's folder.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().and_then(Path::parent).unwrap()
}

/// Runs a line, with file names from the workspace's folder, and answers with what it wrote.
async fn types(line: &str) -> (Exit, String, String) {
    let words = line.split_whitespace().map(|word| {
        let path = root().join(word);
        if word.contains('/') && path.exists() {
            path.display().to_string()
        } else {
            word.to_owned()
        }
    });
    let cli = Cli::try_parse_from(words).unwrap_or_else(|e| panic!("{line}: {e}"));
    let (out, seen) = Output::captured(cli.output);
    let exit = crate::run::run(cli, out).await;
    (exit, seen.out(), seen.err())
}

/// Compares with a file of the documents; `UPDATE=1` writes it.
fn documented(file: &str, text: &str) {
    let path = root().join(file);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        written, text,
        "{file} is not what the command says: UPDATE=1 cargo test -p sluice policy"
    );
}

/// What stands in docs/policy.md.
#[tokio::test]
async fn a_release_candidate_on_a_friday_evening_in_a_freeze() {
    let line = "sluice policy explain --policy docs/samples/policy.yaml --pipeline \
                docs/samples/pipeline.yaml --to production --tag v1.5.0-rc.1 --as alice --at \
                2026-12-25T18:30[Europe/Berlin]";
    let (exit, out, err) = types(line).await;
    assert_eq!((exit, err.as_str()), (Exit::NotDone, ""), "{out}");
    let typed = line
        .replace("--pipeline", "\\\n    --pipeline")
        .replace("--to ", "\\\n    --to ")
        .replace("--at ", "\\\n    --at ")
        .replace(
            "2026-12-25T18:30[Europe/Berlin]",
            "'2026-12-25T18:30[Europe/Berlin]'",
        );
    let shown = format!("$ {typed}\n{out}");
    documented("docs/samples/policy-explain.txt", &shown);
    // The guide shows the same, as a block of its own.
    let guide = std::fs::read_to_string(root().join("docs/policy.md")).unwrap();
    let fence = "```console\n$ sluice policy explain";
    let (before, rest) = guide
        .split_once(fence)
        .expect("the block in docs/policy.md");
    let (_, after) = rest.split_once("```").expect("its end");
    documented(
        "docs/policy.md",
        &format!("{before}```console\n{shown}```{after}"),
    );
}

#[tokio::test]
async fn programs_get_every_rule_and_an_exit_code() {
    let base = "sluice policy explain -o json --policy docs/samples/policy.yaml --pipeline \
                docs/samples/pipeline.yaml --at 2026-11-23T09:00:00Z";
    let (exit, out, _) = types(&format!("{base} --to production --tag v1.5.0 --as alice")).await;
    assert_eq!(exit, Exit::NotYet, "{out}");
    let value: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value["answer"], "needed");
    let lines = value["lines"].as_array().unwrap();
    let line = |rule: &str| {
        let found = lines.iter().find(|line| line["rule"] == rule);
        found.unwrap_or_else(|| panic!("{rule} in {out}")).clone()
    };
    assert_eq!(line("windows")["verdict"], "ok");
    assert_eq!(line("approvals")["verdict"], "needed");
    assert_eq!(line("quarantine")["verdict"], "unknown");
    let (exit, out, _) = types(&format!("{base} --to prod --tag v1.5.0")).await;
    assert_eq!(exit, Exit::NotDone, "{out}");
}

#[tokio::test]
async fn what_cannot_be_asked_says_what_to_write() {
    let base = "sluice policy explain --policy docs/samples/policy.yaml --to production";
    let no_file = format!("{base} --pipeline none/there.yaml");
    let no_pipeline = format!("{base} --pipeline docs/samples/policy.yaml");
    for (line, code, exit) in [
        (
            no_file.as_str(),
            "pipeline file none/there.yaml cannot be read",
            Exit::CannotTell,
        ),
        (
            no_pipeline.as_str(),
            "policy.yaml is no Pipeline",
            Exit::NotDone,
        ),
        (
            "sluice policy test docs/samples/pipeline.yaml",
            "pipeline.yaml is not right",
            Exit::NotDone,
        ),
    ] {
        let (ended, out, err) = types(line).await;
        assert_eq!(ended, exit, "{line}: {out}{err}");
        assert!(
            err.contains(code) && err.contains("change"),
            "{line}: {err}"
        );
    }
}

const OLD: &str = "\
apiVersion: sluice.dev/v1alpha1
kind: Policy
people: [{name: alice, kubernetes: alice@example.com}]
roles: {sre: {people: [alice]}}
environments:
  production:
    targets: {namespaces: [shop]}
    triggers: [manual]
    images: {repositories: ['registry.example.com/shop/*'], tags: ['v*']}
    approvals: {require: [{role: sre}], selfApproval: true}
    windows: [{allow: 'MON-FRI 09:00-17:00', timeZone: UTC}]
tests:
  - name: a release may come
    given: {environment: production, trigger: manual, image: 'registry.example.com/shop/a:v1.2.3'}
    expect: {needs: [sre]}
  - name: at night, too
    given: {environment: production, at: '2026-11-23T23:00:00Z'}
    expect: allowed
";

#[tokio::test]
async fn the_tests_of_a_policy_are_run_and_a_failure_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, OLD).unwrap();
    let (exit, out, _) = types(&format!("sluice policy test {}", file.display())).await;
    assert_eq!(exit, Exit::NotDone);
    insta::assert_snapshot!(out, @r"
    ok    a release may come
    FAIL  at night, too
          expected allowed
          found    refused: windows
          - windows: outside the windows MON-FRI 09:00-17:00 UTC; opens at 2026-11-24 09:00:00 UTC
    1 of 2 tests failed
    ");
    let line = format!("sluice policy test -o json {}", file.display());
    let value: Value = serde_json::from_str(&types(&line).await.1).unwrap();
    assert_eq!(value["ok"], false);
    assert_eq!(value["tests"][0]["passed"], true);
    let (exit, out, err) = types("sluice policy test docs/samples/policy.yaml").await;
    assert_eq!(exit, Exit::Done, "{out}{err}");
}

#[tokio::test]
async fn another_policy_is_compared_rule_by_rule() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (
        folder.path().join("old.yaml"),
        folder.path().join("new.yaml"),
    );
    std::fs::write(&old, OLD).unwrap();
    let stricter = OLD
        .replace("tags: ['v*']", "tags: ['v?.?.?']")
        .replace("MON-FRI", "MON-THU")
        .replace(
            "require: [{role: sre}]",
            "require: [{role: sre}], waitTimer: 10m",
        );
    std::fs::write(&new, stricter).unwrap();
    let line = format!(
        "sluice policy diff {} {} --at 2026-11-23T10:00:00Z",
        old.display(),
        new.display()
    );
    let (exit, out, _) = types(&line).await;
    assert_eq!(exit, Exit::NotDone);
    insta::assert_snapshot!(out, @r"
    any pipeline to production (namespace shop)
      manual v1.2.3-rc.1: not yet → no
      approvals
        + it begins 10m after the last vote
      images  (manual v1.2.3-rc.1)
        - ok: registry.example.com/shop/any:v1.2.3-rc.1 may come
        + no: the tag v1.2.3-rc.1 fits none of v?.?.?
      images  (manual latest)
        - no: the tag latest fits none of v*
        + no: the tag latest fits none of v?.?.?
      windows
        - open at 2026-11-27 09:00:00 UTC: inside the window MON-FRI 09:00-17:00 UTC
        - open at 2026-12-04 09:00:00 UTC: inside the window MON-FRI 09:00-17:00 UTC
        - open at 2026-12-11 09:00:00 UTC: inside the window MON-FRI 09:00-17:00 UTC
        + closed at 2026-11-27 09:00:00 UTC: outside the windows MON-THU 09:00-17:00 UTC
        + closed at 2026-12-04 09:00:00 UTC: outside the windows MON-THU 09:00-17:00 UTC
        + closed at 2026-12-11 09:00:00 UTC: outside the windows MON-THU 09:00-17:00 UTC
    ");
    let same = format!("sluice policy diff {} {}", old.display(), old.display());
    assert_eq!(
        types(&same).await,
        (Exit::Done, "no answer changes\n".into(), String::new())
    );
    let pipelines = format!("{line} --pipelines docs/samples/pipeline.yaml -o json");
    let value: Value = serde_json::from_str(&types(&pipelines).await.1).unwrap();
    assert_eq!(value["changes"][0]["pipeline"], "storefront");
}
