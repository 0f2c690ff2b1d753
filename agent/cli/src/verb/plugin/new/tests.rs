use super::*;
use crate::output::Format;
use crate::verb::plugin::{Kind, Language};

const KINDS: [Kind; 5] = [
    Kind::SmokeTest,
    Kind::MetricProvider,
    Kind::ApprovalProvider,
    Kind::TrafficStrategy,
    Kind::Notifier,
];

fn args(name: &str, path: PathBuf) -> PluginNewArgs {
    PluginNewArgs {
        name: name.into(),
        language: Language::Rust,
        kind: Kind::SmokeTest,
        path: Some(path),
    }
}

#[test]
fn every_rust_project_is_whole() {
    for kind in KINDS {
        let files = files::of(Language::Rust, kind, "shop-smoke").unwrap();
        for needed in [
            ".gitignore",
            "Cargo.toml",
            "README.md",
            "cases/failing-target.toml",
            "plugin.toml",
            "settings.schema.json",
            "src/lib.rs",
            "vendor/sluice-case/src/lib.rs",
            "vendor/sluice-sdk/Cargo.toml",
            "vendor/sluice-sdk/examples/health.rs",
            "vendor/sluice-sdk/src/lib.rs",
            "vendor/wit/types.wit",
        ] {
            assert!(files.contains_key(needed), "{kind:?}: {needed}");
        }
        let manifest = sluice_plugins::Manifest::parse(&files["plugin.toml"], "x").unwrap();
        assert_eq!(manifest.plugin.name, "shop-smoke");
        assert_eq!(Kind::from(manifest.plugin.kind), kind);
        for (path, content) in &files {
            let text = String::from_utf8_lossy(content);
            let ours = !path.starts_with("vendor/");
            assert!(!(ours && text.contains("my-check")), "{path}");
            assert!(!(ours && text.contains("my_check")), "{path}");
            if path.ends_with(".toml") {
                toml::from_str::<toml::Table>(&text).unwrap();
            }
        }
    }
}

#[test]
fn every_project_in_another_language_is_whole() {
    for language in [Language::Javascript, Language::Python] {
        for kind in KINDS {
            let files = files::of(language, kind, "shop-smoke").unwrap();
            for needed in ["README.md", "cases/failing-target.toml", language.source()] {
                assert!(
                    files.contains_key(needed),
                    "{language:?} {kind:?}: {needed}"
                );
            }
            let sdk = files
                .keys()
                .any(|path| path.starts_with("vendor/sluice-sdk/"));
            assert!(
                sdk && files.contains_key("vendor/wit/types.wit"),
                "{language:?}"
            );
            let page = String::from_utf8_lossy(&files["README.md"]);
            assert!(
                !page.contains("cargo") && !page.contains("lib.rs"),
                "{page}"
            );
            assert!(page.contains(language.source()), "{page}");
            let manifest = sluice_plugins::Manifest::parse(&files["plugin.toml"], "x").unwrap();
            assert_eq!(Kind::from(manifest.plugin.kind), kind);
        }
    }
}

#[test]
fn the_vendored_crates_stand_alone() {
    for path in ["sdk/Cargo.toml", "sdk/case/Cargo.toml"] {
        let text = manifest::vendored(path).unwrap();
        assert!(!text.contains("workspace"), "{text}");
    }
    let sdk = manifest::vendored("sdk/Cargo.toml").unwrap();
    assert!(
        sdk.contains("sluice-case = { path = \"../sluice-case\" }"),
        "{sdk}"
    );
    assert!(sdk.contains("wit-bindgen = \""), "{sdk}");
}

#[test]
fn an_existing_folder_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (mut out, _) = Output::captured(Format::Text);
    let failure = run(&args("shop-smoke", folder.path().into()), &mut out).unwrap_err();
    assert_eq!(failure.code, "exists");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn names_are_those_of_manifests_and_of_crates() {
    for bad in [
        "", "Shop", "1st", "a_b", "a b", "a/b", "../a", "a-", "a--b", "fn", "test",
    ] {
        assert_eq!(check_name(bad).unwrap_err().exit, Exit::Usage, "{bad}");
    }
    assert!(check_name(&"a".repeat(64)).is_err());
    for good in ["a", "shop-smoke", "v2-check", "in-time"] {
        check_name(good).unwrap();
    }
}

#[test]
fn the_next_commands_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let (mut out, captured) = Output::captured(Format::Text);
    let path = folder.path().join("shop-smoke");
    run(&args("shop-smoke", path.clone()), &mut out).unwrap();
    let text = captured
        .out()
        .replace(&path.display().to_string(), "shop-smoke");
    let head = "shop-smoke: a smoke-test in Rust, ";
    assert!(text.starts_with(head), "{text}");
    assert!(
        text.contains("next:\n  cd shop-smoke\n  sluice plugin build\n  sluice plugin test\n"),
        "{text}"
    );
}
