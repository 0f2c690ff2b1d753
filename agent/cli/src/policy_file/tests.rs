use std::time::Duration;

use sluice_core::policy::{ClosedWhy, EnvironmentVerdict};

use super::*;

const QUICK: Rhythm = Rhythm {
    quiet: Duration::from_millis(20),
    patience: Duration::from_millis(200),
    poll: Duration::from_secs(3600),
};

fn policy(environment: &str) -> String {
    format!(
        "apiVersion: sluice.dev/v1alpha1\nkind: Policy\nenvironments:\n  {environment}:\n    \
         targets: {{namespaces: [shop]}}\n    triggers: [manual]\n    images: {{repositories: \
         ['registry.example.com/shop/*']}}\n    strategy: {{allow: [canary]}}\n"
    )
}

fn at() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn closed(policy: &Policy) -> ClosedWhy {
    match policy.environment("production", "shop") {
        EnvironmentVerdict::Closed(why) => why,
        EnvironmentVerdict::Open(_) => panic!("open"),
    }
}

fn names(policy: &watch::Receiver<Arc<Policy>>) -> Vec<String> {
    policy.borrow().environments.keys().cloned().collect()
}

async fn changed(policy: &mut watch::Receiver<Arc<Policy>>) {
    tokio::time::timeout(Duration::from_secs(20), policy.changed())
        .await
        .expect("no new policy within 20 s")
        .expect("the file is not followed any more");
}

#[tokio::test]
async fn a_file_that_comes_later_opens_and_a_new_one_replaces_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.yaml");
    let file = PolicyFile::with_rhythm(path.clone(), QUICK);
    let mut seen = file.policy();
    assert_eq!(closed(&seen.borrow_and_update()), ClosedWhy::NoPolicy);
    std::fs::write(&path, policy("production")).unwrap();
    changed(&mut seen).await;
    assert_eq!(names(&seen), ["production"]);
    // As editors and deployment tools do it: written beside, then moved over.
    let beside = folder.path().join("new");
    std::fs::write(&beside, policy("staging")).unwrap();
    std::fs::rename(&beside, &path).unwrap();
    changed(&mut seen).await;
    assert_eq!(names(&seen), ["staging"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_config_map_volume_swaps_a_link_beside_the_file() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, environment) in [("v1", "staging"), ("v2", "production")] {
        std::fs::create_dir(at(version)).unwrap();
        std::fs::write(at(version).join("policy.yaml"), policy(environment)).unwrap();
    }
    symlink("v1", at("..data")).unwrap();
    symlink("..data/policy.yaml", at("policy.yaml")).unwrap();
    let file = PolicyFile::with_rhythm(at("policy.yaml"), QUICK);
    let mut seen = file.policy();
    assert_eq!(names(&seen), ["staging"]);
    symlink("v2", at("..data_tmp")).unwrap();
    std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
    changed(&mut seen).await;
    assert_eq!(names(&seen), ["production"]);
}

#[tokio::test]
async fn without_events_the_poll_finds_the_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.yaml");
    std::fs::write(&path, policy("staging")).unwrap();
    let (_wake, woken) = mpsc::channel(1);
    let mut state = Kept::default();
    let first = state.take(&path, read(&path), at()).unwrap();
    let (sender, mut seen) = watch::channel(Arc::new(first));
    let rhythm = Rhythm {
        poll: Duration::from_millis(30),
        ..QUICK
    };
    let _task = AbortOnDropHandle::new(tokio::spawn(keep(
        path.clone(),
        rhythm,
        woken,
        state,
        sender,
    )));
    std::fs::write(&path, policy("production")).unwrap();
    changed(&mut seen).await;
    assert_eq!(names(&seen), ["production"]);
}

#[test]
fn only_a_good_policy_replaces_a_good_one() {
    let path = Path::new("policy.yaml");
    let gone = || Err(io::Error::from(io::ErrorKind::NotFound));
    let mut state = Kept::default();
    assert!(state.take(path, Ok(policy("production")), at()).is_some());
    let broken = state.take(path, Ok("kind: [".into()), at()).unwrap();
    assert!(broken.environments.contains_key("production"), "broken");
    assert!(broken.outdated().unwrap().to_string().contains("line 1"));
    let gone = state.take(path, gone(), at()).unwrap();
    assert!(gone.environments.contains_key("production"), "gone");
    assert_eq!(gone.outdated().unwrap().problems, 1);
    assert!(
        state.take(path, Ok(policy("production")), at()).is_some(),
        "repaired"
    );
    assert!(
        state.take(path, Ok(policy("production")), at()).is_none(),
        "the same is no news"
    );
}

#[test]
fn before_the_first_good_policy_everything_is_closed_and_says_why() {
    let path = Path::new("policy.yaml");
    let mut state = Kept::default();
    let absent = state
        .take(path, Err(io::Error::from(io::ErrorKind::NotFound)), at())
        .unwrap();
    assert_eq!(closed(&absent), ClosedWhy::NoPolicy);
    let broken = state.take(path, Ok("kind: [".into()), at()).unwrap();
    assert!(matches!(
        closed(&broken),
        ClosedWhy::PolicyUnreadable { .. }
    ));
    let denied = state
        .take(
            path,
            Err(io::Error::from(io::ErrorKind::PermissionDenied)),
            at(),
        )
        .unwrap();
    assert!(matches!(
        closed(&denied),
        ClosedWhy::PolicyUnreadable { .. }
    ));
    assert!(state.take(path, Ok(policy("production")), at()).is_some());
}

#[test]
fn a_file_without_end_is_not_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.yaml");
    let long = "#".repeat(usize::try_from(MAX_BYTES).unwrap() + 1);
    std::fs::write(&path, long).unwrap();
    assert_eq!(read(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
}
