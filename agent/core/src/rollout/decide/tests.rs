//! One file per behaviour. Each test changes one thing in a world in which all is well.

mod back;
mod checks;
mod drift;
mod dry_run;
mod emergency;
mod foreign;
mod gate;
mod gone;
mod hold;
mod planning;
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
