//! What names and label values may look like.

use crate::api::resource::Resource;

/// Why a name is none for this resource.
pub(crate) fn problem(resource: Resource, name: &str) -> Option<&'static str> {
    match resource {
        // A leading digit is allowed from 1.36 on; older clusters refuse it.
        Resource::Services => (!is_label(name) || name.starts_with(|c: char| c.is_ascii_digit()))
            .then_some(
                "Invalid value: a DNS-1035 label must consist of lower case alphanumeric \
                 characters or '-', start with an alphabetic character, and end with an \
                 alphanumeric character, at most 63 in all",
            ),
        Resource::StatefulSets | Resource::Namespaces => (!is_label(name)).then_some(
            "Invalid value: a lowercase RFC 1123 label must consist of lower case alphanumeric \
             characters or '-', and must start and end with an alphanumeric character, at most 63 \
             in all",
        ),
        // The controller would add eleven characters for the name of a Job.
        Resource::CronJobs if name.len() > 52 => {
            Some("Invalid value: must be no more than 52 characters")
        }
        // The name is the value of a label on the Job's pods.
        Resource::Jobs if name.len() > 63 => {
            Some("Invalid value: must be no more than 63 characters")
        }
        _ => (!is_subdomain(name)).then_some(
            "Invalid value: a lowercase RFC 1123 subdomain must consist of lower case \
             alphanumeric characters, '-' or '.', and must start and end with an alphanumeric \
             character, at most 253 in all",
        ),
    }
}

/// Why a text is no value of a label.
pub(crate) fn label_value_problem(value: &str) -> Option<&'static str> {
    if value.len() > 63 {
        return Some("must be no more than 63 characters");
    }
    let edge = |letter: char| letter.is_ascii_alphanumeric();
    let inner = |letter: char| edge(letter) || matches!(letter, '-' | '_' | '.');
    let valid = value.is_empty()
        || (value.starts_with(edge) && value.ends_with(edge) && value.chars().all(inner));
    (!valid).then_some(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or \
         '.', and must start and end with an alphanumeric character",
    )
}

fn is_inner(letter: char) -> bool {
    letter.is_ascii_lowercase() || letter.is_ascii_digit()
}

fn is_label(name: &str) -> bool {
    is_subdomain(name) && name.len() <= 63 && !name.contains('.')
}

fn is_subdomain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && name.starts_with(is_inner)
        && name.ends_with(is_inner)
        && name
            .chars()
            .all(|letter| is_inner(letter) || letter == '-' || letter == '.')
}

#[cfg(test)]
mod tests {
    use super::{label_value_problem, problem};
    use crate::api::resource::Resource;

    #[test]
    fn each_kind_has_its_names() {
        let long = "a".repeat(60);
        for (resource, name, valid) in [
            (Resource::Services, "web", true),
            (Resource::Services, "1web", false),
            (Resource::Services, "web.old", false),
            (Resource::StatefulSets, "1db", true),
            (Resource::StatefulSets, "db.old", false),
            (Resource::ConfigMaps, "a.b-c", true),
            (Resource::ConfigMaps, "A", false),
            (Resource::CronJobs, long.as_str(), false),
            (Resource::Jobs, long.as_str(), true),
        ] {
            assert_eq!(
                problem(resource, name).is_none(),
                valid,
                "{resource:?} {name}"
            );
        }
    }

    #[test]
    fn label_values_begin_and_end_with_letters() {
        for (value, valid) in [
            ("", true),
            ("a_b.c-D9", true),
            ("web-", false),
            ("a b", false),
        ] {
            assert_eq!(label_value_problem(value).is_none(), valid, "{value:?}");
        }
    }
}
