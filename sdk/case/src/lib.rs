//! A plugin's test case as a file: what it is asked, what it asks in turn, what it must answer.
//!
//! `sluice plugin test` plays cases in the agent's own host, and the SDK plays them natively within
//! `cargo test`. Both read them here, and compare here, so that they agree. The format is described
//! for people in `sdk/templates/README.md`.

pub mod answer;
mod arguments;
mod compare;
mod exchange;
mod release;
mod tell;
mod write;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

pub use arguments::{Arguments, Event, Observation, Severity, Step, Window};
pub use compare::{Difference, differences, matches_text};
pub use exchange::{Answered, Certificate, Chain, Exchange, Made, Trouble, Wanted};
pub use release::{Release, Workload};
pub use tell::told;
pub use write::{Recorded, toml_inline, toml_of};

/// Folder of the cases within a plugin's project.
pub const FOLDER: &str = "cases";
/// Largest file: a body of 1 MiB, which is all that a plugin gets to see, with its escapes.
pub const MAX_BYTES: u64 = 2 << 20;
/// Most cases of one plugin: more would make the test of it slower than a person waits.
pub const MAX_CASES: usize = 200;

/// One case.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Case {
    /// The name of its file, without `.toml`.
    #[serde(skip)]
    pub name: String,
    /// The export that is called. None: the kind's only one.
    #[serde(default)]
    pub call: Option<String>,
    /// The settings of this use of the plugin.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// Further facts.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Secrets that hold a value. None: all that the manifest asks for.
    #[serde(default)]
    pub secrets: Option<Vec<String>>,
    /// Time for the whole call. None: what the manifest says.
    #[serde(default)]
    pub remaining_ms: Option<u32>,
    /// The release: the sample one with what the case changes.
    #[serde(skip)]
    pub release: Release,
    #[serde(default, rename = "release")]
    changed: Map<String, Value>,
    /// What the export is given besides the context.
    #[serde(default)]
    pub arguments: Arguments,
    /// What the plugin asks, in this order, and what comes back.
    #[serde(default, rename = "exchange")]
    pub exchanges: Vec<Exchange>,
    /// A part of the answer.
    pub expect: Value,
}

impl Case {
    /// Reads the text of a case.
    ///
    /// # Errors
    /// Where it is no case, and why, for people.
    pub fn parse(name: &str, text: &str) -> Result<Case, String> {
        let mut case: Case =
            toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        if !case.expect.is_object() {
            return Err("expect: write a table, such as expect.outcome = \"pass\"".into());
        }
        case.name = name.to_owned();
        case.release = Release::changed(&case.changed).map_err(|why| format!("release: {why}"))?;
        for (index, exchange) in case.exchanges.iter().enumerate() {
            exchange
                .fault()
                .map_or(Ok(()), |why| Err(format!("exchange[{index}].{why}")))?;
        }
        Ok(case)
    }
}

/// All cases of a plugin's project, by name.
///
/// # Errors
/// The folder or a file cannot be read, there is none, or one is no case: which, and why.
pub fn load(project: &Path) -> Result<Vec<Case>, String> {
    let folder = project.join(FOLDER);
    let unreadable =
        |path: &Path, why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let entries = std::fs::read_dir(&folder).map_err(|e| unreadable(&folder, &e))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| unreadable(&folder, &e))?.path();
        if path.extension().is_some_and(|end| end == "toml") {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(unreadable(&folder, &"no case is there (NAME.toml)"));
    }
    if paths.len() > MAX_CASES {
        let why = format!("{} cases, at most {MAX_CASES}", paths.len());
        return Err(unreadable(&folder, &why));
    }
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

/// Reads one file.
///
/// # Errors
/// As for [`load`].
pub fn read(path: &Path) -> Result<Case, String> {
    let unreadable = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let size = std::fs::metadata(path).map_err(|e| unreadable(&e))?.len();
    if size > MAX_BYTES {
        return Err(unreadable(&format!("{size} bytes, at most {MAX_BYTES}")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| unreadable(&e))?;
    let name = path
        .file_stem()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    Case::parse(&name, &text).map_err(|why| unreadable(&why))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
        call = "poll"
        settings = { path = "/health" }
        attributes = { environment = "production" }
        secrets = []
        remaining-ms = 700
        release = { workload = { name = "cart" } }
        arguments = { ticket = "CHG-7" }
        exchange = [
          { request = { path = "/health" }, response = { status = 200, json = { a = 1 } } },
          { request = { inspect = "candidate" }, response = { error = "timeout" } },
        ]
        expect = { expired = true }
    "#;

    #[test]
    fn a_case_is_read_whole() {
        let case = Case::parse("x", WHOLE).unwrap();
        assert_eq!(case.call.as_deref(), Some("poll"));
        assert_eq!(case.secrets, Some(vec![]));
        assert_eq!(case.exchanges.len(), 2);
        assert_eq!(case.release.workload.name, "cart");
        assert_eq!(case.release.workload.namespace, "shop");
    }

    #[test]
    fn what_nobody_reads_is_refused() {
        for (from, to) in [
            ("call =", "kall ="),
            ("name = \"cart\"", "nam = \"cart\""),
            ("path = \"/health\" }, resp", "pathh = \"/health\" }, resp"),
            ("status = 200", "statuss = 200"),
            ("\"timeout\"", "\"time\""),
            ("expect = { expired = true }", "expect = true"),
            ("expect = { expired = true }", ""),
            ("json = { a = 1 }", "json = { a = 1 }, body = \"b\""),
            (
                "inspect = \"candidate\"",
                "inspect = \"candidate\", path = \"/\"",
            ),
            (
                "response = { status = 200, json = { a = 1 } }",
                "response = {}",
            ),
        ] {
            assert!(WHOLE.contains(from), "{from}");
            let text = WHOLE.replace(from, to);
            assert!(Case::parse("x", &text).is_err(), "{to}");
        }
    }

    #[test]
    fn the_cases_of_every_example_are_read() {
        let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates");
        let mut kinds = 0;
        for kind in std::fs::read_dir(templates).unwrap() {
            let kind = kind.unwrap().path();
            if kind.is_dir() {
                kinds += 1;
                let cases = load(&kind).unwrap();
                let failing = cases.iter().any(|case| case.name == "failing-target");
                assert!(cases.len() > 1 && failing, "{}", kind.display());
            }
        }
        assert_eq!(kinds, 5);
    }
}
