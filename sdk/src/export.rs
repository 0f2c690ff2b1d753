//! The macros that make a plugin out of functions.
//!
//! Each expands to the component's exports in wasm, and to nothing but a use of the functions
//! natively, so that unit tests and doc builds need no host.

/// Embeds `plugin.toml` as the custom section `sluice:manifest`, which the host reads without
/// running anything.
#[doc(hidden)]
#[macro_export]
macro_rules! __embed_manifest {
    () => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            const TEXT: &[u8] = ::core::include_bytes!(::core::concat!(
                ::core::env!("CARGO_MANIFEST_DIR"),
                "/plugin.toml"
            ));
            #[used]
            #[unsafe(link_section = "sluice:manifest")]
            static MANIFEST: [u8; TEXT.len()] = *::core::include_bytes!(::core::concat!(
                ::core::env!("CARGO_MANIFEST_DIR"),
                "/plugin.toml"
            ));
        };
    };
}

/// The parts that all kinds share: manifest, settings check, and the kind's own exports.
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($kind:ident, $plugin:expr, { $($functions:tt)* }) => {
        $crate::__embed_manifest!();

        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            let _ = $plugin;
        };

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Exports;

            impl $crate::bindings::settings::exports::sluice::plugin::settings::Guest for Exports {
                fn validate(settings: ::std::string::String) -> ::std::vec::Vec<$crate::Issue> {
                    $plugin.issues(&settings)
                }
            }

            $crate::bindings::settings::export_guest!(
                Exports with_types_in $crate::bindings::settings
            );

            use $crate::bindings::host::sluice::plugin::context::Invocation;
            use $crate::bindings::$kind::exports::sluice::plugin::$kind::Guest;

            impl Guest for Exports {
                $($functions)*
            }

            $crate::bindings::$kind::export_guest!(
                Exports with_types_in $crate::bindings::$kind
            );
        };
    };
}

/// Makes a smoke-test plugin of `fn(&mut SmokeTest, Settings) -> TestResult`.
///
/// ```
/// use sluice_sdk::prelude::*;
/// use sluice_sdk::settings::NoSettings;
///
/// fn home(t: &mut SmokeTest, _: NoSettings) -> TestResult {
///     let page = t.get("/")?;
///     t.check("the home page greets", &page).status(200).contains("Welcome");
///     Ok(())
/// }
///
/// sluice_sdk::export_smoke_test!(home);
/// # fn main() {}
/// ```
///
/// `validate = f` adds a check of its own to the settings, `fn(&Settings) -> Vec<Issue>`. So it
/// does for each of the macros here.
#[macro_export]
macro_rules! export_smoke_test {
    ($run:path $(, validate = $own:path)? $(,)?) => {
        $crate::__export!(smoke_test, $crate::serve::smoke_test($run)$(.validate($own))?, {
            fn run(call: &Invocation) -> ::core::result::Result<$crate::Report, $crate::Error> {
                $crate::serve::smoke_test($run).run(call)
            }
        });
    };
}

/// Makes a traffic-strategy plugin of `plan` and `judge`.
///
/// ```
/// use sluice_sdk::prelude::*;
/// use sluice_sdk::settings::NoSettings;
/// use sluice_sdk::{Judgement, Observation, Step};
///
/// fn plan(_: &Context, _: NoSettings) -> Result<Vec<Step>, Error> {
///     let name = "all at once".into();
///     let (weight_bp, hold_ms) = (10_000, 0);
///     Ok(vec![Step { name, weight_bp, capacity_replicas: None, hold_ms, checks: true, gate: None }])
/// }
///
/// fn judge(_: &Context, _: NoSettings, _: &Step, _: &[Observation]) -> Result<Judgement, Error> {
///     Ok(Judgement::Proceed)
/// }
///
/// sluice_sdk::export_traffic_strategy!(plan, judge);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export_traffic_strategy {
    ($plan:path, $judge:path $(, validate = $own:path)? $(,)?) => {
        $crate::__export!(
            traffic_strategy,
            $crate::serve::strategy($plan, $judge)$(.validate($own))?,
            {
                fn plan(
                    call: &Invocation,
                ) -> ::core::result::Result<::std::vec::Vec<$crate::Step>, $crate::Error> {
                    $crate::serve::strategy($plan, $judge).plan(call)
                }

                fn judge(
                    call: &Invocation,
                    step: $crate::Step,
                    observations: ::std::vec::Vec<$crate::Observation>,
                ) -> ::core::result::Result<$crate::Judgement, $crate::Error> {
                    $crate::serve::strategy($plan, $judge).judge(call, &step, &observations)
                }
            }
        );
    };
}

/// Makes a notifier plugin of `fn(&Client, Settings, &Event) -> Result<Option<String>, Error>`.
///
/// ```
/// use sluice_sdk::prelude::*;
/// use sluice_sdk::settings::NoSettings;
/// use sluice_sdk::Event;
///
/// fn notify(client: &Client, _: NoSettings, event: &Event) -> Result<Option<String>, Error> {
///     let request = Request::post("/hook").on("pager").body(event.title.as_str());
///     match client.send(&request) {
///         Ok(answer) if answer.status == 200 => Ok(None),
///         Ok(answer) => Err(Error::Unavailable(format!("status {}", answer.status))),
///         Err(error) => Err(Error::Unavailable(format!("{error:?}"))),
///     }
/// }
///
/// sluice_sdk::export_notifier!(notify);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export_notifier {
    ($notify:path $(, validate = $own:path)? $(,)?) => {
        $crate::__export!(notifier, $crate::serve::notifier($notify)$(.validate($own))?, {
            fn notify(
                call: &Invocation,
                event: $crate::Event,
            ) -> ::core::result::Result<
                ::core::option::Option<::std::string::String>,
                $crate::Error,
            > {
                $crate::serve::notifier($notify).notify(call, &event)
            }
        });
    };
}

/// Makes a metric-provider plugin of `fn(&Client, Settings, Window) -> Result<Measurement, Error>`.
///
/// ```
/// use sluice_sdk::prelude::*;
/// use sluice_sdk::settings::NoSettings;
/// use sluice_sdk::{Measurement, Window};
///
/// fn evaluate(client: &Client, _: NoSettings, _: Window) -> Result<Measurement, Error> {
///     let request = Request::get("/api/v1/query?query=up").on("prometheus");
///     let answer = client.send(&request).map_err(|e| Error::Unavailable(format!("{e:?}")))?;
///     Ok(Measurement { series: vec![], summary: format!("no data, status {}", answer.status) })
/// }
///
/// sluice_sdk::export_metric_provider!(evaluate);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export_metric_provider {
    ($evaluate:path $(, validate = $own:path)? $(,)?) => {
        $crate::__export!(metric_provider, $crate::serve::metrics($evaluate)$(.validate($own))?, {
            fn evaluate(
                call: &Invocation,
                window: $crate::Window,
            ) -> ::core::result::Result<$crate::Measurement, $crate::Error> {
                $crate::serve::metrics($evaluate).evaluate(call, window)
            }
        });
    };
}

/// Makes an approval-provider plugin of `ask`, `poll`, `withdraw` and `on_callback`.
///
/// ```
/// use sluice_sdk::prelude::*;
/// use sluice_sdk::settings::NoSettings;
/// use sluice_sdk::Status;
///
/// fn ask(client: &Client, _: NoSettings) -> Result<Status, Error> {
///     Ok(Status::Pending(client.idempotency_key()))
/// }
///
/// fn poll(_: &Client, _: NoSettings, ticket: &str) -> Result<Status, Error> {
///     Ok(Status::Pending(ticket.into()))
/// }
///
/// fn withdraw(_: &Client, _: NoSettings, _ticket: &str) -> Result<(), Error> {
///     Ok(())
/// }
///
/// fn on_callback(
///     _: &Client,
///     _: NoSettings,
///     _ticket: &str,
///     _headers: &[(String, String)],
///     _body: &[u8],
/// ) -> Result<Option<Status>, Error> {
///     Ok(None)
/// }
///
/// sluice_sdk::export_approval_provider!(ask, poll, withdraw, on_callback);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export_approval_provider {
    ($ask:path, $poll:path, $withdraw:path, $callback:path $(, validate = $own:path)? $(,)?) => {
        $crate::__export!(
            approval_provider,
            $crate::serve::approval($ask, $poll, $withdraw, $callback)$(.validate($own))?,
            {
                fn ask(
                    call: &Invocation,
                ) -> ::core::result::Result<$crate::Status, $crate::Error> {
                    $crate::serve::approval($ask, $poll, $withdraw, $callback).ask(call)
                }

                fn poll(
                    call: &Invocation,
                    ticket: ::std::string::String,
                ) -> ::core::result::Result<$crate::Status, $crate::Error> {
                    $crate::serve::approval($ask, $poll, $withdraw, $callback).poll(call, &ticket)
                }

                fn withdraw(
                    call: &Invocation,
                    ticket: ::std::string::String,
                ) -> ::core::result::Result<(), $crate::Error> {
                    $crate::serve::approval($ask, $poll, $withdraw, $callback)
                        .withdraw(call, &ticket)
                }

                fn on_callback(
                    call: &Invocation,
                    ticket: ::std::string::String,
                    headers: ::std::vec::Vec<(::std::string::String, ::std::string::String)>,
                    body: ::std::vec::Vec<u8>,
                ) -> ::core::result::Result<::core::option::Option<$crate::Status>, $crate::Error>
                {
                    $crate::serve::approval($ask, $poll, $withdraw, $callback)
                        .on_callback(call, &ticket, &headers, &body)
                }
            }
        );
    };
}

/// The test of a plugin's cases, natively: `cargo test` plays `cases/*.toml` as `sluice plugin test`
/// plays them in the host. The kind is one of `smoke_test(run)`, `metrics(evaluate)`,
/// `notifier(notify)`, `strategy(plan, judge)`, `approval(ask, poll, withdraw, on_callback)`.
///
/// `validate = f` is the plugin's own check of its settings, as for the export. `settings = T` keeps
/// `settings.schema.json` beside the source that of the type, which derives `schemars::JsonSchema` in
/// tests; `schemars` is then a dependency of the plugin's tests.
///
/// ```text
/// sluice_sdk::export_smoke_test!(health);
/// sluice_sdk::test_cases!(smoke_test(health), settings = Settings);
/// ```
#[macro_export]
macro_rules! test_cases {
    (
        $kind:ident($($function:path),+ $(,)?)
        $(, validate = $own:path)?
        $(, settings = $settings:ty)?
        $(,)?
    ) => {
        #[cfg(test)]
        mod sluice_cases {
            use super::*;

            #[test]
            fn every_case_holds() {
                let plugin = $crate::serve::$kind($($function),+)$(.validate($own))?;
                $crate::testing::play(::core::env!("CARGO_MANIFEST_DIR"), &plugin);
            }

            $(
                #[test]
                fn the_schema_of_the_settings_is_current() {
                    let schema = ::schemars::schema_for!($settings);
                    $crate::testing::keep_schema(
                        ::core::env!("CARGO_MANIFEST_DIR"),
                        schema.as_value(),
                    );
                }
            )?
        }
    };
}
