//! Any journal, any observation: `decide` answers, twice the same.
