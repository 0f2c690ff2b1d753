//! The web door before a simulated cluster: who gets in, what is written in whose name, and what the
//! pages say.

mod ask;
mod hostile;
mod live;
mod pages;
mod sample;
mod sign_in;
mod table;
mod votes;
mod wishes;
