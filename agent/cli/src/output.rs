//! The only module that prints.
//!
//! Text that comes from the cluster or from a plugin is foreign: control characters are taken out of
//! it, so that nobody repaints an approver's terminal.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::text::picture::Style;

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one document, or one a line where a command follows something.
    Json,
}

/// Where results, notes and errors go.
pub struct Output {
    format: Format,
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    /// Whether a line may be painted over: standard output is a terminal.
    live: bool,
    /// Whether a person can be asked: standard input and error are terminals.
    asks: bool,
    /// Whether a passing line stands on the terminal now.
    passing: bool,
    /// Which characters pictures are made of.
    style: Style,
}

/// What a captured [`Output`] has written so far.
#[derive(Clone, Default)]
pub struct Captured {
    out: Buffer,
    err: Buffer,
}

impl Captured {
    /// Standard output.
    pub fn out(&self) -> String {
        self.out.text()
    }

    /// Standard error.
    pub fn err(&self) -> String {
        self.err.text()
    }
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output {
    /// Standard output and error.
    pub fn stdio(format: Format) -> Self {
        Self {
            format,
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            live: io::stdout().is_terminal() && format == Format::Text,
            asks: io::stdin().is_terminal() && io::stderr().is_terminal(),
            passing: false,
            style: Style::of(|name| std::env::var(name).ok()),
        }
    }

    /// Into memory: tests and the demo.
    pub fn captured(format: Format) -> (Self, Captured) {
        let captured = Captured::default();
        let output = Self {
            format,
            out: Box::new(captured.out.clone()),
            err: Box::new(captured.err.clone()),
            live: false,
            asks: false,
            passing: false,
            style: Style::Blocks,
        };
        (output, captured)
    }

    /// Whether results are wanted for programs.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Pictures of ASCII alone from here on.
    pub(crate) fn plain(&mut self) {
        self.style = Style::Ascii;
    }

    /// Which characters pictures are made of.
    pub(crate) fn style(&self) -> Style {
        self.style
    }

    /// Whether a line may be painted over.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Whether a person can be asked.
    pub(crate) fn asks(&self) -> bool {
        self.asks
    }

    /// Writes lines for people; for programs nothing.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Failure> {
        if self.is_json() {
            return Ok(());
        }
        self.clear()?;
        writeln!(self.out, "{}", harmless(text.trim_end_matches('\n'))).map_err(closed)
    }

    /// Writes a line for people that begins with a verdict, in colour on a terminal.
    pub(crate) fn judged(&mut self, good: bool, word: &str, text: &str) -> Result<(), Failure> {
        if !self.live || std::env::var_os("NO_COLOR").is_some() {
            return self.text(&format!("{word}{text}"));
        }
        self.clear()?;
        let colour = if good { 32 } else { 31 };
        let (word, text) = (harmless(word), harmless(text.trim_end_matches('\n')));
        writeln!(self.out, "\x1b[{colour}m{word}\x1b[0m{text}").map_err(closed)
    }

    /// Writes a document for programs; for people nothing. `compact`: on one line, one of many.
    pub(crate) fn json(&mut self, value: &impl Serialize, compact: bool) -> Result<(), Failure> {
        if !self.is_json() {
            return Ok(());
        }
        self.document(value, compact)
    }

    /// Writes a document whatever the format: for commands whose result is one.
    pub(crate) fn document(
        &mut self,
        value: &impl Serialize,
        compact: bool,
    ) -> Result<(), Failure> {
        let text = if compact {
            serde_json::to_string(value)
        } else {
            serde_json::to_string_pretty(value)
        };
        let text = text.map_err(|e| {
            Failure::new("internal", "the result cannot be written as JSON").because(e.to_string())
        })?;
        writeln!(self.out, "{text}")
            .and_then(|()| self.out.flush())
            .map_err(closed)
    }

    /// Writes text as it is: generated scripts.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out
            .write_all(bytes)
            .and_then(|()| self.out.flush())
            .map_err(closed)
    }

    /// Says something beside the result, on standard error.
    pub(crate) fn note(&mut self, text: &str) -> Result<(), Failure> {
        if self.is_json() {
            return Ok(());
        }
        self.clear()?;
        writeln!(self.err, "{}", harmless(text)).map_err(closed)
    }

    /// Writes an error, in the wanted format.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        let _ = self.clear();
        // Nobody is left to tell where even this cannot be written.
        let _ = match self.format {
            Format::Text => writeln!(self.err, "{}", harmless(&failure.to_string())),
            Format::Json => writeln!(self.err, "{}", failure.to_json()),
        };
    }

    /// Paints the passing line of a terminal; elsewhere nothing.
    pub(crate) fn paint(&mut self, text: &str) -> Result<(), Failure> {
        if !self.live {
            return Ok(());
        }
        let line: String = harmless(text)
            .replace('\n', " ")
            .chars()
            .take(width())
            .collect();
        self.passing = true;
        write!(self.out, "\r\x1b[2K{line}")
            .and_then(|()| self.out.flush())
            .map_err(closed)
    }

    /// Takes the passing line away.
    pub(crate) fn clear(&mut self) -> Result<(), Failure> {
        if !self.passing {
            return Ok(());
        }
        self.passing = false;
        write!(self.out, "\r\x1b[2K")
            .and_then(|()| self.out.flush())
            .map_err(closed)
    }

    /// Asks a person. Where nobody sits at a terminal there is no question, and the answer is yes:
    /// whoever writes a script has decided.
    pub(crate) async fn confirm(&mut self, question: &str) -> Result<bool, Failure> {
        if !self.asks {
            return Ok(true);
        }
        write!(self.err, "{} [y/N] ", harmless(question))
            .and_then(|()| self.err.flush())
            .map_err(closed)?;
        let answer = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line).map(|_| line)
        })
        .await;
        let line = match answer {
            Ok(Ok(line)) => line,
            Ok(Err(_)) | Err(_) => String::new(),
        };
        Ok(matches!(line.trim(), "y" | "Y" | "yes" | "Yes"))
    }
}

/// Columns of the terminal as the shell says; 80 otherwise. One is left free, or some terminals wrap.
fn width() -> usize {
    let columns = std::env::var("COLUMNS")
        .ok()
        .and_then(|c| c.parse::<usize>().ok());
    columns.filter(|c| *c >= 20).unwrap_or(80) - 1
}

/// The reader went away, as `head` does: nothing is left to say.
fn closed(error: io::Error) -> Failure {
    Failure::new(CLOSED, "the output cannot be written").because(error.to_string())
}

/// Code of a failure that is not worth a message: it could not be written either.
pub(crate) const CLOSED: &str = "output-closed";

/// Foreign text without control characters; line feeds stay.
fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
        .collect()
}

/// An object as the API server would show it, with its kind first.
pub(crate) fn object<T: Serialize>(object: &T) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    // Noise that nobody reads and that is longer than the rest.
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_repaint_the_terminal() {
        let (mut output, seen) = Output::captured(Format::Text);
        output.text("step 1\u{1b}[2J\r\u{9b}done\nnext").unwrap();
        assert_eq!(seen.out(), "step 1 [2J  done\nnext\n");
    }

    #[test]
    fn errors_come_in_the_wanted_format_and_on_standard_error() {
        let failure = Failure::new("forbidden", "cannot read it")
            .because("no")
            .change("ask");
        let (mut output, seen) = Output::captured(Format::Json);
        output.failure(&failure);
        let value: Value = serde_json::from_str(&seen.err()).unwrap();
        assert_eq!(value["error"]["code"], "forbidden");
        assert_eq!(value["error"]["exit"], 4);
        assert_eq!(seen.out(), "");
        let (mut output, seen) = Output::captured(Format::Text);
        output.failure(&failure);
        assert_eq!(
            seen.err(),
            "error: cannot read it\n  why     no\n  change  ask\n"
        );
    }

    #[test]
    fn programs_get_no_text_and_people_no_documents() {
        let (mut output, seen) = Output::captured(Format::Json);
        output.text("hello").unwrap();
        output.note("hello").unwrap();
        output.json(&serde_json::json!({"a": 1}), true).unwrap();
        assert_eq!(
            (seen.out().as_str(), seen.err().as_str()),
            ("{\"a\":1}\n", "")
        );
        let (mut output, seen) = Output::captured(Format::Text);
        output.json(&1, true).unwrap();
        output.paint("passing").unwrap();
        assert_eq!(seen.out(), "");
    }

    #[tokio::test]
    async fn without_a_terminal_nobody_is_asked() {
        let (mut output, seen) = Output::captured(Format::Text);
        assert!(output.confirm("sure?").await.unwrap());
        assert_eq!(seen.err(), "");
    }
}
