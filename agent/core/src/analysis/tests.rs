//! How often a good candidate is called bad, and how soon a bad one is noticed.
