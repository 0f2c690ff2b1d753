//! People and programs that talk to the API server: a name and groups in a client certificate.

use sha2::{Digest as _, Sha256};

/// A user of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Person {
    /// The user name, such as `alice@example.com`.
    pub name: String,
    /// The groups, such as `devops-leads`.
    pub groups: Vec<String>,
}

impl Person {
    /// Somebody with these groups.
    pub fn new(name: &str, groups: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
        }
    }

    /// Who may do everything.
    pub fn admin() -> Self {
        Self::new("admin", &["system:masters"])
    }

    /// A name for this person's files: the same name with other groups is another one.
    pub(crate) fn file_stem(&self) -> String {
        let readable: String = self
            .name
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '.' {
                    c
                } else {
                    '-'
                }
            })
            .collect();
        let mut hash = Sha256::new();
        for part in std::iter::once(&self.name).chain(&self.groups) {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let digest = hash.finalize();
        let short: String = digest.iter().take(4).map(|b| format!("{b:02x}")).collect();
        format!("{readable}-{short}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_groups_are_another_file() {
        let alice = Person::new("alice@example.com", &["devops-leads"]);
        let stem = alice.file_stem();
        assert!(stem.starts_with("alice-example.com-"), "{stem}");
        assert_ne!(stem, Person::new("alice@example.com", &[]).file_stem());
        assert_eq!(stem, alice.clone().file_stem());
        assert!(!Person::new("../x", &[]).file_stem().contains('/'));
    }
}
