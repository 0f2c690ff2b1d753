//! The Helm charts: that they are equal to what they come from, that they render what Kubernetes
//! takes, and that nobody gets more rights than are written down. [`guards`] proves on a real API
//! server what the admission policies refuse.

pub mod guards;
pub mod schemas;

#[cfg(test)]
mod definitions;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod render;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod tools;
#[cfg(test)]
mod values;
