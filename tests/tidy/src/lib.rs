//! The rules of this code base, as tests. Rules that are a promise of the design stand in
//! ARCHITECTURE.md, each with the test that holds it; the others in CONTRIBUTING.md.
//!
//! Nothing here runs the code that it judges: files are read, and once `cargo tree`.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod attributes;
#[cfg(test)]
mod code;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod cuts;
#[cfg(test)]
mod files;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod links;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod markdown;
#[cfg(test)]
mod one_build;
#[cfg(test)]
mod purity;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tasks;
#[cfg(test)]
mod tree;
#[cfg(test)]
mod wit;
#[cfg(test)]
mod words;
