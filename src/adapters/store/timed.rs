//! Measures every call to a store.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::time::Instant;

use crate::{
    domain::ids::TenantName,
    metrics::{CallResult, Metrics},
    ports::store::{
        Change, Committed, Hints, Index, Key, Lease, ListPage, Page, Seq, Snapshot, Store, StoreError, Stored,
    },
    trace,
};

/// A store whose calls are measured. A caller that stops waiting, and a commit that came too late, count as timed
/// out.
pub struct Timed<S: ?Sized> {
    metrics: Arc<Metrics>,
    inner: Arc<S>,
}

impl<S: Store + ?Sized> Timed<S> {
    /// Measures the calls to `inner`.
    pub fn new(inner: Arc<S>, metrics: Arc<Metrics>) -> Self {
        Self { metrics, inner }
    }

    fn start(&self, operation: &'static str) -> Call<'_> {
        let span = trace::call("store", operation);
        Call { operation, start: Instant::now(), result: CallResult::TimedOut, metrics: &self.metrics, span }
    }
}

/// A call under way; counted when it is dropped.
struct Call<'a> {
    operation: &'static str,
    start: Instant,
    result: CallResult,
    metrics: &'a Metrics,
    span: tracing::Span,
}

impl Call<'_> {
    fn ended<T>(mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        self.result = if result.is_ok() { CallResult::Ok } else { CallResult::Failed };
        result
    }

    fn took(&self) -> Duration {
        self.start.elapsed()
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.span.record("result", self.result.code());
        self.metrics.store(self.operation, self.result, self.took());
    }
}

#[async_trait]
impl<S: Store + ?Sized> Store for Timed<S> {
    async fn read(&self, tenant: &TenantName, keys: &[Key]) -> Result<Snapshot, StoreError> {
        let call = self.start("read");
        call.ended(self.inner.read(tenant, keys).await)
    }

    async fn commit(&self, tenant: &TenantName, change: Change) -> Result<Committed, StoreError> {
        let call = self.start("commit");
        let result = self.inner.commit(tenant, change).await;
        // Left as it is, the call counts as timed out.
        if matches!(result, Ok(Committed::Late)) { result } else { call.ended(result) }
    }

    async fn list(&self, tenant: &TenantName, index: Index, page: Page) -> Result<ListPage, StoreError> {
        let call = self.start("list");
        call.ended(self.inner.list(tenant, index, page).await)
    }

    async fn events(&self, tenant: &TenantName, after: Seq, limit: usize) -> Result<Vec<Stored>, StoreError> {
        let call = self.start("events");
        call.ended(self.inner.events(tenant, after, limit).await)
    }

    async fn lease(
        &self,
        tenant: &TenantName,
        name: &str,
        holder: &str,
        ttl: jiff::SignedDuration,
    ) -> Result<Option<Lease>, StoreError> {
        let call = self.start("lease");
        call.ended(self.inner.lease(tenant, name, holder, ttl).await)
    }

    fn changed(&self, tenant: &TenantName) -> Hints {
        self.inner.changed(tenant)
    }

    async fn incarnation(&self, tenant: &TenantName) -> Result<String, StoreError> {
        let call = self.start("incarnation");
        call.ended(self.inner.incarnation(tenant).await)
    }

    async fn replicated(&self, tenant: &TenantName) -> Result<Option<bool>, StoreError> {
        let call = self.start("replicated");
        call.ended(self.inner.replicated(tenant).await)
    }
}
