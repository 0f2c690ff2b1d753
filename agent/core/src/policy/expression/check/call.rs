//! The operators and functions that may be used, and what each takes, gives and costs.

use super::*;

/// Every function by name, for near matches. Operators are spelled by the language itself.
const FUNCTIONS: [&str; 24] = [
    "all",
    "contains",
    "duration",
    "endsWith",
    "exists",
    "exists_one",
    "filter",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "has",
    "int",
    "map",
    "matches",
    "size",
    "startsWith",
    "string",
    "timestamp",
];

impl Checker<'_> {
    pub(super) fn call(&mut self, id: u64, call: &mut CallExpr) -> Found {
        if call.func_name == pattern::MATCHES {
            return self.matches(id, call);
        }
        let function = call.func_name.clone();
        let literal = call.args.last().and_then(literal_text).map(str::to_owned);
        let member = call.target.is_some();
        let mut args = Vec::new();
        for part in call
            .target
            .iter_mut()
            .map(Box::as_mut)
            .chain(&mut call.args)
        {
            args.push(self.node(part)?);
        }
        let cost = args
            .iter()
            .fold(1_u64, |sum, arg| sum.saturating_add(arg.cost));
        let known = if member {
            self.member(id, &function, &args, literal.as_deref(), cost)?
        } else {
            self.plain(id, &function, &args, literal.as_deref(), cost)?
        };
        match known {
            Some(bound) => Ok(bound),
            None => self.unfit(id, &function, &args),
        }
    }

    fn plain(
        &mut self,
        id: u64,
        function: &str,
        args: &[Bound],
        literal: Option<&str>,
        cost: u64,
    ) -> Result<Option<Bound>, String> {
        let yes = |more: u64| Some(Bound::new(Shape::Bool, cost.saturating_add(more)));
        let shapes: Vec<&Shape> = args.iter().map(|arg| &arg.shape).collect();
        Ok(match (function, args, shapes.as_slice()) {
            ("_&&_" | "_||_", _, [Shape::Bool, Shape::Bool]) => yes(0),
            ("!_" | "@not_strictly_false", _, [Shape::Bool]) => yes(0),
            ("_==_" | "_!=_", [a, b], [x, y])
                if x.both(y).is_some() && **x != Shape::Annotations =>
            {
                yes(a.units().min(b.units()))
            }
            (
                "_<_" | "_<=_" | "_>_" | "_>=_",
                [a, b],
                [Shape::Int, Shape::Int]
                | [Shape::Text, Shape::Text]
                | [Shape::Time, Shape::Time]
                | [Shape::Duration, Shape::Duration],
            ) => yes(a.units().min(b.units())),
            ("@in", [_, list], [x, Shape::List(item)])
                if item.as_deref().is_none_or(|item| item.both(x).is_some()) =>
            {
                yes(list.units())
            }
            ("@in", [key, _], [Shape::Text, Shape::Annotations]) => yes(key.units() + 8),
            ("_?_:_", [_, a, b], [Shape::Bool, x, y]) => x.both(y).map(|shape| Bound {
                shape,
                cost,
                items: a.items.max(b.items),
                bytes: a.bytes.max(b.bytes),
            }),
            ("_+_" | "_-_" | "_*_" | "_/_" | "_%_", _, [Shape::Int, Shape::Int])
            | ("-_", _, [Shape::Int]) => Some(Bound::new(Shape::Int, cost)),
            ("_+_", [a, b], [Shape::Text, Shape::Text]) => {
                let bytes = a.bytes.saturating_add(b.bytes);
                let joined = Bound::text(cost, bytes);
                let more = joined.units();
                Some(Bound::text(cost.saturating_add(more), bytes))
            }
            ("_+_", [a, b], [x @ Shape::List(_), y @ Shape::List(_)]) => x.both(y).map(|shape| {
                let joined = Bound {
                    shape,
                    cost,
                    items: a.items.saturating_add(b.items),
                    bytes: a.bytes.max(b.bytes),
                };
                let more = joined.units();
                Bound {
                    cost: cost.saturating_add(more),
                    ..joined
                }
            }),
            ("_+_", _, [Shape::Time, Shape::Duration] | [Shape::Duration, Shape::Time])
            | ("_-_", _, [Shape::Time, Shape::Duration]) => Some(Bound::new(Shape::Time, cost)),
            ("_-_", _, [Shape::Time, Shape::Time])
            | ("_+_" | "_-_", _, [Shape::Duration, Shape::Duration]) => {
                Some(Bound::new(Shape::Duration, cost))
            }
            ("_[_]", [list, _], [Shape::List(Some(item)), Shape::Int]) => Some(Bound {
                bytes: list.bytes,
                ..Bound::new(
                    (**item).clone(),
                    cost.saturating_add(list.bytes / UNIT_BYTES),
                )
            }),
            ("_[_]", [_, key], [Shape::Annotations, Shape::Text]) => Some(Bound::text(
                cost.saturating_add(key.units() + 8),
                TEXT_BYTES as u64,
            )),
            ("size", [arg], [Shape::Text]) => {
                Some(Bound::new(Shape::Int, cost.saturating_add(arg.units())))
            }
            ("size", _, [Shape::List(_) | Shape::Annotations]) => {
                Some(Bound::new(Shape::Int, cost))
            }
            ("int", [arg], [Shape::Text]) => {
                Some(Bound::new(Shape::Int, cost.saturating_add(arg.units())))
            }
            ("string", _, [Shape::Int | Shape::Bool]) => Some(Bound::text(cost + 4, 20)),
            (time::TIMESTAMP, _, [Shape::Text]) => {
                let text = self.written(id, function, literal)?;
                time::instant(text).or_else(|why| self.wrong(id, why))?;
                Some(Bound::new(Shape::Time, cost + 20))
            }
            (time::DURATION, _, [Shape::Text]) => {
                let text = self.written(id, function, literal)?;
                time::span(text).or_else(|why| self.wrong(id, why))?;
                Some(Bound::new(Shape::Duration, cost + 20))
            }
            _ => None,
        })
    }

    fn member(
        &mut self,
        id: u64,
        function: &str,
        args: &[Bound],
        literal: Option<&str>,
        cost: u64,
    ) -> Result<Option<Bound>, String> {
        let shapes: Vec<&Shape> = args.iter().map(|arg| &arg.shape).collect();
        Ok(match (function, args, shapes.as_slice()) {
            ("size", [_], [_]) => self.plain(id, function, args, literal, cost)?,
            ("contains", [text, part], [Shape::Text, Shape::Text]) => Some(Bound::new(
                Shape::Bool,
                // Searching looks at each byte, comparing at many at once.
                cost.saturating_add((text.units() + part.units()).saturating_mul(8)),
            )),
            ("startsWith" | "endsWith", [_, part], [Shape::Text, Shape::Text]) => {
                Some(Bound::new(Shape::Bool, cost.saturating_add(part.units())))
            }
            (part, [_], [Shape::Time]) if time::PARTS.contains(&part) => {
                Some(Bound::new(Shape::Int, cost + 20))
            }
            (part, [_, _], [Shape::Time, Shape::Text]) if time::PARTS.contains(&part) => {
                let zone = self.written(id, function, literal)?;
                if let Err(why) = crate::zone::find(zone) {
                    return self.wrong(id, why);
                }
                Some(Bound::new(Shape::Int, cost + 40))
            }
            (total, [_], [Shape::Duration]) if time::TOTALS.contains(&total) => {
                Some(Bound::new(Shape::Int, cost))
            }
            _ => None,
        })
    }

    /// `text.matches('pattern')`. The pattern is compiled here, and a variable takes its place.
    fn matches(&mut self, id: u64, call: &mut CallExpr) -> Found {
        let (Some(target), [argument]) = (&mut call.target, call.args.as_mut_slice()) else {
            return self.wrong(id, "write TEXT.matches('PATTERN')");
        };
        let text = self.node(target)?;
        if text.shape != Shape::Text {
            let shape = text.shape.name();
            return self.wrong(id, format!("matches looks at text, and this is {shape}"));
        }
        let written = literal_text(argument);
        let (compiled, size) = pattern::compile(self.written(id, pattern::MATCHES, written)?)
            .or_else(|why| self.wrong(id, why))?;
        argument.expr = Expr::Ident(pattern::name(self.patterns.len()));
        self.patterns.push(compiled);
        let cost = pattern::cost(size, text.bytes).saturating_add(text.cost);
        Ok(Bound::new(Shape::Bool, cost))
    }

    /// What must be known when the policy is read.
    fn written<'t>(
        &self,
        id: u64,
        function: &str,
        literal: Option<&'t str>,
    ) -> Result<&'t str, String> {
        match literal {
            Some(text) => Ok(text),
            None => self.wrong(id, format!("{function} takes a text in quotes")),
        }
    }

    /// Nothing fits: is it the name or what it was given?
    fn unfit(&self, id: u64, function: &str, args: &[Bound]) -> Found {
        let shapes: Vec<&str> = args.iter().map(|arg| arg.shape.name()).collect();
        let shapes = shapes.join(" and ");
        let operator = function
            .trim_start_matches('@')
            .replace('_', " ")
            .replace("[ ]", "an index")
            .trim()
            .to_owned();
        if function.starts_with(['_', '@', '!', '-']) {
            return self.wrong(id, format!("{operator} does not work with {shapes}"));
        }
        if FUNCTIONS.contains(&function) {
            return self.wrong(id, format!("{function} does not work with {shapes}"));
        }
        let hint = match nearest(function, FUNCTIONS) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("there are {}", FUNCTIONS.join(", ")),
        };
        self.wrong(
            id,
            format!("there is no function {}; {hint}", quoted(function)),
        )
    }
}

fn literal_text(expr: &IdedExpr) -> Option<&str> {
    match &expr.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}
