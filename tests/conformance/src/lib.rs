//! The contract of a call, stated once as tests, for every backend to run.
//!
//! A backend implements [`Backend`] and invokes [`suite!`]; each rule is a function in [`rules`]. Every test runs under a
//! watchdog that fails it instead of letting it hang.

/// The probe service, as rpcgen makes it.
#[rustfmt::skip]
pub mod probe;
pub mod inproc;
#[cfg(target_os = "linux")]
pub mod rdma;
pub mod rules;
#[cfg(target_os = "linux")]
pub mod shm;
mod support;

use std::time::Duration;

use runtime_core::{ClientConfig, ClientTransport, ServerConfig, ServerTransport};

pub use support::{Lookups, Probe, guarded, rounds};

/// A client of the probe service on backend `B`, whose calls carry a `U`.
pub type Client<B, U = u64> = probe::probe::ClientOver<<B as Backend>::Client, U>;

/// A server of the probe service on backend `B`.
pub type Server<B> = probe::probe::ServerOver<<B as Backend>::Server>;

/// A backend under test.
pub trait Backend: 'static {
    /// Its client transport.
    type Client: ClientTransport<Service = probe::probe::Service> + Send;
    /// Its server transport.
    type Server: ServerTransport<Service = probe::probe::Service, Keep: Send> + Send;
    /// Makes further clients of a server, on any thread.
    type Connector: Send;
    /// True if both sides see their memory at one address.
    const ONE_MAPPING: bool;

    /// A server.
    fn server(config: &ServerConfig) -> Self::Server;

    /// What makes clients of it.
    fn connector(server: &mut Self::Server) -> Self::Connector;

    /// What tells it to stop, from any thread.
    fn stopper(server: &Self::Server) -> impl FnOnce() + Send + 'static;

    /// A new client.
    fn connect(
        connector: &Self::Connector,
        config: &ClientConfig,
    ) -> Result<Self::Client, runtime_core::AttachError>;
}

/// A client and its server with these settings.
pub fn pair_with<B: Backend, U>(
    client: &ClientConfig,
    server: &ServerConfig,
) -> (Client<B, U>, Server<B>) {
    let mut transport = B::server(server);
    let connector = B::connector(&mut transport);
    let ends = B::connect(&connector, client).expect("a fresh server admits a client");
    (
        Client::<B, U>::over(ends, client),
        Server::<B>::over(transport, server),
    )
}

/// A client and its server.
pub fn pair<B: Backend, U>() -> (Client<B, U>, Server<B>) {
    // Longer than the watchdog is patient: a deadline that is not the point of a test must not end it on a busy machine.
    let client = ClientConfig {
        deadline: Duration::from_secs(300),
        ..ClientConfig::default()
    };
    pair_with::<B, U>(&client, &ServerConfig::default())
}

/// Runs every rule on a backend, as one `#[test]` each.
#[macro_export]
macro_rules! suite {
    ($backend:ty) => {
        $crate::suite! { @tests $backend;
            calls: every_shape_round_trips, service_errors_are_typed, invalid_requests_do_not_reach_the_server,
                invalid_replies_do_not_reach_the_caller, oneway_needs_no_reply_and_is_bounded, replies_come_in_any_order;
            copies: the_request_is_read_where_it_was_built, a_held_request_is_not_overwritten,
                in_place_edits_the_request, a_row_of_large_calls_keeps_each_to_its_own;
            handles: a_dropped_call_is_aborted, a_panicking_handler_aborts_and_the_server_goes_on,
                a_dropped_token_is_aborted_from_any_thread, a_foreign_token_is_handed_back, a_token_outlives_its_client,
                a_dropped_loan_frees_its_slot;
            window: a_full_window_refuses_and_hands_back, the_window_counts_what_the_server_holds,
                user_data_comes_back_exactly_once, close_hands_everything_back;
            time: a_call_ends_at_its_deadline, a_late_reply_is_dropped_and_counted, the_call_may_set_its_deadline,
                a_deadline_passes_while_others_are_answered, a_deadline_passes_while_replies_are_waited_for,
                a_deadline_passes_beside_blocking_calls, waiting_forgets_calls_that_have_ended,
                waiting_does_not_end_for_what_nobody_waits_for,
                a_blocking_call_ends_at_its_deadline, retry_repeats_idempotent_calls;
            peers: calls_end_when_the_server_goes, replies_sent_before_the_server_went_arrive,
                the_server_ends_when_its_clients_go, clients_come_and_go, many_clients_are_served_fairly,
                too_many_clients_are_refused, held_requests_keep_their_clients_place, replies_that_overtook_are_not_lost,
                requests_sent_before_the_client_went_are_served, a_new_client_gets_its_turn,
                waiting_ends_when_nothing_is_left, a_busy_server_can_be_stopped;
            threads: blocking_calls_across_threads, sleeping_sides_wake_each_other, a_deep_window_across_threads,
                futures_run_on_any_executor, futures_end_at_their_deadline, a_future_that_moves_keeps_its_deadline,
                each_future_is_woken_for_itself, a_forgotten_future_ends_too, a_blocking_call_sleeps_beside_an_event,
                ends_are_send;
            events: events_arrive_in_order, a_full_event_window_refuses, events_of_a_gone_client_are_refused;
            counts: both_sides_count, the_histogram_records_round_trips, memory_is_known;
        }
    };
    (@tests $backend:ty; $($module:ident: $($rule:ident),+;)+) => {
        $(mod $module {
            use super::*;
            $(
                #[test]
                fn $rule() {
                    $crate::guarded(stringify!($rule), $crate::rules::$module::$rule::<$backend>);
                }
            )+
        })+
    };
}
