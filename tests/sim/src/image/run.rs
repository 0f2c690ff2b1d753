//! What a container does that ends by itself: a migration, a backup, a check of one's own.

use std::time::Duration;

use crate::image::Scene;

/// One run of an image in a Job's pod.
#[derive(Clone, Debug)]
pub struct Run {
    namespace: Option<String>,
    variable: Option<(String, String)>,
    argument: Option<String>,
    pub(crate) end: End,
    pub(crate) lasts: Duration,
    pub(crate) message: String,
    pub(crate) log: Vec<String>,
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With an exit code.
    Exits(i32),
    /// Not by itself.
    Hangs,
    /// It never begins: the image cannot be pulled where the Job runs.
    CannotPull,
}

/// Lines of a log that are kept; the kubelet rotates its files too.
const LINES: usize = 10_000;

impl Run {
    fn new(end: End) -> Self {
        Self {
            namespace: None,
            variable: None,
            argument: None,
            end,
            lasts: Duration::from_secs(1),
            message: String::new(),
            log: Vec::new(),
        }
    }

    /// Exits with 0 after a second.
    pub fn succeeds() -> Self {
        Self::new(End::Exits(0))
    }

    /// Exits with this code after a second.
    pub fn fails(exit_code: i32) -> Self {
        Self::new(End::Exits(exit_code))
    }

    /// Never ends by itself.
    pub fn hangs() -> Self {
        Self::new(End::Hangs)
    }

    /// Never begins: its image cannot be pulled by the Job's pod, although others have it.
    pub fn cannot_be_pulled() -> Self {
        Self::new(End::CannotPull)
    }

    /// Sets how long it takes.
    #[must_use]
    pub fn after(mut self, lasts: Duration) -> Self {
        self.lasts = lasts;
        self
    }

    /// Sets the termination message that it leaves when it ends.
    #[must_use]
    pub fn message(mut self, message: &str) -> Self {
        message.clone_into(&mut self.message);
        self
    }

    /// Sets the lines that it prints, all at its start (at most 10,000).
    #[must_use]
    pub fn log(mut self, lines: &[&str]) -> Self {
        self.log = lines
            .iter()
            .take(LINES)
            .map(|line| (*line).to_owned())
            .collect();
        self
    }

    /// Only in pods of this namespace.
    #[must_use]
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Only where the first container has this environment variable with this value, such as
    /// `SLUICE_HOOK`.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variable = Some((name.to_owned(), value.to_owned()));
        self
    }

    /// Only where this is one of the words of the first container's command and arguments.
    #[must_use]
    pub fn with_argument(mut self, argument: &str) -> Self {
        self.argument = Some(argument.to_owned());
        self
    }

    pub(super) fn fits(&self, scene: &Scene) -> bool {
        let (namespace, argument) = (&self.namespace, &self.argument);
        namespace
            .as_ref()
            .is_none_or(|name| *name == scene.namespace)
            && argument
                .as_ref()
                .is_none_or(|argument| scene.arguments.contains(argument))
            && self
                .variable
                .as_ref()
                .is_none_or(|(name, value)| scene.environment.get(name) == Some(value))
    }
}

#[cfg(test)]
mod tests {
    use crate::image::{Behaviour, End, Run, Scene};

    #[test]
    fn one_image_does_different_things_in_different_jobs() {
        let behaviour = Behaviour::serving("v2")
            .run(Run::fails(3).with_argument("down"))
            .run(
                Run::hangs()
                    .with_variable("SLUICE_HOOK", "migrate")
                    .in_namespace("shop"),
            );
        let mut scene = Scene::default();
        assert_eq!(behaviour.run_in(&scene).end, End::Exits(0));
        scene
            .environment
            .insert("SLUICE_HOOK".into(), "migrate".into());
        assert_eq!(behaviour.run_in(&scene).end, End::Exits(0), "elsewhere");
        scene.namespace = "shop".into();
        assert_eq!(behaviour.run_in(&scene).end, End::Hangs);
        scene.arguments = vec!["migrate".into(), "down".into()];
        assert_eq!(
            behaviour.run_in(&scene).end,
            End::Exits(3),
            "the first that fits"
        );
    }
}
