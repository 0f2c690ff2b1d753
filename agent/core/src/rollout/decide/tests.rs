//! One file per behaviour. Each test changes one thing in a world in which all is well.

mod apart;
mod back;
mod checks;
mod config;
mod drift;
mod dry_run;
mod emergency;
mod foreign;
mod gate;
mod gone;
mod hold;
mod hooks;
mod partition;
mod planning;
mod preflight;
mod queue;
mod record;
mod relapse;
mod requests;
mod returns;
mod shift;
mod slot;
mod start;
mod stop;
mod unseen;
