//! Bindings generated from `wit/`. Plugins never name them: the export macros do.
//!
//! The host's side is generated once, so that all kinds share one set of types. Each kind's
//! exports are a world of their own; the linker joins the worlds that a plugin really uses, and
//! drops every import that it never calls. What remains is the plugin's true list of permissions.

/// Imports: everything a host offers.
pub mod host {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package sluice:sdk;
            world host {
                import sluice:plugin/log@0.1.0;
                import sluice:plugin/context@0.1.0;
                import sluice:plugin/http@0.1.0;
                import sluice:plugin/tls@0.1.0;
            }
        ",
        world: "host",
        additional_derives: [PartialEq],
        generate_all,
        pub_export_macro: true,
    });
}

/// The export that every kind has.
pub mod settings {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package sluice:sdk;
            world settings-guest { export sluice:plugin/settings@0.1.0; }
        ",
        world: "settings-guest",
        additional_derives: [PartialEq],
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_guest",
        default_bindings_module: "sluice_sdk::bindings::settings",
    });
}

macro_rules! kind {
    ($module:ident, $world:literal, $inline:literal, $bindings:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../wit",
                inline: $inline,
                world: $world,
                additional_derives: [PartialEq],
                with: {
                    "sluice:plugin/types@0.1.0": crate::bindings::host::sluice::plugin::types,
                    "sluice:plugin/context@0.1.0": crate::bindings::host::sluice::plugin::context,
                },
                pub_export_macro: true,
                export_macro_name: "export_guest",
                default_bindings_module: $bindings,
            });
        }
    };
}

kind!(
    smoke_test,
    "smoke-test-guest",
    "package sluice:sdk; world smoke-test-guest { export sluice:plugin/smoke-test@0.1.0; }",
    "sluice_sdk::bindings::smoke_test"
);
kind!(
    traffic_strategy,
    "traffic-strategy-guest",
    "package sluice:sdk;
     world traffic-strategy-guest { export sluice:plugin/traffic-strategy@0.1.0; }",
    "sluice_sdk::bindings::traffic_strategy"
);
kind!(
    notifier,
    "notifier-guest",
    "package sluice:sdk; world notifier-guest { export sluice:plugin/notifier@0.1.0; }",
    "sluice_sdk::bindings::notifier"
);
kind!(
    metric_provider,
    "metric-provider-guest",
    "package sluice:sdk;
     world metric-provider-guest { export sluice:plugin/metric-provider@0.1.0; }",
    "sluice_sdk::bindings::metric_provider"
);
kind!(
    approval_provider,
    "approval-provider-guest",
    "package sluice:sdk;
     world approval-provider-guest { export sluice:plugin/approval-provider@0.1.0; }",
    "sluice_sdk::bindings::approval_provider"
);
