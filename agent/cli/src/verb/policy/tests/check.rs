//! `sluice policy check`.

use crate::exit::Exit;
use crate::output::{Format, Output};
use crate::verb::policy::check;

const BROKEN: &str = "\
apiVersion: sluice.dev/v1alpha1
kind: Policy
environments:
  production:
    targets: {namespaces: [shop]}
    trigers: [manual]
    approvals:
      require: [{role: devops-lead}]
";

#[test]
fn every_problem_stands_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, BROKEN).unwrap();
    let (mut out, seen) = Output::captured(Format::Text);
    let exit = check(&file, &mut out).unwrap();
    assert_eq!(exit, Exit::NotDone);
    let shown = seen
        .out()
        .replace(&folder.path().display().to_string(), "DIR");
    insta::assert_snapshot!(shown);
    let (mut out, seen) = Output::captured(Format::Json);
    check(&file, &mut out).unwrap();
    let value: serde_json::Value = serde_json::from_str(&seen.out()).unwrap();
    assert_eq!(value["ok"], false);
    assert_eq!(value["problems"][2]["line"], 6);
}

#[test]
fn a_good_file_says_what_it_opens_and_a_missing_one_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    let good = "\
apiVersion: sluice.dev/v1alpha1
kind: Policy
environments:
  staging:
    targets: {namespaces: [staging]}
    triggers: [manual]
    images: {repositories: ['registry.example.com/shop/*']}
    strategy: {allow: [rolling]}
";
    std::fs::write(&file, good).unwrap();
    let (mut out, seen) = Output::captured(Format::Text);
    assert_eq!(
        check(&file, &mut out).unwrap(),
        Exit::Done,
        "{}",
        seen.out()
    );
    assert!(
        seen.out()
            .ends_with("policy.yaml: no problems; environments: staging\n")
    );
    let failure = check(&folder.path().join("none"), &mut out).unwrap_err();
    assert_eq!(failure.code, "unreadable");
}
