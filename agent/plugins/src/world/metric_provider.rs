//! `metric-provider-plugin`: numbers for the two versions. The verdict is the core's.
//!
//! Numbers decide over a rollout, so an answer is refused rather than mended: what is no number, a
//! share above one, a version that is there twice. No data is said by leaving a series out, by a
//! `total` of zero or by no `value`.

use sluice_core::plugin::{Measurement, Series, SeriesRole};
use wasmtime::Store;
use wasmtime::component::Linker;

use super::{Answer, In, bad, clean, invocation, link_basics, said};
use crate::bindings::exports::sluice::plugin::metric_provider as guest_types;
use crate::bindings::exports::sluice::plugin::metric_provider::GuestIndices;
use crate::capability::{http, tls, wasi_http};
use crate::state::CallState;

/// One series for each role.
const MAX_SERIES: usize = 2;

/// A span of time, in milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// First millisecond.
    pub(crate) from_unix_ms: u64,
    /// First millisecond after it.
    pub(crate) to_unix_ms: u64,
}

/// What a metric provider may call.
pub(crate) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    link_basics(linker)?;
    http::link(linker)?;
    wasi_http::link(linker)?;
    tls::link(linker)
}

/// Measures one window.
pub(crate) async fn evaluate(
    guest: &GuestIndices,
    store: &mut Store<CallState>,
    instance: In<'_>,
    window: Window,
) -> Answer<Measurement> {
    let guest = guest.load(&mut *store, instance)?;
    let call = invocation(store)?;
    let window = guest_types::Window {
        from_unix_ms: window.from_unix_ms,
        to_unix_ms: window.to_unix_ms,
    };
    let measured = guest
        .call_evaluate(&mut *store, call, window)
        .await?
        .map_err(|error| said(store, error))?;
    let series = measured
        .series
        .iter()
        .take(MAX_SERIES + 1)
        .map(|series| Series {
            role: match series.role {
                guest_types::Role::Stable => SeriesRole::Stable,
                guest_types::Role::Candidate => SeriesRole::Candidate,
            },
            events: series.events,
            total: series.total,
            value: series.value,
        })
        .collect();
    Ok(Measurement {
        series: sound(series).map_err(bad)?,
        summary: clean(store, &measured.summary, crate::text::LINE),
    })
}

/// The series, if numbers can be what they say.
///
/// # Errors
/// Why they cannot, in words.
pub(crate) fn sound(series: Vec<Series>) -> Result<Vec<Series>, String> {
    if series.len() > MAX_SERIES {
        return Err(format!(
            "more than {MAX_SERIES} series; there is one for each version"
        ));
    }
    for (index, one) in series.iter().enumerate() {
        let role = match one.role {
            SeriesRole::Stable => "stable",
            SeriesRole::Candidate => "candidate",
        };
        if one.events > one.total {
            return Err(format!(
                "series {role} counts {} events among {}; at most all of them",
                one.events, one.total
            ));
        }
        if let Some(value) = one.value.filter(|value| !value.is_finite()) {
            return Err(format!(
                "series {role} has the value {value}, which is no number; no data is no value"
            ));
        }
        if series.iter().skip(index + 1).any(|o| o.role == one.role) {
            return Err(format!("series {role} is there twice"));
        }
    }
    Ok(series)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(role: SeriesRole, events: u64, total: u64, value: Option<f64>) -> Series {
        Series {
            role,
            events,
            total,
            value,
        }
    }

    #[test]
    fn numbers_that_can_be_are_taken_as_they_are() {
        let both = vec![
            series(SeriesRole::Stable, 0, 0, None),
            series(SeriesRole::Candidate, 7, 7, Some(-0.5)),
        ];
        assert_eq!(sound(both.clone()), Ok(both));
        assert_eq!(sound(Vec::new()), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_number_is_refused_in_words() {
        use SeriesRole::{Candidate, Stable};
        for (given, words) in [
            (
                vec![series(Stable, 2, 1, None)],
                "series stable counts 2 events among 1; at most all of them",
            ),
            (
                vec![series(Candidate, 0, 1, Some(f64::NAN))],
                "series candidate has the value NaN, which is no number; no data is no value",
            ),
            (
                vec![series(Candidate, 0, 1, Some(f64::NEG_INFINITY))],
                "series candidate has the value -inf, which is no number; no data is no value",
            ),
            (
                vec![series(Stable, 0, 1, None), series(Stable, 0, 1, None)],
                "series stable is there twice",
            ),
            (
                vec![series(Stable, 0, 1, None); 3],
                "more than 2 series; there is one for each version",
            ),
        ] {
            assert_eq!(sound(given), Err(words.to_owned()));
        }
    }
}
