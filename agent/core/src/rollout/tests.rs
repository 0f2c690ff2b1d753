//! Properties of the whole engine: random histories in a small world, arbitrary journals, sizes.

mod arbitrary;
mod deployment;
mod events;
mod histories;
mod measures;
mod oracle;
mod reference;
mod rng;
mod size;
mod world;
