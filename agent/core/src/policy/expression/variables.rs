//! What an expression can ask about: one table of names and values.

use std::collections::BTreeMap;

use cel::ExecutionError;
use cel::common::traits::{Container, Indexer, Iterable, Iterator as Items, Sizer};
use cel::common::types::{CelBool, CelInt, CelList, CelString, MAP_TYPE, Type};
use cel::common::value::{CowVal, Val};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Shape;
use super::time::Time;

/// Longest text, in bytes: a reason that somebody wrote, or an annotation.
pub(super) const TEXT_BYTES: usize = 4096;
/// Longest item of a list and longest key, in bytes: names of groups, plugins and annotations.
pub(super) const ITEM_BYTES: usize = 256;
/// Most items of a list.
pub(super) const LIST_ITEMS: usize = 64;
/// Most annotations.
pub(super) const MAP_ITEMS: usize = 64;

/// The variable for the instant of the decision.
pub(super) const NOW: &str = "now";

/// What custom rules look at. Text that is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Variables {
    /// `rollout.pipeline`: the Pipeline's name.
    pub pipeline: String,
    /// `rollout.environment`: its name.
    pub environment: String,
    /// `rollout.namespace`: the target's namespace.
    pub namespace: String,
    /// `rollout.deployment`: the target's name.
    pub deployment: String,
    /// `rollout.trigger`: what proposed it, as in `triggers`.
    pub trigger: String,
    /// `rollout.requester`: who asked.
    pub requester: RequesterVariables,
    /// `rollout.reason`: why, as the requester wrote it.
    pub reason: String,
    /// `rollout.skipCanary`: whether it asks for all traffic at once.
    pub skip_canary: bool,
    /// `rollout.breakGlass`: whether it is an emergency.
    pub break_glass: bool,
    /// `rollout.strategy`: the strategy plugin.
    pub strategy: String,
    /// `rollout.checks`: the smoke-test plugins that are not optional.
    pub checks: Vec<String>,
    /// `rollout.image`: what comes.
    pub image: ImageVariables,
}

/// Who asked for a rollout. Empty where a machine did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RequesterVariables {
    /// `rollout.requester.name`: the person's name in the policy, or `<provider>:<username>`.
    pub name: String,
    /// `rollout.requester.groups`: as the provider said.
    pub groups: Vec<String>,
}

/// The image of a rollout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageVariables {
    /// `rollout.image.repository`, with its registry.
    pub repository: String,
    /// `rollout.image.tag`. Empty: named by its digest alone.
    pub tag: String,
    /// `rollout.image.digest`, with `sha256:`.
    pub digest: String,
    /// `rollout.image.revision`: `org.opencontainers.image.revision`.
    pub revision: String,
    /// `rollout.image.source`: `org.opencontainers.image.source`.
    pub source: String,
    /// `rollout.image.annotations`: those that were read.
    pub annotations: BTreeMap<String, String>,
    /// `rollout.image.signedBy`: the policy's signers whose signature was verified.
    pub signed_by: Vec<String>,
}

/// The value of one variable.
pub(super) enum Leaf<'v> {
    Text(&'v str),
    Yes(bool),
    List(&'v [String]),
    Annotations(&'v BTreeMap<String, String>),
}

impl Leaf<'_> {
    pub(super) fn shape(&self) -> Shape {
        match self {
            Self::Text(_) => Shape::Text,
            Self::Yes(_) => Shape::Bool,
            Self::List(_) => Shape::List(Some(Box::new(Shape::Text))),
            Self::Annotations(_) => Shape::Annotations,
        }
    }
}

type Get = for<'v> fn(&'v Variables) -> Leaf<'v>;

/// Every variable but `now`.
pub(super) const TABLE: [(&str, Get); 19] = [
    ("rollout.pipeline", |v| Leaf::Text(&v.pipeline)),
    ("rollout.environment", |v| Leaf::Text(&v.environment)),
    ("rollout.namespace", |v| Leaf::Text(&v.namespace)),
    ("rollout.deployment", |v| Leaf::Text(&v.deployment)),
    ("rollout.trigger", |v| Leaf::Text(&v.trigger)),
    ("rollout.requester.name", |v| Leaf::Text(&v.requester.name)),
    ("rollout.requester.groups", |v| {
        Leaf::List(&v.requester.groups)
    }),
    ("rollout.reason", |v| Leaf::Text(&v.reason)),
    ("rollout.skipCanary", |v| Leaf::Yes(v.skip_canary)),
    ("rollout.breakGlass", |v| Leaf::Yes(v.break_glass)),
    ("rollout.strategy", |v| Leaf::Text(&v.strategy)),
    ("rollout.checks", |v| Leaf::List(&v.checks)),
    ("rollout.image.repository", |v| {
        Leaf::Text(&v.image.repository)
    }),
    ("rollout.image.tag", |v| Leaf::Text(&v.image.tag)),
    ("rollout.image.digest", |v| Leaf::Text(&v.image.digest)),
    ("rollout.image.revision", |v| Leaf::Text(&v.image.revision)),
    ("rollout.image.source", |v| Leaf::Text(&v.image.source)),
    ("rollout.image.annotations", |v| {
        Leaf::Annotations(&v.image.annotations)
    }),
    ("rollout.image.signedBy", |v| Leaf::List(&v.image.signed_by)),
];

/// The value of a variable for the crate. Nothing is cut: a rule that looks for a word in a text
/// of which it sees the beginning only would miss it. What is too large is an error.
pub(super) fn bind<'v>(
    path: &str,
    variables: &'v Variables,
    now: Timestamp,
) -> Result<Box<dyn Val + 'v>, String> {
    if path == NOW {
        return Ok(Box::new(Time(now)));
    }
    let Some((_, get)) = TABLE.iter().find(|(known, _)| *known == path) else {
        return Err(format!("there is no variable {path}"));
    };
    let text = |text: &'v str, most: usize| {
        if text.len() > most {
            return Err(format!(
                "{path} has {} bytes in one text, and rules look at {most} at most",
                text.len()
            ));
        }
        Ok(CelString::from(text))
    };
    let few = |items: usize, most: usize| {
        if items > most {
            return Err(format!(
                "{path} has {items} entries, and rules look at {most} at most"
            ));
        }
        Ok(())
    };
    Ok(match get(variables) {
        Leaf::Text(value) => Box::new(text(value, TEXT_BYTES)?),
        Leaf::Yes(value) => Box::new(CelBool::from(value)),
        Leaf::List(values) => {
            few(values.len(), LIST_ITEMS)?;
            let items = values
                .iter()
                .map(|value| Ok(Box::new(text(value, ITEM_BYTES)?) as Box<dyn Val + 'v>))
                .collect::<Result<Vec<_>, String>>()?;
            Box::new(CelList::from(items))
        }
        Leaf::Annotations(values) => {
            few(values.len(), MAP_ITEMS)?;
            let entries = values
                .iter()
                .map(|(key, value)| {
                    Ok((
                        key.as_str(),
                        (text(key, ITEM_BYTES)?, text(value, TEXT_BYTES)?),
                    ))
                })
                .collect::<Result<BTreeMap<_, _>, String>>()?;
            Box::new(Annotations(entries))
        }
    })
}

/// A map in the order of its keys. The crate's own has another order in every process.
#[derive(Clone, Debug)]
struct Annotations<'v>(BTreeMap<&'v str, (CelString<'v>, CelString<'v>)>);

impl<'v> Val for Annotations<'v> {
    fn get_type(&self) -> &Type {
        <Self as Val>::cel_type()
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'w>(&'b self) -> Option<&'b (dyn Indexer + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_iterable<'b, 'w>(&'b self) -> Option<&'b (dyn Iterable + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn clone_as_boxed<'w>(&self) -> Box<dyn Val + 'w>
    where
        Self: 'w,
    {
        Box::new(self.clone())
    }
}

impl<'v> Annotations<'v> {
    fn find(&self, key: &dyn Val) -> Result<&CelString<'v>, ExecutionError> {
        let Some(key) = key.downcast_ref::<CelString>() else {
            return Err(ExecutionError::UnexpectedType {
                got: key.get_type().name().to_owned(),
                want: "map key".to_owned(),
            });
        };
        match self.0.get(key.inner()) {
            Some((_, value)) => Ok(value),
            None => Err(ExecutionError::no_such_key(key.inner())),
        }
    }
}

impl Container for Annotations<'_> {
    fn contains(&self, key: &dyn Val) -> Result<bool, ExecutionError> {
        match self.find(key) {
            Ok(_) => Ok(true),
            Err(ExecutionError::NoSuchKey(_)) => Ok(false),
            Err(other) => Err(other),
        }
    }
}

impl Indexer for Annotations<'_> {
    fn get<'b, 'w>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.find(key)
            .map(|value| CowVal::Borrowed(value as &(dyn Val + 'w)))
    }

    fn steal<'w>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.find(key)
            .map(|value| Box::new(value.clone()) as Box<dyn Val + 'w>)
    }
}

impl Iterable for Annotations<'_> {
    fn iter<'b, 'w>(&'b self) -> Box<dyn Items<'b, 'w> + 'b>
    where
        Self: 'w,
    {
        Box::new(Keys(self.0.values()))
    }
}

struct Keys<'b, 'v>(
    std::collections::btree_map::Values<'b, &'v str, (CelString<'v>, CelString<'v>)>,
);

impl<'b, 'v: 'w, 'w> Items<'b, 'w> for Keys<'b, 'v> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'w)> {
        self.0.next().map(|(key, _)| key as &(dyn Val + 'w))
    }
}

impl Sizer for Annotations<'_> {
    fn size(&self) -> CelInt {
        // At most MAP_ITEMS.
        CelInt::from(i64::try_from(self.0.len()).unwrap_or(i64::MAX))
    }
}
