//! The journal at its largest.
