//! Fires, backfills and calendars.

use http::Method;
use serde::Serialize;

use sandglass_core::id::{CalendarName, JobName};
use sandglass_core::spec::CalendarSpec;
use sandglass_core::time::Timestamp;

use super::transport::{self, Request};
use super::{Client, ClientError, PATIENCE, Precondition};
use crate::wire::{Backfill, BackfillRequest, Calendar, CalendarResult, Fire, Page, Why};

impl Client {
    /// The job's next fires, strictly after `from` or now.
    ///
    /// # Errors
    ///
    /// If the job is not there, or the daemon cannot be reached or refuses.
    pub async fn next_fires(
        &self,
        name: &JobName,
        count: Option<usize>,
        from: Option<Timestamp>,
    ) -> Result<Page<Fire>, ClientError> {
        #[derive(Serialize)]
        struct Query {
            count: Option<usize>,
            from: Option<Timestamp>,
        }
        self.get(self.scoped(&format!("jobs/{name}/next")) + &transport::query(&Query { count, from })).await
    }

    /// Why the job ran or did not run at `at`.
    ///
    /// # Errors
    ///
    /// If the job is not there, or the daemon cannot be reached or refuses.
    pub async fn why(&self, name: &JobName, at: Timestamp) -> Result<Why, ClientError> {
        #[derive(Serialize)]
        struct Query {
            at: Timestamp,
        }
        self.get(self.scoped(&format!("jobs/{name}/why")) + &transport::query(&Query { at })).await
    }

    /// Starts runs for fires of the past, or says how many that would be.
    ///
    /// # Errors
    ///
    /// If the job is not there, the fires are too many, or the daemon cannot be reached or refuses.
    pub async fn backfill(
        &self,
        name: &JobName,
        request: &BackfillRequest,
        dry_run: bool,
    ) -> Result<Backfill, ClientError> {
        let path = self.scoped(&format!("jobs/{name}/backfill?dry_run={dry_run}"));
        self.transport.json(Request::new(Method::POST, path).with_json(request), PATIENCE).await
    }

    /// The namespace's calendars, by name.
    ///
    /// # Errors
    ///
    /// If the daemon cannot be reached or refuses.
    pub async fn calendars(&self) -> Result<Page<Calendar>, ClientError> {
        self.get(self.scoped("calendars")).await
    }

    /// One calendar.
    ///
    /// # Errors
    ///
    /// If it is not there, or the daemon cannot be reached or refuses.
    pub async fn calendar(&self, name: &CalendarName) -> Result<Calendar, ClientError> {
        self.get(self.scoped(&format!("calendars/{name}"))).await
    }

    /// Saves a calendar.
    ///
    /// # Errors
    ///
    /// If what is there is not what was expected, or the daemon cannot be reached or refuses.
    pub async fn put_calendar(&self, spec: &CalendarSpec, expect: Precondition) -> Result<CalendarResult, ClientError> {
        let path = self.scoped(&format!("calendars/{}", spec.name));
        let request = Request::new(Method::PUT, path).with_json(spec).expecting(expect);
        self.transport.json(request, PATIENCE).await
    }

    /// Deletes a calendar that no job uses.
    ///
    /// # Errors
    ///
    /// If it is not there or in use, or the daemon cannot be reached or refuses.
    pub async fn delete_calendar(&self, name: &CalendarName) -> Result<(), ClientError> {
        self.delete(self.scoped(&format!("calendars/{name}"))).await
    }
}
