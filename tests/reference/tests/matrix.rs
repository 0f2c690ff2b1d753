//! People × roles × doors × required sets × who asked (reliability.md P9). What makes no difference is
//! left out; `src/matrix.rs` says what. Five people through every door: `make soak`.

use std::io::Write as _;

use sluice_reference::matrix::{Counts, four_and_five, one_and_two, three};

fn report(what: &str, counts: &Counts) {
    // Past the harness's capture: the counts are shown also when all is well.
    let _ = writeln!(std::io::stderr(), "Matrix, {what}: {counts}");
    assert_eq!(counts.wrong(), 0);
}

#[test]
fn one_and_two_people_through_any_doors() {
    report("1 and 2 people through any doors", &one_and_two());
}

#[test]
fn three_people_in_every_order() {
    report("3 people in every order", &three());
}

#[test]
fn four_and_five_people() {
    report("4 and 5 people", &four_and_five(false));
}
