//! The names, in one place.

/// What sort of metric it is, in OpenMetrics' words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations in buckets.
    Histogram,
    /// A constant with labels.
    Info,
}

impl Kind {
    /// As it stands in a `# TYPE` line.
    pub fn code(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }
}

macro_rules! metrics {
    ($( $name:ident = $kind:ident $text:literal, $help:literal; )+) => {
        /// Every metric there is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Metric {
            $( #[doc = $help] $name, )+
        }

        impl Metric {
            /// All of them.
            pub const ALL: &'static [Metric] = &[ $( Metric::$name, )+ ];

            /// The name without the suffixes that OpenMetrics adds to samples.
            pub(super) fn registered_name(self) -> &'static str {
                match self { $( Self::$name => $text, )+ }
            }

            /// One sentence for people, without the full stop, which the exposition adds.
            pub fn help(self) -> &'static str {
                match self { $( Self::$name => $help, )+ }
            }

            /// What sort it is.
            pub fn kind(self) -> Kind {
                match self { $( Self::$name => Kind::$kind, )+ }
            }
        }
    };
}

metrics! {
    Hooks = Counter "behalf_hooks", "Hooks answered, by dialect, outcome and the exact reason of a refusal";
    HookSeconds = Histogram "behalf_hook_seconds", "Time from a hook's arrival to its answer";
    HookBudgetShare = Histogram "behalf_hook_budget_share", "That time as a part of what the identity provider waits";
    HookAuthFailures = Counter "behalf_hook_auth_failures", "Hooks whose caller was turned away";
    HookLastSeen = Gauge "behalf_hook_last_seen_timestamp_seconds", "When the tenant's identity provider called this process last; 0: not since it started";
    SelfTestHooks = Counter "behalf_self_test_hooks", "Hooks of self-tests, by outcome; they count nowhere else";
    DirectorySeconds = Histogram "behalf_directory_seconds", "Questions to the directory, as those who asked saw them";
    DirectoryCallSeconds = Histogram "behalf_directory_call_seconds", "Calls that went to a directory elsewhere; who asks the same shares one";
    StoreSeconds = Histogram "behalf_store_seconds", "Calls to the store";
    ApiRequests = Counter "behalf_api_requests", "API requests, by route, method and class of status";
    ApiSeconds = Histogram "behalf_api_seconds", "Time of API requests";
    KeyFetchSeconds = Histogram "behalf_key_fetch_seconds", "Fetches of issuers' keys";
    CacheLookups = Counter "behalf_cache_lookups", "Look-ups in local caches, by cache and whether they found something";
    CacheEvictions = Counter "behalf_cache_evictions", "Entries that local caches dropped for want of room, by cache";
    PendingDelegations = Gauge "behalf_pending_delegations", "Delegations that wait for their hook";
    ApprovalsWaiting = Gauge "behalf_approvals_waiting", "Approvals that wait for a decision, by tenant; counted up to 1000";
    ApprovalsOldest = Gauge "behalf_approvals_oldest_seconds", "For how long the oldest of them has waited, by tenant; 0 if none waits";
    ApprovalsUndecidable = Gauge "behalf_approvals_undecidable", "Those of them that nobody can decide, as far as that can be told, by tenant";
    ReservationsHeld = Gauge "behalf_reservations_held", "Reservations that are held, by tenant; counted up to 1000";
    AuditUnsealed = Gauge "behalf_audit_unsealed_events", "Events that aren't sealed yet, by tenant; counted up to 1000";
    AuditUnsealedSeconds = Gauge "behalf_audit_unsealed_seconds", "The age of the oldest event that isn't sealed yet, by tenant; 0 if all are";
    AuditUndelivered = Gauge "behalf_audit_undelivered_events", "Sealed entries that the audit sink doesn't have yet, by tenant";
    StoreEpoch = Gauge "behalf_store_epoch", "The number of the store's epoch, by tenant; it grows when the store may have rolled back";
    StoreUnreadable = Gauge "behalf_store_unreadable", "Records that the reaper came upon and could not read, by tenant; most are of a newer version";
    PolicyReloadFailed = Gauge "behalf_policy_reload_failed", "1 if the configuration's file is wrong or gone, so that old rules are in force, else 0";
    PolicyLoaded = Gauge "behalf_policy_loaded_timestamp_seconds", "When the rules were last taken from the configuration's file";
    Notifications = Counter "behalf_notifications", "Tries to tell somebody, by channel and what they came to";
    NotificationsWaiting = Gauge "behalf_notifications_waiting", "Notifications that wait to be sent, by channel; counted up to 1000 for each way";
    DependencyUp = Gauge "behalf_dependency_up", "1 if the dependency answered when last asked, else 0";
    Started = Gauge "behalf_start_timestamp_seconds", "When this process started";
    BuildInfo = Info "behalf_build", "The version that runs";
}

impl Metric {
    /// The name under which samples are found in a query.
    pub fn name(self) -> String {
        match self.kind() {
            Kind::Counter => format!("{}_total", self.registered_name()),
            Kind::Info => format!("{}_info", self.registered_name()),
            Kind::Gauge | Kind::Histogram => self.registered_name().to_owned(),
        }
    }
}
