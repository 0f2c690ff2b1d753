//! Danger: the agent dies while traffic is switched or shared. As in `crash.rs`, from the first write on
//! that production needs; the faults take turns. At every write, or at one of three where the pieces are
//! the same. Each at each: `make soak`.

use sluice_scenarios::{Story, a_fault_in_production};

#[test]
fn a_fault_at_any_write_while_blue_and_green_change_places_changes_nothing() {
    a_fault_in_production(Story::BlueGreen, 1);
}

#[test]
fn a_fault_at_any_write_while_a_route_is_shared_changes_nothing() {
    a_fault_in_production(Story::Route, 1);
}

#[test]
fn a_fault_at_any_write_on_the_way_back_to_the_kept_colour_changes_nothing() {
    a_fault_in_production(Story::BlueGreenBack, 1);
}

#[test]
fn a_fault_at_any_write_of_a_bad_preview_changes_nothing() {
    a_fault_in_production(Story::BlueGreenBad, 3);
}

#[test]
fn a_fault_at_any_write_while_a_route_goes_back_changes_nothing() {
    a_fault_in_production(Story::RouteBad, 3);
}

#[test]
fn a_fault_at_any_write_while_an_ingress_is_shared_changes_nothing() {
    a_fault_in_production(Story::Ingress, 3);
}

#[test]
fn a_fault_at_any_write_without_room_for_more_pods_changes_nothing() {
    a_fault_in_production(Story::NoSurge, 3);
}
