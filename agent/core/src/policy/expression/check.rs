//! What is known of an expression before it runs: that its parts fit together, and what its worst
//! inputs cost.
//!
//! One unit of cost is about one step of the interpreter, or 64 bytes that are copied or compared.

use std::collections::BTreeSet;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, SelectExpr, SourceInfo};
use regex::Regex;

use super::variables::{ITEM_BYTES, LIST_ITEMS, MAP_ITEMS, NOW, TABLE, TEXT_BYTES};
use super::{pattern, time};
use crate::problem::{nearest, quoted};

mod call;

/// Most nodes of the tree, with what the macros become. A rule that a person reads in one breath
/// has 20.
const NODE_LIMIT: usize = 200;

/// Most comprehensions in one another: each multiplies the cost by the length of its list.
const DEPTH_LIMIT: usize = 2;

/// Most units that the worst inputs may cost. Measured: 50 ms at most in a debug build.
pub(super) const BUDGET: u64 = 100_000;

/// Bytes that cost one unit to copy or compare.
const UNIT_BYTES: u64 = 64;

/// Brackets in one another: the parser calls itself for each.
const NESTING_LIMIT: usize = 24;

/// The kind of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Yes or no.
    Bool,
    /// A whole number.
    Int,
    /// Text.
    Text,
    /// An instant.
    Time,
    /// A length of time.
    Duration,
    /// A list. None: an empty one, of anything.
    List(Option<Box<Shape>>),
    /// Texts by their keys.
    Annotations,
}

impl Shape {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Bool => "yes or no",
            Self::Int => "a number",
            Self::Text => "text",
            Self::Time => "an instant",
            Self::Duration => "a length of time",
            Self::List(_) => "a list",
            Self::Annotations => "the annotations",
        }
    }

    /// The shape that both fit, if there is one.
    pub(super) fn both(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::List(None), Self::List(_)) => Some(other.clone()),
            (Self::List(_), Self::List(None)) => Some(self.clone()),
            (Self::List(Some(a)), Self::List(Some(b))) => {
                Some(Self::List(Some(Box::new(a.both(b)?))))
            }
            (a, b) => (a == b).then(|| a.clone()),
        }
    }
}

/// What is known of a value.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub(super) shape: Shape,
    /// Units to compute it.
    pub(super) cost: u64,
    /// Most items. 1 for what is no list.
    pub(super) items: u64,
    /// Most bytes of the value, or of each item.
    pub(super) bytes: u64,
}

impl Bound {
    pub(super) fn new(shape: Shape, cost: u64) -> Self {
        Self {
            shape,
            cost,
            items: 1,
            bytes: 8,
        }
    }

    pub(super) fn text(cost: u64, bytes: u64) -> Self {
        Self {
            bytes,
            ..Self::new(Shape::Text, cost)
        }
    }

    /// Units to copy or compare all of it.
    pub(super) fn units(&self) -> u64 {
        let each = self.bytes / UNIT_BYTES + 1;
        self.items.saturating_mul(each)
    }
}

/// An expression that passed.
pub(super) struct Checked {
    pub(super) uses: BTreeSet<&'static str>,
    pub(super) patterns: Vec<Regex>,
}

/// Refuses what is nested too deeply for the parser's own recursion. Counted in the raw text:
/// brackets within a text literal count as well, which only refuses more.
pub(super) fn nesting(text: &str) -> Result<(), String> {
    let (mut depth, mut unary) = (0_usize, 0_usize);
    for letter in text.chars() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        unary = match letter {
            '!' | '-' => unary + 1,
            letter if letter.is_whitespace() => unary,
            _ => 0,
        };
        if depth > NESTING_LIMIT || unary > NESTING_LIMIT {
            return Err(format!(
                "more than {NESTING_LIMIT} brackets or signs stand in one another"
            ));
        }
    }
    Ok(())
}

/// Checks a whole expression. Patterns in it become variables.
pub(super) fn check(root: &mut IdedExpr, source: &SourceInfo) -> Result<Checked, String> {
    let mut checker = Checker {
        source,
        scope: Vec::new(),
        depth: 0,
        nodes: 0,
        uses: BTreeSet::new(),
        patterns: Vec::new(),
    };
    let bound = checker.node(root)?;
    if bound.shape != Shape::Bool {
        return Err(format!(
            "the expression gives {}; a rule is a question with the answer yes or no",
            bound.shape.name()
        ));
    }
    if bound.cost > BUDGET {
        return Err(format!(
            "the expression could cost {} steps with large inputs, and {BUDGET} are allowed: use \
             fewer lists within lists, or split it into several rules",
            bound.cost
        ));
    }
    Ok(Checked {
        uses: checker.uses,
        patterns: checker.patterns,
    })
}

pub(super) struct Checker<'s> {
    source: &'s SourceInfo,
    /// Variables of comprehensions, the innermost last.
    scope: Vec<(String, Bound)>,
    depth: usize,
    nodes: usize,
    uses: BTreeSet<&'static str>,
    patterns: Vec<Regex>,
}

type Found = Result<Bound, String>;

impl Checker<'_> {
    /// An error with its place.
    fn wrong<T>(&self, id: u64, message: impl AsRef<str>) -> Result<T, String> {
        let message = message.as_ref();
        Err(match self.source.offset_for(id) {
            Some((start, _)) => {
                // Bytes up to there, as characters for the reader.
                let start = usize::try_from(start).unwrap_or(usize::MAX);
                let before = self.source.source.char_indices();
                let characters = before.take_while(|(at, _)| *at < start).count();
                format!("at character {}: {message}", characters + 1)
            }
            None => message.to_owned(),
        })
    }

    fn node(&mut self, expr: &mut IdedExpr) -> Found {
        self.nodes += 1;
        if self.nodes > NODE_LIMIT {
            return Err(format!(
                "the expression has more than {NODE_LIMIT} parts: split it into several rules"
            ));
        }
        let id = expr.id;
        match &mut expr.expr {
            Expr::Literal(literal) => self.literal(id, literal),
            Expr::Ident(name) => {
                let name = name.clone();
                self.path(id, &[name])
            }
            Expr::Select(select) => self.select(id, select),
            Expr::List(list) => {
                let mut whole = Bound {
                    items: 0,
                    bytes: 0,
                    ..Bound::new(Shape::List(None), 1)
                };
                for element in &mut list.elements {
                    let element_id = element.id;
                    let one = self.node(element)?;
                    let Some(shape) = whole
                        .shape
                        .both(&Shape::List(Some(Box::new(one.shape.clone()))))
                    else {
                        return self.wrong(element_id, "the items of a list are of one kind");
                    };
                    whole.shape = shape;
                    whole.cost = whole.cost.saturating_add(one.cost + one.units());
                    whole.items += 1;
                    whole.bytes = whole.bytes.max(one.items.saturating_mul(one.bytes));
                }
                Ok(whole)
            }
            Expr::Call(call) => self.call(id, call),
            Expr::Comprehension(comprehension) => self.comprehension(id, comprehension),
            Expr::Map(_) | Expr::Struct(_) => self.wrong(id, "maps and structures are not allowed"),
            Expr::Unspecified => self.wrong(id, "something is missing"),
        }
    }

    fn literal(&self, id: u64, literal: &LiteralValue) -> Found {
        match literal {
            LiteralValue::Boolean(_) => Ok(Bound::new(Shape::Bool, 1)),
            LiteralValue::Int(_) => Ok(Bound::new(Shape::Int, 1)),
            LiteralValue::String(text) => Ok(Bound::text(1, length(text.inner()))),
            LiteralValue::Null => self.wrong(id, "there is no null: what is not known is empty"),
            LiteralValue::Bytes(_) | LiteralValue::Double(_) | LiteralValue::UInt(_) => {
                self.wrong(id, "write whole numbers, or text in quotes")
            }
        }
    }

    fn select(&mut self, id: u64, select: &mut SelectExpr) -> Found {
        if !select.test
            && let Some(mut path) = spelled(&select.operand)
        {
            path.push(select.field.clone());
            return self.path(id, &path);
        }
        let never_missing = "only annotations can be missing: write \
                             has(rollout.image.annotations.NAME), or 'NAME' in \
                             rollout.image.annotations";
        if select.test
            && let Some(path) = spelled(&select.operand)
        {
            let whole = format!("{}.{}", path.join("."), select.field);
            let group = format!("{whole}.");
            if TABLE
                .iter()
                .any(|(known, _)| *known == whole || known.starts_with(&group))
            {
                return self.wrong(id, never_missing);
            }
        }
        let operand = self.node(&mut select.operand)?;
        if operand.shape != Shape::Annotations {
            return self.wrong(
                id,
                match select.test {
                    true => never_missing,
                    false => "only annotations have fields",
                },
            );
        }
        let cost = operand.cost + 1 + length(&select.field) / UNIT_BYTES;
        Ok(if select.test {
            Bound::new(Shape::Bool, cost)
        } else {
            Bound::text(cost, TEXT_BYTES as u64)
        })
    }

    /// A name with dots.
    fn path(&mut self, id: u64, segments: &[String]) -> Found {
        let Some((first, fields)) = segments.split_first() else {
            return self.wrong(id, "a name is missing");
        };
        if let Some((_, bound)) = self.scope.iter().rev().find(|(name, _)| name == first) {
            if !fields.is_empty() {
                return self.wrong(id, format!("{first} has no fields"));
            }
            return Ok(Bound {
                cost: 1,
                ..bound.clone()
            });
        }
        let whole = segments.join(".");
        if whole == NOW {
            self.uses.insert(NOW);
            return Ok(Bound::new(Shape::Time, 1));
        }
        for (path, get) in TABLE {
            let default = super::Variables::default();
            let shape = get(&default).shape();
            if whole == path {
                self.uses.insert(path);
                return Ok(leaf(shape));
            }
            // Keys of annotations may look like names: `annotations.team`.
            let key = whole.strip_prefix(path).and_then(|r| r.strip_prefix('.'));
            if let Some(key) = key {
                self.uses.insert(path);
                if shape == Shape::Annotations && !key.contains('.') {
                    return Ok(Bound::text(3, TEXT_BYTES as u64));
                }
                let hint = if shape == Shape::Annotations {
                    "; write a key with dots as annotations['KEY']"
                } else {
                    ""
                };
                return self.wrong(id, format!("{path} has no field {}{hint}", quoted(key)));
            }
        }
        self.unknown(id, &whole)
    }

    fn unknown(&self, id: u64, whole: &str) -> Found {
        let known = || TABLE.iter().map(|(path, _)| *path).chain([NOW]);
        let group = format!("{whole}.");
        let within: Vec<&str> = known().filter(|path| path.starts_with(&group)).collect();
        if !within.is_empty() {
            return self.wrong(
                id,
                format!("{whole} is a group: write one of {}", within.join(", ")),
            );
        }
        let hint = match nearest(whole, known()) {
            Some(near) => format!("did you mean {near}?"),
            None => "the variables are now and those of rollout, such as rollout.image.tag".into(),
        };
        self.wrong(
            id,
            format!("there is no variable {}; {hint}", quoted(whole)),
        )
    }

    fn comprehension(&mut self, id: u64, loops: &mut ComprehensionExpr) -> Found {
        let range = self.node(&mut loops.iter_range)?;
        let item = match &range.shape {
            Shape::List(item) => {
                let shape = item.as_deref().cloned().unwrap_or(Shape::Text);
                Bound {
                    bytes: range.bytes,
                    ..Bound::new(shape, 1)
                }
            }
            Shape::Annotations => Bound::text(1, ITEM_BYTES as u64),
            other => {
                let other = other.name();
                return self.wrong(id, format!("a list is needed here, and this is {other}"));
            }
        };
        let name = loops.iter_var.clone();
        let taken = ["rollout", NOW].contains(&name.as_str());
        if taken || loops.iter_var2.is_some() || name.starts_with('.') {
            return self.wrong(id, "choose another name for the item, such as x");
        }
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            return self.wrong(
                id,
                format!("more than {DEPTH_LIMIT} of all, exists, map and filter in one another"),
            );
        }
        let start = self.node(&mut loops.accu_init)?;
        let copied = item.units();
        self.scope.push((name, item));
        self.scope.push((loops.accu_var.clone(), start.clone()));
        let going_on = self.node(&mut loops.loop_cond)?;
        let step = self.node(&mut loops.loop_step)?;
        self.scope.pop();
        let Some(shape) = start.shape.both(&step.shape) else {
            return self.wrong(id, "each round gives another kind of value");
        };
        // Appended to in place: what one round adds, so many times.
        let gathered = Bound {
            items: range.items.saturating_mul(step.items),
            ..Bound {
                shape,
                ..step.clone()
            }
        };
        let is_list = matches!(gathered.shape, Shape::List(_));
        self.scope.push((
            loops.accu_var.clone(),
            if is_list {
                gathered.clone()
            } else {
                step.clone()
            },
        ));
        let result = self.node(&mut loops.result)?;
        self.scope.truncate(self.scope.len().saturating_sub(2));
        self.depth -= 1;
        let round = going_on.cost + step.cost + copied + 2;
        Ok(Bound {
            cost: range
                .cost
                .saturating_add(start.cost)
                .saturating_add(range.items.saturating_mul(round))
                .saturating_add(result.cost)
                .saturating_add(if is_list { gathered.units() } else { 0 }),
            ..result
        })
    }
}

/// A variable with the largest value that it may have.
fn leaf(shape: Shape) -> Bound {
    match shape {
        Shape::Text => Bound::text(1, TEXT_BYTES as u64),
        Shape::List(_) => Bound {
            items: LIST_ITEMS as u64,
            bytes: ITEM_BYTES as u64,
            ..Bound::new(shape, 1)
        },
        Shape::Annotations => Bound {
            items: MAP_ITEMS as u64,
            bytes: (ITEM_BYTES + TEXT_BYTES) as u64,
            ..Bound::new(shape, 1)
        },
        Shape::Bool | Shape::Int | Shape::Time | Shape::Duration => Bound::new(shape, 1),
    }
}

/// The name with dots that an expression spells, if it is one.
fn spelled(expr: &IdedExpr) -> Option<Vec<String>> {
    match &expr.expr {
        Expr::Ident(name) => Some(vec![name.clone()]),
        Expr::Select(select) if !select.test => {
            let mut path = spelled(&select.operand)?;
            path.push(select.field.clone());
            Some(path)
        }
        _ => None,
    }
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}
