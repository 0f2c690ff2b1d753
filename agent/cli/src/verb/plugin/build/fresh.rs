//! Whether a component is younger than all that it is made of.

use std::path::Path;
use std::time::SystemTime;

/// Folders of tools, and of what does not end up in the component.
const LEFT_OUT: [&str; 7] = [
    "__pycache__",
    "build",
    "cases",
    "node_modules",
    "target",
    "tests",
    "venv",
];
/// Files that are looked at. A project with more is built anew each time, which is never wrong.
const MOST: usize = 5_000;

/// Whether the component is there, and no file of the project is younger.
pub(super) fn is_fresh(component: &Path, project: &Path) -> bool {
    let Some(made) = age(component) else {
        return false;
    };
    let mut left = MOST;
    all_older(project, made, &mut left).unwrap_or(false)
}

fn age(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}

/// None: it cannot be told.
fn all_older(folder: &Path, made: SystemTime, left: &mut usize) -> Option<bool> {
    for entry in std::fs::read_dir(folder).ok()? {
        let path = entry.ok()?.path();
        let name = path.file_name()?.to_str()?;
        if name.starts_with('.') || LEFT_OUT.contains(&name) || name.ends_with(".wasm") {
            continue;
        }
        *left = left.checked_sub(1)?;
        let older = if path.is_dir() {
            all_older(&path, made, left)?
        } else {
            age(&path)? <= made
        };
        if !older {
            return Some(false);
        }
    }
    Some(true)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_younger_source_makes_it_stale_and_a_younger_case_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let put = |name: &str, seconds: u64| {
            std::fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            let file = std::fs::File::create(at(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
                .unwrap();
        };
        let fresh = || is_fresh(&at("x.wasm"), folder.path());
        put("src/lib.rs", 10);
        assert!(!fresh(), "there is none");
        put("x.wasm", 20);
        put("cases/a.toml", 30);
        put("target/y", 30);
        assert!(fresh());
        put("src/deep/a.rs", 21);
        assert!(!fresh());
    }
}
