//! Votes of which nobody knows whose they are.

use super::*;

#[test]
fn a_vote_that_nobody_guards_counts_neither_way() {
    let mut votes = vec![approve("alice", 1), reject("bob", 2)];
    for vote in &mut votes {
        vote.believed = false;
    }
    let found = tally(&votes, &[]);
    assert!(!found.is_complete(), "{found:?}");
    assert_eq!(found.rejected_by, None);
    assert_eq!(found.ignored.len(), 2);
    assert!(
        found.ignored.iter().all(|i| i.why == IgnoredWhy::Unguarded),
        "{found:?}"
    );
}
