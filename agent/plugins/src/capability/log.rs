//! `sluice:plugin/log`: a bounded number of clean lines per call (attacks 6 and 19).

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::sluice::plugin::log;
use crate::state::{CallState, counted};
use crate::text;

/// Most lines of one call.
const MAX_LINES: u32 = 200;
/// Most bytes of one call.
const MAX_BYTES: usize = 64 << 10;
const MAX_MESSAGE_BYTES: usize = 4 << 10;
const MAX_FIELDS: usize = 16;
const MAX_FIELD_BYTES: usize = 512;

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Every detail.
    Trace,
    /// Details.
    Debug,
    /// Good to know.
    Info,
    /// Somebody should look.
    Warn,
    /// Something failed.
    Error,
}

/// One line of a plugin: clean, bounded, without known secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Name of the plugin.
    pub plugin: String,
    /// How loud.
    pub level: LogLevel,
    /// What it says.
    pub message: String,
    /// Named details.
    pub fields: Vec<(String, String)>,
}

/// Where the lines of plugins go.
pub trait LogSink: Send + Sync {
    /// Takes one line. Must not block.
    fn line(&self, line: LogLine);
}

/// Into the agent's own log.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingSink;

impl LogSink for TracingSink {
    fn line(&self, line: LogLine) {
        let LogLine {
            plugin,
            level,
            message,
            fields,
        } = line;
        let fields = fields
            .iter()
            .map(|(k, v)| format!("{k}={v:?}"))
            .collect::<Vec<_>>()
            .join(" ");
        match level {
            LogLevel::Trace => {
                tracing::trace!(target: "sluice::plugin", plugin, fields, "{message}");
            }
            LogLevel::Debug => {
                tracing::debug!(target: "sluice::plugin", plugin, fields, "{message}");
            }
            LogLevel::Info => {
                tracing::info!(target: "sluice::plugin", plugin, fields, "{message}");
            }
            LogLevel::Warn => {
                tracing::warn!(target: "sluice::plugin", plugin, fields, "{message}");
            }
            LogLevel::Error => {
                tracing::error!(target: "sluice::plugin", plugin, fields, "{message}");
            }
        }
    }
}

/// What one call may still log.
#[derive(Debug)]
pub(crate) struct LogBudget {
    lines: u32,
    bytes: usize,
    dropped: u64,
}

impl Default for LogBudget {
    fn default() -> Self {
        LogBudget {
            lines: MAX_LINES,
            bytes: MAX_BYTES,
            dropped: 0,
        }
    }
}

/// Offers the interface.
pub(crate) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    log::add_to_linker::<CallState, HasSelf<CallState>>(linker, counted)
}

impl log::Host for CallState {
    fn emit(
        &mut self,
        level: log::Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        self.host_calls.check()?;
        let level = match level {
            log::Level::Trace => LogLevel::Trace,
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Error => LogLevel::Error,
        };
        self.write_line(level, &message, &fields);
        Ok(())
    }
}

impl CallState {
    /// Cleans, redacts, counts and hands on one line.
    pub(crate) fn write_line(
        &mut self,
        level: LogLevel,
        message: &str,
        fields: &[(String, String)],
    ) {
        if self.log.lines == 0 || self.log.bytes == 0 {
            self.log.dropped += 1;
            return;
        }
        let clean = |text: &str, limit| {
            text::line(
                &self.outbound.redactor.text(&text::line(text, limit)),
                limit,
            )
        };
        let message = clean(message, MAX_MESSAGE_BYTES.min(self.log.bytes));
        let fields: Vec<_> = fields
            .iter()
            .take(MAX_FIELDS)
            .map(|(name, value)| (clean(name, 64), clean(value, MAX_FIELD_BYTES)))
            .collect();
        let size = message.len() + fields.iter().map(|(k, v)| k.len() + v.len()).sum::<usize>();
        self.log.lines -= 1;
        self.log.bytes = self.log.bytes.saturating_sub(size.max(1));
        if !self.standing.may_log(size) {
            self.log.dropped += 1;
            return;
        }
        self.log_sink.line(LogLine {
            plugin: self.plugin.clone(),
            level,
            message,
            fields,
        });
    }

    /// Takes over what the guest printed, at the end of the call.
    pub(crate) fn close_output(&mut self) {
        for note in self.outbound.notes.take() {
            self.write_line(LogLevel::Warn, &note, &[]);
        }
        let (output, lost) = self.output.take();
        for line in output.lines().filter(|line| !line.trim().is_empty()) {
            self.write_line(LogLevel::Info, line, &[]);
        }
        if lost > 0 {
            let words = format!("{lost} more bytes of this call's output were dropped");
            self.write_line(LogLevel::Warn, &words, &[]);
        }
    }

    /// Says how much was left out, once, at the end of the call.
    pub(crate) fn close_log(&mut self) {
        if self.log.dropped > 0 {
            self.log_sink.line(LogLine {
                plugin: self.plugin.clone(),
                level: LogLevel::Warn,
                message: format!(
                    "{} more lines of this call were dropped; {MAX_LINES} lines or {} KiB of a call are kept, and fewer of a plugin that always says much",
                    self.log.dropped,
                    MAX_BYTES >> 10
                ),
                fields: Vec::new(),
            });
        }
    }
}
