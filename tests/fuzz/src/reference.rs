//! The rules of the egress policy, written a second time: slow, plain, and without a look at the first.

pub(crate) mod addresses;
pub(crate) mod headers;
pub(crate) mod paths;
